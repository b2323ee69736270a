"""The page of a replay on a report made by hand, in which no two numbers are alike."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from foundation.report.bars import Bar, Scale
from foundation.report.parts import Tile, Verdict
from parity.live_replay import page
from parity.live_replay.quality import account_fills, fill_costs, fill_quality
from parity.live_replay.replay import words
from tests.parity.live_replay.test_quality import MATCHED, MINUTE

FEATURE: dict[str, Any] = {
    "bar": 7,
    "stage": "feature",
    "name": "macd",
    "live": 0.5,
    "offline": 0.25,
    "apart": 0.25,
    "allowed": 1e-9,
    "time": "2025-01-06T14:37:00Z",
}
EXIT = {**FEATURE, "bar": 5, "stage": "fill", "name": "exit", "live": "nothing", "offline": "sold 2"}
EXIT |= {"apart": None, "allowed": 0.0}
MODES = {
    "live": {"bars": 1_201, "decisions": 1_102, "withheld": 13, "fills": 14},
    "virtual": {"bars": 25, "decisions": 26, "withheld": 27, "fills": 28},
}


def report(**changes: Any) -> dict[str, Any]:
    fills = account_fills(MATCHED, MINUTE)
    return {
        "verdict": "different",
        "first": EXIT,
        "first_beside_fills": FEATURE,
        "compared": {"bars": 1_234, "decisions": 1_100, "fills": 5},
        "largest": {"logits": 2.5e-7, "bar": 0.0},
        "fills": {"differ": 3, "price_apart": 4, "largest_ticks": 6.5, "allowed_ticks": 2.0},
        "given_up": {},
        "modes": MODES,
        "account_fills": fills,
        "live_fills": fill_quality(fills),
        "fill_costs": fill_costs(fills, 12.5, 2),
        "log": {
            "file": "a<b.jsonl",
            "last_line_cut_off": True,
            "bars": 1_299,
            "decisions": 1_050,
            "with_advice": 0,
            "fusion": None,
            "symbol": "ES",
            "phase": 2,
            "policy_sha256": "c0ffee",
            "contracts": 17,
        },
        "data": {"source": "bars.csv", "sha256": "deadbeef"},
        "made": {"when": "2025-01-07T08:09:10Z", "device": "one cpu", "versions": {"jax": "0.0.99"}},
        **changes,
    }


GIVEN_UP = {"halted": 1, "an exit is on its way": 1_002}


@pytest.mark.parametrize(
    ("changes", "tone", "headline", "reason"),
    [
        (
            {"first": None, "first_beside_fills": None},
            "good",
            "Live and offline agree.",
            "Bar for bar, decision for decision and fill for fill.",
        ),
        (
            {"first_beside_fills": None},
            "warn",
            "Only fills differ.",
            "Every bar, observation and decision agrees; 3 fills differ from the rules, as a market's "
            f"do. The first: {words(EXIT)}.",
        ),
        (
            {"first_beside_fills": None, "given_up": GIVEN_UP},
            "warn",
            "Live gave up 1,003 bars.",
            "It decided nothing there for reasons of its account's: halted (1 bar), an exit is on its "
            "way (1,002 bars). Every bar, observation and decision beside agrees; 3 fills differ from "
            f"the rules. The first: {words(EXIT)}.",
        ),
        (
            {"first_beside_fills": None, "given_up": {"halted": 1}, "fills": {"differ": 0}},
            "warn",
            "Live gave up 1 bar.",
            "It decided nothing there for reasons of its account's: halted (1 bar). Every bar, "
            "observation and decision beside agrees; no fill differs from the rules. The first: "
            f"{words(EXIT)}.",
        ),
        (
            {"given_up": GIVEN_UP},
            "bad",
            "Live and offline disagree.",
            f"First beside fills: {words(FEATURE)}.",
        ),
    ],
)
def test_the_verdict_names_what_matters_most(
    changes: dict[str, Any], tone: Any, headline: str, reason: str
) -> None:
    assert page.verdict(report(**changes)) == Verdict(tone, headline, reason)


HEAD = [
    Tile("Bars compared", "1,234", "of 1,299 in the log"),
    Tile(
        "Decisions compared",
        "1,100",
        "what was seen, which actions were allowed, their scores (logits), and the one taken",
    ),
    Tile("Fills compared", "5", "4 at another price than the rules'"),
]


def test_tiles_tell_what_was_compared_and_what_fills_cost() -> None:
    assert page.tiles(report(fill_costs=None)) == HEAD
    costs = {
        "count": 1_005,
        "worse_ticks_mean": 0.125,
        "worse_ticks_most": 9.0,
        "latency_ms_median": 1_040.4,
        "latency_ms_most": 99.0,
        "worse_dollars": -1_570.5,
        "tick_dollars": 12.5,
        "assumed_slippage_ticks": 3,
    }
    assert page.tiles(report(fill_costs=costs)) == [
        *HEAD,
        Tile(
            "Worse than assumed, a fill",
            "+0.12 ticks",
            "mean of 1,005; the environment assumes 3 ticks of slippage for market orders, none for "
            "stops and targets",
        ),
        Tile(
            "Worse than assumed, together",
            "\u2212$1,570.50",
            "US dollars a contract; a tick is $12.50",
        ),
        Tile(
            "From order to fill",
            "1,040 ms",
            "median of market orders; the environment assumes no delay",
        ),
    ]


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (1.5, "+1.50"), (-0.25, "\u22120.25"), (1_234.567, "+1,234.57")]
)
def test_ticks_have_their_sign(value: float, said: str) -> None:
    assert page.ticks(value) == said


@pytest.mark.parametrize(("value", "said"), [(None, "\u2013"), (0.0, "0"), (1_234.6, "1,235")])
def test_a_time_that_there_is_none_of_is_a_dash(value: float | None, said: str) -> None:
    assert page.milliseconds(value) == said


def test_hours_are_drawn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def draw(*given: Any) -> Markup:
        drawn.extend(given)
        return Markup("drawn")

    monkeypatch.setattr(page, "draw_bars", draw)
    hours = [
        {"hour": 9, "worse_ticks_mean": 0.25, "count": 1},
        {"hour": 10, "worse_ticks_mean": -1.5, "count": 1_300},
        {"hour": 15, "worse_ticks_mean": 0.0, "count": 4},
    ]
    assert page.hours_plot({"by_hour": hours}) == "drawn"
    name, label, bars, scale = drawn
    assert name == "hours"
    assert bars == [
        Bar("09:00", 0.25, "+0.25, 1 fill", "bad"),
        Bar("10:00", -1.5, "\u22121.50, 1,300 fills", "good"),
        Bar("15:00", 0.0, "0, 4 fills", "good"),
    ]
    assert label == (
        "ticks worse than the rules' price, mean of the hour: 09:00 +0.25, 1 fill; "
        "10:00 \u22121.50, 1,300 fills; 15:00 0, 4 fills"
    )
    assert isinstance(scale, Scale)
    assert (scale.log, scale.limits, scale.words(0.25)) == (False, (-1.5, 0.5), "0.25")
    drawn.clear()
    page.hours_plot({"by_hour": [{"hour": 9, "worse_ticks_mean": 3.0, "count": 2}]})
    assert drawn[3].limits == (0.0, 3.0)


def cells(html: str, section: str) -> list[list[str]]:
    """Return the words of each row of a section's tables."""
    part = re.split(r"<section", html.split(f'id="{section}"', 1)[1], maxsplit=1)[0]
    bodies = re.findall(r"<tbody>(.*?)</tbody>", part, re.DOTALL)
    rows = [row for body in bodies for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def test_every_number_stands_in_its_table() -> None:
    logs = [
        {"file": "a.jsonl", "verdict": "same", "first": None, "bars": 31, "decisions": 32, "fills": 33}
        | {"worse_ticks_mean": None, "worse_dollars": None},
        {"file": "b.jsonl", "verdict": "different", "first": FEATURE, "bars": 1_041, "decisions": 42}
        | {"fills": 43, "worse_ticks_mean": -0.5, "worse_dollars": 44.5},
    ]
    html = page.render(report(logs=logs))
    assert cells(html, "fills") == [
        ["09:00", "2", "+0.50", "+1.00", "25", "40"],
        ["10:00", "1", "+2.50", "+2.50", "100", "100"],
        ["10:00", "2", "\u22121.50", "0", "\u2013", "\u2013"],
    ]
    assert cells(html, "logs") == [
        ["a.jsonl", "same", "31", "32", "33", "\u2013", "\u2013"],
        ["b.jsonl", f"different: {words(FEATURE)}", "1,041", "42", "43", "\u22120.50", "$44.50"],
    ]
    assert cells(html, "lines") == [
        ["live: an account, simulated or real", "1,201", "1,102", "13", "14"],
        ["virtual: shadow mode: fills by the rules, on paper", "25", "26", "27", "28"],
    ]
    assert page.MODES["historical"] == "bars of the past, nothing decided"
    assert page.MODES["backtest"] == "the Strategy Analyzer's fills"
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))
    for said in (
        "a&lt;b.jsonl",
        "phase 2, ES",
        "The log's last line was cut off",
        "logits 2.5e\u22127",
        "fill, in ticks 6.5",
        f"First difference: {words(EXIT)}.",
        f"First difference beside fills: {words(FEATURE)}.",
        "bars bars.csv",
        "bars in the log 1,299",
        "contracts 17",
        "device one cpu",
        "jax 0.0.99",
        "bars deadbeef",
        "policy c0ffee",
    ):
        assert said in text, said
    kinds = re.findall(r"<h3>(.*?)</h3><span class=\"quiet\">(.*?)</span>", html)
    assert kinds == [("entry", "3 fills"), ("exit (stop)", "2 fills")]
    assert html.count("<details") == 2
    assert re.findall(r"<details[^>]*>", html)[1].count("open") == 0
    whole = {**report()["log"], "last_line_cut_off": False}
    bare = page.render(report(log=whole, first=None, first_beside_fills=None, fill_costs=None))
    assert 'id="logs"' not in bare
    assert "cut off" not in bare
    assert "First difference" not in bare
    assert "No fill on an account was compared" in bare


def test_both_files_are_written_with_the_same_report(tmp_path: Path) -> None:
    page.write_report(tmp_path / "new", report())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["replay.html", "replay.json"]
    assert json.loads((tmp_path / "new" / page.NUMBERS).read_text()) == report()
    assert (tmp_path / "new" / page.PAGE).read_text() == page.render(report())
