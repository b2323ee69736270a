"""Equal, rounding or logic: the same cases in single and in double precision say which, by field.

What differs in single precision and agrees in double is rounding; what differs in double is logic.
Where a side cannot compute in double precision, the port's own sensitivity stands in: what is no larger
than a few times what a few units in the last place of its inputs make is called rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parity.harness.fields import Rule, close, exact
from parity.harness.trees import Array, Fields

EQUAL, ROUNDING, LOGIC = 0, 1, 2
LABELS = ("equal", "rounding", "logic")

RELATIVE, OF_FIELD = 2.0**-36, 1e-13
"""What double precision may leave: a share of the number, and of the field's largest number, as far as
the case itself has numbers of that size."""
LARGE, USUAL = 2.0**33, 1e4
"""Above which a case's numbers say nothing of its other fields, as a mark for "none" does; and up to
which a step may have numbers of its own that no field shows."""
SENSITIVITY = 4
"""How many times what a few units in the last place of the inputs make still is rounding."""


@dataclass
class FieldLabels:
    """What was seen of one field in N cases.

    Attributes:
        labels: int8 (N,), :data:`EQUAL`, :data:`ROUNDING` or :data:`LOGIC`.
        apart: float64 (N,), the largest difference of a case, in single precision.
        ulps: float64 (N,), the same in units in the last place of the narrower side; 0 for whole
            numbers.
        beyond: bool (N,), rounding beyond the declared bound.
        compared: bool (N,), which cases count.
    """

    labels: Array
    apart: Array
    ulps: Array
    beyond: Array
    compared: Array


def default_rule(reference: Array, port: Array) -> Rule:
    """Return the rule of a field that none was declared for, by its dtypes."""
    return close() if "f" in (reference.dtype.kind, port.dtype.kind) else exact()


def narrower(a: Array, b: Array) -> np.dtype:
    """Return the narrower floating dtype of two arrays; float64 for whole numbers."""
    floats = [x.dtype for x in (a, b) if x.dtype.kind == "f"]
    return min(floats, key=lambda dtype: dtype.itemsize) if floats else np.dtype(np.float64)


def spacing(values: Array, dtype: np.dtype) -> Array:
    """Return the distance to the next number of a dtype, in float64; 0 where a value is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(values).astype(dtype)
        below = np.nextafter(np.finfo(dtype).max, dtype.type(0))  # beyond the largest there is none
        gaps = np.spacing(np.minimum(size, below)).astype(np.float64)
    return np.where(np.isfinite(size), gaps, 0.0)


def _per_case(values: Array) -> Array:
    return values.reshape(len(values), -1).max(axis=1, initial=0)


def discrete(a: Array, b: Array) -> bool:
    """Say whether neither side holds numbers with a fraction."""
    return "f" not in (a.dtype.kind, b.dtype.kind)


def differ_in_single(rule: Rule, a: Array, b: Array) -> tuple[Array, Array, Array, Array]:
    """Compare two arrays (N, ...) at the precision of the narrower.

    Returns:
        Where they differ (bool, their shape), by how much, in ulps, and where beyond the rule's bound.
    """
    if discrete(a, b):
        return a != b, rule.apart(a, b), np.zeros(a.shape), np.zeros(a.shape, bool)
    dtype = narrower(a, b)
    if rule.kind == "exact":  # numbers with a fraction that are declared equal have a bound of nothing
        differs, apart = ~((a == b) | (_nan(a) & _nan(b))), rule.apart(a, b)
        return differs, apart, _in_ulps(apart, a, b, dtype), differs
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = a.astype(dtype), b.astype(dtype)
    apart = rule.apart(x, y)
    ulps = _in_ulps(apart, x, y, dtype)
    beyond = np.zeros(a.shape, bool)
    if rule.ulps is not None:
        beyond = (ulps > rule.ulps) & (apart > rule.floor)
    return apart > 0, apart, ulps, beyond


def _in_ulps(apart: Array, a: Array, b: Array, dtype: np.dtype) -> Array:
    """Return differences in units in the last place of the larger number, in a floating dtype."""
    size = np.fmax(np.abs(a.astype(np.float64)), np.abs(b.astype(np.float64)))
    gap = spacing(size, dtype)
    return np.where(apart > 0, apart / np.where(gap > 0, gap, 1.0), 0.0)


def finite_size(values: Array) -> Array:
    """Return how large numbers are, in float64; 0 where one is not finite."""
    size = np.abs(values.astype(np.float64))
    return np.where(np.isfinite(size), size, 0.0)


def own_numbers(count: int, *parts: Fields) -> Array:
    """Return the largest number that each of N cases has in its fields: float64 (N,), at least
    :data:`USUAL`; those above :data:`LARGE` do not count."""
    most = np.full(count, USUAL)
    for values in (value for part in parts for value in part.values()):
        size, places = finite_size(values), tuple(range(1, values.ndim))
        most = np.maximum(most, np.where(size <= LARGE, size, 0.0).max(axis=places, initial=0.0))
    return most


def differ_in_double(
    rule: Rule, a: Array, b: Array, largest: Array | float = 0.0, own: Array | float = np.inf
) -> tuple[Array, Array]:
    """Compare two arrays (N, ...) of the double-precision run: where they differ, and by how much.

    A side that stores a number in single precision after computing it in double may be off by half a
    unit in its last place; nothing else is allowed but what double
    precision itself rounds, of the number and of ``largest``, the field's largest number: where larger
    ones cancel, a sum is no more exact. Of that, no more counts than ``own``, the largest number that
    the case has, by case or by place: one huge number in one case allows nothing in the others.
    """
    if discrete(a, b) or rule.kind == "exact":
        return ~((a == b) | (_nan(a) & _nan(b))), rule.apart(a, b)
    apart = rule.apart(a, b)
    finite = finite_size(a)
    largest = np.maximum(largest, finite.max(axis=0, initial=0.0))
    allowed = RELATIVE * finite + OF_FIELD * np.minimum(largest, np.maximum(own, finite))
    for side in (a, b):
        if side.dtype.kind == "f" and side.dtype.itemsize < 8:
            allowed = allowed + 0.5 * (1 + 1e-6) * spacing(
                np.maximum(*(np.abs(one.astype(np.float64)) for one in (a, b))), side.dtype
            )
    return apart > allowed, apart


def _nan(values: Array) -> Array:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)


def label(
    rule: Rule,
    single: tuple[Array, Array],
    double: tuple[Array, Array] | None,
    compared: Array,
    nudged: list[Array] | None = None,
    largest: Array | float = 0.0,
    own: Array | float = np.inf,
) -> FieldLabels:
    """Label one field of N cases.

    Args:
        rule: of the field.
        single: reference's and port's values (N, ...) of the run in native precision.
        double: the same of the run in double precision, None if there was none.
        compared: bool (N,), which cases count.
        nudged: without ``double``, the port's values after its inputs were changed by one unit in the
            last place, several times.
        largest: the field's largest number in any case so far, by place within it.
        own: the largest number of each case, as it may have been a part of the field's.
    """
    a, b = single
    differs, apart, ulps, beyond = differ_in_single(rule, a, b)
    labels = np.where(_per_case(differs), ROUNDING, EQUAL).astype(np.int8)
    if double is not None:
        logic, _ = differ_in_double(rule, *double, largest, own)
    else:
        logic = differs & ~_within_sensitivity(rule, a, b, nudged)
    labels = np.where(_per_case(logic), LOGIC, labels).astype(np.int8)
    labels[~compared] = EQUAL
    return FieldLabels(
        labels=labels,
        apart=np.where(compared, _per_case(apart), 0.0),
        ulps=np.where(compared, _per_case(ulps), 0.0),
        beyond=_per_case(beyond).astype(bool) & compared,
        compared=compared,
    )


def farthest(differs: Array, by: Array) -> int:
    """Return which of N cases to show: the one farthest apart of those that differ, not of all.

    Args:
        differs: bool (N, ...), at least one of them.
        by: float64 (N, ...), how far apart the two sides are.
    """
    return int(np.argmax(np.where(differs, by, -1.0).reshape(len(by), -1).max(axis=1)))


def _within_sensitivity(rule: Rule, a: Array, b: Array, nudged: list[Array] | None) -> Array:
    """Say where a difference is no more than what tiny changes of the inputs make."""
    if not nudged:
        return np.zeros(a.shape, bool)
    if discrete(a, b) or rule.kind == "exact":
        return np.any([a == other for other in nudged], axis=0)
    dtype = narrower(a, b)
    spread = np.max([rule.apart(b, other) for other in nudged], axis=0)
    allowed = SENSITIVITY * (spread + 4 * spacing(a.astype(np.float64), dtype))
    within = np.isfinite(spread) & (rule.apart(a.astype(dtype), b.astype(dtype)) <= allowed)
    # Where the inputs decide whether there is a number at all, only the same one is explained by them.
    return np.asarray(within | np.any([rule.apart(a, other) == 0 for other in nudged], axis=0))


def no_rounding(a: Array, b: Array) -> Array:
    """Return where two arrays differ at the precision of the narrower as rounding by itself makes
    nothing differ: in whole numbers and flags, and in whether there is a finite number at all."""
    if discrete(a, b):
        return np.asarray(a != b)
    dtype = narrower(a, b)
    return np.asarray(_class_of(a, dtype) != _class_of(b, dtype))


def reached(
    rule: Rule, a: Array, b: Array, nudged: Sequence[tuple[Array | None, Array | None]]
) -> Array:
    """Return where tiny changes of the inputs explain such a difference: bool, the arrays' shape.

    Args:
        rule: of the field.
        a, b: reference's and port's values.
        nudged: the same of both, after the inputs were changed, several times; None of a side that
            cannot be put in a state.
    """
    pairs = [(a, b, other) for _, other in nudged if other is not None]
    pairs += [(b, a, other) for other, _ in nudged if other is not None]
    found = np.zeros(a.shape, bool)
    for wanted, own, other in pairs:
        if discrete(a, b):
            found |= rule.apart(a, b) <= SENSITIVITY * rule.apart(own, other)
        else:
            dtype = narrower(a, b)
            found |= _class_of(other, dtype) == _class_of(wanted, dtype)
    return found


def _class_of(values: Array, dtype: np.dtype) -> Array:
    """Return 0 for a number that a dtype holds, 1 and -1 for an endless one, 2 for none: int8."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = values.astype(dtype)
    kinds = np.isposinf(values).astype(np.int8) - np.isneginf(values)
    return np.asarray(np.where(np.isnan(values), 2, kinds))
