"""Commands and options are those that a reviewer has read."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
import pytest

from tests.project.options import FILE, collect, option_lines


def test_all_are_as_reviewed() -> None:
    differ = "\n".join(unified_diff(FILE.read_text("utf-8").splitlines(), collect().splitlines(), n=0))
    assert not differ, f"{differ}\nif that is meant, run python -m tests.project.options"


PLAIN: dict[str, Any] = {"type": click.Choice(["a", "b"]), "default": "a", "help": "Which."}


def test_what_is_told_of_an_option() -> None:
    assert list(option_lines(click.Option(["-k", "--kind"], **PLAIN))) == [
        "  -k --kind: one of a, b, default 'a'",
        "    Which.",
    ]
    assert list(option_lines(click.Argument(["places"], nargs=-1, type=click.Path()))) == [
        "  places: path, nargs -1"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"type": click.Choice(["a"])},
        {"type": None},
        {"default": "b"},
        {"default": None},
        {"help": "What."},
        {"multiple": True, "default": ["a"]},
        {"required": True},
        {"show_default": True},
        {"hidden": True},
        {"metavar": "KIND"},
        {"envvar": "KIND"},
        {"envvar": "KIND", "show_envvar": True},
    ],
)
def test_another_option_is_seen(change: dict[str, Any]) -> None:
    before = list(option_lines(click.Option(["--kind"], **PLAIN)))
    assert list(option_lines(click.Option(["--kind"], **{**PLAIN, **change}))) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (click.IntRange(1), click.IntRange(2)),
        (click.IntRange(1), click.IntRange(1, 5)),
        (click.FloatRange(0, min_open=True), click.FloatRange(0)),
        (click.Path(path_type=Path), click.STRING),
    ],
)
def test_another_range_is_seen(one: click.ParamType, other: click.ParamType) -> None:
    lines = [list(option_lines(click.Option(["--count"], type=kind))) for kind in (one, other)]
    assert lines[0] != lines[1]
