"""Walking through traced programs: every equation, those within loops, branches and calls too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any


def equations(program: Any, closed: Collection[str] = ()) -> Iterator[Any]:
    """Yield every equation of a traced program and of those inside it.

    Args:
        program: a jaxpr, closed or not, such as ``jax.make_jaxpr(f)(x)``.
        closed: names of primitives that are not looked into.
    """
    for equation in getattr(program, "jaxpr", program).eqns:
        yield equation
        if equation.primitive.name not in closed:
            for inner in inside(equation.params):
                yield from equations(inner, closed)


def inside(params: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the traced programs among an equation's parameters."""
    for value in params.values():
        for one in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(getattr(one, "jaxpr", one), "eqns"):
                yield one
