"""The frame of every page: its blocks, its parts, and what it refuses."""

import re
from pathlib import Path

import jinja2
import pytest

from foundation.report.bars import Bar, Scale, draw_bars
from foundation.report.html import templates, unbroken
from foundation.report.parts import Tile, Verdict
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests
from tests.sentences import refuses

PAGE = """{% extends "base.html.j2" %}
{% import "macros.html.j2" as ui %}
{% block title %}{{ verdict.sign }} a report{% endblock %}
{% block kicker %}Report · <b>{{ name }}</b>{% endblock %}
{% block summary %}{{ ui.tiles(tiles) }}{{ ui.pill('warn', 'ungated') }}{% endblock %}
{% block made %}{{ '2026-11-26T14:10:00' | when }}{% endblock %}
{% block sections %}
<section id="all"><h2>All</h2><p>Words.</p>
{{ ui.figure('Bars', svg, 'beside', 'below') }}
{% call ui.figure('With a legend', svg2) %}{{ ui.legend([('port', 'the port')]) }}{% endcall %}
<div class="card scroll"><table>{{ ui.head(['what', ('PnL', '$')]) }}
<tbody><tr><td>{{ name }}</td><td class="num">{{ -3.5 | dollars }}</td></tr></tbody></table></div>
{{ ui.command('rltrader parity run ' ~ name) }}{{ ui.passed(false) }}
</section>
{% endblock %}
{% block provenance %}{{ ui.facts([('seed', 7), ('took', 1.5, 's')]) }}{% endblock %}
"""

BARS = [
    Bar("port, 4 epochs", 48_000.0, "48k", "port", interval=(47_000.0, 49_000.0)),
    Bar(
        "MaskablePPO with a name that is as long as names of trainers are, 8 workers",
        1_030.0,
        "1.03k",
        "reference",
    ),
    Bar("another", None, "failed: there was no room for so many environments at once", "bad", "bad"),
]


def made(name: str, folder: Path) -> str:
    package = folder / "templates"
    package.mkdir(exist_ok=True)
    (package / "page.html.j2").write_text(PAGE)
    env = templates("foundation.report")
    env.loader = jinja2.ChoiceLoader(
        [jinja2.FileSystemLoader(package), env.loader or jinja2.DictLoader({})]
    )
    scale = Scale("steps a second, log scale", lambda value: f"{value:g}")
    return env.get_template("page.html.j2").render(
        name=name,
        verdict=Verdict("bad", "It differs.", f"First: {name}."),
        tiles=[Tile("Total PnL", "$1.00", "one day"), Tile("Errors", "3", bad=True)],
        svg=draw_bars("bars", "bars", BARS, scale),
        svg2=draw_bars("more", "bars", BARS, scale),
    )


def test_a_page_has_its_verdict_first_and_all_its_parts(tmp_path: Path) -> None:
    page = made("ES", tmp_path)
    assert page.startswith("<!DOCTYPE html>")
    order = [
        "✕ a report",
        "It differs.",
        "Total PnL",
        "2026-11-26 14:10 UTC",
        "All",
        "How this was made",
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    for part in (
        "−$3.50",
        'PnL <span class="unit">($)</span>',
        "✕ fail",
        '1.5 <span class="unit">s</span>',
    ):
        assert part in page
    assert page.count('class="value bad"') == 1
    assert page.count("steps a second, log scale</text>") == 4  # two figures, each wide and narrow
    assert outside_requests(page) == []


def test_ids_are_unique_and_colours_are_the_pages(tmp_path: Path) -> None:
    page = made("ES", tmp_path)
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"url\(#([^)]*)\)", page)) | set(re.findall(r'xlink:href="#([^"]*)"', page))
    assert wanted <= set(ids)
    assert "#00fe" not in page
    assert "fill: var(--port)" in page
    assert made("ES", tmp_path) == page


def test_strings_are_escaped(tmp_path: Path) -> None:
    page = made("<i>&", tmp_path)
    assert "<i>&" not in page
    assert page.count("&lt;i&gt;&amp;") == 4


def test_what_a_figure_shows_is_escaped_and_lines_stay_lines(tmp_path: Path) -> None:
    scale = Scale("steps", lambda value: f"{value:g}")
    drawn = str(draw_bars("bars", 'of "ES" & <b>', BARS[:1], scale))
    assert drawn.count('aria-label="of &#34;ES&#34; &amp; &lt;b&gt;"') == 2
    page = made("first\nsecond\x07", tmp_path)
    assert page.count("first\nsecond\\x07") == 4


def test_control_characters_and_what_turns_text_round_are_shown_escaped(tmp_path: Path) -> None:
    page = made("a\x1b[31m\u202eb", tmp_path)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count(r"a\x1b[31m\u202eb") == 4


def test_a_minus_sign_stays_with_its_dollars() -> None:
    assert unbroken("make −$5 to <−$1\x1b>") == "make −&#8288;$5 to &lt;−&#8288;$1\\x1b&gt;"


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(tmp_path: Path) -> None:
    assert layout_faults(made("a-name-that-is-very-long" * 4, tmp_path), tmp_path) == []


def test_a_page_without_a_block_or_with_a_filter_of_every_page_is_refused() -> None:
    env = templates("foundation.report")
    with pytest.raises(jinja2.TemplateError, match="title"):
        env.get_template("base.html.j2").render(verdict=Verdict("good", "Fine."))
    with refuses(kind=ValueError):
        templates("foundation.report", dollars=str)


def test_blocks_leave_no_lines_of_their_own_and_names_must_be_known() -> None:
    env = templates("foundation.report", shout=str.upper)
    each = "  {% for one in [1, 2] %}\n{{ name | shout }}{{ one }}\n  {% endfor %}\n"
    text = f"{{% if name %}}\n{each}{{% endif %}}"
    assert env.from_string(text).render(name="a<b") == "A&lt;B1\nA&lt;B2\n"
    with pytest.raises(jinja2.UndefinedError, match="'nobody' is undefined"):
        env.from_string("{{ nobody }}").render()
    assert "shout" not in templates("foundation.report").filters


def test_a_packages_own_templates_hide_none_of_the_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_pages"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name in ("base.html.j2", "own.html.j2"):
        (package / "templates" / name).write_text("its own")
    monkeypatch.syspath_prepend(tmp_path)
    env = templates("some_pages")
    assert env.get_template("own.html.j2").render() == "its own"
    base = Path(str(env.get_template("base.html.j2").filename))
    assert base.parent.parent.name == "report"
