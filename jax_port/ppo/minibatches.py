"""Minibatches of a rollout: the transitions' orders, one an epoch, and what gathers some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_port.envs.state import EnvParams
from jax_port.ppo.losses import Batch
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.prior import prior_at
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.update import GatherFn

Share = Callable[[Any], Any]
"""Constrain a minibatch's or a buffer's layout over devices; the identity on one device."""


class Layout(NamedTuple):
    """How arrays lie on several devices.

    Attributes:
        whole: for arrays that each device holds all of.
        split: for arrays whose first axis is divided over devices.
    """

    whole: Share = lambda x: x
    split: Share = lambda x: x


ONE_DEVICE = Layout()


def permutations(key: jax.Array, settings: TrainSettings) -> jax.Array:
    """Return one order of the rollout's transitions per epoch: int32 (E, M).

    Each is made by one sort of random words with the numbers in their low halves: words alone sort
    six times as fast on a CPU as words that carry numbers along. ``jax.random.permutation`` sorts
    twice, lest two equal words keep two of millions in order.
    """
    shape = (settings.n_epochs, settings.rollout_size)
    words = jax.random.bits(key, shape)
    with jax.enable_x64(True):
        numbers = jax.lax.broadcasted_iota(jnp.uint64, shape, 1)
        packed = (words.astype(jnp.uint64) << jnp.uint64(32)) | numbers
        low = jnp.uint64(2**32 - 1)
        return (jax.lax.sort(packed, dimension=1) & low).astype(jnp.int32)


def gather_from(
    rollout: Rollout,
    advantages: jax.Array,
    returns: jax.Array,
    params: EnvParams,
    layout: Layout,
) -> GatherFn:
    """Return what turns numbers of transitions (B,) into a minibatch.

    Transitions are numbered environment by environment, as in SB3's buffer. Observations are rebuilt
    for the minibatch alone.
    """
    steps = rollout.step_idx.shape[0]
    scales = layout.whole(rollout.scales)

    def flat(x: jax.Array) -> jax.Array:
        return layout.whole(jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]))

    kept = rollout._replace(scales=None)  # type: ignore[arg-type]
    table, advantages, returns = jax.tree.map(flat, (kept, advantages, returns))

    def gather(numbers: jax.Array) -> Batch:
        numbers = layout.split(numbers)
        some = jax.tree.map(lambda x: x[numbers], table)
        scale = jax.tree.map(lambda x: x[numbers % steps], scales)
        prior = prior_at(some.step_idx, some.masks.shape[1], params)
        return Batch(
            obs=layout.split(reconstruct_obs(some.step_idx, some.position, scale, params)),
            actions=some.actions.astype(jnp.int32),
            masks=some.masks,
            log_probs=some.log_probs,
            values=some.values,
            advantages=advantages[numbers],
            returns=returns[numbers],
            prior=None if prior is None else layout.split(prior),
        )

    return gather
