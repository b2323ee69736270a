"""A live replay's report as one self-contained HTML page: whether they agree, and what fills cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from foundation.files import write_files
from foundation.report.bars import Bar, Scale, draw_bars
from foundation.report.format import DASH, change, count, dollars, exponent
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict
from parity.live_replay.quality import assumed_words
from parity.live_replay.replay import advice_words, words

Values = Mapping[str, Any]

NUMBERS, PAGE = "replay.json", "replay.html"

MODES = {
    "historical": "bars of the past, nothing decided",
    "backtest": "the Strategy Analyzer's fills",
    "virtual": "shadow mode: fills by the rules, on paper",
    "live": "an account, simulated or real",
}
"""What the lines of a log go by, as it is said on the page."""


def write_report(folder: Path, report: Values) -> None:
    """Write :data:`NUMBERS` and :data:`PAGE` into a folder, both or neither.

    Args:
        folder: made where it is missing.
        report: from :func:`parity.live_replay.replay.replay_log`.

    Raises:
        WriteError: the folder cannot be written to.
    """
    write_files(folder, {NUMBERS: report, PAGE: render(report)})


def render(report: Values) -> str:
    """Return a self-contained page of a report of :func:`parity.live_replay.replay.replay_log`."""
    costs = report["fill_costs"]
    env = templates("parity.live_replay", ticks=ticks, milliseconds=milliseconds, words=words)
    return env.get_template("replay.html.j2").render(
        report=report,
        verdict=verdict(report),
        tiles=tiles(report),
        modes=MODES,
        costs=costs,
        by_hour=None if costs is None else hours_plot(costs),
        taken=taken_words(report["log"]),
        given_up=given_up_words(report),
        largest={name: exponent(value) for name, value in report["largest"].items()},
    )


def verdict(report: Values) -> Verdict:
    """Return whether live and offline agree, and if not, where they first differ."""
    first, other = report["first"], report["first_beside_fills"]
    if first is None:
        return Verdict(
            "good", "Live and offline agree.", "Bar for bar, decision for decision and fill for fill."
        )
    differ, given_up = count(report["fills"]["differ"], "fill"), sum(report["given_up"].values())
    if other is None and given_up:
        fills = f"{differ} differ" if report["fills"]["differ"] else "no fill differs"
        return Verdict(
            "warn",
            f"Live gave up {count(given_up, 'bar')}.",
            f"It decided nothing there for reasons of its account's: {given_up_words(report)}. Every "
            f"bar, observation and decision beside agrees; {fills} from the rules. The first: "
            f"{words(first)}.",
        )
    if other is None:
        return Verdict(
            "warn",
            "Only fills differ.",
            f"Every bar, observation and decision agrees; {differ} differ from the rules, as a "
            f"market's do. The first: {words(first)}.",
        )
    return Verdict("bad", "Live and offline disagree.", f"First beside fills: {words(other)}.")


def given_up_words(report: Values) -> str:
    """Return how many bars live gave up, by reason."""
    return ", ".join(f"{why} ({count(bars, 'bar')})" for why, bars in report["given_up"].items())


def taken_words(log: Values) -> str:
    """Return how an action is taken from its logits, with a fusion and without."""
    fused = advice_words(log)
    return (
        f"which before one is taken are {fused}"
        if fused
        else "of which the highest allowed one is taken"
    )


def tiles(report: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    compared, fills, costs = report["compared"], report["fills"], report["fill_costs"]
    rows = [
        Tile("Bars compared", f"{compared['bars']:,}", f"of {report['log']['bars']:,} in the log"),
        Tile(
            "Decisions compared",
            f"{compared['decisions']:,}",
            "what was seen, which actions were allowed, their scores (logits), and the one taken",
        ),
        Tile(
            "Fills compared",
            f"{compared['fills']:,}",
            f"{fills['price_apart']:,} at another price than the rules'",
        ),
    ]
    if costs is None:
        return rows
    return [
        *rows,
        Tile(
            "Worse than assumed, a fill",
            f"{ticks(costs['worse_ticks_mean'])} ticks",
            f"mean of {costs['count']:,}; the environment assumes {assumed_words(costs)} of slippage "
            "for market orders, none for stops and targets",
        ),
        Tile(
            "Worse than assumed, together",
            dollars(costs["worse_dollars"]),
            f"US dollars a contract; a tick is {dollars(costs['tick_dollars'])}",
        ),
        Tile(
            "From order to fill",
            f"{milliseconds(costs['latency_ms_median'])} ms",
            "median of market orders; the environment assumes no delay",
        ),
    ]


def hours_plot(costs: Values) -> Markup:
    """Draw mean ticks worse than the rules' price by New York hour."""
    bars = [
        Bar(
            f"{row['hour']:02d}:00",
            row["worse_ticks_mean"],
            f"{ticks(row['worse_ticks_mean'])}, {count(row['count'], 'fill')}",
            "bad" if row["worse_ticks_mean"] > 0 else "good",
        )
        for row in costs["by_hour"]
    ]
    values = [bar.value or 0.0 for bar in bars]
    limits = min(0.0, *values), max(0.5, *values)
    scale = Scale(
        "ticks worse than the rules' price, mean of the hour",
        lambda x: f"{x:g}",
        log=False,
        limits=limits,
    )
    spoken = "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    return draw_bars("hours", f"{scale.name}: {spoken}", bars, scale)


def ticks(value: float) -> str:
    """Return ticks against the trader with their sign; 0 without one."""
    return "0" if value == 0 else change(value, 2)


def milliseconds(value: float | None) -> str:
    """Return a time from order to fill; orders that waited at the broker have none."""
    return DASH if value is None else f"{value:,.0f}"
