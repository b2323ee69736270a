"""Distances, places, rules and amounts in words, each at both sides of every bound."""

from __future__ import annotations

import math
from typing import Any

import pytest

from parity.engine.compare import FAR, close, exact
from parity.engine.format import (
    amount,
    amount_apart,
    brief_ulps,
    lane_word,
    name_at,
    place_of,
    runs,
    tolerance_of,
    ulps,
    unit_of,
)

EPISODE, CASE, DRAW, UPDATE = "episode", "case", "draw", "update"


@pytest.mark.parametrize(
    ("check", "word"),
    [
        *((name, EPISODE) for name in ("replay", "restart", "mirror, port", "account", "anything")),
        *((name, CASE) for name in ("generated", "restart after a generated case")),
        *((name, CASE) for name in ("forbidden is hold", "forbidden is hold, reference")),
        *((name, CASE) for name in ("no look-ahead", "no look-ahead, port", "learner decisions")),
        *((name, DRAW) for name in ("restart draws", "reset draws", "reset draws, again")),
        *((name, "") for name in ("independent draws", "random bits at scale", "orders at scale")),
        ("data", "bar"),
        *((name, UPDATE) for name in ("learner", "learner draws", "learner, trainer's program")),
    ],
)
def test_a_lane_is_called_what_it_is(check: str, word: str) -> None:
    assert lane_word(check) == word
    assert place_of(check, "obs", 1234, 5678) == (f"at {word} 1,234, step 5,678" if word else "")
    assert place_of(check, "obs", 0, 0) == (f"at {word} 0, step 0" if word else "")
    without = word if check != "learner draws" else ""
    assert place_of(check, "obs", 3, -1) == (f"at {without} 3" if without else "")
    assert place_of(check, "draws of a start", 2000, -1) == "at start 2,000"


@pytest.mark.parametrize(
    ("index", "name"),
    [((), "obs"), ([], "obs"), ((0,), "obs[0]"), ((3, 0), "obs[3, 0]"), ([3, 1, 2], "obs[3, 1, 2]")],
)
def test_a_field_s_place_stands_behind_its_name(index: Any, name: str) -> None:
    assert name_at("obs", index) == name


def test_distances_are_told_whole_and_briefly() -> None:
    told = {
        0: ("0", "0"),
        1: ("1", "1"),
        1_000: ("1,000", "1,000"),
        999_999: ("999,999", "999,999"),
        1_000_000: ("1,000,000", "1M"),
        12_345_678: ("12,345,678", "12.3M"),
        2_500_000_000: ("2,500,000,000", "2.5bn"),
        FAR - 1: ("9,223,372,036,854,775,806", "9,223,372,037bn"),
        FAR: ("not finite", "not finite"),
    }
    assert {distance: (ulps(distance), brief_ulps(distance)) for distance in told} == told
    assert ulps(None) == "–"


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([], []),
        ([2], [(2, 1)]),
        ([0, 0, 0], [(0, 3)]),
        ([2, 2, 0, 2, 1, 1, 1], [(2, 2), (0, 1), (2, 1), (1, 3)]),
        ([0.5, 0.5, 0.25], [(0.5, 2), (0.25, 1)]),
        ([[1, 2], [1, 2], [2, 1]], [([1, 2], 2), ([2, 1], 1)]),
    ],
)
def test_actions_are_told_in_their_order_with_how_often_in_a_row(actions: Any, told: Any) -> None:
    assert runs(actions) == told


@pytest.mark.parametrize(
    ("rule", "unit", "tolerance"),
    [
        (exact().describe(), "", None),
        (exact("cents").describe(), "cents", None),
        ("equal (bars) where open (ticks)", "ticks", None),
        ("equal (ticks) here", "", None),
        ("", "", None),
        (close(4).describe(), "", 4),
        (close(17, 0.5).describe(), "", 17),
        ("within 0 ulps or 1", "", 0),
        ("all within 4 ulps", "", None),
        ("1e-09 + 2e-09 of itself", "", None),
    ],
)
def test_a_rule_s_words_hold_its_unit_and_its_ulps(rule: str, unit: str, tolerance: int | None) -> None:
    assert (unit_of(rule), tolerance_of(rule)) == (unit, tolerance)


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (4_999_750, "cents", ("$49,997.50", "(4,999,750 cents)")),
        (-250.0, "cents", ("−$2.50", "(−250 cents)")),
        (0, "cents", ("$0.00", "(0 cents)")),
        (0.5, "cents", ("$0.005", "(0.5 cents)")),
        (False, "cents", ("no", "cents")),
        ([1, 2], "cents", ("[1, 2]", "cents")),
        (None, "cents", ("–", "cents")),
        (4_999_750, "ticks", ("4,999,750", "ticks")),
        (0.25, "", ("0.25", "")),
        (math.inf, "bars", ("∞", "bars")),
    ],
)
def test_an_amount_is_told_with_its_unit(value: Any, unit: str, told: tuple[str, str]) -> None:
    assert amount(value, unit) == told


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (2500.0, "cents", ("+$25.00", "(+2,500 cents)")),
        (-75, "cents", ("−$0.75", "(−75 cents)")),
        (0.0, "cents", ("$0.00", "(0 cents)")),
        (math.nan, "cents", ("NaN", "(NaN cents)")),
        (3, "ticks", ("+3", "ticks")),
        (-0.25, "", ("−0.25", "")),
        (0, "bars", ("0", "bars")),
    ],
)
def test_a_difference_is_told_with_its_sign_and_unit(
    value: float, unit: str, told: tuple[str, str]
) -> None:
    assert amount_apart(value, unit) == told
