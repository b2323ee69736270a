"""Matrix products inside kernels of our own, which the compiler does not look into.

XLA sees a Pallas kernel as one call of something. What it multiplies is read where it is still known,
in the traced program: products of one instance times the instances of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from parity.engine.jaxprs import equations, inside

PALLAS = "pallas_call"
Flops = dict[str, float]
"""Operations by precision: "float32", "tf32" or "bf16"."""


def own_kernels(jaxpr: Any) -> dict[str, Flops]:
    """Return the operations of one launch of each Pallas kernel of a traced program, by its name.

    Args:
        jaxpr: of the program, such as ``jax.jit(f).trace(x).jaxpr``.
    """
    found: dict[str, Flops] = {}
    for equation in equations(jaxpr, closed=(PALLAS,)):
        if equation.primitive.name == PALLAS:
            grid = prod(equation.params["grid_mapping"].grid)
            flops = products(equation.params["jaxpr"])
            found[_name(equation.params)] = {key: grid * count for key, count in flops.items()}
    return found


def products(jaxpr: Any) -> Flops:
    """Return the operations of the matrix products of a traced program, loops with all their turns.

    Of a conditional's branches, the one with most counts.
    """
    total: Flops = {}

    def add(flops: Mapping[str, float], times: float = 1.0) -> None:
        for key, count in flops.items():
            total[key] = total.get(key, 0.0) + times * count

    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        inner = [products(one) for one in inside(equation.params)]
        if equation.primitive.name == "dot_general":
            add(_product(equation))
        elif equation.primitive.name == "cond":
            add(max(inner, key=lambda flops: sum(flops.values()), default={}))
        else:
            for flops in inner:
                add(flops, equation.params.get("length", 1))  # of a scan
    return total


def _product(equation: Any) -> Flops:
    left = equation.invars[0].aval
    (contracted, _), _ = equation.params["dimension_numbers"]
    count = 2.0 * equation.outvars[0].aval.size * prod(left.shape[axis] for axis in contracted)
    if left.dtype.itemsize == 2:
        return {"bf16": count}
    exact = "HIGH" in str(equation.params.get("precision"))
    return {"float32" if exact else "tf32": count}


def _name(params: Mapping[str, Any]) -> str:
    """Return a Pallas kernel's name; where it is kept depends on JAX's version."""
    about = params.get("name_and_src_info")
    return str(params.get("name") or getattr(about, "name", "") or "")
