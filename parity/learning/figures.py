"""Plots of two trainers' results: curves with bands, every seed's score, the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foundation.report.format import change, number
from foundation.report.svg import COLOURS, Size, axes_in, draw, figure_of
from parity.learning.statistics import DIFFERENT, EQUIVALENT, TOO_FEW

Values = Mapping[str, Any]

TONES = {EQUIVALENT: "port", DIFFERENT: "bad", TOO_FEW: "muted"}
INKS = (COLOURS["reference"], COLOURS["port"])
SPREAD = 0.32
"""How far the dots of a trainer lie from its line at most."""


def scores_plot(arms: Sequence[tuple[str, Sequence[float]]], label: str) -> Markup:
    """Draw every seed's score as a dot, with each trainer's mean.

    Args:
        arms: name and scores of each of two.
        label: of the axis: what a score is.
    """

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 230)
        axes = axes_in(figure, 92, top=6, grid="x", x=label)
        for row, (_, values) in enumerate(arms):
            scores = np.sort(np.array(values))
            if not scores.size:
                continue
            # Neighbours in size are set apart; the order of the offsets has no meaning.
            offsets = SPREAD * (2 * (np.arange(scores.size) * 0.618034 % 1) - 1)
            dots = 6.5 if size.wide else 4.5
            axes.plot(scores, row + offsets, "o", color=INKS[row], markersize=dots, markeredgewidth=0)
            axes.plot([scores.mean()] * 2, [row - 0.42, row + 0.42], color=COLOURS["ink"], linewidth=2)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.set_yticks(range(len(arms)), [name for name, _ in arms])
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4))
        return figure

    seeds_text = ", ".join(f"{name} {len(values)} seeds" for name, values in arms)
    return draw("areas", f"{label}: {seeds_text}", paint)


def decimals(margin: float) -> int:
    """Return how many decimals show a margin with three figures; three at least."""
    return max(3, 2 - int(np.floor(np.log10(margin))))


def interval_plot(test: Values, verdict: str, label: str) -> Markup:
    """Draw the difference's interval against the margin.

    Args:
        test: as :meth:`parity.learning.statistics.Equivalence.to_dict` returns it.
        verdict: sets the colour.
        label: of the axis: what is subtracted from what.
    """
    margin, low, high = test["margin"], test["low"], test["high"]
    reach = 1.25 * max(margin, abs(low), abs(high))
    ink, places = COLOURS[TONES[verdict]], decimals(margin)

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 150)
        axes = axes_in(figure, 16, right=16, top=6, grid="", x=label)
        axes.axvspan(-margin, margin, color=COLOURS["line"], alpha=0.6, linewidth=0)
        axes.axvline(0, color=COLOURS["muted"], linewidth=1, dashes=(3, 2))
        for edge, side in ((-margin, "right"), (margin, "left")):
            axes.axvline(edge, color=COLOURS["muted"], linewidth=1)
            # Inside the margin: outside there may be no room.
            inside = {"right": "left", "left": "right"}[side]
            gap = -0.012 * reach * np.sign(edge)
            words = f"margin {change(edge, places)}"
            axes.text(edge + gap, 0.62, words, ha=inside, color=COLOURS["muted"])
        axes.plot([low, high], [0, 0], color=ink, linewidth=4, solid_capstyle="butt")
        axes.plot([test["difference"]], [0], "o", color=ink, markersize=9)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4))
        return figure

    middle, left, right = (change(x, places + 1) for x in (test["difference"], low, high))
    words = f"difference {middle}, interval {left} to {right}, margin {number(margin, places + 1)}"
    return draw("interval", words, paint)


def curves_plot(report: Values) -> Markup:
    """Draw both trainers' learning curves, interquartile means over seeds, with their bands."""

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 420 if size.wide else 300)
        axes = axes_in(figure, 48, x="column of the table", y="interquartile mean")
        for row, arm in enumerate(report["arms"]):
            places = np.arange(1, len(arm["curve"]) + 1)
            axes.fill_between(places, *arm["band"], color=INKS[row], alpha=0.3, linewidth=0)
            axes.plot(places, arm["curve"], color=INKS[row], linewidth=(5.0, 1.8)[row])
        axes.margins(y=0.09)
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4, integer=True))
        return figure

    names = " and ".join(arm["name"] for arm in report["arms"])
    return draw("curves", f"learning curves of {names}", paint)
