"""The page of a pair: the verdict, where rounding is largest, nothing cut, no request outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parity import Accepted, Port, Report, verify
from parity.harness.findings import FieldVerdict, state_words
from parity.harness.output.page import _tiles, render
from parity.harness.report import rounding_words
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests
from tests.parity.harness.lander import pair, program


@pytest.fixture(scope="module")
def bad() -> Report:
    """Return a report with every part of the page: faults, accepted ones, what is unchecked."""
    changed = Port.functional(lambda: program(limit=21, single=True, gravity=0.1001, stale=True))
    known = (Accepted("reward", "a reason of a few words"), Accepted("free run", "as the reward"))
    return verify(
        pair(changed, accepted=known), place="tests.parity.harness.lander:pair", transitions=300
    )


@pytest.fixture(scope="module")
def good() -> Report:
    return verify(pair(), transitions=300, resets=100)


def test_where_rounding_is_largest_is_on_the_page_and_printed(good: Report) -> None:
    assert good.passed
    speed = good.field("speed")
    place = state_words(speed.largest_at)
    assert place.startswith("height ")
    assert ", speed " in place
    assert f"rounding is largest at {place}" in render(good.to_dict())
    assert f"largest at {place}" in rounding_words(speed)
    assert rounding_words(speed) in str(good)
    assert not good.field("steps").largest_at


def test_a_state_is_told_in_few_words() -> None:
    state = {"x": 0.123456789, "open": True, "near": [1, 2], "map": [[0] * 6] * 6}
    assert state_words(state) == "x 0.123457, open True, near [1, 2], map of shape (6, 6)"
    assert state_words({f"f{n}": n for n in range(10)}).endswith("f7 7 and 2 more")
    assert state_words({}) == ""


def test_fields_beyond_their_bound_are_told_of_rounding_and_not_of_logic() -> None:
    kinds: dict[str, dict[str, Any]] = {
        "a": {"verdict": "logic", "logic": 3, "beyond": 1},
        "b": {"verdict": "contract", "logic": 3, "beyond": 1},
        "c": {"verdict": "rounding", "rounding": 9, "beyond": 2, "largest_ulps": 7},
        "d": {"verdict": "rounding", "rounding": 9, "largest_ulps": 2},
        "e": {"verdict": "accepted", "accepted": 9, "beyond": 2},
        "f": {"verdict": "equal"},
    }
    fields = [FieldVerdict(name, "", ("", ""), compared=9, **values) for name, values in kinds.items()]
    report = Report("tiny", "", fields, [], [], None, {}, {"visited": 9})
    logic, rounding = _tiles(report.to_dict())[1:3]
    assert (logic.value, logic.below, logic.bad) == ("2", "a, b", True)
    assert (rounding.value, rounding.bad) == ("2", True)
    assert rounding.below == "up to 7 units in the last place, c; beyond the bound: c, e"
    report.fields = fields[3:4]
    logic, rounding = _tiles(report.to_dict())[1:3]
    assert (logic.value, logic.below, logic.bad) == ("0", "none", False)
    assert (rounding.below, rounding.bad) == ("up to 2 units in the last place, d", False)


@pytest.mark.costly
def test_the_page_says_its_verdict_first(bad: Report) -> None:
    page = render(bad.to_dict())
    assert page.index("The port is another environment") < page.index("Smallest cases")
    assert "envparity case tests.parity.harness.lander:pair" in page
    assert "a reason of a few words" in page
    assert render(bad.to_dict()) == page


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_page_asks_for_nothing_outside_itself(name: str, request: pytest.FixtureRequest) -> None:
    assert outside_requests(render(request.getfixturevalue(name).to_dict())) == []


@needs_browser
@pytest.mark.parametrize("name", ["good", "bad"])
def test_nothing_is_cut_on_a_screen_or_a_phone(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert layout_faults(render(request.getfixturevalue(name).to_dict()), tmp_path) == []
