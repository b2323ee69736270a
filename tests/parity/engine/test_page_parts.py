"""Every part of a page, of a report by hand in which no two numbers are alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.files import to_json
from parity.engine.compare import FAR, close, compare, exact
from parity.engine.diverge import Divergence, FieldDifference
from parity.engine.measure import of_error
from parity.engine.page import aggregate, exceeds, render, tiles, verdict
from parity.engine.report import Report, read_back
from parity.engine.verify import CheckResult, Mismatch
from tests.parity.engine.test_page import Reader, report
from tests.parity.made_report import (
    BARS,
    CENTS,
    FLOAT64,
    NORTH,
    OBS,
    REWARD,
    SOUTH,
    made,
    replayed,
    seen,
    values_of,
)
from tests.snapshots import Snapshot


class Marked(HTMLParser):
    """Texts that are shown as good or bad, and what is open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within: list[tuple[str, list[str]]] = []
        self.feed(page[page.index("<body") :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        marks = set((given.get("class") or "").split()) & {"bad", "good", "failed", "why"}
        if tag == "details" and "open" in given:
            marks.add("open")
        if tag not in ("meta", "link", "br", "img"):
            self._within.append((tag, sorted(marks)))

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        marks = sorted({mark for _, marks in self._within for mark in marks})
        if marks and data.strip() and not any(tag == "svg" for tag, _ in self._within):
            self.texts.append(f"{' '.join(marks)}: {' '.join(data.split())}")


def test_a_page_of_every_part_is_as_it_was_read(tmp_path: Path, snapshot: Snapshot) -> None:
    page = render(values_of(made()))
    (tmp_path / "page.html").write_text(page)
    snapshot("page", tmp_path / "page.html")
    snapshot("marked", "\n".join(Marked(page).texts))


def test_a_page_made_of_a_report_s_file_is_that_of_the_report() -> None:
    """JSON has no number that is not finite: each is null there, and NaN on the page."""
    report = made()
    report.checks[0].notes["reward_deviation_max"] = math.nan
    report.checks[0].notes["curves"][1]["port"][2] = math.nan
    report.checks[1].notes["curves"][0] = {
        **report.checks[1].notes["curves"][0], "reference": [1.0, math.nan], "port": [1.0, math.nan],
    }  # fmt: skip
    report.checks[1].first = Mismatch(3, 41, "balance", (), math.nan, 325)
    report.checks[2].measures["none"] = of_error(math.nan, 1.0, 3, "a")
    report.checks[3].notes["chance"] = math.nan
    report.checks[6].measures["no limit"] = of_error(0.5, math.nan, 3, "a")
    report.checks[8].fields["atr"].max_abs = math.nan
    report.checks[8].first = Mismatch(1, -1, "atr", (), 1.5, math.nan)
    state = report.divergences[0].state
    assert state is not None
    state["share"] = math.nan
    report.divergences[0].differences[1] = FieldDifference("after", "obs[1, 0]", math.nan, 1.0, FAR)
    report.divergences[2].mismatch = Mismatch(6, 0, "atr", (1,), math.nan, 1.5)
    values = values_of(report)
    read = json.loads(to_json(values))
    assert "NaN" not in to_json(values)
    page = render(values)
    assert render(read) == page
    assert page.count(">NaN<") > 5
    assert tiles(read_back(read)) == tiles(values)


def nulls(values: Any, place: str = "") -> Iterator[str]:
    """Yield where there is nothing."""
    if values is None:
        yield place
    elif isinstance(values, (dict, list)):
        for key, one in values.items() if isinstance(values, dict) else enumerate(values):
            yield from nulls(one, f"{place}.{key}")


def test_of_a_report_s_file_every_number_is_read_back() -> None:
    report = made()
    report.checks[6].measures["none"] = of_error(math.nan, math.inf, 3, "a")
    report.checks[0].notes["reward_deviation_max"] = math.nan
    read = json.loads(to_json(values_of(report)))
    nothing = {
        *(f".checks.{number}.first" for number in (0, 2, 3, 4, 5, 6, 7)),
        ".divergences.0.differences.0.ulps",
        ".divergences.1.state",
    }
    numbers = {
        ".summary.reward_deviation_max",
        ".summary.relative_errors.none.largest",
        ".summary.relative_errors.none.limit",
        ".checks.0.notes.reward_deviation_max",
        ".checks.6.measures.none.error",
        ".checks.6.measures.none.limit",
        ".checks.8.fields.atr.max_abs",
        ".checks.8.first.port",
        ".divergences.2.mismatch.port",
    }
    assert set(nulls(read)) == nothing | numbers
    found = read_back(read)
    assert set(nulls(found)) == nothing
    assert set(nulls(read)) == nothing | numbers  # what was given stays as it is
    told = json.dumps(found)
    assert told.count("NaN") == len(numbers)
    assert json.loads(told.replace("NaN", "null")) == read


@pytest.mark.parametrize("worlds", [1, 2])
def test_a_verdict_names_the_first_failure_and_counts_all(worlds: int) -> None:
    values = values_of(made())
    values["worlds"] = values["worlds"][:worlds]
    failed = [{"check": "restart", "world": SOUTH, "why": "a number"}, {"check": "x"}]
    found = verdict(values, failed)
    where = f", {SOUTH}" if worlds == 2 else ""
    assert (found.tone, found.headline, found.reason) == (
        "bad",
        "The two sides differ.",
        f"2 of 10 checks failed. First: restart{where}, a number. Never taken: flown.",
    )


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (["a"], "Nothing disagreed, but 1 of the branches that must be taken never was."),
        (["b", "a"], "Nothing disagreed, but 2 of the branches that must be taken never were."),
        ([], "No number was compared."),
    ],
)
def test_what_was_not_seen_is_told(missing: list[str], reason: str) -> None:
    values = {"verdict": "not enough seen", "missing": missing, "checks": [], "worlds": []}
    found = verdict(values, [])
    never = f" Never taken: {', '.join(missing)}." if missing else ""
    assert (found.tone, found.headline, found.reason) == (
        "warn",
        "Not enough was seen.",
        reason + never,
    )
    good = verdict({**values, "verdict": "same"}, [])
    assert (good.tone, good.headline) == ("good", "The two sides are the same.")


def test_tiles_are_bad_for_one_reason_each() -> None:
    report = made()
    report.checks = report.checks[:1] + report.checks[2:3] + report.checks[7:8]
    values = read_back(values_of(report))
    assert [(tile.label, tile.bad) for tile in tiles(values)][:5] == [
        ("Transitions compared", False),
        ("Mismatches", False),
        ("Largest error, observation / reward", False),
        ("Episode reward deviation", False),
        ("Nearest to its limit", False),
    ]

    def bad(values: dict[str, Any]) -> list[int]:
        return [number for number, tile in enumerate(tiles(values)) if tile.bad]

    def summed(**changed: Any) -> dict[str, Any]:
        return {**values, "summary": {**values["summary"], **changed}}

    assert bad(values) == [5]
    assert bad({**values, "missing": []}) == []
    assert bad(summed(mismatches=1)) == [1, 5]
    assert bad(summed(failed_checks=1)) == [1, 5]
    assert bad(summed(reward_deviation_max=0.06)) == [5]
    larger = {share: tiles(summed(reward_deviation_max=share))[3] for share in (0.75, 1.0, 1.01)}
    assert [tile.value for tile in larger.values()] == ["75.00%", "100.00%", "101.00%"]
    assert ["above 100%" in tile.below for tile in larger.values()] == [False, False, True]
    assert bad(summed(reward_deviation_max=0.0601)) == [3, 5]
    assert bad(summed(reward_deviation_max=math.nan)) == [3, 5]
    for number, name in ((0, "reward"), (1, "obs")):
        checks = json.loads(json.dumps(values["checks"]))
        checks[number]["fields"][name]["mismatches"] = 1
        assert bad({**values, "checks": checks}) == [2, 5]


def test_a_field_s_statistics_are_those_of_all_checks_under_one_rule() -> None:
    told = made().to_dict()["checks"]
    told[3]["fields"]["age"] = seen(OBS, 5, 1, 2, 0.5, 1, 4).counts()
    found = {(one["name"], one["stats"].rule): one for one in aggregate(told)}
    assert {key: one["tolerance"] for key, one in found.items()} == {
        ("balance", CENTS): None,
        ("obs", OBS): 4,
        ("reward", REWARD): 16,
        ("age", BARS): None,
        ("age", OBS): 4,
        ("atr", FLOAT64): None,
    }
    assert found["obs", OBS]["stats"] == seen(OBS, 210, 3, 4, 2e-7, 114, 9, 2, 1, 4)
    assert found["balance", CENTS]["stats"] == seen(CENTS, 30, 2, 0, 75.0)
    assert found["age", BARS]["stats"] == seen(BARS, 40 + 80 + 901 + 1100)
    assert found["age", OBS]["stats"] == seen(OBS, 5, 1, 2, 0.5, 1, 4)


@pytest.mark.parametrize(
    ("error", "limit", "beyond"),
    [(1.0, 1.0, False), (1.0000001, 1.0, True), (0.0, 0.0, False), (math.nan, 1.0, True),
     (1.0, math.nan, True), (math.inf, 1.0, True)],
)  # fmt: skip
def test_an_error_beyond_its_limit_exceeds_it(error: float, limit: float, beyond: bool) -> None:
    assert exceeds({"error": error, "limit": limit}) == beyond


@pytest.mark.parametrize(
    ("check", "world", "rule", "distance"),
    [
        ("data", NORTH, OBS, "8 ulps"),
        ("generated", SOUTH, BARS, "none: must be equal"),
        ("data", SOUTH, FLOAT64, "–"),
        ("elsewhere", SOUTH, OBS, "8 ulps"),
    ],
)
def test_a_finding_tells_the_rule_of_its_own_check(
    check: str, world: str, rule: str, distance: str
) -> None:
    found = Mismatch(7, 12, "obs", (), 1.0, 1.0000009536743164)
    checks = [
        CheckResult("restart", SOUTH, 1),
        CheckResult("data", NORTH, 1, {"obs": seen(OBS, 1, 1)}),
        CheckResult("generated", SOUTH, 1, {"obs": seen(BARS, 1, 1)}),
        CheckResult("data", SOUTH, 1, {"obs": seen(FLOAT64, 1, 1)}),
    ]
    told = Divergence(check, world, 7, 12, found, "logic", [4], {}, "", [], {}, "")
    page = render(values_of(Report("a pair", 7, "jitted", [], checks, frozenset(), [told])))
    text = " ".join(re.sub(r"<[^>]*>", " ", page[page.index("<body") :]).split())
    assert f"Distance {distance} Rule {rule} Shortest" in text
    assert ("logic must be equal" in text) == (rule == BARS)


def test_what_cannot_be_drawn_of_a_curve_is_no_difference_of_nothing() -> None:
    told = {
        "no difference": ([1.0, 250.0], [1.0, 250.0]),
        "differs by up to $2.50": ([100.0, 100.0], [350.0, 100.0]),
        "differs in numbers that cannot be drawn": ([1.0, math.nan], [1.0, math.nan]),
        "differs by up to $1.00, and in numbers that cannot be drawn": ([1.0, 2.0], [101.0, math.inf]),
    }
    for words, (reference, port) in told.items():
        check = CheckResult("data", NORTH, 1, {"balance": seen(CENTS, 1)})
        curve = {
            "field": "balance",
            "policy": "seldom",
            "start": 3,
            "reference": reference,
            "port": port,
        }
        check.notes["curves"] = [curve]
        page = render(values_of(Report("a pair", 7, "jitted", [], [check], frozenset())))
        mark = "good" if words == "no difference" else "bad"
        assert f'<span class="{mark}">{words}</span>' in page


def test_episodes_that_could_not_be_compared_are_no_episodes_of_none() -> None:
    def told(*checks: CheckResult) -> tuple[str, str, bool]:
        values = Report("a pair", 7, "jitted", [], list(checks), frozenset()).to_dict()
        tile = tiles(values)[3]
        return tile.value, tile.below, tile.bad

    lost = CheckResult("replay", NORTH, 3, error="no such field", notes={"episodes": 4})
    assert told() == told(CheckResult("data", NORTH, 3)) == ("–", "no episodes replayed", False)
    assert told(lost) == ("–", "no replay could be compared", False)
    assert told(lost, replayed(NORTH, 1))[0] == "1.10%"
    assert "no replay could be compared" in render(
        values_of(Report("a pair", 7, "jitted", [], [lost], frozenset()))
    )


@pytest.mark.parametrize(("rows", "failed", "opened"), [(8, 0, 1), (9, 0, 0), (9, 1, 1), (12, 1, 1)])
def test_checks_of_a_kind_are_open_where_they_are_few_or_one_failed(
    rows: int, failed: int, opened: int
) -> None:
    checks = [CheckResult("data", f"world {row}", row, {"age": seen(BARS, 2)}) for row in range(rows)]
    if failed:
        checks[-1].error = "not carried out"
    page = render(values_of(Report("a pair", 7, "jitted", [], checks, frozenset())))
    assert page.count('<details class="card" open>') == opened
    assert page.count("not carried out") == 3 * failed  # in the verdict, and beside both of its rows
    assert f"all {rows}</td>" in page


FIRSTS = {
    "Port − reference+1.90735e−6 Distance16 ulps Rulewithin 8 ulps or 1e-09": Mismatch(
        0, 1, "reward", (), 1.0, float(np.float32(1 + 2**-19))
    ),
    "Port − reference+$2.50 (+250 cents) Distancenone: must be equal Ruleequal (cents)": Mismatch(
        0, 1, "balance", (), 500, 750
    ),
}


@pytest.mark.parametrize("expected", FIRSTS)
def test_a_finding_is_held_to_the_rule_of_its_own_check(expected: str) -> None:
    """Other checks hold the same names to be identical, and other worlds to another number of ulps."""
    ones = np.ones(2, np.float32)
    _, reward = compare(close(8), ones, np.array([1, 1 + 2**-19], np.float32))
    _, near = compare(close(4), ones, ones)
    _, equal = compare(exact(), ones, ones)
    _, cents = compare(exact("cents"), np.array([500]), np.array([750]))
    _, bare = compare(exact(), np.array([500]), np.array([500]))
    checks = [
        CheckResult("generated", "other", 2, {"reward": near, "balance": bare}),
        CheckResult("generated", "one", 2, {"reward": reward, "balance": cents}),
        CheckResult("mirror, port", "one", 2, {"reward": equal, "balance": bare}),
    ]
    found = Divergence(
        "generated", "one", 0, 1, FIRSTS[expected], "logic", [0], {}, "", [], {}, "again"
    )
    assert expected in Reader(render(report(checks, [found], set()).to_dict())).text
