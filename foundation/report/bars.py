"""Horizontal bars with names: beside the bars on a screen, above them on a phone or in a small card."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from foundation.report.svg import COLOURS, NARROW, TEXT, WIDE, Size, axes_in, draw, figure_of

LINE, GAP, FOOT = 16.0, 9.0, 50.0
"""Pixels: height of a line of text, between two rows, and of the axis under them."""
CHARACTER = 0.57 * TEXT
"""Width of a character in pixels, about."""
NUMERIC = 0.68 * TEXT
"""Width of a digit or a capital in pixels, about."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: its name.
        value: its length; None for a row without a bar.
        text: the value in words, or why there is none.
        colour: of the bar, a name of the page's colours.
        ink: of ``text`` and, above the bar, of ``label``.
        interval: low and high, drawn as a line.
    """

    label: str
    value: float | None
    text: str
    colour: str
    ink: str = "ink"
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scale:
    """Axis of the values.

    Attributes:
        name: what is measured, with its unit.
        words: how a tick is written.
        log: whether it is logarithmic.
        base: of the ticks of a logarithmic axis.
        limits: of the axis; of the values by default.
    """

    name: str
    words: Callable[[float], str]
    log: bool = True
    base: float = 10.0
    limits: tuple[float, float] | None = None


def draw_bars(name: str, label: str, bars: Sequence[Bar], scale: Scale) -> Markup:
    """Return bars from top to bottom for a figure as wide as the page.

    Args:
        name: of the figure, unique in the page.
        label: what it shows, in words.
        bars: at least one.
        scale: of their values.
    """

    def paint(size: Size) -> Figure:
        return beside(bars, scale) if size.wide else above(bars, scale)

    return draw(name, label, paint)


def beside(bars: Sequence[Bar], scale: Scale) -> Figure:
    """Draw labels left of the bars and values right of them, as wide as the page."""
    thick = 15.0
    row = thick + GAP
    figure = figure_of(WIDE.width, row * len(bars) + FOOT)
    left = 16 + CHARACTER * max(len(bar.label) for bar in bars)
    shown = [len(bar.text) for bar in bars if bar.value is not None]
    axes = axes_in(
        figure, left, FOOT - 6, 24 + NUMERIC * max(shown, default=4), 6, grid="x", x=scale.name
    )
    start = _set_scale(axes, bars, scale, 8)
    across = axes.get_yaxis_transform()
    for number, bar in enumerate(bars):
        at = row * (number + 0.5)
        _draw_bar(axes, at, thick, bar, start)
        x = 0.004 if bar.value is None else 1.012
        axes.text(x, at, bar.text, transform=across, va="center", color=COLOURS[bar.ink])
    axes.set_ylim(row * len(bars), 0)
    axes.set_yticks([row * (number + 0.5) for number in range(len(bars))], [bar.label for bar in bars])
    axes.tick_params(axis="y", labelcolor=COLOURS["ink"])
    return figure


def above(bars: Sequence[Bar], scale: Scale, thick: float = 15.0, track: bool = False) -> Figure:
    """Draw labels over the bars, wrapped where they are long, and values at their right end.

    Args:
        bars: at least one.
        scale: of their values.
        thick: pixels of a bar.
        track: whether a faint bar shows the whole length.
    """
    heads = [_wrapped(bar) for bar in bars]
    ends = np.cumsum([LINE * len(lines) + thick + GAP for lines in heads]).tolist()
    figure = figure_of(NARROW.width, ends[-1] + FOOT)
    axes = axes_in(figure, 4, FOOT - 6, 4, 6, grid="x", x=scale.name)
    start = _set_scale(axes, bars, scale, 4)
    across = axes.get_yaxis_transform()
    for bar, lines, end in zip(bars, heads, ends, strict=True):
        top, middle = end - GAP - thick - LINE * len(lines), end - GAP - thick / 2
        ink = COLOURS[bar.ink]
        for number, line in enumerate(lines):
            at = top + LINE * (number + 0.5)
            axes.text(0, at, line, transform=across, va="center", color=ink)
        if bar.value is not None:
            at = top + LINE / 2
            axes.text(1, at, bar.text, transform=across, va="center", ha="right", color=ink)
        if track:
            whole = axes.get_xlim()[1] - start
            axes.barh(middle, whole, thick, start, color=COLOURS["line"], alpha=0.55)
        _draw_bar(axes, middle, thick, bar, start)
    axes.set_ylim(ends[-1], 0)
    axes.set_yticks([])
    return figure


def _wrapped(bar: Bar) -> list[str]:
    """Return the lines of text over a bar: its label, and in place of a value why there is none."""
    beside = NUMERIC * len(bar.text) + 14 if bar.value is not None else 0
    lines = textwrap.wrap(bar.label, int((NARROW.width - 8 - beside) / CHARACTER))
    if bar.value is None:
        lines += textwrap.wrap(bar.text, int((NARROW.width - 8) / CHARACTER))
    return lines


def _set_scale(axes: Axes, bars: Sequence[Bar], scale: Scale, ticks: int) -> float:
    """Set the scale of the values and return where bars begin."""
    values = [bar.value for bar in bars if bar.value is not None]
    if not scale.log or not values:
        start, end = scale.limits or (0.0, 1.05 * max(values, default=1.0))
        places: list[float] = list(MaxNLocator(ticks).tick_values(start, end))
    else:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        start, end = scale.limits or (_power_below(0.8 * min(values), scale.base), 1.15 * max(values))
        first, last = (math.log(edge, scale.base) for edge in (start, end))
        powers = range(math.ceil(first - 1e-9), math.floor(last) + 1)
        every = -(-len(powers) // ticks) if powers else 1
        places = [scale.base**power for power in powers[::every]]
    axes.set_xlim(start, end)
    name_ticks(axes, [at for at in places if start <= at <= end], scale.words)
    return start


def _power_below(value: float, base: float) -> float:
    return float(base ** math.floor(math.log(value, base)))


def name_ticks(axes: Axes, places: Sequence[float], words: Callable[[float], str]) -> None:
    """Name ticks; a name at an edge of the axes stands inside them, where it is not cut."""
    axes.set_xticks(places, [words(at) for at in places])
    to_pixels, box = axes.transData, axes.get_window_extent()
    for at, name in zip(places, axes.get_xticklabels(), strict=True):
        x = to_pixels.transform((at, 0.5))[0]
        if x - box.x0 < 20:
            name.set_horizontalalignment("left")
        elif box.x1 - x < 20:
            name.set_horizontalalignment("right")


def _draw_bar(axes: Axes, at: float, thick: float, bar: Bar, start: float) -> None:
    if bar.value is None:
        return
    axes.barh(at, max(bar.value - start, 0.0), thick, start, color=COLOURS[bar.colour])
    if bar.interval is not None:
        axes.plot(bar.interval, [at, at], color=COLOURS["muted"], linewidth=1.6)
