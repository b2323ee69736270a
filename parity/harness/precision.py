"""Whether the two sides can be run in double precision, so that it can tell rounding from logic."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from foundation.errors import InputError
from parity.engine.jaxprs import equations
from parity.harness.cases import Cases
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.narrow import singles
from parity.harness.sides.side import Side
from parity.harness.trees import Fields, equal, rows_of, take

PROBED = 64
"""Cases by which a side is tried."""


def why_not_double(side: Side, cases: Cases) -> str:
    """Return why a side's double precision is none, or nothing if it can be trusted.

    A side of pure functions is read: nothing in it may be widened from single to double precision, nor
    be computed in single. An object is tried: one that holds its state in single precision must give
    other results when it is put in a state in double precision, and it must take actions in it.
    """
    few = cases.rows(np.arange(min(PROBED, len(cases))))
    if isinstance(side, FunctionalSide):
        try:
            program = _traced(side, few)
        except InputError:
            raise
        except Exception as error:  # whatever foreign code raises where it is only used to single
            first = str(error).strip().split("\n")[0][:160]
            return f"it cannot be run in double precision ({type(error).__name__}: {first})"
        if widened := _widened(program):
            return (
                f"it widens numbers of single precision ({widened} times), constants of the module or "
                "casts; make them where the environment is made, in the dtype of the state"
            )
        if count := singles(program.jaxpr):
            return (
                f"it computes in single precision ({count} times) whatever it is given: a state or a "
                "cast is of float32 by name; leave that dtype to JAX (jax_enable_x64)"
            )
        return ""
    if isinstance(side, MutableSide | BatchedSide) and (said := side.why_not_wide(few.action)):
        return f"it takes no actions in double precision ({said})"
    if not side.can_write:
        return _played_in_single(side, cases)
    seeds = np.zeros(len(few), np.int64)
    state = {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value
        for name, value in few.state.items()
    }
    native = side.transition(state, few.action, seeds)
    if not any(value.dtype == np.float32 for value in native.state.values()):
        return ""
    double = side.transition(state, few.action, seeds, double=True)
    for name, value in native.state.items():
        other = double.state[name]
        if value.dtype == np.float32 and not equal(other.astype(np.float32), value):
            return ""
        wider = value.dtype == np.float32 and other.dtype == np.float64
        if wider and not equal(other, value.astype(np.float64)):
            return ""
    return "put in a state in double precision, it still computes in single"


def _played_in_single(side: Side, cases: Cases) -> str:
    """Return why a side that cannot be put in a state, and is only played, has no double precision:
    numbers with a fraction that its state shows are all of single precision, whatever their dtype."""
    shown = [value for name, value in cases.state.items() if side.native()[name].kind == "f"]
    with np.errstate(over="ignore"):
        narrow = [v for v in shown if equal(v.astype(np.float32).astype(v.dtype), v)]
    if any((v != np.round(v))[np.isfinite(v)].any() for v in narrow):
        return "it shows its state in single precision, and cannot be put in one"
    return ""


def _traced(side: FunctionalSide, cases: Cases) -> Any:
    """Return the program of a step, traced in double precision."""
    fields, ready = side.inputs(take(cases.state, slice(0, 1)), take(cases.action, slice(0, 1)), True)
    program = side.functions(True).program
    with jax.enable_x64(True):
        key = jax.random.PRNGKey(0)
        state = program.reset(key)[1]
        state = side.placed(state, {name: value[0] for name, value in fields.items()})
        action = side.convert_action(jax.tree.map(lambda leaf: leaf, side.nested(ready, 0)))
        return jax.make_jaxpr(lambda state, action: program.step(key, state, action)[:-1])(
            state, action
        )


def _widened(program: Any) -> int:
    """Return how often a program, traced in double precision, converts single to double."""
    traced = list(equations(program))
    literals = {
        float(given.val)
        for equation in traced
        for given in equation.invars
        if hasattr(given, "val") and np.ndim(given.val) == 0 and given.aval.dtype == np.float64
    }
    return sum(map(_is_widening, traced)) + sum(map(_was_single, literals))


def _was_single(value: float) -> bool:
    """Say whether a constant in double precision was rounded to single before, as 0.1 may be."""
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    if not np.isfinite(value) or float(narrow) != value:
        return False
    few_bits = (np.frexp(value)[0] * 2**12).is_integer()  # 0.5, 3 and the like are exact in both
    return not few_bits and float(str(narrow)) != value


def _is_widening(equation: Any) -> bool:
    if equation.primitive.name != "convert_element_type":
        return False
    return bool(
        equation.invars[0].aval.dtype in (np.float32, np.float16)
        and equation.outvars[0].aval.dtype == np.float64
    )


def has_fractions(fields: Fields) -> bool:
    """Say whether any field holds numbers with a fraction."""
    return bool(rows_of(fields)) and any(value.dtype.kind == "f" for value in fields.values())
