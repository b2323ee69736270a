"""Plots as SVG that stands in a page: one style, the page's own colours, ids of its own.

Figures are measured in CSS pixels at their natural width (one point of matplotlib is one pixel), so
that text is as large in every figure. They are drawn in stand-in colours, which :func:`to_svg` replaces
by the page's variables; so a page is light or dark without a second drawing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    name: f"#00fe{place:02x}"
    for place, name in enumerate(
        (
            "ink", "muted", "line", "card", "reference", "port", "bar", "optional",
            "good", "warn", "bad", "loss",
        ),
        1,
    )
}  # fmt: skip
"""Stand-ins by the name of the page's colour."""

BACKED: dict[str, Any] = {"facecolor": COLOURS["card"], "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
"""Box behind text that lies on a grid or a curve."""

TEXT = 11.5
"""Size of a figure's text in pixels."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "font.size": TEXT,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.labelsize": TEXT,
    "axes.labelpad": 5,
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "lines.solid_joinstyle": "round",
}


@dataclass(frozen=True)
class Size:
    """A width for which a figure is drawn: "wide" for a screen, "narrow" for a phone or a card."""

    name: str
    width: float

    @property
    def wide(self) -> bool:
        """Whether it has the room of a screen."""
        return self.name == "wide"


WIDE = Size("wide", 1070.0)
NARROW = Size("narrow", 340.0)


def figure_of(width: float, height: float) -> Figure:
    """Return an empty figure of so many pixels."""
    return Figure(figsize=(width / 72, height / 72))


def axes_in(
    figure: Figure,
    left: float = 8,
    bottom: float = 40,
    right: float = 10,
    top: float = 24,
    *,
    grid: str = "y",
    x: str = "",
    y: str = "",
) -> Axes:
    """Return axes without a frame, with a faint grid and names.

    Args:
        figure: that gets them.
        left, bottom, right, top: pixels between them and the figure's edges.
        grid: axes whose ticks have lines: "x", "y", "xy" or "".
        x: name and unit of the horizontal axis, below it.
        y: of the vertical axis, above its upper end, where it reads level.
    """
    width, height = figure.get_size_inches() * 72
    box = (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - bottom - top) / height,
    )
    axes = figure.add_axes(box)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, which="both", pad=4)
    axes.tick_params(axis="x", pad=7)  # a name at the left end stays below that of the vertical axis
    for which in grid:
        axes.grid(axis="x" if which == "x" else "y", color=COLOURS["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    if x:
        axes.set_xlabel(x)
    if y:
        # From the figure's own edge, so that a long name has the whole width.
        figure.text(2 / width, 1 - 3 / height, y, ha="left", va="top", color=COLOURS["muted"])
    return axes


def draw(name: str, label: str, paint: Callable[[Size], Figure], *sizes: Size) -> Markup:
    """Return a figure drawn for every size; the page shows the one that fits its width.

    Args:
        name: of the figure, unique in the page.
        label: what it shows, in words, for those who cannot see it.
        paint: from a size to a figure, called under :data:`STYLE`.
        sizes: :data:`WIDE` and :data:`NARROW` by default. With one the figure has no alternative.
    """
    drawn = []
    for size in sizes or (WIDE, NARROW):
        with matplotlib.rc_context(STYLE):
            figure = paint(size)
            one = len(sizes) == 1
            marked = name if one else f"{name}-{size.name}"
            drawn.append(to_svg(figure, marked, label, "" if one else f"for-{size.name}"))
    return Markup("").join(drawn)


def to_svg(figure: Figure, name: str, label: str, css: str = "") -> Markup:
    """Return a figure as SVG to stand in HTML: colours from the page, ids of its own, no header."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    _, _, text = buffer.getvalue().partition("<svg")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'\s(width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r'(\sid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group()), text)
    for colour, code in COLOURS.items():
        text = text.replace(code, f"var(--{colour})")
    shown = f' class="{css}"' if css else ""
    return Markup(f'<svg{shown} role="img" aria-label="{escape(label)}"{text}')
