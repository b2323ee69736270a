"""Whether a side computes in double precision is found out by what it does, in every case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.modes.played_port import play_port
from parity.harness.precision import PROBED, why_not_double
from parity.harness.sides.mutable import MutableSide
from tests.parity.harness.sides import tiny

IN_SINGLE = "put in a state in double precision, it still computes in single"
SHOWN_IN_SINGLE = "it shows its state in single precision, and cannot be put in one"


class Narrow(tiny.Tiny):
    """It holds its levels in the precision in which they are put, or always in single."""

    always = False
    none, factor = -1, 1.1

    def reset(self, seed: int) -> Any:
        super().reset(seed)
        self.levels = self.levels.astype(np.float32)
        if self.none == seed % 2:
            self.levels[0] = np.nan
        return self.seen()

    def step(self, action: int) -> Any:
        if self.always:
            self.levels = self.levels.astype(np.float32)
        self.levels = self.levels * self.levels.dtype.type(self.factor)
        self.count += 1
        return self.seen(), float(self.levels[1]), self.count >= tiny.LIMIT, False, {}


def side(always: bool, none: int, factor: float = 1.1, **changes: Any) -> MutableSide:
    class Own(Narrow):
        pass

    Own.always, Own.none, Own.factor = always, none, factor
    return tiny.side(make=Own, **changes)


@pytest.mark.parametrize("none", [-1, 0, 1])
@pytest.mark.parametrize("always", [True, False])
@pytest.mark.parametrize("factor", [1.1, 1.25])
def test_an_object_that_computes_in_single_is_found_whatever_is_no_number(
    factor: float, always: bool, none: int
) -> None:
    """A factor without rounding of its own gives the same numbers, with more digits in double."""
    one = side(always, none, factor)
    cases = make.visited(tiny.pair(reference=one), 2 * PROBED, 0)
    assert np.isnan(cases.state["levels"]).any() == (none >= 0)
    assert why_not_double(one, cases) == (IN_SINGLE if always else "")


@pytest.mark.parametrize("none", [-1, 0])
@pytest.mark.parametrize("single", [True, False])
def test_a_side_that_is_only_played_is_found_by_what_it_shows(single: bool, none: int) -> None:
    """Its levels are shown in double precision, of numbers that are or are not of single."""

    def read(one: Any) -> Any:
        levels = one.levels.astype(np.float64) * (1.0 if single else 1 + 2.0**-40)
        return {"levels": levels, "count": one.count, "open": one.open}

    port = side(True, none, read=read, write=None)
    cases = play_port(tiny.pair(port), 64, 0).cases
    assert np.isnan(cases.state["levels"]).any() == (none >= 0)
    assert why_not_double(port, cases) == (SHOWN_IN_SINGLE if single else "")


@pytest.mark.parametrize("step", [1.0, 2.0**-20])
def test_whole_numbers_say_nothing_of_the_precision_of_a_side_that_is_only_played(step: float) -> None:
    def read(one: Any) -> Any:
        return {"levels": np.array([step * one.count, np.inf]), "count": one.count, "open": one.open}

    port = tiny.side(read=read, write=None)
    cases = play_port(tiny.pair(port), 64, 0).cases
    assert why_not_double(port, cases) == ("" if step == 1 else SHOWN_IN_SINGLE)
