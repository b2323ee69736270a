"""The Python API trains, stops, goes on, saves, loads and judges, as the command line does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import jax
import numpy as np
import pytest
from click.testing import CliRunner

from foundation.files import file_digest
from jax_port.data.data_loader import prepare
from jax_port.ppo.policy import save_policy
from jax_port.ppo.settings import NetworkSpec
from jax_port.runs.plan import Plan
from jax_port.runs.run import Moment
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader import EvaluateEvery, MaskablePPO
from rltrader.__main__ import app
from rltrader.options.run_toml import texts_of
from rltrader.python.callbacks import Call
from tests.jax_port.made_policy import make_policy
from tests.jax_port.ppo.own.networks import OneHead
from tests.rltrader.options.plans import assert_made_again
from tests.sentences import refuses

SMALL: dict[str, Any] = {
    "n_envs": 8,
    "n_steps": 16,
    "batch_size": 64,
    "n_epochs": 1,
    "pi": (8,),
    "vf": (8,),
}


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=4, seed=0)


@pytest.fixture(scope="module")
def agent(bars: Bars) -> MaskablePPO:
    return MaskablePPO(bars, ungated=True, **SMALL).learn(256)


def test_it_learns_predicts_and_evaluates(agent: MaskablePPO, bars: Bars) -> None:
    assert agent.policy is not None
    assert agent.policy.about["steps"] == 256
    masks = np.array([[True, False, True], [True, True, False]])
    actions = agent.predict(np.zeros((2, 225), np.float32), masks)
    assert actions.dtype == np.int32
    assert masks[[0, 1], actions].all()
    alone = agent.predict(np.zeros(225, np.float32), masks[0])
    assert alone.shape == ()
    assert alone == actions[0]
    result = agent.evaluate(bars)
    assert len(result.episodes) > 0


@pytest.mark.costly
def test_a_callback_ends_it_and_it_goes_on_from_there(bars: Bars, tmp_path: Path) -> None:
    seen: list[int] = []

    def two(now: Call) -> bool:
        seen.extend(record["update"] for record in now.records)
        assert (now.updates, now.steps, now.last) == (len(seen), 128 * len(seen), False)
        return len(seen) >= 2

    judged = EvaluateEvery(others(), 128, best=tmp_path / "best.safetensors", patience=5)

    agent = MaskablePPO(bars, ungated=True, **SMALL).learn(
        128 * 10, callback=[judged, two], folder=tmp_path / "a"
    )
    assert len(seen) == 2
    assert agent.policy is not None
    assert agent.policy.about["updates"] == 2
    first = agent.policy
    assert [steps for steps, _ in judged.scores] == [128, 256]
    best = MaskablePPO.load(tmp_path / "best.safetensors").policy
    assert best is not None
    assert best.about["steps"] == judged.best_steps
    assert best.about["certificate"] == "ungated"
    if judged.best_steps == 256:
        assert jax.tree.all(jax.tree.map(np.array_equal, best.params, first.params))
    assert_made_again(tmp_path / "a")
    agent.learn(128, folder=tmp_path / "b")
    assert_made_again(tmp_path / "b")
    assert agent.policy is not first
    assert agent.policy.about["initial"]["path"].startswith(str(tmp_path / "a"))
    with refuses():
        agent.learn(128, folder=tmp_path / "b")


def others() -> Bars:
    """Return bars that come long after those of the training."""
    return synthetic_bars("ES", days=2, seed=1, start="2025-03-03")


@pytest.mark.costly
def test_it_trains_on_the_costs_that_its_bars_have(bars: Bars, tmp_path: Path) -> None:
    """The run goes on with them in another process, and its policy says them."""
    free = replace(bars, contract=bars.contract.with_costs(commission_cents=0, slippage_ticks=0))
    agent = MaskablePPO(free, ungated=True, **SMALL).learn(128, folder=tmp_path / "run")
    assert agent.policy is not None
    assert agent.policy.about["data"]["contract"]["commission_cents"] == 0
    assert not (tmp_path / "run" / "run.toml").exists()  # which could not say it
    agent.evaluate(free)
    with refuses():
        agent.evaluate(bars)
    policy = (tmp_path / "run" / "policy-0.safetensors").read_bytes()
    (tmp_path / "run" / "finished.json").unlink()  # as if it were cut off at the end
    words = ["train", "--out", str(tmp_path / "run"), "--resume", "--ungated"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "run" / "policy-0.safetensors").read_bytes() == policy


def test_bars_of_the_training_do_not_judge_it(agent: MaskablePPO, bars: Bars) -> None:
    assert agent.policy is not None
    moment = Moment(1, [], lambda: [agent.policy])  # type: ignore[list-item]
    with refuses():
        EvaluateEvery(bars, 100)(Call(moment, 128, 1))


def test_saved_and_loaded_it_decides_the_same(agent: MaskablePPO, tmp_path: Path) -> None:
    loaded = MaskablePPO.load(agent.save(tmp_path / "policy.safetensors"))
    obs = np.random.default_rng(0).normal(size=(50, 225)).astype(np.float32)
    masks = np.ones((50, 3), bool)
    assert (loaded.predict(obs, masks) == agent.predict(obs, masks)).all()
    assert loaded.policy is not None
    assert loaded.policy.about["certificate"] == "ungated"


def test_without_a_certificate_it_does_not_train(bars: Bars, tmp_path: Path) -> None:
    agent = MaskablePPO(bars, certificate=tmp_path / "none.json", **SMALL)
    with refuses():
        agent.learn(128, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaskablePPO(phase=3),
        lambda: MaskablePPO("MlpPolicy"),
        lambda: MaskablePPO([others(), 3]),
        lambda: MaskablePPO(gymnasium.make("CartPole-v1")),
        lambda: MaskablePPO(learning_rat=1),
        lambda: MaskablePPO(ungated=True).learn(8),
        lambda: MaskablePPO().predict(np.zeros(225), np.ones(3)),
        lambda: MaskablePPO(network=3),
        lambda: MaskablePPO(network=OneHead(), pi=(8,)),
        lambda: MaskablePPO(schedules={"n_envs": abs}),
        lambda: EvaluateEvery(others(), 0),
        lambda: EvaluateEvery(others(), 1, objective="x"),
        lambda: MaskablePPO.load("nowhere.safetensors"),
    ],
)
def test_bad_input_is_one_sentence(make: Any) -> None:
    with refuses():
        make()


def test_wrong_shapes_are_named(agent: MaskablePPO) -> None:
    with refuses():
        agent.predict(np.zeros(7), np.ones(3, bool))


class Begun(Exception):
    """Stops a training where its run would begin; holds what arrived there."""


def begun(agent: MaskablePPO, **asked: Any) -> tuple[Plan, Path, dict[str, Any]]:
    """Return what ``learn`` would train: the plan, the folder, and all else that the run is told."""

    def stop(plan: Plan, folder: Path, **more: Any) -> None:
        raise Begun(plan, folder, more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jax_port.runs.run.run", stop)
        try:
            agent.learn(**asked)
        except Begun as found:
            plan, folder, more = found.args
            return plan, folder, more
    raise AssertionError("it never began")


def test_what_a_training_is_asked_for_arrives(bars: Bars, tmp_path: Path) -> None:
    agent = MaskablePPO(bars, ungated=True, total_timesteps=1280, **SMALL)
    asked: list[int] = []
    plan, folder, more = begun(
        agent,
        steps=300,
        callback=lambda now: asked.append(now.total_updates),
        folder=tmp_path / "run",
        loggers=("mlflow",),
    )
    assert (plan.settings.total_timesteps, folder) == (300, tmp_path / "run")
    assert (more["begin"], more["loggers"]) == (True, ("mlflow",))
    assert more["certificate"] == plan.certificate == "ungated"
    more["watch"](Moment(3, [{}], list))
    assert asked == [3]  # of 128 steps each
    assert more["enough"]() is False
    plan, folder, more = begun(agent, callback=lambda now: True)
    assert (plan.settings.total_timesteps, more["loggers"]) == (1280, ())
    assert folder.parent.is_dir()
    more["watch"](Moment(1, [{}], list))
    assert more["enough"]() is True


def test_no_steps_are_not_as_many_as_are_usual(bars: Bars, tmp_path: Path) -> None:
    agent = MaskablePPO(bars, ungated=True, **SMALL)
    with refuses():
        begun(agent, steps=0, folder=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_a_run_keeps_its_bars(bars: Bars, tmp_path: Path) -> None:
    kept = tmp_path / "run-bars" / "0.parquet"
    for path in (tmp_path / "run" / "run.json", kept):
        path.parent.mkdir()
        path.write_text("of an earlier run")
    with refuses():
        begun(MaskablePPO(bars, ungated=True, **SMALL), folder=tmp_path / "run")
    assert kept.read_text() == "of an earlier run"


def test_runs_beside_each_other_keep_bars_of_their_own(bars: Bars, tmp_path: Path) -> None:
    plans = {
        name: begun(MaskablePPO(given, ungated=True, **SMALL), folder=tmp_path / name)[0]
        for name, given in (("one", bars), ("other", others()))
    }
    for name, given in (("one", bars), ("other", others())):
        (read,) = plans[name].data.bars()
        assert read.digest == given.digest


def test_one_that_is_loaded_goes_on_from_its_file(bars: Bars, tmp_path: Path) -> None:
    """In the policy's own rules and network, whatever is usual."""
    config = EnvConfig.phase2(window_size=4, max_episode_bars=33)
    spec = NetworkSpec((6, 5), (7,), "tanh")
    file = tmp_path / "policy.safetensors"
    save_policy(file, make_policy(prepare(bars, config), config, spec=spec))
    agent = MaskablePPO.load(file, bars, ungated=True, n_envs=4, n_steps=8, batch_size=16)
    plan, _, _ = begun(agent, folder=tmp_path / "run")
    assert plan.initial == {"path": str(file), "sha256": file_digest(file)}
    assert (plan.config, plan.settings.network) == (config, spec)
    assert plan.initial_policy() is not None
    new, _, _ = begun(MaskablePPO(bars, ungated=True, **SMALL), folder=tmp_path / "new")
    assert new.initial == {}


def test_markets_and_schedules_arrive_in_their_order_and_a_run_says_what_it_can(
    bars: Bars, tmp_path: Path
) -> None:
    falling = {"learning_rate": lambda left: 1e-3 * left, "clip_range": lambda left: 0.1 + 0.1 * left}
    several = [others(), bars]
    agent = MaskablePPO(several, ungated=True, schedules=falling, total_timesteps=256, **SMALL)
    plan, _, more = begun(agent, folder=tmp_path / "run")
    assert [read.digest for read in plan.data.bars()] == [one.digest for one in several]
    assert {name: list(one) for name, one in plan.schedules.items()} == {
        "learning_rate": pytest.approx([0.5e-3, 0.0]),
        "clip_range": pytest.approx([0.15, 0.1]),
    }
    assert more["texts"] == {}  # no option says a function
    plan, _, more = begun(MaskablePPO(bars, ungated=True, **SMALL), folder=tmp_path / "plain")
    assert more["texts"] == texts_of(plan) != {}


def test_after_a_training_it_has_the_policy_of_its_run_and_goes_on_from_there(
    bars: Bars, tmp_path: Path
) -> None:
    written: list[Path] = []

    def run(plan: Plan, folder: Path, **_: Any) -> None:
        folder.mkdir()
        (folder / "policy-0.safetensors").write_text(f"of {folder.name}")
        written.append(folder / "policy-0.safetensors")

    agent = MaskablePPO(bars, ungated=True, **SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jax_port.runs.run.run", run)
        patch.setattr("jax_port.ppo.policy.load_policy", lambda path, own: (path, own))
        for name in ("one", "two"):
            assert agent.learn(128, folder=tmp_path / name) is agent
            assert agent.folder == tmp_path / name
            assert agent.policy == (written[-1], None)
    plan, *_ = begun(agent, folder=tmp_path / "three")
    assert plan.initial == {"path": str(written[1]), "sha256": file_digest(written[1])}


def test_it_is_judged_in_the_rules_of_its_policy(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EnvConfig.phase1(max_episode_bars=33)
    save_policy(tmp_path / "p.safetensors", make_policy(prepare(bars, config), config))
    agent = MaskablePPO.load(tmp_path / "p.safetensors")
    told: list[Any] = []
    monkeypatch.setattr("jax_port.evaluation.evaluate.evaluate", lambda *given: told.append(given))
    monkeypatch.setattr("jax_port.data.data_loader.prepare", lambda *given: given)
    agent.evaluate(bars)
    assert told == [(agent.policy, (bars, config))]
