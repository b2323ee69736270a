"""The report's plots as SVG to stand in a page: curves of both sides, distances in ulps, coverage.

Every figure is drawn in stand-in colours that the page replaces by its own, light or dark; its ids
begin with its name, so that several figures share a page; and the same report gives the same text.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from parity.engine.compare import ULP_BUCKETS, FieldStats
from parity.engine.format import short, ulps

Values = Mapping[str, Any]

MAX_HISTOGRAMS = 9
"""Histograms drawn; further fields are in the table."""

COLUMNS, COLUMN_BRANCHES = 3, 8
"""Columns of the coverage plot at most, and branches that make another column worth while."""

COLOURS = {
    name: f"#0000{number:02x}"
    for number, name in enumerate(
        ("ink", "muted", "line", "reference", "port", "bar", "optional", "bad"), 1
    )
}
"""Stand-ins: figures are drawn in these; the page puts its own light or dark colour in their place."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "parity",
    "text.parse_math": False,
    "font.size": 7.5,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.labelsize": 7.5,
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}


def to_svg(figure: Figure, name: str, label: str) -> Markup:
    """Return a figure as SVG to stand in HTML: colours from the page, ids of its own, no header."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(\sid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d.group()), text)
    for colour, code in COLOURS.items():
        text = text.replace(code, f"var(--{colour})")
    head = re.compile(r'<svg width="[^"]*" height="[^"]*"')
    return Markup(head.sub(lambda _: f'<svg role="img" aria-label="{escape(label)}"', text, count=1))


def plain_axes(figure: Figure, box: tuple[float, float, float, float], grid: str = "y") -> Axes:
    """Return bare axes with a faint grid."""
    axes = figure.add_axes(box)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, which="both")
    if grid:
        axes.grid(axis="y" if grid == "y" else "x", color=COLOURS["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def _tick(value: float, _: int | None = None) -> str:
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def curve_plot(number: int, curve: Values, units: Mapping[str, str]) -> dict[str, Any]:
    """Draw one episode on both sides, and the difference underneath."""
    mine, theirs = (np.asarray(curve[side], np.float64) for side in ("reference", "port"))
    # A value of half the largest float and more would leave no room for the axis' own arithmetic.
    mine, theirs = (np.where(np.abs(x) < 1e150, x, np.nan) for x in (mine, theirs))
    apart = theirs - mine
    steps = np.arange(len(mine))
    name, unit = curve["field"], units.get(curve["field"], "")
    largest = float(np.nanmax(np.abs(apart))) if np.isfinite(apart).any() else 0.0
    unequal = bool(not np.array_equal(mine, theirs)) or not np.isfinite(apart).all()
    marker = "o" if len(mine) == 1 else ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.1, 2.15))
        top, low = (
            plain_axes(figure, (0.175, 0.36, 0.815, 0.61)),
            plain_axes(figure, (0.175, 0.1, 0.815, 0.17)),
        )
        top.plot(
            steps,
            mine,
            color=COLOURS["reference"],
            linewidth=3.6,
            marker=marker,
            solid_capstyle="round",
        )
        top.plot(steps, theirs, color=COLOURS["port"], linewidth=1.0, marker=marker, markersize=3)
        low.plot(
            steps, apart, color=COLOURS["bad" if unequal else "port"], linewidth=1.0, marker=marker
        )
        top.yaxis.set_major_locator(MaxNLocator(4))
        top.yaxis.set_major_formatter(FuncFormatter(_tick))
        low.yaxis.set_major_formatter(FuncFormatter(_tick))
        low.set_yticks([0.0] if largest == 0 else [-largest, 0.0, largest])
        low.set_ylim(*((-1, 1) if largest == 0 else (-1.3 * largest, 1.3 * largest)))
        end = max(len(mine) - 1, 1)
        for axes in (top, low):
            axes.set_xlim(-0.01 * end, 1.01 * end)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        top.xaxis.set_major_formatter(NullFormatter())
        low.xaxis.set_major_formatter(FuncFormatter(_tick))
        what = f"{name} ({unit})" if unit else name
        label = f"{what} of an episode on both sides and their difference, at most {_tick(largest)}"
        svg = to_svg(figure, f"curve{number}", label)
    return {**curve, "svg": svg, "what": what, "unit": unit, "largest": largest, "unequal": unequal}


def _bucket_names() -> list[str]:
    lows = [0, *(end + 1 for end in ULP_BUCKETS[:-1])]
    pairs = zip(lows, ULP_BUCKETS, strict=True)
    return [str(high) if low >= high else f"≤{high}" for low, high in pairs] + ["more"]


def ulp_plots(fields: Sequence[Values]) -> list[dict[str, Any]]:
    """Draw how far apart the floats were, one histogram a field; the widest fields first."""
    floats = [field for field in fields if sum(field["stats"].ulp_histogram)]
    floats.sort(key=lambda field: -field["stats"].max_ulps)
    plots = []
    for number, field in enumerate(floats[:MAX_HISTOGRAMS]):
        stats: FieldStats = field["stats"]
        counts, names = stats.ulp_histogram, _bucket_names()
        limit = field["tolerance"]
        lows = [0, *(end + 1 for end in ULP_BUCKETS)]
        colours = [COLOURS["bad" if limit is not None and low > limit else "bar"] for low in lows]
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(3.1, 2.0))
            axes = plain_axes(figure, (0.1, 0.19, 0.89, 0.78))
            axes.set_yscale("log")
            axes.set_ylim(0.5, 6 * max(counts))
            axes.bar(range(len(counts)), counts, 0.72, color=colours)
            for place, count in enumerate(counts):
                colour = COLOURS["muted"] if not count else colours[place]
                colour = COLOURS["ink"] if colour == COLOURS["bar"] else colour
                axes.text(
                    place, max(count, 0.5) * 1.25, short(count), ha="center", fontsize=7, color=colour
                )
            if limit in ULP_BUCKETS:
                edge = ULP_BUCKETS.index(limit) + 0.5
                axes.axvline(edge, color=COLOURS["muted"], linewidth=0.7, dashes=(3, 2))
                axes.text(
                    edge + 0.12,
                    3 * max(counts),
                    "allowed up to here",
                    fontsize=7,
                    color=COLOURS["muted"],
                )
            axes.set_xticks(range(len(names)), names)
            axes.tick_params(axis="x", labelsize=6.6)
            axes.yaxis.set_major_formatter(
                FuncFormatter(lambda value, _: short(value) if value >= 1 else "")
            )
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_xlabel("ulps apart")
            most = ulps(stats.max_ulps)
            label = f"distances of {field['name']} in ulps: {stats.compared:,} numbers, at most {most}"
            plots.append({**field, "svg": to_svg(figure, f"ulps{number}", label)})
    return plots


def coverage_plots(report: Values) -> list[Markup]:
    """Draw how often each branch was taken, in one or more columns under one scale."""
    coverage, required = report["coverage"], set(report["required"])
    missing = set(report["missing"])
    branches = sorted({*coverage, *required})
    columns = min(COLUMNS, math.ceil(len(branches) / COLUMN_BRANCHES))
    height = math.ceil(len(branches) / columns) if columns else 0
    most = max([10, *coverage.values()])
    plots = []
    for number in range(columns):
        names = branches[number * height : (number + 1) * height]
        rows = range(len(names))
        counts = [coverage.get(name, 0) for name in names]
        colours = [
            COLOURS["bad" if name in missing else "bar" if name in required else "optional"]
            for name in names
        ]
        with matplotlib.rc_context(STYLE):
            inches = 0.26 * height + 0.3
            figure = Figure(figsize=(3.1, inches))
            axes = plain_axes(figure, (0.01, 0.23 / inches, 0.98, 1 - 0.25 / inches), "x")
            axes.set_xscale("log")
            axes.set_xlim(0.5, 1.6 * most)
            axes.set_ylim(height - 0.25, -0.85)
            axes.barh(rows, [1.6 * most] * len(names), 0.22, color=COLOURS["line"], alpha=0.55)
            axes.barh(rows, [max(count, 0.5) for count in counts], 0.22, color=colours)
            for row, name, count, colour in zip(rows, names, counts, colours, strict=True):
                mark = "●" if name in required else ""
                ink = COLOURS["bad"] if name in missing else COLOURS["ink"]
                said = f"{count:,}" if name not in missing else "never taken"
                across = axes.get_yaxis_transform()
                axes.text(0, row - 0.22, mark, transform=across, fontsize=4.5, color=colour)
                axes.text(
                    0.03 if mark else 0, row - 0.22, name, transform=across, fontsize=7.5, color=ink
                )
                axes.text(1, row - 0.22, said, transform=across, fontsize=7.5, color=ink, ha="right")
            axes.set_yticks([])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
            told = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
            plots.append(
                to_svg(figure, f"coverage{number}", f"how often each branch was taken: {told}")
            )
    return plots
