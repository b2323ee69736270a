"""The reference with advice: what its policy is, what its network sees, what is not normalised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.vec_env import DummyVecEnv

from legacy_torch.advised import PriorEnv, PriorNormalize, PriorPolicy, give_columns
from legacy_torch.env_phase2 import TradingEnvPhase2
from markets import EnvConfig
from markets.advice.by_bar import columns, prior
from markets.synthetic.bars import synthetic_bars
from parity.learner.advice import drawn_advice

CONFIG = EnvConfig.phase2(max_episode_bars=30)


@pytest.fixture
def env() -> TradingEnvPhase2:
    return TradingEnvPhase2(synthetic_bars("ES", days=2, seed=3), CONFIG)


def test_an_observation_ends_in_the_advice_of_its_decision(env: TradingEnvPhase2) -> None:
    laid, use = drawn_advice(env.bars, "columns")
    bare, _ = env.reset(options={"start_index": 200})
    give_columns(env, columns(laid, use.settings))
    wide, _ = env.reset(options={"start_index": 200})
    assert wide.shape == env.observation_space.shape
    window = wide[:-8].reshape(20, 15)
    assert (window[:, :11].ravel() == bare[:-8]).all()
    newest = columns(laid, use.settings)[199]
    assert (window[-1, 11:] == newest).all()


def test_the_prior_is_added_to_the_logits_and_seen_by_no_network() -> None:
    torch.manual_seed(0)
    size, rows = 5, 7
    space = spaces.Box(-np.inf, np.inf, (size + 3,), np.float32)
    policy = PriorPolicy(space, spaces.Discrete(6), lambda _: 1e-3)
    plain = MaskableActorCriticPolicy(
        spaces.Box(-np.inf, np.inf, (size,), np.float32), spaces.Discrete(6), lambda _: 1e-3
    )
    plain.load_state_dict(policy.state_dict())
    obs, shift = torch.randn(rows, size), 3 * torch.randn(rows, 3)
    masks = np.ones((rows, 6), bool)
    masks[1, [1, 2]] = False
    both = torch.cat([obs, shift], dim=1)
    logits = plain.action_net(plain.mlp_extractor.forward_actor(obs))
    wanted = torch.where(torch.tensor(masks), logits + shift[:, [0, 1, 2, 0, 0, 0]], -1e8)
    expected = torch.log_softmax(wanted, dim=1)
    actions = torch.tensor([0, 3, 1, 2, 5, 4, 0])
    values, log_probs, _ = policy.evaluate_actions(both, actions, masks)
    assert torch.allclose(log_probs, expected[torch.arange(rows), actions], atol=1e-6)
    assert torch.allclose(values, plain.predict_values(obs), atol=1e-6)
    found = policy.get_distribution(both, masks).distribution
    assert found is not None
    assert torch.allclose(found.logits, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 1000])  # a weight may be 100: far beyond what is clipped
def test_the_normaliser_leaves_the_prior_as_it_is(env: TradingEnvPhase2, scale: int) -> None:
    laid, use = drawn_advice(env.bars, "prior")
    shift = scale * prior(laid, use.settings)
    alone = PriorEnv(env, shift)
    assert alone.observation_space.shape == (env.observation_space.shape[0] + 3,)
    alone.reset(options={"start_index": 200})
    assert alone.action_masks().tolist() == env.action_masks().tolist() == [True] * 3 + [False] * 3
    alone.step(1)
    assert alone.action_masks().tolist() == env.action_masks().tolist()
    assert not env.action_masks()[1]
    made = PriorNormalize(DummyVecEnv([lambda: PriorEnv(env, shift)]))
    obs = made.reset()
    seen = [(env.step_idx, obs[0, -3:])]
    for _ in range(20):
        obs, *_ = made.step(np.array([0]))
        seen.append((env.step_idx, obs[0, -3:]))
    assert all((shift[bar] == told).all() for bar, told in seen)
    assert any(told.any() for _, told in seen)
    assert np.abs(obs[0, :-3]).max() <= 10
    raw, moments = made.get_original_obs(), made.obs_rms  # of all, of which the prior's are not used
    apart = (raw - moments.mean) / np.sqrt(moments.var + 1e-8)
    np.testing.assert_allclose(obs[0, :-3], np.clip(apart[0, :-3], -10, 10), rtol=1e-5, atol=1e-6)
    assert np.abs(obs[0, :-3]).max() > 0.1
