"""Plots of the tear sheet: curves beside trading without skill, rolling Sharpe, trades, weekdays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from foundation.report.bars import name_ticks
from foundation.report.format import dollars, dollars_short, number
from foundation.report.svg import COLOURS, NARROW, Size, axes_in, draw, figure_of
from jax_port.evaluation.sheet.baselines import Baseline

MOST_POINTS = 1500
"""Trades that a scatter plot shows; of more, evenly picked ones."""
HEIGHT = 230

BASELINE_COLOURS = {"always long": "good", "always short": "loss", "never": "muted"}

Floats = NDArray[np.float64]


def room(*values: float) -> float:
    """Return the pixels that an axis needs left of it for the names of these dollars."""
    return 14 + 6.4 * max(len(dollars_short(round(value, -2))) for value in values)


def across_ticks(
    axes: Axes, most: int, words: Callable[[float], str], *, integer: bool = False
) -> None:
    """Name so many places of the horizontal axis, none of them beyond an edge of the figure."""
    low, high = axes.get_xlim()
    places = MaxNLocator(most, integer=integer).tick_values(low, high)
    axes.set_xlim(low, high)
    name_ticks(axes, [float(at) for at in places if low <= at <= high], words)


def day_ticks(axes: Axes, days: Sequence[Any], most: int) -> None:
    """Name so many days of an axis that counts them from 1, once its limits are set."""
    stamps = [pd.Timestamp(day) for day in days]
    every = -(-len(stamps) // most)
    long = (stamps[-1] - stamps[0]).days > 330
    # A name near the right edge would lie on the one before it, or be cut.
    places = [at for at in range(0, len(stamps), every) if not at or at + every / 2 < len(stamps)]
    names = {
        at + 1: f"{stamps[at]:%b %Y}" if long else f"{stamps[at].day} {stamps[at]:%b}" for at in places
    }
    name_ticks(axes, list(names), lambda place: names[int(place)])


def curves_plot(days: Sequence[Any], pnl: NDArray[np.int64], baselines: Sequence[Baseline]) -> Markup:
    """Draw an account's profit at each day's end beside those of trading without skill.

    Args:
        days: dates.
        pnl: cents of each day.
        baselines: of the same days.
    """

    def curve(cents: NDArray[np.int64]) -> Floats:
        return np.concatenate([[0.0], np.cumsum(cents) / 100])

    own = curve(pnl)
    random = np.array([curve(one.pnl) for one in baselines if one.name == "random"])
    named = {one.name: curve(one.pnl) for one in baselines if one.name != "random"}
    everything = np.concatenate([own, random.ravel(), *named.values()])
    at = np.arange(len(own))

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 340 if size.wide else 290)
        left = room(float(everything.min()), float(everything.max()))
        axes = axes_in(figure, left, x="New York date", y="profit at the day's end ($)")
        if len(random):
            axes.fill_between(
                at, random.min(0), random.max(0), color=COLOURS["optional"], alpha=0.25, linewidth=0
            )
            axes.plot(at, random.mean(0), color=COLOURS["optional"], linewidth=1.3)
        for name, values in named.items():
            axes.plot(at, values, color=COLOURS[BASELINE_COLOURS[name]], linewidth=1.2)
        axes.plot(at, own, color=COLOURS["port"], linewidth=2)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.set_xlim(0, max(len(own) - 1, 1) * 1.005)
        day_ticks(axes, days, 10 if size.wide else 4)
        return figure

    totals = ", ".join(f"{name} {dollars(float(values[-1]), 0)}" for name, values in named.items())
    return draw("baselines", f"the policy ends at {dollars(float(own[-1]), 0)}; {totals}", paint)


def rolling_plot(days: Sequence[Any], values: Floats, window: int) -> Markup | None:
    """Draw the yearly Sharpe ratio of the last ``window`` days; None where there are not two."""
    if len(values) < 2 or not np.isfinite(values).any():
        return None

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 240 if size.wide else 220)
        axes = axes_in(figure, 40, x="New York date", y=f"Sharpe ratio a year, last {window} days")
        at = np.arange(window, window + len(values))
        axes.axhline(0, color=COLOURS["muted"], linewidth=1)
        axes.plot(at, values, color=COLOURS["port"], linewidth=1.6)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(1, (len(days) + 1) * 1.005)
        day_ticks(axes, days, 10 if size.wide else 4)
        return figure

    finite = values[np.isfinite(values)]
    label = f"rolling Sharpe ratio from {number(float(finite.min()))} to {number(float(finite.max()))}"
    return draw("rolling", label, paint)


def histogram(name: str, values: Floats, x: str, *, money: bool = True) -> Markup | None:
    """Draw how many trades had which value; None without a trade."""
    if not len(values):
        return None
    bins = min(40, max(1, len(np.histogram_bin_edges(values, "auto")) - 1))
    counts, edges = np.histogram(values, bins)

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, HEIGHT)
        axes = axes_in(figure, 12 + 6.4 * len(f"{counts.max():,}"), x=x, y="trades")
        centres = (edges[:-1] + edges[1:]) / 2
        colours = [COLOURS["loss" if money and centre < 0 else "bar"] for centre in centres]
        axes.bar(centres, counts, 0.9 * np.diff(edges), color=colours)
        across_ticks(axes, 5, dollars_short if money else "{:,.0f}".format, integer=not money)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        return figure

    shown = dollars if money else number
    label = (
        f"{x} of {len(values):,} trades, {shown(float(values.min()))} to {shown(float(values.max()))}"
    )
    return draw(name, label, paint, NARROW)


def reach_plot(name: str, reach: Floats, pnl: Floats, x: str) -> Markup | None:
    """Draw each trade's PnL over how far it went; None without a trade.

    Args:
        name: of the figure.
        reach: MAE or MFE in dollars.
        pnl: dollars.
        x: what ``reach`` is, with its unit.
    """
    if not len(pnl):
        return None
    picked = np.unique(np.linspace(0, len(pnl) - 1, min(MOST_POINTS, len(pnl))).astype(int))

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, HEIGHT)
        axes = axes_in(
            figure, room(float(pnl.min()), float(pnl.max())), grid="xy", x=x, y="PnL of the trade ($)"
        )
        for colour, chosen in (("bar", pnl[picked] > 0), ("loss", pnl[picked] <= 0)):
            at = picked[chosen]
            axes.plot(reach[at], pnl[at], ".", color=COLOURS[colour], markersize=4, alpha=0.6)
        axes.axhline(0, color=COLOURS["muted"], linewidth=1)
        axes.set_xlim(0, 1.05 * max(float(reach.max()), 1.0))
        across_ticks(axes, 4, dollars_short)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        return figure

    label = f"{x} and PnL of {len(pnl):,} trades; the furthest {dollars(float(reach.max()), 0)}"
    return draw(name, label, paint, NARROW)


def weekday_plot(by_weekday: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draw the mean PnL of a day by weekday."""
    means = np.array([row["mean"] for row in by_weekday.values()])

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, HEIGHT)
        left = room(float(means.min()), float(means.max()))
        axes = axes_in(figure, left, x="weekday", y="mean PnL of a day ($)")
        places = np.arange(len(means))
        axes.bar(places, means, 0.66, color=[COLOURS["loss" if x < 0 else "bar"] for x in means])
        axes.axhline(0, color=COLOURS["muted"], linewidth=1)
        axes.set_xticks(places, [name[:3] for name in by_weekday])
        if not means.any():  # else the axis would be of some billionths of a cent
            axes.set_ylim(-100, 100)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.margins(y=0.08)
        return figure

    told = ", ".join(f"{name} {dollars(row['mean'])}" for name, row in by_weekday.items())
    return draw("weekdays", f"mean PnL of a day by weekday: {told}", paint, NARROW)
