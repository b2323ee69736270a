"""The throughput benchmark runs and its report says all it must; speed itself is not asserted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.baselines.environments import random_valid_actions, rollout
from benchmarks.harness.measure import take_turns
from benchmarks.suites.env_throughput import main, short
from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["--quick", "--host-devices", "1", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_report(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.json"
    text = run("--loading", "--json", str(out))
    report = json.loads(out.read_text())
    assert report["schema"] == 2
    assert report["benchmark"] == "env_throughput"
    names = [row["name"] for row in report["rows"]]
    assert names == [
        "port, obs",
        "port, obs in 2 parts",
        "port, no obs",
        "NumPy, obs",
        "gymnax CartPole, obs",
        "reference",
        "reference, DummyVecEnv(2)",
        "reference, SubprocVecEnv(2)",
    ]
    for row in report["rows"]:
        speed = row["steps_per_second"]
        assert len(speed["samples"]) == 2
        assert min(speed["samples"]) > 0
        assert speed["quartiles"][0] <= speed["median"] <= speed["quartiles"][1]
        assert row["prepare_seconds"] > 0
    assert [row["envs"] for row in report["rows"]] == [32, 32, 32, 32, 32, 1, 2, 2]
    assert set(report["ratios"]) == {*names[3:], "reference, best SubprocVecEnv"}
    bars = synthetic_bars("ES", days=4, seed=0)
    assert report["data"]["digest"] == prepare(bars, EnvConfig.phase1()).digest
    assert report["data"]["bars"] == len(bars)
    assert report["data"]["device_bytes"] > len(bars) * 19 * 4
    assert report["settings"]["config"] == EnvConfig.phase1().to_dict()
    around = report["surroundings"]
    assert around["versions"]["jax"] == jax.__version__
    assert around["device"]["platform"] == jax.default_backend()
    assert around["cpu"]
    loading = report["loading"]
    assert loading["bars"] == len(bars)
    assert loading["first_seconds"] > 0
    assert len(loading["cached_seconds"]) == 5
    assert "1,800 bars of 4 days" in text


def test_without_the_reference(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    run("--no-legacy", "--json", str(out))
    report = json.loads(out.read_text())
    assert len(report["rows"]) == 5
    assert set(report["ratios"]) == {"NumPy, obs", "gymnax CartPole, obs"}


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--quick", "--data", str(tmp_path / "none.csv")])
    assert result.exit_code == 2
    assert "none.csv" in result.output
    assert "Traceback" not in result.output


@pytest.fixture(scope="module")
def params() -> env.EnvParams:
    config = EnvConfig.phase1()
    return env.make_params(stack([prepare(synthetic_bars("ES", days=4, seed=0), config)]), config)


def test_actions_are_valid_and_random(params: env.EnvParams) -> None:
    _, state = env.batch_reset(jax.random.key(0), params, 3000)
    state = state.replace(position=jnp.arange(3000, dtype=jnp.int32) % 3 - 1)
    actions = np.asarray(random_valid_actions(jax.random.key(1), state))
    flat = np.asarray(state.position) == 0
    assert (actions[~flat] == env.HOLD).all()
    assert (np.bincount(actions[flat], minlength=3) > 250).all()


def test_the_forms_hand_out_the_same_observations(params: env.EnvParams) -> None:
    _, state = env.batch_reset(jax.random.key(0), params, 8)
    keys = jax.random.split(jax.random.key(1), (20, 2))
    obs = jnp.zeros((8, params.obs_size), jnp.float32)
    parts = (jnp.zeros((8, 20, 11), jnp.float32), jnp.zeros((8, 5), jnp.float32))
    jitted = jax.jit(rollout, static_argnums=3)
    whole: Any = jitted(keys, (state, obs), params, "obs")
    split: Any = jitted(keys, (state, parts), params, "parts")
    bare: Any = jitted(keys, (state, ()), params, "none")
    for other in (split, bare):
        jax.tree.map(np.testing.assert_array_equal, whole[0], other[0])
        np.testing.assert_allclose(whole[2], other[2], rtol=1e-6)
    joined = np.concatenate([np.asarray(split[1][0]).reshape(8, -1), split[1][1]], axis=1)
    np.testing.assert_array_equal(whole[1], joined)
    observe = jax.jit(jax.vmap(env.observe, in_axes=(0, None)))
    np.testing.assert_array_equal(whole[1], observe(whole[0], params))


@pytest.mark.parametrize(
    ("rate", "text"), [(3_412_345.0, "3.41M"), (26e6, "26M"), (4049.0, "4.05k"), (12.0, "12")]
)
def test_rates_are_short(rate: float, text: str) -> None:
    assert short(rate) == text


def test_rivals_take_turns() -> None:
    order: list[str] = []

    class Rival:
        envs = 1

        def __init__(self, name: str) -> None:
            self.name = name

        def prepare(self) -> float:
            return 0.5

        def run(self) -> int:
            order.append(self.name)
            return 10

        def close(self) -> None:
            pass

    timings = take_turns([Rival("a"), Rival("b")], rounds=2, seconds_per_row=0.0)
    # Once each to warm up, then each round in its turn, which moves on.
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert [len(timing.samples) for timing in timings] == [2, 2]
    assert [timing.prepare_seconds for timing in timings] == [0.5, 0.5]
