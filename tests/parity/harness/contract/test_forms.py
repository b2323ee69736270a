"""How far two forms of one function are apart, where numbers are as large as they can be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.forms import _distance, _drawn_by_the_reference, _same_seed, form_distance
from parity.harness.judge import Judge
from parity.harness.sides.side import Steps
from tests.parity.harness.sides import tiny


def test_the_largest_number_hides_no_difference() -> None:
    """Gymnasium's spaces have the largest float32 as an end, and some environments hand it out."""
    largest = np.finfo(np.float32).max
    one = np.array([[largest, 1.0], [2.0, 3.0]], np.float32)
    assert form_distance(one, one) == 0
    other = one.copy()
    other[1, 0] = 4.0
    assert form_distance(one, other) > 1e6
    other[1, 0] = np.nan
    assert form_distance(one, other) == math.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_one_number_of_one_case_is_far_from_the_other(shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = (rng.uniform(1, 2, (6, *shape)) * 10).astype(dtype)
        other = one.copy()
        flat = other.reshape(-1)
        place = int(rng.integers(flat.size))
        flat[place] = not flat[place] if dtype is bool else flat[place] + 1
        for a, b in ((one, other), (other, one)):
            far = form_distance(a, b)
            if np.dtype(dtype).kind != "f":
                assert far == math.inf
                continue
            row = int(np.unravel_index(place, one.shape)[0])
            unit = np.spacing(dtype(np.abs(a[row]).max()))
            assert far == pytest.approx(1 / float(unit), rel=1e-5)


class Moody(tiny.Tiny):
    """What it does hangs on how often it was reset or stepped, in the fields that are named."""

    calls = 0
    late = ""

    def reset(self, seed: int) -> Any:
        obs = super().reset(seed)
        type(self).calls += 1
        if self.late == "reset":
            self.levels[1] += 1e-9 * self.calls
        return self.seen() if self.late != "" else obs

    def step(self, action: int) -> Any:
        obs, reward, *others = super().step(action)
        type(self).calls += 1
        if self.late == "step" and self.count == 3:
            reward += 1e-9 * self.calls
        return obs, reward, *others


@pytest.mark.parametrize("which", ["reference", "port"])
@pytest.mark.parametrize("late", ["", "reset", "step"])
def test_a_side_that_does_not_repeat_itself_is_named(late: str, which: str) -> None:
    class Other(Moody):
        pass

    Other.late = late
    one = tiny.pair(**{which: tiny.side(make=Other)})
    base = make.visited(one, 64, 0)
    answer = _same_seed(Judge(one, base), base.rows(np.flatnonzero(base.state["count"] == 2)))
    assert answer.status == ("different" if late else "same"), answer.text
    if late:
        assert answer.text.startswith(f"the {which}'s {late} gives another ")


def test_the_field_that_is_farthest_is_named_wherever_it_stands() -> None:
    def steps(**off: float) -> Steps:
        state = {name: np.full(4, 1.0) + off.get(name, 0.0) * np.arange(4) for name in "abc"}
        flags = np.zeros(4, bool)
        return Steps(state, {}, {"terminated": flags, "truncated": flags}, ~flags)

    assert _distance(steps(), steps(), frozenset()) == (0.0, "")
    for name in "abc":
        far, worst = _distance(
            steps(), steps(**{**dict.fromkeys("abc", 1e-9), name: 1e-6}), frozenset()
        )
        assert worst == name
        assert far == pytest.approx(3e-6 * 2**52, rel=1e-6)
        assert _distance(steps(), steps(**{name: 1e-6}), frozenset(name)) == (0.0, "")


def test_a_field_without_a_number_is_not_drawn_and_one_drawn_with_the_seed_is() -> None:
    def step(one: Any, action: Any) -> Any:
        _, _, *others = one.step(action)
        one.levels = np.array([np.nan, one.levels[1]])
        return one.seen(), float(one.drawn), *others

    def reseed(one: Any, seed: int) -> None:
        one.drawn = seed

    one = tiny.pair(reference=tiny.side(step, reseed=reseed))
    base = make.visited(one, 32, 0)
    judge = Judge(one, base, frozenset({"levels", "reward"}))
    assert _drawn_by_the_reference(judge, base) == {"reward"}
