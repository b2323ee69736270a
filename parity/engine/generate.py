"""Generated test cases: many seeded states to find a fault, Hypothesis to shrink it.

One function of a pair builds a case out of single choices. Given seeded random choices it makes
tens of thousands of cases in seconds, which are stepped in one batch; given Hypothesis' choices
the same function lets Hypothesis search for, and shrink to, the smallest case that still fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from parity.engine.pair import Case, Pair

DRAWN_AT_ONCE = 1024


class SeededChoices:
    """Choices from a NumPy generator.

    Numbers are drawn many at once: one at a time takes ten times as long. Of a draw below 2^62 the
    remainder is taken, which favours no option by more than the number of options in 2^62.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drawn: list[int] = []

    def _below(self, count: int) -> int:
        """Return a uniform whole number from 0 to count - 1."""
        if not self._drawn:
            self._drawn = self._rng.integers(2**62, size=DRAWN_AT_ONCE).tolist()
        return self._drawn.pop() % count

    def integer(self, low: int, high: int) -> int:
        """Return a uniform whole number from low to high, both included."""
        return low + self._below(high - low + 1)

    def pick(self, options: Sequence[Any]) -> Any:
        """Return a uniformly drawn option."""
        return options[self._below(len(options))]

    def aim(self, options: Sequence[str]) -> str:
        """Return a uniformly drawn option."""
        return str(self.pick(options))


class DrawnChoices:
    """Choices that Hypothesis makes, and simplifies; the boundaries aimed at may be given."""

    def __init__(
        self, draw: Callable[[st.SearchStrategy[Any]], Any], aims: Sequence[str] | None = None
    ) -> None:
        self._draw = draw
        self._aims = None if aims is None else iter(aims)

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from low to high; Hypothesis shrinks towards zero, else towards low."""
        return int(self._draw(st.integers(low, high)))

    def pick(self, options: Sequence[Any]) -> Any:
        """Return an option; Hypothesis shrinks towards the first."""
        return self._draw(st.sampled_from(list(options)))

    def aim(self, options: Sequence[str]) -> str:
        """Return the given boundary, or any."""
        return str(self.pick(options)) if self._aims is None else next(self._aims)


def seeded_cases(pair: Pair, world: int, count: int, rng: np.random.Generator) -> list[Case]:
    """Return ``count`` cases of one world, reproducible from the generator's state."""
    choices = SeededChoices(rng)
    return [pair.case(choices, world) for _ in range(count)]


def case_strategy(pair: Pair, world: int, aims: Sequence[str] | None = None) -> st.SearchStrategy[Case]:
    """Return a Hypothesis strategy of a world's cases, of all or of those with the same aims."""

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Case:
        return pair.case(DrawnChoices(draw, aims), world)

    return build()


def shrink(
    pair: Pair, failing: Case, fails: Callable[[Case], bool], *, max_examples: int = 3000
) -> Case:
    """Return the smallest case near ``failing`` that still fails.

    Hypothesis looks among cases of the same world that aim at the same corner, where failures are
    dense, and shrinks the first it meets.

    Args:
        pair: supplies the cases.
        failing: a case that fails.
        fails: whether a case fails.
        max_examples: how long to search before keeping ``failing``.
    """
    alike = case_strategy(pair, failing.world, failing.corner)
    options = settings(
        max_examples=max_examples,
        database=None,
        derandomize=True,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        return find(alike, fails, settings=options)
    except NoSuchExample:
        return failing
