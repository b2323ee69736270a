"""The plots of an evaluation: the equity curve, episodes by PnL, trades by hour and by exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from foundation.report.format import dollars, dollars_short, percent_figures
from foundation.report.svg import COLOURS, NARROW, Size, axes_in, draw, figure_of
from jax_port.evaluation.sheet.plots import across_ticks

MOST_POINTS = 1200
"""Stretches of a curve that are drawn; of each its lowest and highest value."""
MOST_BINS = 40


def equity_plot(curve: NDArray[np.float64], days: Sequence[Any], first: NDArray[np.int64]) -> Markup:
    """Draw the account's equity with the drawdown beneath.

    Args:
        curve: dollars, one value a bar.
        days: date of each day.
        first: place in ``curve`` at which each day begins.
    """
    points = thin(curve)
    below = np.maximum.accumulate(curve) - curve
    worst = thin(-below)
    end = max(len(curve) - 1, 1)

    def paint(size: Size) -> Figure:
        high = 400 if size.wide else 320
        figure = figure_of(size.width, high)
        left = 12 + 6.4 * max(len(dollars_short(value)) for value in (curve.min(), curve.max()))
        low_top, gap = 0.36 * high, 42
        top = axes_in(figure, left, low_top + 6, 6, y="account equity ($)")
        low = axes_in(figure, left, gap, 6, high - low_top + 30, x="New York date")
        figure.text(
            2 / size.width,
            (low_top - 8) / high,
            "below its highest so far ($)",
            va="top",
            color=COLOURS["muted"],
        )
        top.axhline(curve[0], color=COLOURS["muted"], linewidth=1, dashes=(3, 2))
        top.plot(points, curve[points], color=COLOURS["port"], linewidth=1.8 if size.wide else 1.4)
        low.fill_between(worst, -below[worst], color=COLOURS["loss"], alpha=0.35, linewidth=0)
        low.plot(worst, -below[worst], color=COLOURS["loss"], linewidth=1.2)
        for axes, count in ((top, 5), (low, 3)):
            axes.set_xlim(-0.004 * end, 1.004 * end)
            axes.yaxis.set_major_locator(MaxNLocator(count))
            axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        low.set_ylim(-max(1.05 * float(below.max()), 100.0), 0)
        ticks = _date_ticks(days, first, 10 if size.wide else 4)
        # A label is centred on its day's first bar, so one near the edge would stick out.
        room = 46 * end / (size.width - left)
        shown = apart({at: label for at, label in ticks.items() if at <= 0.94 * end}, room)
        top.set_xticks(list(shown))
        top.xaxis.set_major_formatter(NullFormatter())
        low.set_xticks(list(shown), list(shown.values()))
        return figure

    label = (
        f"equity of the account from {dollars_short(curve[0])} to {dollars_short(curve[-1])}, "
        f"at most {dollars_short(float(below.max()))} below its peak"
    )
    return draw("equity", label, paint)


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


def apart(labels: Mapping[int, str], room: float) -> dict[int, str]:
    """Return the labels that have so much room after the one before, the first of them always."""
    shown: dict[int, str] = {}
    for at, label in sorted(labels.items()):
        if not shown or at - max(shown) >= room:
            shown[at] = label
    return shown


def pnl_histogram(pnl: NDArray[np.float64], mean: float) -> Markup:
    """Draw how many episodes made how much (dollars)."""
    bins = min(MOST_BINS, max(1, len(np.histogram_bin_edges(pnl, "auto")) - 1))
    counts, edges = np.histogram(pnl, bins)

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 230)
        left = 12 + 6.4 * len(f"{counts.max():,}")
        axes = axes_in(figure, left, x="PnL of an episode ($)", y="episodes")
        centres = (edges[:-1] + edges[1:]) / 2
        axes.bar(centres, counts, 0.9 * np.diff(edges), color=_by_sign(centres))
        axes.axvline(mean, color=COLOURS["ink"], linewidth=1.2)
        side = mean < (edges[0] + edges[-1]) / 2
        axes.annotate(
            f"mean {dollars(mean)}",
            (mean, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if side else -4, -11),
            textcoords="offset points",
            ha="left" if side else "right",
        )
        axes.set_ylim(0, 1.16 * counts.max())
        across_ticks(axes, 5, dollars_short)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        return figure

    label = f"PnL of {len(pnl):,} episodes, {dollars(pnl.min())} to {dollars(pnl.max())}"
    return draw("histogram", f"{label}, mean {dollars(mean)}", paint, NARROW)


def hour_plot(by_hour: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """Draw the PnL of trades by the New York hour of entry; None without any trade."""
    if not by_hour:
        return None
    pnl = np.array([row["pnl"] for row in by_hour.values()])

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 230)
        left = 12 + 6.4 * max(len(dollars_short(round(float(x), -2))) for x in (pnl.min(), pnl.max()))
        axes = axes_in(figure, left, x="New York hour of entry", y="PnL of trades ($)")
        places = np.arange(len(pnl))
        axes.bar(places, pnl, 0.72, color=_by_sign(pnl))
        axes.axhline(0, color=COLOURS["muted"], linewidth=1)
        every = -(-len(pnl) // 8)
        axes.set_xticks(places[::every], [f"{int(hour)}h" for hour in by_hour][::every])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.margins(y=0.08)
        return figure

    by_hour_text = ", ".join(f"{hour}h {dollars(row['pnl'])}" for hour, row in by_hour.items())
    return draw("hours", f"PnL by New York hour of entry: {by_hour_text}", paint, NARROW)


def exit_plot(by_exit: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """Draw how trades were closed, with what each way made; None without any trade."""
    counts = [row["trades"] for row in by_exit.values()]
    if not sum(counts):
        return None

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 230)
        axes = axes_in(figure, 2, 4, 2, grid="", y="trades (share of all)")
        figure.text(
            1 - 2 / size.width, 1 - 3 / 230, "PnL ($)", ha="right", va="top", color=COLOURS["muted"]
        )
        places = np.arange(len(counts))
        axes.barh(places, [max(counts)] * len(counts), 0.22, color=COLOURS["line"])
        axes.barh(places, counts, 0.22, color=COLOURS["bar"])
        for place, (name, row) in enumerate(by_exit.items()):
            share = f"{row['trades']:,}  ({percent_figures(row['trades'] / sum(counts))})"
            axes.text(0, place - 0.22, f"{name}  {share}")
            if row["trades"]:
                ink = COLOURS["loss" if row["pnl"] < 0 else "ink"]
                axes.text(max(counts), place - 0.22, dollars(row["pnl"]), ha="right", color=ink)
        axes.set_xlim(0, max(counts))
        axes.set_ylim(len(counts) - 0.6, -0.75)
        axes.set_xticks([])
        axes.set_yticks([])
        return figure

    by_exit_text = ", ".join(f"{name} {row['trades']:,}" for name, row in by_exit.items())
    return draw("exits", f"how trades were closed: {by_exit_text}", paint, NARROW)


def _by_sign(values: NDArray[np.float64]) -> list[str]:
    return [COLOURS["loss" if value < 0 else "bar"] for value in values]
