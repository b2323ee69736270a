"""Random numbers handed to an object: a generator of NumPy that returns numbers recorded before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.harness.modes.recorded_draws import (
    HANDED_OVER,
    KINDS,
    around,
    between,
    generators,
    shape_of,
)
from parity.harness.trees import Array


@dataclass
class Given:
    """Numbers that are handed over, and what was asked for.

    Attributes:
        numbers: by kind, in order, as :class:`parity.harness.modes.recorded_draws.Draws` holds them.
        used: how many of each kind were asked for; zeros are returned where there are no more.
        others: names of draws that were asked for and cannot be handed over.
    """

    numbers: Mapping[str, Sequence[float]]
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    others: set[str] = field(default_factory=set)

    def next(self, kind: str, size: Any) -> Any:
        """Return the next numbers of a kind: float64 of shape ``size``, or one number for None."""
        shape = () if size is None else (size,) if isinstance(size, int | np.integer) else tuple(size)
        count, first = math.prod(shape), self.used[kind]
        self.used[kind] += count
        held = list(self.numbers[kind][first : first + count])
        values = np.array(held + [0.0] * (count - len(held)), np.float64)
        return values.reshape(shape) if size is not None else float(values[0])


class ReplayingGenerator(np.random.Generator):
    """NumPy's generator, which returns numbers that it is given instead of drawing its own; so does
    one that it spawns, which is of its class."""

    given: Given

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return numbers from 0 up to 1."""
        values = self.given.next("uniform", size if out is None else out.shape)
        if out is not None:
            out[...] = values
        return values if size is None and out is None else np.asarray(values, dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Return numbers between two ends."""
        return between(low, high, self.given.next("uniform", shape_of(size, low, high)))

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """Return whole numbers, counted from the lowest."""
        del endpoint
        first = 0 if high is None else low
        shape = shape_of(size, low, 0 if high is None else high)
        values = np.asarray(self.given.next("whole", shape))
        whole: Array = np.asarray(values + first).astype(dtype)
        return whole[()] if size is None else whole

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return numbers of the standard normal distribution."""
        values = self.given.next("normal", size if out is None else out.shape)
        if out is not None:
            out[...] = values
        return values if size is None and out is None else np.asarray(values, dtype)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Return numbers of a normal distribution."""
        return around(loc, scale, self.given.next("normal", shape_of(size, loc, scale)))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name[0] != "_" and name not in HANDED_OVER and callable(found):
            self.given.others.add(f"numpy's Generator.{name}")
        return found


def replaying(given: Given) -> AbstractContextManager[None]:
    """Have generators that are made within return the numbers given: NumPy's own and Gymnasium's."""

    class Replaying(ReplayingGenerator):
        pass

    Replaying.given = given
    return generators(Replaying)
