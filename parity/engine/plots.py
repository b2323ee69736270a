"""The report's plots: curves of both sides, distances in ulps, coverage; one report, one drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from foundation.report.bars import Bar, Scale, above
from foundation.report.format import MINUS, short
from foundation.report.svg import COLOURS, NARROW, Size, axes_in, draw, figure_of
from parity.engine.compare import ULP_BUCKETS, Comparison
from parity.engine.format import CENTS, ulps, unit_of

Values = Mapping[str, Any]

MAX_CURVES = 12
"""Curves drawn."""

MAX_HISTOGRAMS = 9
"""Histograms drawn; further fields are in the table."""

COLUMNS, COLUMN_BRANCHES = 3, 8
"""Columns of the coverage plot at most, and branches that make another column worth while."""


def _tick(value: float, _: int | None = None) -> str:
    if abs(value) >= 1e9:
        return f"{value:.3g}".replace("-", MINUS)
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.10g}"
    return text.replace("-", MINUS)


def chosen_curves(checks: Sequence[Values]) -> tuple[list[dict[str, Any]], int]:
    """Return the curves to show, with their world and unit, and how many there are.

    Curves that differ come first; then every check gives one in turn, each beginning at another of
    its own, so that many worlds show many policies.
    """
    ranked = []
    holders = [check for check in checks if check["notes"].get("curves")]
    for number, check in enumerate(holders):
        curves = check["notes"]["curves"]
        for place, curve in enumerate(curves):
            mine, theirs = (np.asarray(curve[side], np.float64) for side in ("reference", "port"))
            same = np.array_equal(mine, theirs)
            rank = (same, (place - number) % len(curves), number)
            rule = check["fields"].get(curve["field"], {}).get("rule", "")
            ranked.append((rank, {**curve, "world": check["world"], "unit": unit_of(rule)}))
    ranked.sort(key=lambda item: item[0])
    return [curve for _, curve in ranked[:MAX_CURVES]], len(ranked)


def curve_plot(number: int, curve: Values) -> dict[str, Any]:
    """Draw one episode on both sides, and the difference underneath; cents are drawn in dollars.

    Returns:
        The curve with its drawing, "what" it shows in its "unit", the "largest" difference that can be
        drawn, whether the sides are "unequal", and whether the "whole" curve can be drawn.
    """
    name, unit = curve["field"], curve["unit"]
    mine, theirs = (np.asarray(curve[side], np.float64) for side in ("reference", "port"))
    # A value of half the largest float and more would leave no room for the axis' own arithmetic.
    mine, theirs = (np.where(np.abs(x) < 1e150, x, np.nan) for x in (mine, theirs))
    shown = unit
    if unit == CENTS:
        mine, theirs, shown = mine / 100, theirs / 100, "$"
    what = f"{name} ({shown})" if shown else name
    apart = theirs - mine
    steps = np.arange(len(mine))
    largest = float(np.nanmax(np.abs(apart))) if np.isfinite(apart).any() else 0.0
    whole = bool(np.isfinite(apart).all())
    unequal = not (whole and np.array_equal(mine, theirs))

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 270)
        top = axes_in(figure, 66, 106, y=what)
        low = axes_in(figure, 66, right=10, bottom=40, top=196, x="step of the episode")
        figure.text(
            2 / size.width, 92 / 270, f"port {MINUS} reference", va="top", color=COLOURS["muted"]
        )
        _both(top, steps, mine, theirs)
        marker = "o" if len(mine) == 1 else ""
        low.plot(
            steps, apart, color=COLOURS["bad" if unequal else "port"], linewidth=1.5, marker=marker
        )
        top.yaxis.set_major_locator(MaxNLocator(4))
        low.set_yticks([0.0] if largest == 0 else [-largest, 0.0, largest])
        low.set_ylim(*((-1, 1) if largest == 0 else (-1.3 * largest, 1.3 * largest)))
        end = max(len(mine) - 1, 1)
        for axes in (top, low):
            axes.yaxis.set_major_formatter(FuncFormatter(_tick))
            axes.set_xlim(-0.01 * end, 1.01 * end)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        top.xaxis.set_major_formatter(NullFormatter())
        low.xaxis.set_major_formatter(FuncFormatter(_tick))
        return figure

    label = f"{what} of an episode on both sides and their difference, at most {_tick(largest)}"
    label += "" if whole else " where it can be drawn"
    svg = draw(f"curve{number}", label, paint, NARROW)
    found = {"largest": largest, "unequal": unequal, "whole": whole}
    return {**curve, "svg": svg, "what": what, "unit": shown, **found}


def _both(axes: Axes, steps: Any, reference: Any, port: Any) -> None:
    """Draw the port's thin line over the reference's wide one."""
    marker = "o" if len(steps) == 1 else ""
    axes.plot(
        steps,
        reference,
        color=COLOURS["reference"],
        linewidth=5.0,
        marker=marker,
        solid_capstyle="round",
    )
    axes.plot(steps, port, color=COLOURS["port"], linewidth=1.4, marker=marker, markersize=4)


def _bucket_names() -> list[str]:
    lows = [0, *(end + 1 for end in ULP_BUCKETS[:-1])]
    pairs = zip(lows, ULP_BUCKETS, strict=True)
    return [str(high) if low >= high else f"≤{high}" for low, high in pairs] + ["more"]


def ulp_plots(fields: Sequence[Values]) -> list[dict[str, Any]]:
    """Draw how far apart the floats were, one histogram a field; the widest fields first."""
    floats = [field for field in fields if sum(field["stats"].ulp_histogram)]
    floats.sort(key=lambda field: -field["stats"].max_ulps)
    return [_ulp_plot(number, field) for number, field in enumerate(floats[:MAX_HISTOGRAMS])]


def _ulp_plot(number: int, field: Values) -> dict[str, Any]:
    stats: Comparison = field["stats"]
    counts, names = stats.ulp_histogram, _bucket_names()
    limit = field["tolerance"]
    lows = [0, *(end + 1 for end in ULP_BUCKETS)]
    colours = [COLOURS["bad" if limit is not None and low > limit else "bar"] for low in lows]

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 240)
        axes = axes_in(
            figure, 38, right=4, x="ulps apart (steps between floats)", y="numbers, log scale"
        )
        axes.set_yscale("log")
        axes.set_ylim(0.5, 6 * max(counts))
        axes.bar(
            range(len(counts)), [max(count - 0.5, 0) for count in counts], 0.72, 0.5, color=colours
        )
        for place, count in enumerate(counts):
            colour = COLOURS["muted"] if not count else colours[place]
            colour = COLOURS["ink"] if colour == COLOURS["bar"] else colour
            high = max(count, 0.5) * 1.25
            axes.text(place, high, short(count), ha="center", fontsize=10, color=colour)
        if limit in ULP_BUCKETS:
            edge = ULP_BUCKETS.index(limit) + 0.5
            axes.axvline(edge, color=COLOURS["muted"], linewidth=1, dashes=(3, 2))
            right = edge > len(counts) / 2
            axes.text(
                edge + (-0.12 if right else 0.12),
                2.6 * max(counts),
                "allowed up to here",
                color=COLOURS["muted"],
                ha="right" if right else "left",
            )
        axes.set_xticks(range(len(names)), names)
        axes.tick_params(axis="x", labelsize=9.5)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: short(value) if value >= 1 else "")
        )
        axes.yaxis.set_minor_locator(NullLocator())
        return figure

    most = ulps(stats.max_ulps)
    label = f"distances of {field['name']} in ulps: {stats.compared:,} numbers, at most {most}"
    return {**field, "svg": draw(f"ulps{number}", label, paint, NARROW)}


def coverage_plots(report: Values) -> list[Markup]:
    """Draw how often each branch was taken, in one or more columns under one scale."""
    coverage, required, missing = report["coverage"], set(report["required"]), set(report["missing"])
    branches = sorted({*coverage, *required})
    columns = min(COLUMNS, math.ceil(len(branches) / COLUMN_BRANCHES))
    height = math.ceil(len(branches) / columns) if columns else 0
    most = max([10, *coverage.values()])
    scale = Scale("times taken, log scale", short, limits=(0.5, 1.6 * most))

    def bar(name: str) -> Bar:
        label, count = f"● {name}" if name in required else name, coverage.get(name, 0)
        if name in missing:
            return Bar(label, 0.5, "never taken", "bad", "bad")
        return Bar(label, max(count, 0.5), f"{count:,}", "bar" if name in required else "optional")

    plots = []
    for number in range(columns):
        bars = [bar(name) for name in branches[number * height : (number + 1) * height]]
        plots.append(_coverage_plot(f"coverage{number}", bars, scale))
    return plots


def _coverage_plot(name: str, bars: Sequence[Bar], scale: Scale) -> Markup:
    bar_texts = ", ".join(f"{bar.label} {bar.text}" for bar in bars)
    label = f"how often each branch was taken: {bar_texts}"
    return draw(name, label, lambda _: above(bars, scale, thick=6, track=True), NARROW)
