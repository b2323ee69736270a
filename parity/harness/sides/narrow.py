"""Arithmetic below double precision within a traced program, whatever the dtypes of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.engine.jaxprs import inside

EXACT = frozenset(["add", "sub", "mul", "dot_general", "reduce_sum", "cumsum", "square", "integer_pow"])
"""Primitives that round no small whole numbers."""
_INEXACT = (
    "div rem pow sqrt rsqrt cbrt exp exp2 expm1 log log1p sin cos tan asin acos atan atan2 sinh cosh",
    "tanh asinh acosh atanh logistic erf erfc erf_inv lgamma digamma reduce_prod cumprod cumlogsumexp",
    "conv_general_dilated add_any scatter-add scatter_add scatter-mul scatter_mul",
)
ROUNDING = EXACT | {name for names in _INEXACT for name in names.split()}
"""Primitives that round; all others move, choose or compare numbers."""


def singles(program: Any, given: list[bool] | None = None) -> int:
    """Return how many equations of a program, and of those inside it, round below double precision.

    What is made of whole numbers and flags alone, by sums and products, is exact, and not counted.

    Args:
        program: a jaxpr that is not closed.
        given: of each input, whether it is exact; none is by default.
    """
    exact = dict(zip(program.invars, given or [False] * len(program.invars), strict=True))

    def is_exact(operand: Any) -> bool:
        if not _is_narrow(operand):
            return getattr(operand.aval.dtype, "kind", "f") in "biu"
        if hasattr(operand, "val"):
            return bool((np.frexp(np.float64(operand.val))[0] * 2**12 % 1 == 0).all())
        return exact.get(operand, False)

    count = 0
    for equation in program.eqns:
        name, operands = equation.primitive.name, equation.invars
        kept = all(map(is_exact, operands)) and name not in ROUNDING - EXACT
        for out in equation.outvars:
            exact[out] = kept
        for inner in inside(equation.params):
            part = getattr(inner, "jaxpr", inner)
            known = list(map(is_exact, operands))[-len(part.invars) or len(operands) :]
            fits = len(known) == len(part.invars) and name not in ("while", "scan")
            count += singles(part, known if fits else None)
        narrow = any(map(_is_narrow, equation.outvars))
        count += narrow and name in ROUNDING and not kept
    return count


def _is_narrow(operand: Any) -> bool:
    """Say whether an operand is of a floating dtype below double precision."""
    dtype = operand.aval.dtype
    return bool(dtype in (np.float32, np.float16) or str(dtype) == "bfloat16")
