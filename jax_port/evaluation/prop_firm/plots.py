"""The paths of evaluation accounts that the days were drawn into, between the floor and the target."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from foundation.report.format import dollars_short, percent
from foundation.report.svg import COLOURS, Size, axes_in, draw, figure_of
from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.prop_firm.replay import PASSED, RUNNING, TIME


def paths_plot(name: str, chances: Chances) -> Markup:
    """Draw the profit at each day's end of some accounts, coloured by how they ended.

    Args:
        name: of the figure, unique in the page.
        chances: with the accounts' paths.
    """
    traces, ends = chances.traces, chances.trace_ends
    # An account stands still once it has ended; its line stops there.
    moved = traces != traces[:, -1:]
    last = np.where(moved.any(axis=1), traces.shape[1] - np.argmax(moved[:, ::-1], axis=1), 1)
    last[ends == RUNNING] = traces.shape[1] - 1
    end = max(int(last.max()), 2)
    target, start = chances.rules.profit_target, -chances.rules.drawdown

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 340 if size.wide else 290)
        low, high = min(float(traces.min()), start), max(float(traces.max()), target)
        left = 14 + 6.4 * max(len(dollars_short(round(value, -2))) for value in (low, high))
        axes = axes_in(figure, left, x="evaluation day", y="profit at the day's end ($)")
        for trace, how, until in zip(traces, ends, last, strict=True):
            colour = "good" if how == PASSED else "muted" if how in (RUNNING, TIME) else "loss"
            axes.plot(
                np.arange(until + 1), trace[: until + 1], color=COLOURS[colour], linewidth=1, alpha=0.5
            )
            axes.plot(until, trace[until], "o", color=COLOURS[colour], markersize=3)
        axes.axhline(target, color=COLOURS["good"], linewidth=1.2, dashes=(4, 3))
        axes.axhline(start, color=COLOURS["loss"], linewidth=1.2, dashes=(4, 3))
        axes.axhline(0, color=COLOURS["muted"], linewidth=0.8)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.xaxis.set_major_locator(MaxNLocator(10 if size.wide else 5, integer=True))
        axes.set_xlim(0, end * 1.02)
        return figure

    label = f"{len(traces)} accounts day by day; of all {percent(chances.passes)} passed"
    return draw(name, label, paint)
