"""Both networks, forwards and back to every layer's gradients, in one GPU kernel: Pallas, for ReLU.

XLA writes what every layer gives to memory and reads it again: some 2.4 GB a minibatch of 131,072,
where memory and not arithmetic is what a GPU waits for. Here a program takes some rows through one
network (the policy's or the value's), the loss and back, with the rows in the chip's own memory. It
leaves only what the weights' gradients are made of: what the first layer gave, and the gradients at
both layers. The same in plain JAX is :mod:`jax_port.ppo.fast.stacked_mlp` with
:mod:`jax_port.ppo.fast.row_losses`; tests hold the kernel to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from jax_port.ppo.fast.row_losses import Numbers, RowTerms, row_gradients
from jax_port.ppo.fast.stacked_mlp import Stacked

ROWS, WARPS, STAGES = 64, 8, 2
"""Rows of a program, and how it runs."""

COLUMN_BYTES = 128
"""Bytes of a layer's columns at a time, of each row: what pairs of them leave of the chip's memory."""

TERMS = len(RowTerms._fields)


class Deltas(NamedTuple):
    """What the weights' gradients are made of, for B rows.

    Attributes:
        first: (B, 2 H), what the first layer gave.
        of_first, of_second: (B, 2 H), gradients before the activations.
        head: float32 (2, A + 1, H), the heads' gradients.
        bias: float32 (2, H), those of the second layer's biases.
        out: float32 (A + 1,), those of the heads' biases.
        terms: the loss's terms, summed over rows.
    """

    first: jax.Array
    of_first: jax.Array
    of_second: jax.Array
    head: jax.Array
    bias: jax.Array
    out: jax.Array
    terms: RowTerms


def can_fuse(weights: Stacked, rows: int, activation: str) -> bool:
    """Return whether the kernel takes such weights and so many rows."""
    wide = weights.first.shape[1] // 2
    shapes = (weights.first.shape[0], wide, weights.head.shape[0] // 2)
    powers = all(size & (size - 1) == 0 and 64 <= size <= 256 for size in shapes)
    square = len(weights.hidden) == 1 and shapes[1] == shapes[2]
    return activation == "relu" and powers and square and rows % ROWS == 0


def _kernel(
    x_ref: Any,
    first_ref: Any,
    second_ref: Any,
    bias_ref: Any,
    head_ref: Any,
    out_bias_ref: Any,
    rows_ref: Any,
    numbers_ref: Any,
    h1_ref: Any,
    g1_ref: Any,
    g2_ref: Any,
    of_head_ref: Any,
    of_bias_ref: Any,
    sums_ref: Any,
    *,
    rows: int,
    barrier: Callable[[], Any],
) -> None:
    """Take R rows of ``rows`` through one network: the policy's on side 0, the value's on side 1.

    Each network has its own share of the outputs; gradients of the others are zero.
    """
    of_value = pl.program_id(0).astype(jnp.float32)
    outputs, dtype, wide = out_bias_ref.shape[0], x_ref.dtype, h1_ref.shape[1]
    columns = COLUMN_BYTES // dtype.itemsize
    steps = wide // columns
    x = x_ref[...]

    def forwards(n: jax.Array, carry: jax.Array) -> jax.Array:
        part = pl.ds(n * columns, columns)
        z = plgpu.dot(x, first_ref[:, part])
        h1_ref[:, part] = jnp.maximum(z, 0.0).astype(dtype)
        return carry

    jax.lax.fori_loop(0, steps, forwards, jnp.int32(0))
    barrier()
    h1 = h1_ref[...]

    def second(n: jax.Array, outs: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        part = pl.ds(n * columns, columns)
        z = plgpu.dot(h1, second_ref[0, :, part]) + bias_ref[0, part][None, :]
        h2 = jnp.maximum(z, 0.0).astype(dtype)
        g2_ref[:, part] = h2
        real = h2.astype(jnp.float32)
        return tuple(
            out + jnp.sum(real * head_ref[0, a, part].astype(jnp.float32)[None, :], axis=1)
            for a, out in enumerate(outs)
        )

    start = tuple(jnp.full(x.shape[0], out_bias_ref[a], jnp.float32) for a in range(outputs))
    outs = jax.lax.fori_loop(0, steps, second, start)
    words = [rows_ref[:, n] for n in range(rows_ref.shape[1])]
    numbers = Numbers(*(numbers_ref[n] for n in range(len(Numbers._fields))))
    own, terms = row_gradients(outs, words, numbers)
    shares = [(1.0 - of_value) / rows] * (outputs - 1) + [of_value / rows]
    gradients = [share * g for share, g in zip(shares, own, strict=True)]
    for n, x_n in enumerate([*terms, *gradients]):
        sums_ref[0, 0, n] = jnp.sum(x_n)
    gradients = [g.astype(dtype).astype(jnp.float32) for g in gradients]
    barrier()

    def backwards(n: jax.Array, carry: jax.Array) -> jax.Array:
        part = pl.ds(n * columns, columns)
        h2 = g2_ref[:, part].astype(jnp.float32)
        delta = jnp.zeros_like(h2)
        for a, g in enumerate(gradients):
            of_head_ref[0, 0, a, part] = jnp.sum(h2 * g[:, None], axis=0)
            delta += g[:, None] * head_ref[0, a, part].astype(jnp.float32)[None, :]
        delta = jnp.where(h2 > 0.0, delta, 0.0)
        of_bias_ref[0, 0, part] = jnp.sum(delta, axis=0)
        g2_ref[:, part] = delta.astype(dtype)
        return carry

    jax.lax.fori_loop(0, steps, backwards, jnp.int32(0))
    barrier()
    g2 = g2_ref[...]

    def to_first(n: jax.Array, carry: jax.Array) -> jax.Array:
        part = pl.ds(n * columns, columns)
        delta = plgpu.dot(g2, second_ref[0, part, :], trans_b=True)
        given = h1_ref[:, part].astype(jnp.float32)
        g1_ref[:, part] = jnp.where(given > 0.0, delta, 0.0).astype(dtype)
        return carry

    jax.lax.fori_loop(0, steps, to_first, jnp.int32(0))


def fused(
    weights: Stacked, x: jax.Array, rows: jax.Array, numbers: Numbers, interpret: bool = False
) -> Deltas:
    """Run both networks over a minibatch, to the mean loss and back.

    Args:
        weights: in the precision of the products; one hidden layer after the first.
        x: input rows (B, D'), of the same precision.
        rows: int32 (B, K), the transitions' words.
        numbers: of the minibatch.
        interpret: run it as plain JAX, on a CPU.
    """
    size, deep = x.shape
    wide = weights.first.shape[1] // 2
    outputs, words, tiles = weights.bias.shape[0], rows.shape[1], size // ROWS
    (second, bias), head = weights.hidden[0], weights.head.T.reshape(outputs, 2, wide)
    by_rows = pl.BlockSpec((ROWS, wide), lambda s, i: (i, s))
    whole = pl.no_block_spec
    # What one thread wrote, another reads; plain JAX has no threads.
    barrier = (lambda: None) if interpret else plgpu.debug_barrier

    def partial_of(*shape: int) -> pl.BlockSpec:
        zeros = (0,) * len(shape)
        return pl.BlockSpec((1, 1, *shape), lambda s, i: (i, s, *zeros))

    both = jax.ShapeDtypeStruct((size, 2 * wide), x.dtype)
    real = jnp.float32
    h1, g1, g2, of_head, of_bias, sums = pl.pallas_call(
        partial(_kernel, rows=size, barrier=barrier),
        grid=(2, tiles),
        in_specs=[
            pl.BlockSpec((ROWS, deep), lambda s, i: (i, 0)),
            pl.BlockSpec((deep, wide), lambda s, i: (0, s)),
            pl.BlockSpec((1, wide, wide), lambda s, i: (s, 0, 0)),
            pl.BlockSpec((1, wide), lambda s, i: (s, 0)),
            pl.BlockSpec((1, outputs, wide), lambda s, i: (s, 0, 0)),
            whole,
            pl.BlockSpec((ROWS, words), lambda s, i: (i, 0)),
            whole,
        ],
        out_specs=[
            by_rows,
            by_rows,
            by_rows,
            partial_of(outputs, wide),
            partial_of(wide),
            partial_of(TERMS + outputs),
        ],
        out_shape=[
            both,
            both,
            both,
            jax.ShapeDtypeStruct((tiles, 2, outputs, wide), real),
            jax.ShapeDtypeStruct((tiles, 2, wide), real),
            jax.ShapeDtypeStruct((tiles, 2, TERMS + outputs), real),
        ],
        compiler_params=plgpu.CompilerParams(num_warps=WARPS, num_stages=STAGES),
        interpret=interpret,
        name="both_networks_and_back",
    )(x, weights.first, second, bias, jnp.swapaxes(head, 0, 1), weights.bias, rows, jnp.stack(numbers))
    policy, value = sums.sum(0)
    terms = RowTerms(*policy[:TERMS])._replace(value_loss=value[RowTerms._fields.index("value_loss")])
    out = (policy + value)[TERMS:]
    return Deltas(h1, g1, g2, of_head.sum(0), of_bias.sum(0), out, terms)


def gradients(x: jax.Array, deltas: Deltas) -> Stacked:
    """Return the weights' gradients, float32, of what :func:`fused` left."""
    size, outputs = x.shape[0], deltas.out.shape[0]

    def product(axes: str, left: jax.Array, right: jax.Array) -> jax.Array:
        made: jax.Array = jnp.einsum(axes, left, right, preferred_element_type=jnp.float32)
        return made

    pairs = (y.reshape(size, 2, -1) for y in (deltas.first, deltas.of_second))
    return Stacked(
        first=product("bi,bj->ij", x, deltas.of_first),
        hidden=((product("bki,bkj->kij", *pairs), deltas.bias),),
        head=jnp.swapaxes(deltas.head, 1, 2).reshape(-1, outputs),
        bias=deltas.out,
    )
