"""Holds plots to what they drew when somebody looked at them.

A test draws hand-made numbers inside ``with drawings():``, a fixture that its folder's ``conftest.py``
names. Each figure's axes, lines, areas, points and texts are then compared with the files in
``tests/drawings``, one for each test. After a change that is meant, ``pytest --update-sentences -n 0``
writes them anew; look at the plots, and read what it changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from foundation.report import svg

FOLDER = Path(__file__).parent / "drawings"
FEW = 4
"""Points that are written out; of more the first, the last and a checksum of all."""

Drawings = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def drawings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Drawings:
    """Return a context whose figures are compared with the file of the test when it ends."""
    module = Path(request.path).stem.removeprefix("test_")
    name = request.node.originalname.removeprefix("test_")
    file = FOLDER / f"{module}-{name}.txt"
    to_svg = svg.to_svg

    @contextmanager
    def compared() -> Iterator[None]:
        lines: list[str] = []

        def described(figure: Figure, name: str, label: str, css: str = "") -> Markup:
            drawn = to_svg(figure, name, label, css)
            lines.extend([f"{name} {css}: {label}", *(f"  {line}" for line in describe(figure))])
            return drawn

        monkeypatch.setattr(svg, "to_svg", described)
        yield
        assert lines, "nothing was drawn"
        text = "\n".join(line for line in lines if line.strip()) + "\n"
        for colour, code in svg.COLOURS.items():
            text = text.replace(code, colour)
        if request.config.getoption("update_sentences"):
            file.write_text(text, "utf-8")
        assert text.splitlines() == file.read_text("utf-8").splitlines()

    return compared


def describe(figure: Figure) -> list[str]:
    """Return a line for the figure, its axes and everything drawn that can be seen, in their order."""
    width, height = figure.get_size_inches() * 72
    lines = [f"figure of {numbers([width, height])} pixels"]
    for artist in figure.texts:
        lines.append(_text(artist))
    for axes in figure.axes:
        limits = numbers([*axes.get_xlim(), *axes.get_ylim()])
        lines.append(f"axes at {numbers(axes.get_position().bounds)}, limits {limits}")
        for which in (axes.xaxis, axes.yaxis):
            names = [_tick(tick) for tick in which.get_ticklabels() if tick.get_text()]
            lines.append(f"  {which.axis_name} {which.get_scale()}: {' | '.join(names)}")
            grid = [line for line in which.get_gridlines() if line.get_visible()]
            lines += [f"  {which.axis_name} lines {_stroke(grid[0])}"] if grid else []
        lines += [f"  {which.label.get_text()}" for which in (axes.xaxis, axes.yaxis)]
        lines += [f"  {one}" for child in axes.get_children() if (one := _artist(child, axes.patch))]
    return lines


def numbers(values: Any) -> str:
    """Return numbers in a few digits; what rounding left of zero is zero, without a sign."""
    rounded = np.asarray(values, float).round(9).ravel() + 0.0
    return " ".join(f"{value:.5g}" for value in rounded)


def _points(values: Any) -> str:
    """Return points in few words."""
    points = np.ma.filled(np.ma.asarray(values, float), np.nan).reshape(-1, 2)
    if len(points) <= FEW:
        return numbers(points)
    checksum = zlib.crc32("\n".join(numbers(point) for point in points).encode())
    return f"{len(points)} from {numbers(points[0])} to {numbers(points[-1])}, {checksum:08x}"


def _artist(artist: Artist, background: Artist) -> str:
    if not artist.get_visible() or artist is background:
        return ""
    place = f"{artist.zorder:g} {type(artist).__name__}"
    if isinstance(artist, Line2D):
        marker = f", marker {artist.get_marker()} of {artist.get_markersize():g}"
        return f"{place} {_stroke(artist)}{marker}: {_points(artist.get_xydata())}"
    if isinstance(artist, Collection):
        paths = " / ".join(_points(path.vertices) for path in artist.get_paths())
        looks = [to_hex(face, keep_alpha=True) for face in artist.get_facecolor()]
        sizes = numbers(getattr(artist, "get_sizes", list)())
        shown = f"{' '.join(looks)} edges {numbers(artist.get_linewidths())} sizes {sizes}"
        return f"{place} {shown}: {paths} at {_points(artist.get_offsets())}"
    if isinstance(artist, Rectangle):
        box = numbers([artist.get_x(), artist.get_y(), artist.get_width(), artist.get_height()])
        return f"{place} {to_hex(artist.get_facecolor(), keep_alpha=True)}: {box}"
    if isinstance(artist, Text) and artist.get_text():
        return f"{place} {_text(artist)}"
    return ""


def _stroke(line: Line2D) -> str:
    dashes = line._unscaled_dash_pattern[1]  # matplotlib has no public name for it
    style = f" dashes {numbers(dashes)}" if dashes else ""
    alpha = "" if line.get_alpha() is None else f" alpha {line.get_alpha():g}"
    join = line.get_solid_joinstyle()
    return f"{to_hex(line.get_color())} width {line.get_linewidth():g}{style}{alpha} {join}"


def _text(text: Text) -> str:
    offset = getattr(text, "xyann", None)
    beside = "" if offset is None else f" + {numbers(offset)}"
    where = f"{numbers(text.get_position())}{beside} {text.get_ha()} {text.get_va()}"
    return f"{text.get_text()!r} {to_hex(text.get_color())} {text.get_fontsize():g} at {where}"


def _tick(tick: Text) -> str:
    return f"{tick.get_text()} ({tick.get_ha()} {to_hex(tick.get_color())})"
