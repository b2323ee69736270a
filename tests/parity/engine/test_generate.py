"""Choices are uniform up to both ends, and a failing case is made smaller among cases alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.engine.generate import DRAWN_AT_ONCE, SeededChoices, seeded_cases, shrink
from parity.engine.pair import Case, Choices, Pair
from tests.parity.walker import walker_pair

AIMS = ("anywhere", "at the wall", "far off")


def pair_of(seen: list[Case]) -> Pair:
    """Return a pair whose cases are a number and an action, of one of three corners in two steps."""

    def case(choices: Choices, world: int) -> Case:
        corner = (choices.aim(AIMS), choices.aim(("left", "right")))
        state = {"place": choices.integer(-50, 50), "market": world}
        seen.append(Case(world, state, choices.pick("abc"), corner))
        return seen[-1]

    return replace(walker_pair(), case=case)


@pytest.mark.parametrize(("low", "high"), [(0, 3), (-2, 2), (5, 5), (-7, -4)])
def test_whole_numbers_are_drawn_from_one_end_to_the_other_alike(low: int, high: int) -> None:
    choices, many = SeededChoices(np.random.default_rng(0)), 4 * DRAWN_AT_ONCE
    counts = Counter(choices.integer(low, high) for _ in range(many))
    share = many / (high - low + 1)
    assert sorted(counts) == list(range(low, high + 1))
    assert all(abs(count - share) < 6 * share**0.5 for count in counts.values())


def test_every_option_is_drawn_alike_and_no_draw_is_used_twice() -> None:
    choices = SeededChoices(np.random.default_rng(1))
    pairs = Counter((choices.pick("abc"), choices.aim(("x", "y"))) for _ in range(6_000))
    assert sorted(pairs) == [(a, b) for a in "abc" for b in "xy"]
    assert all(abs(count - 1_000) < 200 for count in pairs.values())
    whole = [choices.integer(0, 2**40) for _ in range(3 * DRAWN_AT_ONCE)]
    assert len(set(whole)) == len(whole)


def test_cases_are_of_the_world_asked_for_as_many_as_asked_for_and_follow_the_generator() -> None:
    pair = pair_of([])
    cases = seeded_cases(pair, 3, 40, np.random.default_rng(5))
    assert [case.world for case in cases] == [case.state["market"] for case in cases] == [3] * 40
    assert cases == seeded_cases(pair, 3, 40, np.random.default_rng(5))
    assert cases != seeded_cases(pair, 3, 40, np.random.default_rng(6))
    assert {case.corner for case in cases} == {(a, b) for a in AIMS for b in ("left", "right")}


def test_a_case_is_made_smaller_among_cases_of_its_world_and_corner() -> None:
    seen: list[Case] = []
    failing = Case(2, {"place": 41, "market": 2}, "c", ("far off", "right"))
    asked: list[Case] = []

    def fails(case: Case) -> bool:
        asked.append(case)
        return bool(case.state["place"] >= 7)

    small = shrink(pair_of(seen), failing, fails)
    assert small == Case(2, {"place": 7, "market": 2}, "a", ("far off", "right"))
    assert {case.corner for case in asked} == {("far off", "right")}
    assert {case.world for case in asked} == {2}
    ends = shrink(pair_of(seen), failing, lambda case: bool(case.state["place"] == 50))
    assert ends.state["place"] == 50


def test_a_case_stays_as_it_is_where_no_other_fails() -> None:
    failing: Any = Case(0, {"place": 1000, "market": 0}, "a", ("anywhere", "left"))
    seen: list[Case] = []
    assert shrink(pair_of(seen), failing, lambda case: False, max_examples=20) is failing
    assert 1 <= len(seen) <= 40
