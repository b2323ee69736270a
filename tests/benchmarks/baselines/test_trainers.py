from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from msgspec.structs import replace as replace_fields

from benchmarks.baselines.learners import Learner, greedy_return
from benchmarks.baselines.pattern_agents import (
    HeldOutMarket,
    make_held_out,
    make_params,
    policy_return,
)
from benchmarks.baselines.port_agents import policy_of
from benchmarks.baselines.port_trainer import PortLearner
from benchmarks.baselines.port_vec_env import PortVecEnv
from benchmarks.baselines.purejaxrl_style import PureJaxRlTrainer
from benchmarks.baselines.reference_trainer import ReferenceLearner
from benchmarks.baselines.trainers import BASELINES, baseline_names, batch_layouts
from benchmarks.harness.entries import Entry, measure_entries
from benchmarks.harness.rows import EnvironmentRow
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from legacy_torch.train import TrainConfig
from markets import EnvConfig
from markets.synthetic.pattern import pattern_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1()
SETTINGS = TrainSettings(
    n_envs=64,
    n_steps=32,
    batch_size=256,
    n_epochs=4,
    learning_rate=1e-3,
    network=NetworkSpec((16,), (16,)),
)


@cache
def _params() -> EnvParams:
    return make_params(CONFIG, 4, 1.0)


@cache
def _held_out() -> HeldOutMarket:
    return make_held_out(CONFIG, 4, 1.0, 64)


def _leaves(learner: Learner) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(learner.greedy().weights)]


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(one, other) for one, other in zip(some, others, strict=True)]


QUICK = "purejaxrl"
"""The baseline whose training always runs; the others' take longer."""


@pytest.mark.costly
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == QUICK else [pytest.mark.slow]) for name in BASELINES],
)
def test_a_baseline_learns_and_can_begin_anew(name: str) -> None:
    """Trading blindly costs and holding does not, so a policy soon earns more than untrained."""
    if name == "sbx":
        pytest.importorskip("sbx", reason="SBX comes with the extra `benchmark`")
    trainer = BASELINES[name](_params(), SETTINGS)
    assert not trainer.masks
    assert "no masks" in trainer.name
    assert "no masks" in trainer.note
    assert trainer.prepare() > 0
    trainer.begin()
    first = _leaves(trainer)
    earned = greedy_return(trainer.greedy(), _held_out())
    for _ in range(30):
        assert trainer.run() == 64 * 32
    after = _leaves(trainer)
    assert not any(_same(first, after))
    assert all(np.isfinite(leaf).all() for leaf in after)
    assert greedy_return(trainer.greedy(), _held_out()) > earned + 50
    if isinstance(trainer, PureJaxRlTrainer):
        assert np.isfinite(trainer.loss)
    trainer.begin()
    assert all(_same(first, _leaves(trainer)))
    assert greedy_return(trainer.greedy(), _held_out()) == earned
    trainer.close()


@pytest.mark.costly
def test_the_port_is_judged_as_elsewhere() -> None:
    learner = PortLearner(_params(), CONFIG, SETTINGS)
    learner.begin()
    assert learner._agents is not None
    policy = policy_of(learner._agents, 0, CONFIG, SETTINGS.network)
    earned = greedy_return(learner.greedy(), _held_out())
    assert earned == policy_return(policy, _held_out())
    assert earned != 0


def test_the_reference_decides_the_same_with_its_weights_carried_over() -> None:
    bars = pattern_bars("ES", days=4, seed=1, strength=1.0)
    settings = replace(TrainConfig(), n_envs=1, n_steps=64, batch_size=32, learning_rate=1e-5)
    learner = ReferenceLearner(bars, CONFIG, settings)
    learner.prepare()
    first = _leaves(learner)
    assert learner.run() == 64
    assert not all(_same(first, _leaves(learner)))
    rng = np.random.default_rng(0)
    normalizer, model = learner._normalizer, learner._model
    deviation = np.sqrt(normalizer.obs_rms.var)
    obs = (normalizer.obs_rms.mean + deviation * rng.normal(size=(200, 225))).astype(np.float32)
    masks = np.ones((200, 3), bool)
    masks[::2, 1:] = False
    theirs, _ = model.predict(normalizer.normalize_obs(obs), deterministic=True, action_masks=masks)
    greedy = learner.greedy()
    np.testing.assert_array_equal(greedy.choose(greedy.weights, obs, masks), theirs)
    assert len(set(theirs[1::2])) > 1
    learner.close()


def test_the_port_behind_a_vec_env_tells_how_episodes_end() -> None:
    config = CONFIG.override(max_episode_bars=30)
    vec = PortVecEnv(make_params(config, 4, 1.0), 4, seed=0)
    obs = vec.reset()
    assert obs.shape == (4, 225)
    rng = np.random.default_rng(0)
    for number in range(1, 31):
        before = obs
        obs, rewards, dones, infos = vec.step(rng.integers(0, 3, 4))
        assert rewards.dtype == np.float32
        assert rewards.flags.writeable
        if number < 30:
            assert not dones.any()
            assert infos == [{}] * 4
    assert dones.all()
    for at, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True
        # The last observation goes on where the one before it was; the new episode's does not.
        np.testing.assert_array_equal(info["terminal_observation"][:209], before[at][11:220])
        assert not np.array_equal(obs[at][:209], before[at][11:220])
    assert vec.get_attr("render_mode") == [None] * 4


class Script:
    """A workload whose portions take ten steps each; at a certain one it fails."""

    envs = 1

    def __init__(self, name: str, fails_at: int | None = None) -> None:
        self.name, self._left, self.closed = name, fails_at, False

    def prepare(self) -> float:
        return self._count(1.0)

    def run(self) -> int:
        return int(self._count(10))

    def close(self) -> None:
        self.closed = True

    def _count(self, value: float) -> float:
        if self._left == 0:
            raise RuntimeError("no more memory\nand a long story")
        self._left = None if self._left is None else self._left - 1
        return value


def _entry(workload: Script, may_fail: bool) -> Entry[EnvironmentRow]:
    row = EnvironmentRow(name=workload.name, side="baseline", envs=1, unit="steps/s")
    return Entry(workload, row, may_fail)


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_a_workload_that_fails_is_a_row_and_the_others_go_on(fails_at: int) -> None:
    sound, broken = Script("sound"), Script("broken", fails_at)
    rows = measure_entries([_entry(sound, False), _entry(broken, True)], 3, 0.0)
    assert rows[0].rate is not None
    assert len(rows[0].rate.samples) == 3
    assert rows[1] == replace_fields(_entry(broken, True).row, error="RuntimeError: no more memory")
    unforgiven = Script("ours", fails_at)
    with pytest.raises(RuntimeError, match="no more memory"):
        measure_entries([_entry(unforgiven, False)], 3, 0.0)
    assert all(workload.closed for workload in (sound, broken, unforgiven))


def test_batch_layouts_are_the_ports_and_those_named() -> None:
    assert batch_layouts("", SETTINGS) == [SETTINGS]
    others = replace(SETTINGS, n_envs=4, n_steps=2, batch_size=8)
    assert batch_layouts("4x2x8,64x32x256", SETTINGS) == [SETTINGS, others]
    with refuses():
        batch_layouts("4x2", SETTINGS)


def test_baselines_are_known_by_name() -> None:
    assert baseline_names("none") == []
    assert baseline_names("sbx,rejax") == ["sbx", "rejax"]
    with refuses():
        baseline_names("trl")
