from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest

from benchmarks.baselines.learners import Learner, PortLearner, ReferenceLearner, judged
from benchmarks.baselines.pattern_agents import Unseen, judge, make_params, make_unseen, policy_of
from benchmarks.baselines.port_vec_env import PortVecEnv
from benchmarks.baselines.purejaxrl_style import PureJaxRlRival
from benchmarks.baselines.trainers import RIVALS, ahead, layouts, rival_names
from benchmarks.harness.measure import Timing, take_turns
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from legacy_torch.train import TrainConfig
from markets import EnvConfig, InputError
from markets.synthetic.pattern import pattern_bars

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
def _unseen() -> Unseen:
    return make_unseen(CONFIG, 4, 1.0, 64)


def _leaves(learner: Learner) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(learner.greedy().weights)]


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(one, other) for one, other in zip(some, others, strict=True)]


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_learns_and_can_begin_anew(name: str) -> None:
    """Trading blindly costs and holding does not, so a policy soon earns more than untrained."""
    if name == "sbx":
        pytest.importorskip("sbx", reason="SBX comes with the extra `benchmark`")
    rival = RIVALS[name](_params(), SETTINGS)
    assert not rival.masks
    assert "no masks" in rival.name
    assert "no masks" in rival.note
    assert rival.prepare() > 0
    rival.begin()
    first = _leaves(rival)
    earned = judged(rival.greedy(), _unseen())
    for _ in range(30):
        assert rival.run() == 64 * 32
    after = _leaves(rival)
    assert not any(_same(first, after))
    assert all(np.isfinite(leaf).all() for leaf in after)
    assert judged(rival.greedy(), _unseen()) > earned + 50
    if isinstance(rival, PureJaxRlRival):
        assert np.isfinite(rival.loss)
    rival.begin()
    assert all(_same(first, _leaves(rival)))
    assert judged(rival.greedy(), _unseen()) == earned
    rival.close()


def test_the_port_is_judged_as_elsewhere() -> None:
    learner = PortLearner(_params(), CONFIG, SETTINGS)
    learner.begin()
    assert learner._agent is not None
    policy = policy_of(learner._agent, 0, CONFIG, SETTINGS.network)
    earned = judged(learner.greedy(), _unseen())
    assert earned == judge(policy, _unseen())
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
    spread = np.sqrt(normalizer.obs_rms.var)
    obs = (normalizer.obs_rms.mean + spread * rng.normal(size=(200, 225))).astype(np.float32)
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
    """A rival whose portions take steps as told; at a certain one it fails."""

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


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_a_rival_that_fails_is_a_row_and_the_others_go_on(fails_at: int) -> None:
    rivals = [Script("sound"), Script("broken", fails_at)]
    timings = take_turns(rivals, rounds=3, seconds_per_row=0.0, may_fail=rivals[1:])
    assert len(timings[0].samples) == 3
    assert timings[1].to_dict() == {
        "name": "broken",
        "envs": 1,
        "error": "RuntimeError: no more memory",
    }
    unforgiven = Script("ours", fails_at)
    with pytest.raises(RuntimeError, match="no more memory"):
        take_turns([unforgiven], rounds=3, seconds_per_row=0.0)
    assert all(rival.closed for rival in (*rivals, unforgiven))


def _timing(name: str, *samples: float, error: str | None = None) -> Timing:
    return Timing(name, 1, 0.0, list(samples), error)


def test_ratios_are_paired_round_by_round() -> None:
    timings = [
        _timing("ours", 10.0, 20.0, 40.0),
        _timing("ours, slower", 1.0, 2.0, 4.0),
        _timing("theirs", 5.0, 5.0, 5.0),
        _timing("theirs, slower", 4.0, 4.0, 6.0),
        _timing("broken", error="RuntimeError"),
        _timing("ours, other epochs", 8.0, 8.0, 8.0),
    ]
    meaning = {
        "ours": {"side": "port", "epochs": 4},
        "ours, slower": {"side": "port", "epochs": 4},
        "theirs": {"side": "rival", "rival": "rejax", "epochs": 4},
        "theirs, slower": {"side": "rival", "rival": "rejax", "epochs": 4},
        "broken": {"side": "rival", "rival": "sbx", "epochs": 4},
        "ours, other epochs": {"side": "port", "epochs": 1},
    }
    assert ahead(timings, meaning) == {
        "ahead of rejax, 4 epochs": {
            "ours": "ours",
            "theirs": "theirs",
            "median": 4.0,
            "quartiles": [3.0, 6.0],
            "rounds": [2.0, 4.0, 8.0],
        }
    }


def test_portions_are_ours_and_those_named() -> None:
    assert layouts("", SETTINGS) == [SETTINGS]
    others = replace(SETTINGS, n_envs=4, n_steps=2, batch_size=8)
    assert layouts("4x2x8,64x32x256", SETTINGS) == [SETTINGS, others]
    with pytest.raises(InputError, match="'4x2': give environments, steps and minibatch"):
        layouts("4x2", SETTINGS)


def test_rivals_are_known_by_name() -> None:
    assert rival_names("none") == []
    assert rival_names("sbx,rejax") == ["sbx", "rejax"]
    with pytest.raises(InputError, match="'trl' is no rival; choose from purejaxrl, rejax, sbx"):
        rival_names("trl")
