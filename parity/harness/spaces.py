"""Spaces of actions and observations, of Gymnasium or gymnax or alike, as plain descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from foundation.errors import InputError
from parity.harness.fields import Domain
from parity.harness.trees import Array, digits


@dataclass(frozen=True)
class Leaf:
    """One array of a space.

    Attributes:
        kind: "discrete": whole numbers from ``low`` to ``high``; "box": numbers within bounds.
        shape: of one element, () for a number.
        dtype: its name.
        low, high: of ``shape``; infinite where there is no bound. float64, and for whole numbers int64
            or uint64 where a box's end is none that float64 holds.
    """

    kind: Literal["discrete", "box"]
    shape: tuple[int, ...]
    dtype: str
    low: Array
    high: Array

    def sample(self, rng: np.random.Generator, count: int, domain: Domain | None = None) -> Array:
        """Return ``count`` elements in the leaf's dtype; ends and zeros are among those of a box."""
        shape = (count, *self.shape)
        if domain is not None:
            return domain.sample(rng, shape).astype(self.dtype)
        if self.kind == "discrete":
            return rng.integers(self.low, self.high, shape, endpoint=True).astype(self.dtype)
        low, high = self._ends()
        share = rng.random(shape)
        drawn = low * (1 - share) + high * share  # the width itself may be beyond all numbers
        kind = rng.random(shape)
        least, most = (
            held_as(end if end.dtype.kind in "iu" else missing_too, self.dtype)
            for end, missing_too in ((self.low, low), (self.high, high))
        )
        values = np.select(
            [kind < 0.1, kind < 0.2, kind < 0.25],
            [np.broadcast_to(least, shape), np.broadcast_to(most, shape), np.zeros((), self.dtype)],
            held_as(drawn, self.dtype),
        )
        return np.clip(values, least, most)

    def _ends(self) -> tuple[Array, Array]:
        """Return the ends to draw between; a missing one is 10 from zero, or more as the other is."""
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # where both are missing there is no number
            below = np.fmin(-10.0, high - np.maximum(10.0, np.abs(high)))
            above = np.fmax(10.0, low + np.maximum(10.0, np.abs(low)))
        low, high = np.where(np.isfinite(low), low, below), np.where(np.isfinite(high), high, above)
        if np.dtype(self.dtype).kind != "f":
            return low, high
        most = float(np.finfo(self.dtype).max)
        return np.clip(low, -most, most), np.clip(high, -most, most)

    def contains(self, values: Array) -> Array:
        """Return which rows (N, ...) lie within the bounds, widened by one unit in the last place."""
        if self.kind == "discrete":
            inside = (values >= self.low) & (values <= self.high)
        else:
            x = values.astype(np.float64)
            inside = (x >= self.low - _unit(self.low)) & (x <= self.high + _unit(self.high))
        return np.asarray(inside.reshape(len(values), -1).all(1))

    def describe(self) -> str:
        """Return the leaf in words."""
        shape = f" of shape {self.shape}" if self.shape else ""
        return f"{self.kind} from {_short(self.low)} to {_short(self.high)}{shape}, {self.dtype}"


def held_as(values: Array, dtype: str | np.dtype[Any]) -> Array:
    """Return numbers in a dtype; those beyond the whole numbers that it holds become its last one."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu" or values.dtype.kind in "iu":
        return values.astype(dtype)
    least, most = (dtype.type(end) for end in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    under, over = values <= float(least), values >= float(most)
    return np.select([under, over], [least, most], np.where(under | over, 0, values).astype(dtype))


def _unit(ends: Array) -> Array:
    """Return one unit in the last place of float32 at each end, 0 where there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.spacing(np.abs(ends.astype(np.float32))).astype(np.float64)
    return np.where(np.isfinite(units), units, 0.0)


def _short(values: Array) -> str:
    flat = np.unique(values.reshape(-1))
    return digits(flat[0]) if len(flat) == 1 else str(np.array2string(values, separator=", "))


Space = dict[str, Leaf]
"""Name of a part to its description; a space that is one array has one part."""


def describe_space(space: Any, prefix: str) -> Space:
    """Return a description of a space of Gymnasium, gymnax, or any with the same attributes.

    Raises:
        InputError: it is none that can be described, or its counts are no whole numbers.
    """
    inner = getattr(space, "spaces", None)
    if type(space).__name__ == "OneOf":  # one part at a time, and not all of them as a tuple has
        inner = space
    if isinstance(inner, dict):
        parts: Space = {}
        for name, part in inner.items():
            parts |= describe_space(part, f"{prefix}.{name}")
        return parts
    if isinstance(inner, tuple | list):
        parts = {}
        for number, part in enumerate(inner):
            parts |= describe_space(part, f"{prefix}.{number}")
        return parts
    dtype = str(np.dtype(getattr(space, "dtype", None) or np.int64))
    if hasattr(space, "nvec"):
        nvec = _whole(prefix, "nvec", space.nvec, 1)
        start = _whole(prefix, "start", getattr(space, "start", np.zeros_like(nvec)))
        return {prefix: Leaf("discrete", nvec.shape, dtype, start, start + nvec - 1)}
    if hasattr(space, "low") and hasattr(space, "high"):
        shape = tuple(int(n) for n in space.shape)
        low, high = (np.broadcast_to(_end(end), shape).copy() for end in (space.low, space.high))
        return {prefix: Leaf("box", shape, dtype, low, high)}
    if hasattr(space, "n"):
        shape = tuple(getattr(space, "shape", None) or ())
        first = np.full(shape, _whole(prefix, "start", getattr(space, "start", 0)))
        count = 2 if shape else int(_whole(prefix, "n", space.n, 1))
        return {prefix: Leaf("discrete", shape, dtype, first, first + count - 1)}
    raise InputError(f"the {prefix} space is of type {type(space).__name__}, which is not understood")


def _end(given: Any) -> Array:
    """Return a box's end as float64, or in 64 bits where it is whole and float64 may not hold it."""
    end = np.asarray(given)
    real = end.astype(np.float64)
    exact = end.dtype.kind not in "iu" or bool((np.abs(real) < 2.0**53).all())
    return real if exact else end.astype(np.uint64 if end.dtype.kind == "u" else np.int64)


def nest_of(space: Any, prefix: str) -> Any:
    """Return how a space nests its parts: mappings and tuples, and of each array the name that
    :func:`describe_space` gives it."""
    inner = getattr(space, "spaces", None)
    if isinstance(inner, dict):
        return {name: nest_of(part, f"{prefix}.{name}") for name, part in inner.items()}
    if isinstance(inner, tuple | list):
        return tuple(nest_of(part, f"{prefix}.{number}") for number, part in enumerate(inner))
    return prefix


def _whole(prefix: str, name: str, given: Any, least: int | None = None) -> Array:
    """Return counts, or first numbers, of a discrete space as int64.

    Raises:
        InputError: one is not whole, or less than ``least``.
    """
    values = np.asarray(given)
    if values.dtype.kind not in "iu":
        finite = values.dtype.kind == "f" and np.isfinite(values).all()
        if not finite or (values != np.round(values)).any():
            raise InputError(f"the {prefix} space's {name} is {given}; it must be in whole numbers")
    if least is not None and (values < least).any():
        raise InputError(f"the {prefix} space's {name} is {given}; it must be at least {least}")
    return values.astype(np.int64)
