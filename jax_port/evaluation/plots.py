"""The plots of an evaluation, as SVG that takes its colours from the page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from jax_port.evaluation.format import money

INKS = ("ink", "muted", "line", "curve", "bar", "loss", "card")
PAINT = {name: f"#00fe{number:02x}" for number, name in enumerate(INKS, 1)}
"""Figures are painted in these; the page's own variables take their place."""

MOST_POINTS = 1200
"""Stretches of a curve that are drawn; of each its lowest and highest value."""
MOST_BINS = 40

SMALL = 3.2
"""Width of a small figure, in inches."""


def dollars(value: float, _: int | None = None) -> str:
    """Return a round amount for an axis."""
    sign = "−" if value < 0 else ""
    if abs(value) >= 1e6:
        return f"{sign}${abs(value) / 1e6:,.6g}M"
    return f"{sign}${abs(value):,.6g}"


def equity_plot(curve: NDArray[np.float64], days: Sequence[Any], first: NDArray[np.int64]) -> Markup:
    """Draw the account's equity with the drawdown beneath, once for a wide page and once for a phone.

    Args:
        curve: dollars, one value a bar.
        days: date of each day.
        first: place in ``curve`` at which each day begins.
    """
    kept = thin(curve)
    below = np.maximum.accumulate(curve) - curve
    parts = []
    for name, width, height, size in (("wide", 6.6, 2.5, 5.6), ("phone", SMALL, 2.9, 7.5)):
        with matplotlib.rc_context(style(size)):
            figure = Figure(figsize=(width, height))
            left = 7 * size / 72 / width
            top = axes_in(figure, (left, 0.38, 0.995 - left, 0.59))
            low = axes_in(figure, (left, 0.09, 0.995 - left, 0.23))
            top.axhline(curve[0], color=PAINT["muted"], linewidth=0.6, dashes=(3, 2))
            top.plot(kept, curve[kept], color=PAINT["curve"], linewidth=1.0)
            worst = thin(-below)
            low.fill_between(worst, -below[worst], color=PAINT["loss"], alpha=0.35, linewidth=0)
            low.plot(worst, -below[worst], color=PAINT["loss"], linewidth=0.7)
            end = max(len(curve) - 1, 1)
            for axes, count in ((top, 5), (low, 3)):
                axes.set_xlim(-0.004 * end, 1.004 * end)
                axes.yaxis.set_major_locator(MaxNLocator(count))
                axes.yaxis.set_major_formatter(FuncFormatter(dollars))
            low.set_ylim(-max(1.05 * float(below.max()), 100.0), 0)
            ticks = _date_ticks(days, first, 10 if name == "wide" else 4)
            # A label is centred on its day's first bar, so one near the edge would stick out.
            shown = {place: label for place, label in ticks.items() if place <= 0.94 * end}
            top.set_xticks(list(shown))
            top.xaxis.set_major_formatter(NullFormatter())
            low.set_xticks(list(shown), list(shown.values()))
            said = (
                f"equity of the account from {dollars(curve[0])} to {dollars(curve[-1])}, "
                f"at most {dollars(float(below.max()))} below its peak"
            )
            parts.append(svg(figure, name, said, f"for-{name}"))
    return Markup("").join(parts)


def thin(values: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Return the places of the lowest and highest value in each of at most ``most`` stretches."""
    count = len(values)
    if count <= 2 * most:
        return np.arange(count)
    size = -(-count // most)
    padded = np.concatenate([values, np.repeat(values[-1:], -count % size)]).reshape(-1, size)
    begins = np.arange(len(padded)) * size
    found = np.concatenate([begins + padded.argmin(1), begins + padded.argmax(1), [0, count - 1]])
    return np.unique(np.minimum(found, count - 1))


def _date_ticks(days: Sequence[Any], first: NDArray[np.int64], most: int) -> dict[int, str]:
    """Return labels by place in the curve, at most ``most``."""
    every = -(-len(days) // most)
    stamps = [pd.Timestamp(day) for day in days][::every]
    long = (stamps[-1] - stamps[0]).days > 330
    labels = [f"{stamp:%b %Y}" if long else f"{stamp.day} {stamp:%b}" for stamp in stamps]
    return dict(zip(first[::every].tolist(), labels, strict=True))


def pnl_histogram(pnl: NDArray[np.float64], mean: float) -> Markup:
    """Draw how many episodes made how much (dollars)."""
    bins = min(MOST_BINS, max(1, len(np.histogram_bin_edges(pnl, "auto")) - 1))
    counts, edges = np.histogram(pnl, bins)
    with matplotlib.rc_context(style(7.5)):
        figure = Figure(figsize=(SMALL, 2.1))
        axes = axes_in(figure, (0.125, 0.13, 0.85, 0.83))
        centres = (edges[:-1] + edges[1:]) / 2
        axes.bar(centres, counts, 0.9 * np.diff(edges), color=_by_sign(centres))
        axes.axvline(mean, color=PAINT["ink"], linewidth=0.9)
        side = mean < (edges[0] + edges[-1]) / 2
        axes.annotate(
            f"mean {money(mean)}",
            (mean, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3 if side else -3, -7),
            textcoords="offset points",
            ha="left" if side else "right",
            fontsize=7,
        )
        axes.set_ylim(0, 1.12 * counts.max())
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(dollars))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        said = f"PnL of {len(pnl):,} episodes, {money(pnl.min())} to {money(pnl.max())}"
        return svg(figure, "histogram", f"{said}, mean {money(mean)}")


def hour_plot(by_hour: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """Draw the PnL of trades by the New York hour of entry; None without any trade."""
    if not by_hour:
        return None
    pnl = np.array([row["pnl"] for row in by_hour.values()])
    with matplotlib.rc_context(style(7.5)):
        figure = Figure(figsize=(SMALL, 2.1))
        axes = axes_in(figure, (0.16, 0.13, 0.82, 0.84))
        places = np.arange(len(pnl))
        axes.bar(places, pnl, 0.72, color=_by_sign(pnl))
        axes.axhline(0, color=PAINT["muted"], linewidth=0.7)
        every = -(-len(pnl) // 12)
        axes.set_xticks(places[::every], [f"{hour}h" for hour in by_hour][::every])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars))
        axes.margins(y=0.08)
        told = ", ".join(f"{hour}h {money(row['pnl'])}" for hour, row in by_hour.items())
        return svg(figure, "hours", f"PnL by New York hour of entry: {told}")


def exit_plot(by_exit: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """Draw how trades were closed, with what each way made; None without any trade."""
    counts = [row["trades"] for row in by_exit.values()]
    if not sum(counts):
        return None
    with matplotlib.rc_context(style(7.5)):
        figure = Figure(figsize=(SMALL, 2.1))
        axes = axes_in(figure, (0.02, 0.02, 0.96, 0.96), "")
        places = np.arange(len(counts))
        axes.barh(places, [max(counts)] * len(counts), 0.24, color=PAINT["line"])
        axes.barh(places, counts, 0.24, color=PAINT["bar"])
        for place, (name, row) in enumerate(by_exit.items()):
            share = f"{row['trades']:,}  ({row['trades'] / sum(counts):.0%})"
            axes.text(0, place - 0.25, f"{name}  {share}", fontsize=7.5)
            if row["trades"]:
                ink = PAINT["loss" if row["pnl"] < 0 else "ink"]
                said = money(row["pnl"])
                axes.text(max(counts), place - 0.25, said, ha="right", fontsize=7.5, color=ink)
        axes.set_xlim(0, max(counts))
        axes.set_ylim(len(counts) - 0.6, -0.7)
        axes.set_xticks([])
        axes.set_yticks([])
        told = ", ".join(f"{name} {row['trades']:,}" for name, row in by_exit.items())
        return svg(figure, "exits", f"how trades were closed: {told}")


def _by_sign(values: NDArray[np.float64]) -> list[str]:
    return [PAINT["loss" if value < 0 else "bar"] for value in values]


def style(size: float) -> dict[Any, Any]:
    """Return what a figure is drawn under; ``size`` of its text in points."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "evaluation",
        "text.parse_math": False,
        "font.size": size,
        "text.color": PAINT["ink"],
        "xtick.labelcolor": PAINT["muted"],
        "ytick.labelcolor": PAINT["muted"],
        "xtick.labelsize": size,
        "ytick.labelsize": size,
    }


def axes_in(figure: Figure, box: tuple[float, float, float, float], grid: str = "y") -> Axes:
    """Return axes without a frame in a box of left, bottom, width and height, shares of the figure."""
    axes = figure.add_axes(box)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis="y", color=PAINT["line"], linewidth=0.5)
    return axes


def svg(figure: Figure, name: str, label: str, css: str = "") -> Markup:
    """Return a figure to stand in HTML: no header, ids of its own, colours by name."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    _, _, text = buffer.getvalue().partition("<svg")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    for lead in (' id="', 'href="#', "url(#"):
        text = text.replace(lead, f"{lead}{name}-")
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)
    for ink, paint in PAINT.items():
        text = text.replace(paint, f"var(--{ink})")
    return Markup(f'<svg class="{css}" role="img" aria-label="{escape(label)}"{text}')
