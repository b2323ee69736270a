"""Phase 1's weights and statistics in Phase 2, number by number, on networks of a few neurons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.transfer import SHY, transfer, transfer_statistics
from markets import EnvConfig, InputError

SETTINGS = {"window_size": 1, "warmup_bars": 20, "max_episode_bars": 30}
OLD, NEW = 11 + 5, 11 + 8


@pytest.fixture
def pair(random_bars):
    """A model and a normaliser of each phase, of one hidden layer for the policy and two for values."""
    bars = random_bars(1)
    made = []
    for kind, configure in (
        (TradingEnvPhase1, EnvConfig.phase1),
        (TradingEnvPhase2, EnvConfig.phase2),
    ):
        env = VecNormalize(DummyVecEnv([lambda k=kind, c=configure: k(bars, c(**SETTINGS))]))
        sizes = {"net_arch": {"pi": [4], "vf": [3, 2]}}
        made.append((MaskablePPO("MlpPolicy", env, n_steps=8, batch_size=8, policy_kwargs=sizes), env))
    return made


def test_every_weight_has_its_place_and_the_new_ones_begin_near_hold(pair):
    (source, _), (target, _) = pair
    with torch.no_grad():
        for number, value in enumerate(source.policy.state_dict().values()):
            value.copy_(torch.arange(value.numel()).reshape(value.shape) + 100.0 * (number + 1))
    old = {name: value.clone() for name, value in source.policy.state_dict().items()}
    optimizer = target.policy.optimizer.state_dict()
    transfer(source, target)
    new = target.policy.state_dict()
    assert new.keys() == old.keys()
    first = {"mlp_extractor.policy_net.0.weight", "mlp_extractor.value_net.0.weight"}
    for name, value in new.items():
        if name in first:  # the three flags are not seen at first
            assert value.shape[1] == NEW
            assert value[:, :OLD].equal(old[name])
            assert not value[:, OLD:].any()
        elif name == "action_net.weight":
            assert value[:3].equal(old[name])
            assert value[3:].equal(old[name][:1].expand(3, -1))
        elif name == "action_net.bias":
            assert value[:3].equal(old[name])
            assert value[3:].tolist() == [float(old[name][0]) - SHY] * 3
        else:
            assert value.equal(old[name]), name
    assert SHY == 3.0
    assert all(value.equal(old[name]) for name, value in source.policy.state_dict().items())
    assert target.policy.optimizer.state_dict() == optimizer


def test_statistics_keep_their_mean_variance_and_count(pair):
    (_, source), (_, target) = pair
    rng = np.random.default_rng(0)
    source.obs_rms.mean, source.obs_rms.var = rng.normal(size=OLD), rng.uniform(0.1, 9, OLD)
    source.obs_rms.count = 4321.0001
    transfer_statistics(source, target)
    assert target.obs_rms.mean.tolist() == [*source.obs_rms.mean.tolist(), 0, 0, 0]
    assert target.obs_rms.var.tolist() == [*source.obs_rms.var.tolist(), 1, 1, 1]
    assert target.obs_rms.count == 4321.0001
    target.obs_rms.update(np.ones((1, NEW)))
    assert source.obs_rms.count == 4321.0001
    assert source.obs_rms.mean.shape == (OLD,)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (
            {"pi": [4], "vf": [3, 2, 2]},
            "the two models have different layers; build both",
        ),
        (
            {"pi": [4, 4], "vf": [3, 2]},
            "the two models have different layers; build both",
        ),
        (
            {"pi": [4], "vf": [5, 2]},
            r"value_net\.0\.weight is \(3, 16\) in the one .* and \(5, 19\)",
        ),
        (
            {"pi": [3], "vf": [3, 2]},
            r"policy_net\.0\.weight is \(4, 16\) in the one .* and \(3, 19\)",
        ),
    ],
    ids=str,
)
def test_networks_of_other_layers_are_refused_and_stay_as_they_are(pair, sizes, words):
    (source, _), (_, env) = pair
    target = MaskablePPO("MlpPolicy", env, n_steps=8, batch_size=8, policy_kwargs={"net_arch": sizes})
    before = {name: value.clone() for name, value in target.policy.state_dict().items()}
    with pytest.raises(InputError, match=words):
        transfer(source, target)
    with pytest.raises(InputError, match=words if "layers" in words else "build both with the same"):
        transfer(target, source)  # from more inputs to fewer
    assert all(value.equal(before[name]) for name, value in target.policy.state_dict().items())
