"""The layout check finds what it is there to find."""

from pathlib import Path

import pytest

from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests

FRAME = '<!DOCTYPE html><html><meta name="viewport" content="width=device-width"><body>{}</body></html>'
FIGURE = '<figure><svg aria-label="plot" viewBox="0 0 100 50" style="width: 300px">{}</svg></figure>'
LONG = "word" * 40


@needs_browser
@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ('<div style="width: 500px">wide</div>', "400: div"),
        (f"<p>{LONG}</p>", "400: the page is"),
        (f'<p style="overflow: hidden">{LONG}</p>', "is cut"),
        (FIGURE.format('<text x="90" y="20">leaves</text>'), "leaves the figure"),
        (FIGURE.format('<text x="9" y="20">one</text><text x="10" y="22">two</text>'), "lies on"),
    ],
)
def test_a_planted_fault_is_found(planted: str, fault: str, tmp_path: Path) -> None:
    assert any(fault in found for found in layout_faults(FRAME.format(planted), tmp_path))


@needs_browser
def test_what_scrolls_or_fits_is_no_fault(tmp_path: Path) -> None:
    fits = f'<div style="overflow-x: auto"><p>{LONG}</p></div>' + FIGURE.format(
        '<text x="9" y="20">one</text><text x="9" y="40">two</text>'
    )
    assert layout_faults(FRAME.format(fits), tmp_path) == []


@pytest.mark.parametrize(
    "asking",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="a.css">',
        "<style>@import 'a.css';</style>",
        "<style>p { background: url(a.png) }</style>",
        '<img src="data:,">',
        '<a href="//example.org">x</a>',
    ],
)
def test_a_request_outside_is_found(asking: str) -> None:
    assert outside_requests(asking)


def test_what_is_inside_is_no_request() -> None:
    assert (
        outside_requests(
            '<link rel="icon" href="data:,"><use xlink:href="#a"/><p style="fill: url(#b)">'
        )
        == []
    )
