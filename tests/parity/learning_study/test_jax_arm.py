"""The port's arm and the baselines of the study: how rewards become numbers per 100 steps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.settings import RATES
from parity.learning_study import baseline_policies, jax_arm
from parity.learning_study.design import DESIGN


def test_a_curve_counts_what_ended_episodes_brought_and_what_the_running_ones_gained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollout of 6 x 5 steps: its sum over 30, times 100."""
    running = [[1.0, 2.0], [4.0, 8.0], [0.5, -3.0], [2.0, 2.0]]  # before, and after each update
    ended = [[[10.0, 20.0]], [[0.0, 7.0]], [[-5.0, 1.5]]]
    seen: list[Any] = []

    def agent(number: int) -> Any:
        reward = jnp.array(running[number])
        return SimpleNamespace(number=number, actor=SimpleNamespace(episode_reward=reward))

    def fresh(seeds: Any, params: Any) -> Any:
        seen.append((seeds.tolist(), seeds.dtype, params))
        return agent(0)

    def train(before: Any, hyper: Any, params: Any) -> Any:
        seen.append((before.number, hyper, params))
        reward = np.array(ended[before.number])
        return agent(before.number + 1), SimpleNamespace(ends=SimpleNamespace(reward=reward))

    settings = DESIGN.settings.override(n_envs=6, n_steps=5, batch_size=30, total_timesteps=90)
    design = replace(DESIGN, settings=settings)
    monkeypatch.setattr(jax_arm, "environment", lambda design: "params")
    monkeypatch.setattr(jax_arm, "_programs", lambda of: (fresh, train) if of == settings else None)
    monkeypatch.setattr(jax_arm, "_hyper", lambda design: "hyper")
    found = jax_arm.learning_curve(design, 7)
    assert seen[0] == ([7], jnp.int32, "params")
    assert seen[1:] == [(number, "hyper", "params") for number in range(3)]
    # 30 + (12 - 3), 7 + (-2.5 - 12), -3.5 + (4 + 2.5)
    np.testing.assert_allclose(found, np.array([39.0, -7.5, 3.0]) * 100 / 30)
    assert found.dtype == np.float64


def test_every_number_of_the_settings_is_the_learner_s() -> None:
    settings = DESIGN.settings.override(
        learning_rate=0.0123, gamma=0.91, gae_lambda=0.82, clip_range=0.13, ent_coef=0.031,
        vf_coef=0.71, max_grad_norm=0.6,
    )  # fmt: skip
    hyper = jax_arm._hyper(replace(DESIGN, settings=settings))
    for name in RATES:
        value = getattr(settings, name)
        if value is not None:
            assert np.asarray(getattr(hyper, name)).tolist() == [pytest.approx(value)], name


def test_a_policy_s_reward_is_the_mean_over_all_steps_and_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Environment e brings e + 4 times what is chosen in step t, which is t: 3 a step."""

    def batch_step(restart: Any, state: Any, action: Any, params: Any) -> Any:
        reward = jnp.arange(3.0) + 4 * action.astype(float)
        return SimpleNamespace(state=state + 1, outcome=SimpleNamespace(reward=reward))

    monkeypatch.setattr(
        baseline_policies.env, "batch_reset", lambda key, params, count: (None, jnp.zeros(count, int))
    )
    monkeypatch.setattr(baseline_policies.env, "batch_step", batch_step)
    monkeypatch.setattr(
        baseline_policies.env, "batch_action_masks", lambda state, params: jnp.ones((3, 3), bool)
    )
    design = replace(DESIGN, baseline_envs=3, baseline_steps=2)
    params: Any = None
    with jax.disable_jit():
        found = baseline_policies.mean_reward(lambda key, state, masks: state, params, design)
    assert found == pytest.approx((1.0 + 4 * 0.5) * 100)
