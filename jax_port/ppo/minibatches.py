"""Minibatches of a rollout: the transitions' orders, one an epoch, and what gathers some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

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
        mesh: the devices; None for one.
    """

    whole: Share = lambda x: x
    split: Share = lambda x: x
    mesh: Mesh | None = None


ONE_DEVICE = Layout()


def permutations(key: jax.Array, settings: TrainSettings) -> jax.Array:
    """Return one order of the rollout's transitions per epoch: int32 (E, M)."""
    return in_turn(group_orders(key, settings), settings.batch_size)


def group_orders(key: jax.Array, settings: TrainSettings) -> jax.Array:
    """Return one order of each group's own transitions per epoch: int32 (E, G, M / G).

    Groups are of environments that follow each other. Each order is made by one sort of random words
    with the numbers in their low halves: words alone sort six times as fast on a CPU as words that
    carry numbers along. ``jax.random.permutation`` sorts twice, lest two equal words keep two of
    millions in order.
    """
    groups = settings.order_groups
    shape = (settings.n_epochs, groups, settings.rollout_size // groups)
    words = jax.random.bits(key, shape)
    with jax.enable_x64(True):
        numbers = jax.lax.broadcasted_iota(jnp.uint64, shape, 2)
        packed = (words.astype(jnp.uint64) << jnp.uint64(32)) | numbers
        low = jnp.uint64(2**32 - 1)
        return (jax.lax.sort(packed, dimension=2) & low).astype(jnp.int32)


def in_turn(orders: jax.Array, batch_size: int) -> jax.Array:
    """Return orders in which every minibatch has as many transitions of each group: int32 (E, M).

    Args:
        orders: int32 (E, G, M / G), from :func:`group_orders`.
        batch_size: transitions in a full minibatch, a multiple of G.
    """
    epochs, groups, size = orders.shape
    if groups == 1:
        return orders[:, 0]
    each = batch_size // groups
    whole = size // each * each
    numbers = orders + size * jnp.arange(groups, dtype=jnp.int32)[None, :, None]

    def joined(part: jax.Array, count: int) -> jax.Array:
        apart = part.reshape(epochs, groups, -1, count)
        return jnp.swapaxes(apart, 1, 2).reshape(epochs, -1)

    parts = ((numbers[..., :whole], each), (numbers[..., whole:], size - whole))
    return jnp.concatenate([joined(part, count) for part, count in parts if part.size], axis=1)


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
