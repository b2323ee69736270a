"""Collecting steps: what an episode's end leaves behind, whatever ended it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.rollout import collect
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import init_agent


def test_a_return_begins_anew_after_any_end_of_an_episode(
    small_market: Callable[..., EnvParams],
) -> None:
    """At the bar limit too, where nothing was lost: there the next episode begins."""
    limit, settings = 4, TrainSettings(n_envs=8, n_steps=4).override(pi=(8,), vf=(8,))
    params = small_market("ES", max_episode_bars=limit)
    agent = init_agent(jnp.int32(0), params, settings)
    network = network_of(settings, phase_of(params).num_actions)

    def returns_after(steps: int) -> np.ndarray:
        key, gamma = jax.random.wrap_key_data(agent.key), jnp.float32(0.99)
        run = jax.jit(
            lambda: collect(agent.actor, key, agent.learner.params, network, params, steps, gamma)
        )
        actor, *_ = run()
        return np.asarray(actor.rewards.returns)

    assert (returns_after(limit - 1) != 0).all()
    np.testing.assert_array_equal(returns_after(limit), 0)
