"""The kernel of both networks against plain JAX, run as plain JAX itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast import fused_mlp, stacked_mlp
from jax_port.ppo.fast.columns import columns_of
from jax_port.ppo.fast.row_losses import MASK, Numbers, as_word, row_gradients
from jax_port.ppo.fast.stacked_mlp import Stacked

ROWS, DEEP, WIDE = 256, 128, 64


def weights_of(key: jax.Array, actions: int) -> Stacked:
    keys = jax.random.split(key, 5)
    head = 0.3 * jax.random.normal(keys[3], (2 * WIDE, actions + 1))
    own = (jnp.arange(2 * WIDE) < WIDE)[:, None] == (jnp.arange(actions + 1) < actions)[None, :]
    return Stacked(
        first=0.2 * jax.random.normal(keys[0], (DEEP, 2 * WIDE)),
        hidden=(
            (
                0.2 * jax.random.normal(keys[1], (2, WIDE, WIDE)),
                0.1 * jax.random.normal(keys[2], (2, WIDE)),
            ),
        ),
        head=jnp.where(own, head, 0.0),
        bias=0.1 * jax.random.normal(keys[4], (actions + 1,)),
    )


def rows_of(key: jax.Array, actions: int) -> jax.Array:
    keys = jax.random.split(key, 4)
    action = jax.random.randint(keys[0], (ROWS,), 0, actions)
    masks = jax.random.bernoulli(keys[1], 0.6, (ROWS, actions))
    masks = masks | (jnp.arange(actions)[None, :] == action[:, None])
    flags = action + sum(masks[:, n].astype(jnp.int32) << (MASK + n) for n in range(actions))
    reals = jax.random.normal(keys[2], (4, ROWS)) * jnp.array([0.3, 1.0, 1.0, 1.0])[:, None]
    reals = reals.at[0].add(-1.0)
    zero = jnp.zeros(ROWS, jnp.int32)
    return jnp.stack([zero, flags, zero, *(as_word(x) for x in reals), zero, zero], axis=1)


@pytest.mark.parametrize("actions", [3, 6])
def test_the_kernel_is_the_networks_the_loss_and_the_way_back(actions: int) -> None:
    limit = 2e-6
    keys = jax.random.split(jax.random.key(0), 3)
    weights = weights_of(keys[0], actions)
    rows = rows_of(keys[1], actions)
    x = jax.random.normal(keys[2], (ROWS, DEEP))
    numbers = Numbers(*(jnp.float32(n) for n in (0.1, 0.9, 0.2, 0.5, 0.02, 0.7)))
    assert fused_mlp.can_fuse(weights, ROWS, "relu")

    deltas = fused_mlp.fused(weights, x, rows, numbers, interpret=True)
    ours = fused_mlp.gradients(x, deltas)

    out, kept = stacked_mlp.outputs(weights, x, "relu")
    of_out, terms = row_gradients(columns_of(out), columns_of(rows), numbers)
    of_out = jnp.stack(of_out, axis=1) / ROWS
    theirs = stacked_mlp.gradients(weights, x, kept, of_out, "relu")
    for name, a, b in zip(
        jax.tree.leaves(ours), jax.tree.leaves(theirs), jax.tree.leaves(weights), strict=True
    ):
        scale = float(jnp.linalg.norm(a))
        assert scale > 0, b.shape
        assert float(jnp.linalg.norm(name - a)) <= limit * scale
    for a, b in zip(deltas.terms, terms, strict=True):
        np.testing.assert_allclose(a, jnp.sum(b), rtol=limit, atol=limit)
    # Not zero, or the comparison would say nothing.
    assert all(float(jnp.abs(jnp.sum(x))) > 0 for x in terms)


def test_what_the_kernel_does_not_take() -> None:
    weights = weights_of(jax.random.key(0), 3)
    assert not fused_mlp.can_fuse(weights, ROWS + 1, "relu")
    assert not fused_mlp.can_fuse(weights, ROWS, "tanh")
    assert not fused_mlp.can_fuse(weights._replace(hidden=()), ROWS, "relu")
    assert not fused_mlp.can_fuse(
        weights._replace(first=jnp.zeros((DEEP + 64, 2 * WIDE))), ROWS, "relu"
    )
