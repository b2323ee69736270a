"""The plan's modules show what they are for when they are run as programs."""

from __future__ import annotations

import runpy
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.data.demonstration import _line, show_markets
from jax_port.envs import demonstration as demonstrated_steps
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import demonstration
from jax_port.ppo.settings import HyperParams, TrainSettings
from markets import SYMBOLS, EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.sentences import check_sentence


def run(module: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the module is imported already
        runpy.run_module(module, run_name="__main__")


def test_the_loader_shows_every_market_with_its_memory_and_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("jax_port.data.data_loader", monkeypatch)
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[: len(SYMBOLS)]] == list(SYMBOLS)
    sizes = [float(line.split(" MiB")[0].split()[-1]) for line in shown.splitlines()[: len(SYMBOLS)]]
    assert all(0 < size < 500 for size in sizes)
    whole = float(shown.partition("in one stack, ")[2].partition(" MiB")[0])
    assert abs(sum(sizes) - whole) < 0.1
    assert "features    float32  (72000, 11)    on " in shown
    assert "jax.devices() = [" in shown


def test_the_loader_shows_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bars.csv"
    synthetic_bars("NQ", days=3, seed=1).frame.to_csv(path, index_label="timestamp")
    show_markets([str(path), "--symbol", "NQ"])
    assert capsys.readouterr().out.startswith("NQ     1,350 bars,")


def test_a_market_s_line_says_its_bars_starts_memory_and_source(tmp_path: Path) -> None:
    config = EnvConfig.phase1()
    market = prepare(synthetic_bars("RTY", days=3, seed=1), config)
    data = stack([market, market])
    size = 2 * (1350 * (11 + 8) * 4 + 8 * len(market.starts) + 7 * 4)
    assert data.nbytes == size
    memory = f"{size / 2**20:.2f} MiB of at most 500"
    assert _line(market, data) == (
        f"RTY    1,350 bars,     {len(market.starts)} starts,    {memory}; {market.source}"
    )


class Made(NamedTuple):
    """What an update of a made-up program made: the numbers that are shown."""

    loss: jax.Array
    entropy: jax.Array


def test_the_learner_shows_each_update_s_numbers_and_the_whole_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a made-up program, whose first update takes 2 seconds and the second 0.5."""
    asked: list[Any] = []

    def make_train(settings: TrainSettings, updates: int, agents: int) -> Any:
        asked.append((settings, updates, agents))

        def train(agent: jax.Array, hyper: HyperParams, params: EnvParams) -> Any:
            assert hyper.learning_rate.shape == (1,)
            return agent + 1, Made(0.5 - agent, hyper.learning_rate * 1000 * (agent + 1))

        return train

    clock = iter([0.0, 3.0, 10.0, 12.0, 20.0, 20.5])
    monkeypatch.setattr(demonstration, "make_train", make_train)
    monkeypatch.setattr(
        demonstration, "init_agents", lambda seeds, params, settings: seeds.astype(jnp.float32)
    )
    monkeypatch.setattr(demonstration.time, "perf_counter", lambda: next(clock))
    demonstration.show_training(["--envs", "6", "--n-steps", "16", "--updates", "2"])
    (settings, updates, agents) = asked[0]
    assert (len(asked), updates, agents) == (1, 1, 1)
    assert (settings.n_envs, settings.n_steps, settings.batch_size) == (6, 16, 12)
    assert (settings.n_epochs, settings.total_timesteps, settings.learning_rate) == (4, 192, 1e-3)
    assert (settings.network.pi, settings.network.vf) == ((64, 64), (64, 64))
    assert capsys.readouterr().out.splitlines() == [
        f"{jax.devices()[0]}, the program for a CPU; an update is 6 environments x 16 steps, then 4 "
        "epochs in minibatches of 12",
        "compiled in 3.0 s",
        "update 1: 48 steps per second, loss +0.5000, entropy 1.000",
        "update 2: 192 steps per second, loss -0.5000, entropy 2.000",
        "192 steps in 2.5 s",
        "77 training steps per second",
    ]


def test_the_environment_shows_masks_actions_and_rewards_of_all_in_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of made-up environments: the third alone may buy and sell, until it is stepped twice."""
    shown = demonstrated_steps

    class State(NamedTuple):
        position: jax.Array

    class Outcome(NamedTuple):
        reward: jax.Array

    class Moved(NamedTuple):
        state: State
        outcome: Outcome

    def masks(state: State) -> jax.Array:
        free = (jnp.arange(8) == 2) & (state.position < 2)
        return jnp.stack([jnp.ones(8, bool), free, free], axis=1)

    def batch_step(key: jax.Array, state: State, action: jax.Array, params: EnvParams) -> Moved:
        assert action.shape == (8,)
        return Moved(State(state.position + 1), Outcome(jnp.arange(8) / 8 - state.position))

    def step(key: jax.Array, state: State, action: jax.Array, params: EnvParams) -> Moved:
        return Moved(State(action), Outcome(jnp.float32(-0.25)))

    monkeypatch.setattr(shown, "reset", lambda key, params: (jnp.arange(7.0), State(jnp.int32(0))))
    monkeypatch.setattr(shown, "step", step)
    monkeypatch.setattr(
        shown, "batch_reset", lambda key, params, num_envs: (0, State(jnp.zeros(num_envs)))
    )
    monkeypatch.setattr(shown, "batch_step", batch_step)
    monkeypatch.setattr(shown, "batch_action_masks", lambda state, params: masks(state))
    shown.show_steps()
    first, second, empty, third, *steps = capsys.readouterr().out.splitlines()
    assert first == (
        f"device {jax.devices()[0]}; an observation is float32 (7,), finite throughout: True"
    )
    assert (second, empty) == ("one step, buy: reward -0.2500, position 1", "")
    assert third == "8 environments, random allowed actions; masks of hold, buy, sell:"
    assert steps[::4] == [f"step {number}" for number in range(1, 6)]
    for number in range(5):
        _, seen, actions, rewards = (line.split() for line in steps[4 * number : 4 * number + 4])
        free = "111" if number < 2 else "100"
        assert seen == ["masks", "100", "100", free, *["100"] * 5]
        assert [actions[0], *actions[1:3], *actions[4:]] == ["actions", *["hold"] * 7]
        assert number < 2 or actions[3] == "hold"
        assert rewards == ["rewards", *(f"{place / 8 - number:+.3f}" for place in range(8))]


def test_a_missing_file_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("jax_port.data.data_loader", monkeypatch, "no.csv", "--symbol", "ES")
    assert stopped.value.code == 2
    check_sentence(capsys.readouterr().err.rstrip("\n"))


@pytest.mark.parametrize("module", ["jax_port.data.data_loader", "jax_port.ppo.train_ppo_jax"])
def test_help_says_how_the_module_is_run(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(module, monkeypatch, "--help")
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {module} ")


@pytest.mark.costly
def test_the_environment_shows_steps_masks_and_rewards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("jax_port.envs.env_phase1_jax", monkeypatch)
    shown = capsys.readouterr().out
    assert "observation is float32 (225,), finite throughout: True" in shown
    assert "one step, buy: reward -0.0100, position 1" in shown
    assert shown.count("masks   111") == 1
    paid = "-0.010 -0.925 -0.010 -0.010 -0.010 -0.010 -0.010 -0.010"
    for step, line, drawn in (
        ("step 1", 1, "actions sell sell sell sell buy buy buy hold"),
        ("step 3", 1, f"actions {'hold ' * 7}sell"),
        ("step 3", 2, f"rewards {paid}"),  # of the bars at which they began
    ):
        assert shown.partition(f"{step}\n")[2].splitlines()[line].split() == drawn.split()
    assert shown.count("rewards ") == 5


@pytest.mark.slow  # ten seconds of compilation
def test_the_learner_shows_its_training_steps_per_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--envs", "8", "--n-steps", "8", "--updates", "2")
    run("jax_port.ppo.train_ppo_jax", monkeypatch, *small)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(
        f"{jax.devices()[0]}, the program for a CPU; an update is 8 environments"
    )
    assert [line.split(":")[0] for line in shown[2:4]] == ["update 1", "update 2"]
    rates = [
        int(line.split(" steps per second")[0].split()[-1].replace(",", "")) for line in shown[2:4]
    ]
    rate, _, unit = shown[-1].partition(" ")
    assert unit == "training steps per second"
    assert min(rates) <= int(rate.replace(",", "")) <= max(rates)


@pytest.mark.parametrize(
    "arguments",
    [("--updates", "0"), ("--envs", "-3"), ("--n-steps", "99999"), ("--n-steps", "many")],
    ids=" ".join,
)
def test_a_training_of_no_sense_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("jax_port.ppo.train_ppo_jax", monkeypatch, *arguments)
    assert stopped.value.code == 2
    check_sentence(capsys.readouterr().err.strip().rpartition("error: ")[2])
