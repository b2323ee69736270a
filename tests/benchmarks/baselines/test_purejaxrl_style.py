"""PPO in PureJaxRL's style, part by part, against formulas of NumPy that are written out here."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.baselines.learners import default_promotion
from benchmarks.baselines.purejaxrl_style import Moments, Ppo, Runner, Transition, _choose, _log_prob
from jax_port.ppo.settings import TrainSettings

SETTINGS = TrainSettings(
    n_envs=2, n_steps=3, batch_size=6, gamma=0.9, gae_lambda=0.75, clip_range=0.25, vf_coef=0.7,
    ent_coef=0.03, total_timesteps=6,
)  # fmt: skip
ANY: Any = None


def ppo(network: Any = ANY, env: Any = ANY, settings: TrainSettings = SETTINGS) -> Ppo:
    return Ppo(network, env, settings, ANY)


def test_moments_are_those_of_all_batches_together() -> None:
    rng = np.random.default_rng(0)
    batches = [rng.normal(3.0, 2.0, (size, 2)).astype(np.float32) for size in (5, 1, 9)]
    moments = Moments.new((2,))
    for batch in batches:
        moments = moments.updated(jnp.asarray(batch))
    whole = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, whole.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.var, whole.var(0), rtol=1e-3)
    assert float(moments.count) == pytest.approx(15.0001)
    scaled = moments.scaled(jnp.asarray(whole))
    wanted = (whole - np.asarray(moments.mean)) / np.sqrt(np.asarray(moments.var) + 1e-8)
    np.testing.assert_allclose(scaled, wanted, rtol=1e-5)
    fresh = Moments.new(())
    assert (float(fresh.mean), float(fresh.var), float(fresh.count)) == (0.0, 1.0, pytest.approx(1e-4))


def transitions(**more: Any) -> Transition:
    """Return three steps of two environments; the first ends its episode at the second step."""
    values: dict[str, Any] = {
        "obs": np.zeros((3, 2, 1)), "action": np.zeros((3, 2), np.int32), "log_prob": np.zeros((3, 2)),
        "value": [[0.5, 1.0], [1.5, -1.0], [2.0, 0.25]],
        "reward": [[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]],
        "done": [[False, False], [True, False], [False, False]], **more,
    }  # fmt: skip
    floats = {"value", "reward", "obs", "log_prob"}
    return Transition(
        **{name: jnp.asarray(x, jnp.float32 if name in floats else None) for name, x in values.items()}
    )


def test_advantages_look_back_to_the_end_of_an_episode() -> None:
    steps, last = transitions(), np.array([3.0, -2.0])
    found = ppo().advantages(steps, jnp.asarray(last, jnp.float32))
    value, reward, done = (np.asarray(x, float) for x in (steps.value, steps.reward, steps.done))
    wanted, advantage, following = np.zeros((3, 2)), np.zeros(2), last
    for t in (2, 1, 0):
        on = 0.9 * (1 - done[t])
        advantage = reward[t] + on * following - value[t] + on * 0.75 * advantage
        wanted[t], following = advantage, value[t]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert found.shape == (3, 2)
    assert found[1, 0] == pytest.approx(1.5)  # 3 - 1.5, and nothing of what comes after


def test_a_loss_is_the_clipped_one_with_both_its_coefficients() -> None:
    rng = np.random.default_rng(1)
    logits, value = rng.normal(size=(5, 3)), rng.normal(size=5)
    action, old = np.array([0, 2, 1, 1, 0]), rng.normal(size=5) * 0.3 - 1.0
    before, advantage, target = rng.normal(size=5), rng.normal(size=5), 2 * rng.normal(size=5)
    network: Any = SimpleNamespace(
        apply=lambda weights, obs: (jnp.asarray(logits, jnp.float32), jnp.asarray(value, jnp.float32))
    )
    steps = Transition(
        obs=jnp.zeros((5, 1)), action=jnp.asarray(action, jnp.int32), reward=ANY, done=ANY,
        log_prob=jnp.asarray(old, jnp.float32), value=jnp.asarray(before, jnp.float32),
    )  # fmt: skip
    batch = (steps, jnp.asarray(advantage, jnp.float32), jnp.asarray(target, jnp.float32))
    found = float(ppo(network).loss(None, batch))
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    ratio = np.exp(log_probs[np.arange(5), action] - old)
    assert (ratio > 1.25).any()
    assert (ratio < 0.75).any()
    normal = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    gain = np.minimum(ratio * normal, np.clip(ratio, 0.75, 1.25) * normal).mean()
    clipped = before + np.clip(value - before, -0.25, 0.25)
    critic = np.maximum((value - target) ** 2, (clipped - target) ** 2).mean()
    entropy = -(np.exp(log_probs) * log_probs).sum(1).mean()
    assert found == pytest.approx(0.7 * 0.5 * critic - gain - 0.03 * entropy, rel=1e-4)
    picked = _log_prob(jnp.asarray(logits, jnp.float32), jnp.asarray(action, jnp.int32))
    np.testing.assert_allclose(picked, log_probs[np.arange(5), action], rtol=1e-5)


@pytest.mark.parametrize("normal", [True, False])
def test_a_step_is_recorded_with_what_was_seen_before_it_and_forgets_a_return_that_ended(
    normal: bool,
) -> None:
    settings = replace(SETTINGS, norm_reward=normal)
    told: list[Any] = []
    reward, done = jnp.array([2.0, -3.0]), jnp.array([True, False])
    after = jnp.array([[5.0], [7.0]])

    def apply(weights: Any, obs: Any) -> Any:
        told.append((weights, np.asarray(obs).tolist()))
        return jnp.array([[0.0, 50.0, 0.0], [50.0, 0.0, 0.0]]), jnp.array([0.5, 0.75])

    def step(key: Any, state: Any, action: Any, params: Any) -> Any:
        lane = state.astype(int)
        return after[lane], state + 10.0, reward[lane], done[lane], {}

    env: Any = SimpleNamespace(step=step)
    network: Any = SimpleNamespace(apply=apply)
    moments, rewards = Moments.new((1,)), Moments.new(())
    train: Any = SimpleNamespace(params="weights")
    key = jax.random.key(0)
    state: Any = jnp.array([0.0, 1.0])
    runner = Runner(
        train, state, jnp.array([[1.0], [2.0]]), moments, rewards, jnp.array([4.0, 6.0]), key
    )
    with default_promotion():
        went, seen = ppo(network, env, settings).act(runner, ANY)
    assert told == [("weights", [[1.0], [2.0]])]
    assert seen.action.tolist() == [1, 0]
    assert (seen.obs.tolist(), seen.value.tolist()) == ([[1.0], [2.0]], [0.5, 0.75])
    np.testing.assert_allclose(seen.log_prob, [0.0, 0.0], atol=1e-6)
    assert seen.done.tolist() == [True, False]
    returns = np.array([2.0, 6.0 * 0.9 - 3.0])
    np.testing.assert_allclose(went.returns, returns, rtol=1e-6)
    known = rewards.updated(jnp.asarray(returns, jnp.float32))
    scale = np.sqrt(float(known.var) + 1e-8) if normal else 1.0
    np.testing.assert_allclose(seen.reward, np.asarray(reward) / scale, rtol=1e-5)
    both = moments.updated(after)
    np.testing.assert_allclose(went.obs, both.scaled(after), rtol=1e-5)
    np.testing.assert_allclose(went.obs_moments.mean, both.mean, rtol=1e-6)
    np.testing.assert_allclose(went.reward_moments.var, known.var, rtol=1e-5)
    assert went.env_state.tolist() == [10.0, 11.0]
    assert went.train is train
    assert not np.array_equal(jax.random.key_data(went.key), jax.random.key_data(key))


def test_the_likeliest_action_is_of_scaled_observations_whatever_is_allowed() -> None:
    moments = Moments(jnp.array([10.0]), jnp.array([4.0]), jnp.array(1.0))
    network: Any = SimpleNamespace(
        apply=lambda params, obs: (
            jnp.concatenate([obs * params, -obs * params, obs * 0 + 0.5], 1),
            None,
        )
    )
    obs = jnp.array([[14.0], [4.0], [10.5]])
    masks = jnp.zeros((3, 3), bool)
    actions = _choose(network, (jnp.float32(1.0), moments), obs, masks)
    assert (actions.tolist(), actions.dtype) == ([0, 1, 2], jnp.int32)
