"""Commands and options are those that a reviewer has read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
import pytest

from foundation.command_line.numbers import Number
from tests.commands import commands_of
from tests.docs.pages import ROOT
from tests.project.options import FILE, PROGRAMS, collect, option_lines
from tests.project.test_structure import ROOMS


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


def test_every_number_of_a_program_is_finite() -> None:
    kinds = {
        f"{path} {option.opts[0]}": option.type
        for program, command in PROGRAMS.items()
        for path, one in commands_of(command, program)
        for option in one.params
        if isinstance(option.type, click.types.FloatParamType)
    }
    assert {
        "rltrader advise run --timeout",
        "rltrader train --gamma",
        "envparity mutate --patience",
    } <= {*kinds}
    assert {name for name, kind in kinds.items() if not isinstance(kind, Number)} == set()


def floats(code: str) -> Iterator[str]:
    """Yield the options of a module that take any float."""
    tree = ast.parse(code)
    arguments = {
        (id(call), one.arg)
        for made in ast.walk(tree)
        if isinstance(made, ast.FunctionDef)
        for call in ast.walk(made)
        for one in made.args.args
        if one.annotation is not None and ast.unparse(one.annotation) == "float"
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) not in (
            "click.option",
            "click.argument",
        ):
            continue
        given = {one.arg: one.value for one in node.keywords}
        kind = ast.unparse(given["type"]) if "type" in given else ""
        default = given.get("default")
        number = isinstance(default, ast.Constant) and isinstance(default.value, float)
        guessed = not kind and (
            number or (isinstance(default, ast.Name) and (id(node), default.id) in arguments)
        )
        if guessed or kind.startswith(("float", "click.FLOAT", "click.FloatRange")):
            yield ast.unparse(node.args[0])


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_has_an_option_of_any_float(room: str) -> None:
    found = {str(path): list(floats(path.read_text("utf-8"))) for path in (ROOT / room).rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "kind", ["type=float", "type=click.FLOAT", "type=click.FloatRange(0)", "default=1.0"]
)
def test_an_option_of_any_float_is_found(kind: str) -> None:
    assert list(floats(f"click.option('--some', {kind})")) == ["'--some'"]
    assert not list(floats("click.option('--some', type=Number(0), default=1.0)"))


def test_an_option_whose_default_is_an_argument_is_found() -> None:
    for kind, found in (("float", ["'--some'"]), ("int", [])):
        code = f"def f(default: {kind}):\n return click.option('--some', default=default)"
        assert list(floats(code)) == found
