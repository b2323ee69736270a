"""Equations that round below double precision are counted, wherever they are, and exact ones not."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parity.harness.sides.narrow import singles

WHOLE = jnp.int32(3)
ROUNDED = np.float32(0.1)


@pytest.mark.parametrize(
    ("step", "count"),
    [
        (lambda x, n: x * x, 1),
        (lambda x, n: -jnp.abs(x) + 0 * n, 1),
        (lambda x, n: jnp.stack([x, x]).max(), 0),
        (lambda x, n: n.astype(jnp.float32) * -1.0 + 2.5, 0),
        (lambda x, n: n.astype(jnp.float32) * ROUNDED, 1),
        (lambda x, n: n.astype(jnp.float32) / 7.0, 1),
        (lambda x, n: (n.astype(jnp.float32) - 1.0) * x, 1),
        (lambda x, n: (x > 0.3).astype(jnp.float16) + n.astype(jnp.float16), 0),
        (lambda x, n: jnp.sqrt(x.astype(jnp.bfloat16)), 1),
        (lambda x, n: x.astype(jnp.float64) / 3.0, 0),
        (lambda x, n: jax.jit(lambda y: y * y)(n.astype(jnp.float32)), 0),
        (lambda x, n: jax.jit(lambda m, y: y + y)(n, x), 1),
        (lambda x, n: jax.lax.cond(n > 1, lambda y: y * y, lambda y: y, x), 1),
        (lambda x, n: jax.lax.scan(lambda a, _: (a + 1.5 * x, None), x, None, 4)[0], 2),
        (lambda x, n: jax.lax.while_loop(lambda a: a < 9, lambda a: jnp.exp(a), x), 1),
    ],
)
def test_what_rounds_to_less_than_double_precision_is_counted(step: Any, count: int) -> None:
    with jax.enable_x64(True):
        program = jax.make_jaxpr(step)(jnp.float32(0.3), WHOLE)
    assert singles(program.jaxpr) == count
    with jax.enable_x64(True):
        double = jax.make_jaxpr(lambda x: jnp.sin(x) * 0.1 + jnp.exp(x))(jnp.float64(0.3))
    assert singles(double.jaxpr) == 0
