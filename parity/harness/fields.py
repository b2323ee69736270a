"""Words that declare fields: how far apart two values may be, and which values a state may have."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from foundation.errors import InputError
from parity.engine.compare import distance, same_numbers
from parity.harness.trees import Array


@dataclass(frozen=True)
class Rule:
    """How two values of a field are compared.

    Attributes:
        kind: "exact": equal, value for value (minus zero equals zero); "close": numbers with a
            fraction, of which double precision says what is rounding; "angle": the same on a circle.
        ulps: a bound on rounding in units in the last place, beside :attr:`floor`; None for no bound.
        floor: an absolute difference that the bound always allows.
        period: of an angle.
    """

    kind: Literal["exact", "close", "angle"]
    ulps: int | None = None
    floor: float = 0.0
    period: float = 0.0

    def apart(self, a: Array, b: Array) -> Array:
        """Return absolute differences in float64, on the circle for an angle; 0 where both are NaN."""
        difference = distance(a, b)
        if self.period:
            with np.errstate(invalid="ignore"):
                difference = np.mod(difference, self.period)
                difference = np.minimum(difference, self.period - difference)
        return np.where(same_numbers(a, b), 0.0, np.where(np.isnan(difference), np.inf, difference))

    def describe(self) -> str:
        """Return the rule in words."""
        if self.kind == "exact":
            return "equal"
        circle = f" on a circle of {self.period:.6g}" if self.period else ""
        if self.ulps is None:
            return f"equal but for rounding{circle}"
        return f"equal but for rounding within {self.ulps} ulps or {self.floor:g}{circle}"


def exact() -> Rule:
    """Return the rule of whole numbers and flags: equal."""
    return Rule("exact")


def close(ulps: int | None = None, floor: float = 0.0) -> Rule:
    """Return the rule of numbers with a fraction: equal but for rounding, which may be bounded.

    Args:
        ulps: most units in the last place of the narrower side; no bound by default.
        floor: an absolute difference that is always allowed beside them.
    """
    return Rule("close", _natural("ulps", ulps), _positive("floor", floor))


def angle(period: float = 2 * math.pi, ulps: int | None = None, floor: float = 0.0) -> Rule:
    """Return the rule of angles: as :func:`close`, on a circle; a full turn is no difference."""
    if not (isinstance(period, int | float) and 0 < period < math.inf):
        raise InputError(f"angle: a period of {period!r} is no positive number; give 2 * pi, or 360")
    return Rule("angle", _natural("ulps", ulps), _positive("floor", floor), period)


def _natural(name: str, value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InputError(f"{name} is {value!r}; give a whole number from 0, or None for no bound")
    return value


def _positive(name: str, value: float) -> float:
    if not (isinstance(value, int | float) and 0 <= value < math.inf):
        raise InputError(f"{name} is {value!r}; give a number from 0")
    return float(value)


@dataclass(frozen=True)
class Domain:
    """Which values a field of a state, or an action, may have, and which of them are aimed at.

    Attributes:
        low, high: ends, both included.
        whole: whole numbers only.
        aims: values at and about which cases are placed, such as a threshold.
    """

    low: float
    high: float
    whole: bool
    aims: tuple[float, ...] = ()

    def __or__(self, other: Near) -> Domain:
        """Return the domain with further values to aim at."""
        if not isinstance(other, Near):
            raise InputError(f"{other!r} cannot be added to a domain; write real(0, 1) | near(0.5)")
        return replace(self, aims=(*self.aims, *other.values))

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return values of a shape: float64, or int64 where whole.

        Most are uniform; the others are zero, an end, or at and about a value aimed at, by a few units
        in the last place of float32 and by small shares of it.
        """
        aims = [aim for aim in (*self.aims, self.low, self.high) if self.low <= aim <= self.high]
        if self.whole:
            return self._sample_whole(rng, shape, [int(aim) for aim in aims])
        about = rng.choice(np.array(aims, np.float64), shape)
        half = math.isinf(self.high - self.low)  # the width itself may be beyond all numbers
        uniform = rng.uniform(self.low / (1 + half), self.high / (1 + half), shape) * (1 + half)
        unit = np.spacing(np.minimum(np.abs(about), 2.0**127).astype(np.float32))  # no larger one has
        steps = rng.integers(-12, 12, shape, endpoint=True) * unit
        shares = rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-8, -1, shape)
        beside = np.where(rng.random(shape) < 0.5, steps, shares * np.maximum(np.abs(about), 1e-3))
        with np.errstate(over="ignore"):  # what lies beyond all numbers is clipped
            close_by = about + beside
        small = uniform * 10.0 ** rng.uniform(-6, 0, shape)
        kind = rng.random(shape)
        choices = [np.zeros(shape), about, close_by, small]
        reals = np.select([kind < 0.10, kind < 0.15, kind < 0.35, kind < 0.42], choices, uniform)
        return np.clip(reals, self.low, self.high)

    def _sample_whole(self, rng: np.random.Generator, shape: tuple[int, ...], aims: list[int]) -> Array:
        ends = np.iinfo(np.int64)
        about = rng.choice(np.array(aims, np.int64), shape)
        drawn = rng.integers(int(self.low), int(self.high), shape, endpoint=True)
        beside = np.clip(about, ends.min + 2, ends.max - 2)  # what lies beside them fits 64 bits
        beside = beside + rng.integers(-2, 2, shape, endpoint=True)
        picked = np.where(rng.random(shape) < 0.35, beside, drawn)
        return np.clip(picked, int(self.low), int(self.high))

    def simpler(self, value: float) -> list[Any]:
        """Return values of the domain that are simpler to read than ``value``, simplest first: 0, 1 and
        -1, the nearest aim, numbers of fewer digits, an end, whole numbers nearer to zero."""
        near = sorted(self.aims, key=lambda aim: abs(aim - value))[:1]
        options: list[Any] = [0, 1, -1, *near]
        options = [int(one) for one in options] if self.whole else options
        if value in options:
            options = options[: options.index(value)]
        else:
            ends = [self.low, self.high]
            is_end = value in ends
            ends = ends[: ends.index(value)] if is_end else ends
            if not self.whole:
                options += [round(value, digits) for digits in range(_digits(value))]
                options += [end for end in ends if min(_digits(end), 6) < _digits(value)]
            else:
                sign = 1 if value > 0 else -1
                nearer = [] if is_end else [sign * (abs(value) // 2), value - sign]
                options += [int(one) for one in (*ends, *nearer)]
        return list(dict.fromkeys(one for one in options if self.low <= one <= self.high))


def _digits(value: float) -> int:
    """Return how many digits a number has after its point; 7 where they are more than six."""
    return next((digits for digits in range(7) if round(value, digits) == value), 7)


@dataclass(frozen=True)
class Near:
    """Values to aim at; added to a domain with ``|``."""

    values: tuple[float, ...]


def real(low: float, high: float) -> Domain:
    """Return the domain of numbers from ``low`` to ``high``, both included."""
    _ordered("real", low, high)
    return Domain(float(low), float(high), whole=False)


def integer(low: int, high: int) -> Domain:
    """Return the domain of whole numbers from ``low`` to ``high``, both included."""
    _ordered("integer", low, high)
    if not (low >= -(2**63) and high < 2**63):
        raise InputError(f"integer({low}, {high}): the ends must fit 64 bits; use nearer ones")
    if int(low) != low or int(high) != high:
        raise InputError(f"integer({low}, {high}): the ends must be whole numbers; use real for others")
    return Domain(low, high, whole=True)


def near(*values: float) -> Near:
    """Return values to aim at, such as thresholds: ``real(-2.4, 2.4) | near(2.4, -2.4)``."""
    if not values or not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        raise InputError(f"near{values}: give at least one number, and finite ones")
    return Near(tuple(float(value) for value in values))


def _ordered(word: str, low: float, high: float) -> None:
    if (
        not (isinstance(low, int | float) and isinstance(high, int | float))
        or not -math.inf < low < math.inf
    ):
        raise InputError(f"{word}({low!r}, {high!r}): the ends must be finite numbers")
    if not (low <= high < math.inf):
        raise InputError(
            f"{word}({low}, {high}): the second end must be finite and not below the first"
        )
