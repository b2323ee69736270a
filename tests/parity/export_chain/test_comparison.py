"""Stages of the export chain: batch by batch the same as at once, and what is no number is too far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parity.engine.compare import Tolerance, close
from parity.export_chain.comparison import (
    EQUAL,
    FEATURE,
    FLOAT32,
    FLOAT64,
    LOGITS32,
    Board,
    StageComparison,
)

Numbers = NDArray[np.float64]


@pytest.mark.parametrize("limit", [EQUAL, FLOAT32, LOGITS32], ids=["equal", "float32", "of the row"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_beyond_every_limit(limit: object, value: float) -> None:
    for expected, found in ((value, value), (value, 1.0), (1.0, value)):
        stage = StageComparison.of("hop", "stage", limit)  # type: ignore[arg-type]
        stage.update([[1.0, expected]], [[1.0, found]])
        assert not stage.passed
        assert stage.to_dict()["largest_difference"] is None


def plainly(limit: Tolerance, expected: Numbers, found: Numbers, rounding: Numbers) -> dict[str, Any]:
    """Return what a comparison of all rows says, number by number as it is defined."""
    beyond, largest, share = set(), 0.0, 0.0
    first: dict[str, Any] = {}
    for place in np.ndindex(expected.shape):
        one, other = float(expected[place]), float(found[place])
        size = abs(one)
        if limit.relative_to == "row" and expected.ndim > 1:
            size = float(np.abs(expected[place[:-1]]).max())
        allowed = limit.absolute + limit.relative * size + float(rounding[place[0]])
        apart = abs(other - one)
        number = math.isfinite(apart)
        largest = max(largest, apart if number else math.inf)
        share = max(share, 0.0 if apart == 0 else apart / allowed if number and allowed else math.inf)
        if not number or apart > allowed:
            beyond.add(place[0])
            first = first or {
                "row": place[0],
                "place": list(place[1:]),
                "expected": one,
                "found": other,
            }
    return {
        "rows": len(expected),
        "largest_difference": largest if math.isfinite(largest) else None,
        "share_of_limit": share if math.isfinite(share) else None,
        "rows_beyond": len(beyond),
        "first": first,
        "passed": not beyond,
    }


def drawn(rng: np.random.Generator, limit: Tolerance, *shape: int) -> tuple[Numbers, Numbers]:
    """Return numbers of both sides: most near, few too far apart, at times one that is none."""
    expected = rng.choice([-1.0, 1.0], shape) * 10.0 ** rng.uniform(-4, 3, shape)
    expected[rng.random(shape) < 0.1] = 0.0
    steps = rng.choice([0.0, 0.4, 0.9, 1.1, 30.0], shape, p=[0.5, 0.24, 0.2, 0.03, 0.03])
    apart = steps * (limit.allowed(expected) if limit.relative else 1.0)
    found = expected + rng.choice([-1.0, 1.0], shape) * apart
    if rng.random() < 0.3:
        found[tuple(rng.integers(0, shape))] = rng.choice([math.nan, math.inf, -math.inf])
    return expected, found


LIMITS = [EQUAL, FLOAT64, FLOAT32, LOGITS32, FEATURE, Tolerance(0.0, 1e-3)]


@pytest.mark.parametrize("limit", LIMITS, ids=Tolerance.describe)
@pytest.mark.parametrize("shape", [(), (4,), (3, 2)], ids=str)
@pytest.mark.parametrize("rounded", [False, True], ids=["plain", "with rounding"])
def test_a_stage_says_what_its_rows_say_in_whatever_batches_they_come(
    limit: Tolerance, shape: tuple[int, ...], rounded: bool
) -> None:
    rng = np.random.default_rng(len(shape))
    for _ in range(25):
        stage = StageComparison.of("hop", "stage", limit)
        parts = []
        for rows in rng.integers(1, 6, rng.integers(1, 5)):
            expected, found = drawn(rng, limit, int(rows), *shape)
            rounding = rng.choice([0.0, 1e-6, 1.0], int(rows)) if rounded else np.zeros(int(rows))
            parts.append((expected, found, rounding))
            assert stage.update(expected, found, rounding if rounded else None) is stage
        plain = plainly(limit, *(np.concatenate(sides) for sides in zip(*parts, strict=True)))
        told = stage.to_dict()
        assert told["share_of_limit"] == pytest.approx(plain.pop("share_of_limit"))
        assert repr({name: told[name] for name in plain}) == repr(plain)  # NaN is told as NaN
        assert stage.passed == plain["passed"]
        rows_told = f"{plain['rows_beyond']} of {plain['rows']} rows differ"
        assert rows_told in stage.sentence()
        assert told["limit"].endswith("sums") == rounded
        if plain["first"]:
            assert f"first in row {plain['first']['row']}" in stage.sentence()


@pytest.mark.parametrize(
    ("steps", "passed"), [(0, True), (4, True), (5, False), (-4, True), (-5, False)]
)
def test_units_in_the_last_place_are_allowed_where_a_tolerance_says_so(
    steps: int, passed: bool
) -> None:
    expected = np.float32([1.5, -1.5])
    found = (expected.view(np.int32) + steps).view(np.float32)
    stage = StageComparison.of("hop", "stage", close(ulps=4)).update(expected, found)
    assert (stage.passed, stage.mismatches) == (passed, 0 if passed else 2)


@pytest.mark.parametrize(
    ("expected", "found", "rows"),
    [
        ((3, 2), (3, 1), 3),
        ((3, 2), (1, 2), 3),
        ((3, 2), (3,), 3),
        ((3, 1), (3, 2), 3),
        ((1, 2), (3, 2), 3),
        ((0, 2), (3, 2), 3),
        ((3, 2), (0, 2), 3),
    ],
    ids=str,
)
def test_another_shape_is_a_failure_of_every_row(
    expected: tuple[int, ...], found: tuple[int, ...], rows: int
) -> None:
    """Also where one side has no row at all, and between batches that agree."""
    stage = StageComparison.of("hop", "stage", Tolerance(1.0, 1.0))
    same = np.ones((2, 2))
    stage.update(same, same).update(np.ones(expected), np.ones(found)).update(same, same)
    assert not stage.passed
    assert (stage.compared, stage.mismatches, stage.share) == (rows + 4, rows, math.inf)
    shapes = {"expected": f"shape {expected}", "found": f"shape {found}"}
    assert stage.first == shapes
    stage.update(same, same + 9).update(np.ones((1, 1)), same)
    assert stage.first == shapes
    assert stage.mismatches == rows + 4
    far = StageComparison.of("hop", "stage").update(same, same + 1)
    assert far.update(np.ones(expected), np.ones(found)).first["row"] == 0


def test_nothing_compared_is_no_success_anywhere() -> None:
    board = Board()
    board.at("first", "stage").update([1], [1])
    empty = board.at("second", "stage").update(np.ones((0, 3)), np.ones((0, 3)))
    assert empty.to_dict()["passed"] is False
    assert board.first_divergence() is empty
    assert board.first_divergence("first") is None
    assert board.first_divergence("second") is empty


def test_stages_are_kept_apart_by_hop_and_name_and_told_in_order() -> None:
    board = Board()
    places = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y z"), ("b", "y w")]
    for number, (hop, stage) in enumerate(places):
        board.at(hop, stage).update([0] * (number + 1), [number % 2] * (number + 1))
    assert [(one.hop, one.stage, one.compared) for one in board.comparisons] == [
        (hop, stage, number + 1) for number, (hop, stage) in enumerate(places)
    ]
    assert [one.passed for one in board.comparisons] == [True, False, True, False, True]
    firsts: tuple[tuple[str | None, str | None], ...] = (
        (None, "y"),
        ("a", "y"),
        ("b", "y z"),
        ("c", None),
    )
    for hop_or_all, first in firsts:
        found = board.first_divergence(hop_or_all)
        assert (found and found.stage) == first
    assert board.at("a", "x") is board.comparisons[0]


STAGES = ("clipped", "policy_0", "action_head", "action")


@pytest.mark.parametrize(
    ("limit", "head"), [(FLOAT64, FLOAT64), (FLOAT32, LOGITS32), (FEATURE, FEATURE)], ids=repr
)
def test_every_stage_has_its_own_limit_and_its_own_rounding(limit: Tolerance, head: Tolerance) -> None:
    """Only float32's logits are held to their row, and an action never to anything but equal."""
    expected = {name: np.array([[0.0, 10.0], [0.0, 1.0]]) for name in STAGES}
    limits = {"clipped": limit, "policy_0": limit, "action_head": head, "action": EQUAL}
    rounding = {name: np.array([0.0, 0.5 * (n + 1)]) for n, name in enumerate(STAGES[:3])}
    more = {**rounding, "action": np.zeros(2)}
    for factor, passes in ((0.99, True), (1.01, False)):
        found = {
            name: expected[name] + factor * (limits[name].allowed(expected[name]) + more[name][:, None])
            for name in STAGES
        }
        found["action"] = expected["action"] + (0.0 if passes else 1e-9)
        board = Board()
        board.stages("hop", expected, found, STAGES, limit, rounding)
        assert [one.stage for one in board.comparisons] == list(STAGES)
        assert [one.tolerance for one in board.comparisons] == list(limits.values())
        assert [one.passed for one in board.comparisons] == [passes] * len(STAGES)
        assert [one.mismatches for one in board.comparisons] == [0 if passes else 2] * len(STAGES)


def test_limits_are_those_that_the_chain_is_read_by() -> None:
    for limit, part in ((EQUAL, 0.0), (FEATURE, 1e-9), (FLOAT64, 1e-12), (FLOAT32, 1e-5)):
        assert (limit.absolute, limit.relative, limit.ulps) == (part, part, 0)
        assert limit.relative_to == "number"
    assert (LOGITS32.absolute, LOGITS32.relative, LOGITS32.relative_to) == (1e-5, 1e-5, "row")


def test_whole_numbers_are_compared_as_such() -> None:
    """Nanoseconds since 1970 are beyond what a double holds."""
    when = np.array([1_700_000_000_000_000_001, 1_700_000_000_000_000_007])
    stage = StageComparison.of("replay", "time").update(when, when + np.array([0, 1]))
    assert (stage.mismatches, stage.max_abs, stage.first["row"]) == (1, 1.0, 1)
    assert StageComparison.of("replay", "time").update(when, when.copy()).passed


def test_the_first_that_failed_is_of_the_hop_that_is_asked_for_by_its_whole_name() -> None:
    board = Board()
    board.at("C#", "action").update([1], [1])
    board.at("C# from raw bars", "mask").update([1], [0])
    board.at("C# from raw bars", "action").update([1], [0])
    board.at("C", "logits")  # nothing was compared, which is no agreement
    found = {hop: board.first_divergence(hop) for hop in ("C#", "C# from raw bars", "C", "none", None)}
    assert {hop: one and (one.hop, one.stage) for hop, one in found.items()} == {
        "C#": None,
        "C# from raw bars": ("C# from raw bars", "mask"),
        "C": ("C", "logits"),
        "none": None,
        None: ("C# from raw bars", "mask"),
    }
