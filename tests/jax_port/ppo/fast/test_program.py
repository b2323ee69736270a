"""What either form of the program takes from the settings."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.form import Form
from jax_port.ppo.fast.program import program_of
from jax_port.ppo.running_statistics import RewardNormalizer
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import TrainState, init_agent
from tests.jax_port.ppo.fast.made_transitions import make_world

SETTINGS = TrainSettings(n_envs=4, n_steps=3, batch_size=4, norm_reward=False).override(
    pi=(4,), vf=(4,)
)


@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_rewards_that_are_not_scaled_leave_their_statistics_as_they_were(form: Form) -> None:
    """Of the rollout no more is computed than those, which takes no step."""
    params = make_world()
    shapes = jax.eval_shape(partial(init_agent, settings=SETTINGS), jnp.int32(0), params)
    with jax.enable_x64(True):  # of which the moments are
        made: TrainState = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes)
    collect = program_of(form, SETTINGS, 3, params.obs_size).collect

    @jax.jit
    def after(agent: TrainState) -> RewardNormalizer:
        weights, key = agent.learner.params, jax.random.key(1)
        return collect(agent.actor, key, weights, params, jnp.float32(0.75))[0].rewards

    before = jax.tree.leaves(made.actor.rewards)
    for found, given in zip(jax.tree.leaves(after(made)), before, strict=True):
        np.testing.assert_array_equal(found, given)
