"""Figures as SVG in a page: measured in pixels, in the page's colours, with ids of their own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foundation.report.svg import COLOURS, NARROW, STYLE, WIDE, Size, axes_in, draw, figure_of, to_svg


def test_axes_lie_so_many_pixels_within_their_figure() -> None:
    figure = figure_of(400.0, 250.0)
    assert (figure.get_size_inches() * 72).tolist() == [400.0, 250.0]
    axes = axes_in(figure, 30, 50, 70, 20, x="minutes", y="dollars")
    box = axes.get_position()
    edges = [400 * box.x0, 250 * box.y0, 400 * (1 - box.x1), 250 * (1 - box.y1)]
    assert edges == pytest.approx([30, 50, 70, 20])
    assert axes.get_xlabel() == "minutes"
    (name,) = figure.texts
    assert (name.get_text(), name.get_color()) == ("dollars", COLOURS["muted"])
    assert name.get_position() == pytest.approx((2 / 400, 1 - 3 / 250))
    assert (axes.get_axisbelow(), any(spine.get_visible() for spine in axes.spines.values())) == (
        True,
        False,
    )
    bare = figure_of(400.0, 250.0)
    assert (axes_in(bare).get_xlabel(), bare.texts) == ("", [])
    names = figure_of(400.0, 250.0)
    assert (axes_in(names, x="minutes").get_xlabel(), names.texts) == ("minutes", [])


@pytest.mark.parametrize("grid", ["", "x", "y", "xy"])
def test_a_grid_is_of_the_axes_that_are_asked_for(grid: str) -> None:
    axes = axes_in(figure_of(300.0, 200.0), grid=grid)
    lines = {"x": axes.get_xgridlines(), "y": axes.get_ygridlines()}
    shown = {name: {line.get_visible() for line in some} for name, some in lines.items()}
    assert shown == {name: {name in grid} for name in "xy"}
    for name in grid:
        assert {line.get_color() for line in lines[name]} == {COLOURS["line"]}


def painted(size: Size) -> Figure:
    figure = figure_of(size.width, 100.0)
    axes = axes_in(figure, y="$ a day")
    (line,) = axes.plot([0.0, 1 / 3, 1.0], [1.0, 3.0, 2.0], color=COLOURS["port"])
    line.set_clip_path(Rectangle((0, 0), 0.5, 1, transform=axes.transAxes))
    axes.plot([0.5], [2.0], marker="o", color=COLOURS["loss"])
    return figure


def test_a_figure_stands_in_a_page_as_it_is() -> None:
    drawn = to_svg(painted(NARROW), "pnl", 'PnL "by" <day> & night', "for-narrow")
    head = '<svg class="for-narrow" role="img" aria-label="PnL &#34;by&#34; &lt;day&gt; &amp; night"'
    assert drawn.startswith(head)
    root = ElementTree.fromstring(re.sub(r"xlink:href", "href", drawn))
    assert root.tag == "svg"
    for gone in ("metadata", "<?xml", "DOCTYPE", "xmlns", "dc:date", "Matplotlib"):
        assert gone not in drawn
    assert set(root.attrib) == {"class", "role", "aria-label", "viewBox", "version"}
    assert root.attrib["viewBox"] == "0 0 340 100"
    ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("pnl-") for one in ids)
    asked = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', drawn)
    assert {bool(clip) for clip, _ in asked} == {True, False}
    assert {clip or use for clip, use in asked} <= set(ids)
    assert {"var(--port)", "var(--loss)", "var(--line)", "var(--muted)"} <= set(
        re.findall(r"var\(--\w+\)", drawn)
    )
    assert not any(code in drawn for code in COLOURS.values())
    for path in re.findall(r' d="([^"]*)"', drawn):
        assert not re.search(r"\.\d\d\d", path)


def test_a_label_without_a_class_is_all_that_a_figure_has() -> None:
    assert to_svg(painted(WIDE), "a", "all").startswith('<svg role="img" aria-label="all" viewBox=')


def test_a_figure_is_drawn_once_for_each_size() -> None:
    seen: list[tuple[str, float, bool]] = []

    def paint(size: Size) -> Figure:
        seen.append((size.name, matplotlib.rcParams["font.size"], size.wide))
        return painted(size)

    def heads(drawn: str) -> list[tuple[str, str]]:
        return [
            (re.findall(r'class="([^"]*)" role', one)[:1], set(re.findall(r'id="(.*?)-figure_1"', one)))
            for one in drawn.split("<svg")[1:]
        ]  # type: ignore[return-value]

    both = heads(draw("pnl", "PnL", paint))
    size = STYLE["font.size"]
    assert seen == [("wide", size, True), ("narrow", size, False)]
    assert both == [(["for-wide"], {"pnl-wide"}), (["for-narrow"], {"pnl-narrow"})]
    assert heads(draw("pnl", "PnL", paint, NARROW)) == [([], {"pnl"})]
    assert seen[2:] == [("narrow", size, False)]
    assert matplotlib.rcParams["font.size"] != size
