"""What a judge finds out of either side, with which seeds and in which precision it steps them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Accepted, close, integer
from parity.harness import cases as make
from parity.harness.compare import (
    EQUAL,
    LARGE,
    LOGIC,
    OF_FIELD,
    ROUNDING,
    USUAL,
    differ_in_double,
    own_numbers,
)
from parity.harness.judge import NUDGES, Judge, covers, rows_labelled, subset
from parity.harness.trees import Fields
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_judge import found, whole
from tests.parity.harness.test_precision import IN_SINGLE
from tests.parity.harness.test_precision import side as narrow_side
from tests.sentences import refuses

SIDES = ("reference", "port")


def single(one: tiny.Tiny) -> Any:
    """Read the levels in single precision."""
    return {**tiny.read(one), "levels": one.levels.astype(np.float32)}


def judge_of(count: int = 64, **changes: Any) -> tuple[Judge, make.Cases]:
    one = tiny.pair(**changes)
    base = make.visited(one, count, 0)
    return Judge(one, base), base


@pytest.mark.parametrize("count", [1, 3, 9])
def test_a_few_cases_tell_what_both_sides_return(count: int) -> None:
    one = tiny.pair(tiny.side(read=single))
    judge = Judge(one, make.visited(one, 64, 0).rows(np.arange(count)))
    assert judge.dtypes == {
        "levels": ("float64", "float32"),
        "count": ("int64", "int64"),
        "open": ("bool", "bool"),
        "obs.near": ("float64", "float32"),
        "obs.count": ("int64", "int64"),
        "reward": ("float64", "float64"),
        "terminated": ("bool", "bool"),
        "truncated": ("bool", "bool"),
    }
    assert (judge.fractions, judge.skipped, judge.random) == (True, {}, frozenset())


@pytest.mark.parametrize("which", SIDES)
def test_a_number_with_a_fraction_on_either_side_asks_for_a_second_precision(which: str) -> None:
    def halves(one: Any, action: Any) -> Any:
        obs, *others = one.step(action)
        return np.float64(obs) + 0.5 * (one.count == 4), *others

    sides = {"reference": whole(0), "port": whole(0)}
    sides[which].step_one = halves
    judge, base = judge_of(state={"count": integer(0, 6)}, **sides)
    assert judge.fractions
    evidence = judge.step(base)
    assert evidence.double is not None
    wrong = evidence.native.reference.state["count"] == 4
    assert 0 < wrong.sum() < 64
    assert (evidence.labels["obs"].labels == np.where(wrong, LOGIC, EQUAL)).all()


@pytest.mark.parametrize("lacking", [(), ("reference",), ("port",), SIDES])
def test_each_side_that_lacks_double_precision_is_told(lacking: tuple[str, ...]) -> None:
    sides = {which: narrow_side(which in lacking, -1) for which in SIDES}
    judge, base = judge_of(**sides)
    assert judge.no_double == {f"the {which}": IN_SINGLE for which in lacking}
    assert (judge.step(base).double is None) == bool(lacking)


@pytest.mark.parametrize(
    ("narrow", "held"),
    [((), "float64"), (("reference",), "float32"), (("port",), "float32"), (SIDES, "float32")],
)
def test_both_sides_are_put_in_states_of_the_narrower_one_and_in_double_precision(
    narrow: tuple[str, ...], held: str
) -> None:
    judge, base = judge_of(**{which: tiny.side(read=single) for which in narrow})
    base.state["levels"] = base.state["levels"].astype(np.float64) * (1 + 1e-12)
    states, wide = judge.states(base, False), judge.states(base, True)
    assert {name: str(value.dtype) for name, value in states.items()} == {
        "levels": held,
        "count": "int64",
        "open": "bool",
    }
    assert np.array_equal(states["levels"], base.state["levels"].astype(held))
    base.state["levels"] = base.state["levels"].astype(np.float32)
    assert judge.states(base, True)["levels"].dtype == np.float64
    for given in (states, wide):
        assert given["count"].tolist() == base.state["count"].tolist()
    judge.no_double = {}
    evidence = judge.step(base)
    assert evidence.native.state["levels"].dtype == held
    assert evidence.double is not None
    assert evidence.double.state["levels"].dtype == np.float64


def test_both_sides_draw_from_the_seeds_that_are_kept_with_the_cases() -> None:
    given: dict[str, list[int]] = {which: [] for which in SIDES}

    def side(which: str) -> Any:
        return tiny.side(reseed=lambda one, seed: given[which].append(seed))

    judge, base = judge_of(32, **{which: side(which) for which in SIDES})
    for turn in range(1, 4):
        if turn == 3:
            judge.no_double = {"the port": "it is said to have none"}
        for seeds in given.values():
            seeds.clear()
        evidence = judge.step(base)
        first = 8 + (turn - 1) * 32  # eight were of the judge's first look
        expected = list(range(first, first + 32))
        assert evidence.seeds.tolist() == expected
        assert given["reference"] == expected * (1 if turn == 3 else 2)
        assert given["port"] == expected * (1 + NUDGES if turn == 3 else 2)


@pytest.mark.parametrize("which", SIDES)
def test_what_either_side_does_not_hand_out_of_an_end_is_not_compared(which: str) -> None:
    def restarting(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, terminated, truncated, _ = one.step(action)
        ended = terminated or truncated
        return (one.reset(one.count) if ended else obs), reward + ended, terminated, truncated, {}

    judge, base = judge_of(208, **{which: tiny.side(restarting, hands_out_final=False)})
    evidence = judge.step(base)
    ended = evidence.native.reference.ended
    assert 0 < ended.sum() < 208
    for name, one in evidence.labels.items():
        outcome = name in ("reward", "terminated", "truncated")
        assert one.compared.tolist() == (outcome | ~ended).tolist(), name
    assert found(evidence) == {"reward": int(ended.sum())}


def falling(by: Any) -> Any:
    """Return a side whose levels lose all but what is below a whole number, off by so much a place."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        out = one.step(action)
        one.levels = one.levels - np.floor(one.levels) + by
        return one.seen(), *out[1:]

    return tiny.side(step)


def test_where_larger_numbers_cancel_those_of_the_same_place_count_before_the_step_too() -> None:
    for place, wrong in ((0, 0), (1, 64)):
        by = np.where(np.arange(2) == place, 1e-5, 0.0)
        judge, base = judge_of(port=falling(by), reference=falling(0.0))
        base.state["levels"][:] += [1e9, 0.0]
        evidence = judge.step(base)
        assert (evidence.labels["levels"].labels == LOGIC).sum() == wrong


def test_the_largest_number_of_other_cases_allows_nothing_in_a_case_of_small_ones() -> None:
    judge, base = judge_of(port=falling(np.array([1e-5, 0.0])), reference=falling(0.0))
    small = replace(base, state={**base.state, "levels": base.state["levels"] * 1e-9})
    assert (Judge(judge.pair, small).step(small).labels["levels"].labels == LOGIC).all()
    judge.step(base)
    assert (judge.step(small).labels["levels"].labels == LOGIC).all()
    judge = Judge(judge.pair, small)
    for value in (np.inf, -np.inf, np.nan):
        small.state["levels"][5, 0] = value
        with np.errstate(invalid="ignore"):
            wrong = judge.step(small).labels["levels"].labels == LOGIC
        assert wrong.tolist() == [row != 5 for row in range(64)]  # no number after it on either side


@pytest.mark.parametrize("double", [True, False])
def test_an_acceptance_is_asked_with_the_reference_in_the_precision_that_judges(double: bool) -> None:
    asked: list[tuple[Fields, Fields, Fields]] = []

    def where(before: Fields, action: Fields, after: Fields) -> Any:
        asked.append((before, action, after))
        return after["levels"][:, 1] > 1.5

    judge, base = judge_of(
        reference=narrow_side(False, -1, 1.1),
        port=narrow_side(not double, -1, 1.2),
        accepted=(Accepted(("levels", "reward"), "known", where),),
    )
    evidence = judge.step(base)
    arm = evidence.double if double else evidence.native
    assert arm is not None
    assert len(asked) == 2
    for before, action, after in asked:
        assert before["levels"].dtype == (np.float64 if double else np.float32)
        assert np.array_equal(before["levels"], arm.state["levels"])
        assert action["action"].tolist() == base.action["action"].tolist()
        assert np.array_equal(after["levels"], arm.reference.state["levels"])
    covered = arm.reference.state["levels"][:, 1] > 1.5
    assert 0 < covered.sum() < 64
    for name in ("levels", "reward"):
        assert evidence.accepted[name].tolist() == covered.tolist()
        assert evidence.wrong(name).tolist() == (~covered).tolist()
    assert evidence.wrong("obs.near").all()
    assert not evidence.wrong("count").any()


@pytest.mark.parametrize("which", SIDES)
def test_what_both_sides_agree_in_in_double_precision_is_rounding(which: str) -> None:
    def sums(one: Any, action: Any) -> Any:
        one.levels = one.levels + one.levels * one.levels.dtype.type(0.1)
        one.count += 1
        return one.seen(), float(one.levels[1]), one.count >= tiny.LIMIT, False, {}

    sides = {name: narrow_side(False, -1) for name in SIDES}
    sides[which] = narrow_side(False, -1, step=sums)
    judge, base = judge_of(**sides)
    evidence = judge.step(base)
    labels = evidence.labels["levels"]
    assert set(labels.labels.tolist()) == {EQUAL, ROUNDING}
    assert 0 < labels.ulps.max() <= 2
    assert found(evidence) == {}


def test_an_acceptance_of_every_case_covers_every_case() -> None:
    judge, base = judge_of(32, accepted=(Accepted("levels", "known"),))
    evidence = judge.step(base)
    assert covers(None, evidence.native, base.action).tolist() == [True] * 32
    assert {name for name, covered in evidence.accepted.items() if covered.any()} == {"levels"}
    assert evidence.accepted["levels"].tolist() == [True] * 32
    assert rows_labelled(evidence, "levels", EQUAL).tolist() == list(range(32))
    evidence.labels["levels"].labels[[3, 30]] = LOGIC
    assert rows_labelled(evidence, "levels", LOGIC).tolist() == [3, 30]
    some = subset(evidence, [30, 3])
    assert some.state["levels"].tolist() == base.state["levels"][[30, 3]].tolist()


def test_fields_that_a_step_draws_are_not_labelled() -> None:
    one = tiny.pair()
    base = make.visited(one, 16, 0)
    judge = Judge(one, base, frozenset({"reward", "obs.near"}))
    evidence = judge.step(base)
    names = ["levels", "count", "open", "obs.count", "terminated", "truncated"]
    assert list(evidence.labels) == list(evidence.accepted) == names


@pytest.mark.parametrize("which", SIDES)
def test_a_side_that_cannot_be_put_in_a_state_is_asked_for_its_write(which: str) -> None:
    judge, base = judge_of(**{which: tiny.side(write=None)} if which == "reference" else {})
    if which == "port":
        judge.pair.port.write = None  # type: ignore[attr-defined]
    played = judge.step(base)
    assert base.played is not None
    assert getattr(played.native, which) is base.played
    with refuses():
        judge.step(replace(base, played=None))


def test_rules_of_what_is_no_field_are_refused_by_name() -> None:
    rules = {"obs": close(), "near": close(), "levels": close(3), "obs.far": close(), "reward": close()}
    with refuses():
        judge_of(rules=rules)


MARKS = [2.0**40, 2.0**100, -(2.0**100)]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("off", [0.1, 1e-4])
def test_a_mark_for_none_in_some_cases_hides_nothing_in_the_others(mark: float, off: float) -> None:
    """A level is a mark in every other case; where it is none, the port's is off."""

    def side(by: float) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            marked = one.levels[1] == mark
            out = one.step(action)
            one.levels[1] = mark if marked else one.levels[1] + by
            return one.seen(), 0.0, *out[2:]

        return tiny.side(step)

    one = tiny.pair(side(off), reference=side(0.0))
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    base.state["levels"][::2, 1] = mark
    base.state["levels"][:, 0] = 100.0
    for _ in range(2):
        evidence = judge.step(base)
        assert found(evidence) == {"levels": 32, "obs.near": 32}
        assert (evidence.labels["levels"].labels == LOGIC).tolist() == [False, True] * 32


def test_where_the_cases_own_larger_numbers_cancel_a_share_of_them_is_allowed() -> None:
    own = np.array([1e8, USUAL, 1e8, USUAL])
    a = np.array([0.5, 0.5, 0.5, 2.0**40])
    for share, wrong in ((0.9, [False, True, False, False]), (1.1, [True, True, True, False])):
        b = a + share * (2.0**-36 * 0.5 + OF_FIELD * 1e8)
        assert differ_in_double(close(), a, b, own=own)[0].tolist() == wrong
    few = np.array([0.5, 0.25])  # no field's number is large, whatever the case's others are
    assert differ_in_double(close(), few, few + 1e-9, own=own[:2])[0].all()


def test_the_numbers_of_a_case_are_all_of_its_fields_but_marks() -> None:
    state = {"x": np.array([[1.0, -2e6], [np.inf, 3.0], [LARGE, 1.0], [2 * LARGE, np.nan]])}
    action = {"action": np.array([0, 70_000, 0, 1])}
    assert own_numbers(4, state, action).tolist() == [2e6, 7e4, LARGE, USUAL]
    assert own_numbers(0, {"x": np.zeros((0, 2))}).tolist() == []
