"""Numbers that pages state and the code decides, computed from it."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.ppo import rollout
from jax_port.ppo.update import Network
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

ENVS, STEPS = 4096, 2


@cache
def transition_bytes() -> float:
    """Return the bytes that a rollout of Phase 1 holds per transition.

    What the update reads, and with it the bar and the position that a truncation would have led to.
    The statistics of a step, shared by all its environments, are not counted.
    """
    config = EnvConfig.phase1()
    params = make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), config)]), config)
    network = Network(
        policy=lambda weights, obs: jnp.zeros((obs.shape[0], 3), jnp.float32),
        value=lambda weights, obs: jnp.zeros(obs.shape[0], jnp.float32),
    )

    def collected(key: jax.Array) -> rollout.Rollout:
        actor = rollout.init_actor(key, params, ENVS)
        return rollout.collect(actor, key, {}, network, params, STEPS, jnp.float32(0.99))[1]

    held = jax.eval_shape(collected, jax.random.key(0))._replace(scales=None)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(held))
    cut = held.step_idx.dtype.itemsize + held.position.shape[-1] * held.position.dtype.itemsize + 1
    return size / (ENVS * STEPS) + cut
