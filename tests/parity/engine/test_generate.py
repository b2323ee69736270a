"""Choices are uniform up to both ends, and a failing case is made smaller among cases alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from parity.engine.generate import DRAWN_AT_ONCE, SeededChoices, case_strategy, seeded_cases, shrink
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


def test_as_many_cases_are_tried_as_asked_for_and_the_same_again() -> None:
    failing = Case(1, {"place": 3, "market": 1}, "b", ("at the wall", "left"))

    def tried(count: int) -> list[Case]:
        asked: list[Case] = []

        def fails(case: Case) -> bool:
            asked.append(case)
            return False

        assert shrink(pair_of([]), failing, fails, max_examples=count) is failing
        return asked

    few, many = tried(40), tried(250)
    assert 30 < len(few) <= 40
    assert 200 < len(many) <= 250
    assert many == tried(250)
    assert min(case.state["place"] for case in many) < -40
    assert max(case.state["place"] for case in many) > 40
    assert {case.action for case in many} == set("abc")


def test_a_case_that_fails_seldom_is_found_and_made_smaller_within_what_is_given() -> None:
    def case(choices: Choices, world: int) -> Case:
        corner = (choices.aim(AIMS),)
        state = {"place": choices.integer(-900, -3), "steps": choices.integer(5, 400)}
        return Case(world, state, choices.pick((4, 2, 0)), corner)

    pair = replace(walker_pair(), case=case)
    failing = Case(3, {"place": -77, "steps": 390}, 0, ("far off",))
    small = shrink(pair, failing, lambda one: one.state["steps"] > 350 and one.action == 0)
    assert small == Case(3, {"place": -3, "steps": 351}, 0, ("far off",))
    strategy = case_strategy(pair, 5)
    seen: list[Case] = []

    @settings(max_examples=60, database=None, derandomize=True, deadline=None)
    @given(strategy)
    def look(one: Case) -> None:
        seen.append(one)

    look()
    assert {one.world for one in seen} == {5}
    assert {one.corner for one in seen} == {(aim,) for aim in AIMS}  # of all aims where none are given
    assert all(-900 <= one.state["place"] <= -3 and 5 <= one.state["steps"] <= 400 for one in seen)


def test_cases_of_one_generator_go_on_where_it_was_left() -> None:
    pair, rng = pair_of([]), np.random.default_rng(7)
    first, second = seeded_cases(pair, 0, 20, rng), seeded_cases(pair, 0, 20, rng)
    assert first != second
    assert len({(case.state["place"], case.action, case.corner) for case in first + second}) > 30
    assert seeded_cases(pair, 0, 0, rng) == []
    again = np.random.default_rng(7)
    assert seeded_cases(pair, 1, 20, again) == [
        replace(case, world=1, state={**case.state, "market": 1}) for case in first
    ]
