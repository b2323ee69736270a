"""Plots of a report: curves, distances and coverage as they were looked at, and what they say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from parity.engine.compare import FAR, Comparison
from parity.engine.plots import MAX_CURVES, chosen_curves, coverage_plots, curve_plot, ulp_plots
from tests.drawings import Drawings, drawings

__all__ = ["drawings"]


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> Drawings:
    found: Drawings = request.getfixturevalue("drawings")
    return found


def curve(reference: list[Any], port: list[Any], unit: str = "", **more: Any) -> dict[str, Any]:
    names = {"field": "reward", "policy": "seldom", "start": 3, "world": "north"}
    return {**names, "reference": reference, "port": port, "unit": unit, **more}


def test_curves_are_drawn_as_reviewed(drawn: Drawings) -> None:
    money = [500_000.0, 525_050.0, 490_000.0, 1_250_000.0, -30_000.5]
    with drawn():
        curve_plot(0, curve(money, [*money[:3], 1_250_025.0, -30_040.5], "cents", field="balance"))
        curve_plot(1, curve([0.5, 0.25, -1.5], [0.5, 0.25, -1.5]))
        curve_plot(2, curve([7], [6], "ticks"))
        curve_plot(3, curve([1.0, math.nan, 3e9, 2e200], [1.0, 2.0, 4e9, 2.0]))
        curve_plot(4, curve([], []))


@pytest.mark.parametrize(
    ("reference", "port", "unit", "largest", "unequal", "whole"),
    [
        ([100, 250], [100, 250], "cents", 0.0, False, True),
        ([100, 250, 400], [100, 240, 425], "cents", 0.25, True, True),
        ([100, 250], [100, 250.5], "bars", 0.5, True, True),
        ([2.0], [-1.0], "", 3.0, True, True),
        ([1.0, math.nan], [1.0, math.nan], "", 0.0, True, False),
        ([math.nan], [1.0], "", 0.0, True, False),
        ([1.0, math.inf], [4.0, math.inf], "", 3.0, True, False),
        ([1e149], [1e149], "", 0.0, False, True),
        ([1e150], [1e150], "", 0.0, True, False),
        ([None, 1.0], [None, 1.0], "", 0.0, True, False),
        ([], [], "", 0.0, False, True),
    ],
)
def test_a_curve_says_by_how_much_the_sides_differ(
    reference: list[Any], port: list[Any], unit: str, largest: float, unequal: bool, whole: bool
) -> None:
    given = curve(reference, port, unit)
    shown = {"cents": "$"}.get(unit, unit)
    told = curve_plot(5, given)
    svg = str(told.pop("svg"))
    assert told == {
        **given,
        "what": f"reward ({shown})" if shown else "reward",
        "unit": shown,
        "largest": largest,
        "unequal": unequal,
        "whole": whole,
    }
    where = "" if whole else " where it can be drawn"
    assert f'their difference, at most {largest:g}{where}"'.replace("-", "−") in svg
    assert f'aria-label="{told["what"]} of an episode on both sides and their difference, at' in svg


def field(name: str, limit: int | None, *counts: int, ulps: int = 0) -> dict[str, Any]:
    histogram = [*counts, *[0] * (9 - len(counts))]
    stats = Comparison("a rule", sum(counts) + 5, 0, ulps, 0.0, histogram)
    return {"name": name, "stats": stats, "tolerance": limit}


def test_distances_are_drawn_as_reviewed(drawn: Drawings) -> None:
    with drawn():
        ulp_plots(
            [
                field("obs", 4, 12_000, 30, 0, 5, 1, 2, 0, 0, 1, ulps=FAR),
                field("exact", None),
                field("reward", 64, 700, 1, ulps=1),
                field("odd", 5, 3, 0, 0, 0, 0, 4, 2_000_000, ulps=63),
                field("price", 0, 9, 8, ulps=1),
            ]
        )


def test_the_widest_fields_come_first_and_those_without_distances_not_at_all() -> None:
    fields = [field(str(number), 4, 10, number % 3, ulps=number % 7) for number in range(11)]
    fields.insert(2, field("exact", None))
    told = ulp_plots(fields)
    # By their distances 6, 5, 4, 3 3, 2 2, 1 1, and 0 0 of which none has room.
    assert [one["name"] for one in told] == ["6", "5", "4", "3", "10", "2", "9", "1", "8"]
    assert [one["stats"].max_ulps for one in told] == [6, 5, 4, 3, 3, 2, 2, 1, 1]
    assert "distances of 5 in ulps: 17 numbers, at most 5" in str(told[1]["svg"])


def covered(counts: dict[str, int], required: list[str], missing: list[str]) -> dict[str, Any]:
    return {"coverage": counts, "required": required, "missing": missing}


def test_coverage_is_drawn_as_reviewed(drawn: Drawings) -> None:
    counts = {f"branch {number:02}": 3**number for number in range(9)}
    with drawn():
        coverage_plots(covered({"b": 2, "a": 70_000}, ["a", "c"], ["c"]))
        coverage_plots(covered(counts, ["branch 03", "branch 08"], []))
        coverage_plots(covered({"seldom": 3}, [], []))


@pytest.mark.parametrize(
    ("branches", "columns"),
    [(0, []), (1, [1]), (8, [8]), (9, [5, 4]), (17, [6, 6, 5]), (40, [14, 14, 12])],
)
def test_every_branch_has_its_place_in_a_column(branches: int, columns: list[int]) -> None:
    counts = {f"branch {number:02}": 1 + number for number in reversed(range(branches))}
    plots = [str(plot) for plot in coverage_plots(covered(counts, [], []))]
    held = [[name for name in sorted(counts) if f"{name} {counts[name]}" in plot] for plot in plots]
    assert [len(names) for names in held] == columns
    assert [name for names in held for name in names] == sorted(counts)


def test_curves_that_are_no_numbers_differ_and_come_first() -> None:
    """Also where they are read from a file, in which they are null."""
    same = curve([1.0, 2.0], [1.0, 2.0], policy="same")
    for nothing in (math.nan, None):
        odd = curve([1.0, nothing], [1.0, nothing], policy="odd")
        for curves in ([same, odd], [odd, same]):
            checks = [{"world": "w", "fields": {}, "notes": {"curves": curves}}]
            assert [one["policy"] for one in chosen_curves(checks)[0]] == ["odd", "same"]


def test_checks_give_curves_in_turn_with_their_world_and_unit() -> None:
    def check(world: str, count: int, rule: str, differs: int = -1) -> dict[str, Any]:
        curves = [curve([1.0], [1.0 + (place == differs)], start=place) for place in range(count)]
        kept = [{name: x for name, x in one.items() if name not in ("world", "unit")} for one in curves]
        return {"world": world, "fields": {"reward": {"rule": rule}}, "notes": {"curves": kept}}

    none = {"world": "none", "fields": {}, "notes": {}}
    checks = [check("a", 3, "equal (cents)"), none, check("b", 2, "equal (bars)", 0), check("c", 7, "")]
    shown, kept = chosen_curves(checks)
    # The one that differs; then the first of a, the second of b, the third of c, and so on around.
    assert [(one["world"], one["start"]) for one in shown] == [
        ("b", 0), ("a", 0), ("b", 1), ("c", 2), ("a", 1), ("c", 3), ("a", 2), ("c", 4), ("c", 5),
        ("c", 6), ("c", 0), ("c", 1),
    ]  # fmt: skip
    assert kept == MAX_CURVES == 12
    units = {"a": "cents", "b": "bars", "c": ""}
    assert all(one["unit"] == units[one["world"]] for one in shown)
    assert (len(chosen_curves([*checks, check("d", 1, "")])[0]), chosen_curves([])) == (12, ([], 0))
    assert chosen_curves([*checks, check("d", 1, "")])[1] == 13
