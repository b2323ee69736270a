"""Traced programs are walked through whole: every equation once, outer before inner, in order."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from parity.engine.jaxprs import equations, inside


def names(program: Any, *closed: str) -> list[str]:
    return [equation.primitive.name for equation in equations(program, closed)]


def branches(x: jax.Array) -> jax.Array:
    """Take the sine, or the cosine and its exponential, and then the tangent."""
    picked = jax.lax.switch(
        jnp.int32(1), (jnp.sin, lambda y: jnp.exp(jnp.cos(y)), lambda y: jnp.log(y) + 1), x
    )
    return jnp.tan(picked)


def looped(x: jax.Array) -> jax.Array:
    """Go through a loop within a loop within a function that is compiled for itself."""

    def inner(carry: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        return jnp.sin(carry), jnp.cos(carry)

    def outer(carry: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        carry, seen = jax.lax.scan(inner, carry, None, length=3)
        return jnp.exp(carry), seen

    return jax.jit(lambda y: jax.lax.scan(outer, y, None, length=2)[0])(x)


def test_every_branch_is_walked_through_and_what_stands_behind_them() -> None:
    program = jax.make_jaxpr(branches)(1.0)
    found = [
        name for name in names(program) if name in ("sin", "cos", "exp", "log", "add", "tan", "cond")
    ]
    assert found == ["cond", "sin", "cos", "exp", "log", "add", "tan"]
    assert "sin" not in names(program, "cond")
    assert names(program, "cond")[-1] == "tan"
    assert names(program.jaxpr) == names(program)


def test_loops_and_calls_within_each_other_are_walked_through() -> None:
    program = jax.make_jaxpr(looped)(1.0)
    found = names(program)
    assert found[1:3] == ["scan", "scan"]
    assert sorted(found[3:]) == ["cos", "exp", "sin"]
    assert names(program, "scan") == found[:2]
    assert names(program, found[0]) == found[:1]
    assert (
        names(program, "sin", "nothing") == found
    )  # what has nothing within it is yielded all the same


def test_a_program_of_nothing_has_no_equation() -> None:
    assert names(jax.make_jaxpr(lambda x: x)(1.0)) == []


@pytest.mark.parametrize("kind", [tuple, list])
def test_programs_among_parameters_are_found_alone_and_in_rows(kind: Any) -> None:
    one, two, three = (jax.make_jaxpr(function)(1.0) for function in (jnp.sin, jnp.cos, jnp.tan))
    params = {"a": 1, "b": one, "c": "jaxpr", "d": kind((2, two, None, three.jaxpr)), "e": None}
    assert list(inside(params)) == [one, two, three.jaxpr]
    assert list(inside({"a": 1, "d": kind(())})) == []
