"""An option that is a number takes finite ones alone, with limits and without."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from foundation.command_line.numbers import Number


@pytest.mark.parametrize("kind", [Number(), Number(0), Number(max=5), Number(0, 5, max_open=True)])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", float("nan"), float("inf"), 10**400])
def test_what_is_not_finite_is_refused(kind: Number, value: str | float) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(value, None, None)
    assert caught.value.message == f"{value!r} is not a finite number."


def test_numbers_are_read_as_they_are() -> None:
    assert [Number().convert(value, None, None) for value in ("-1e308", 3, "0.25")] == [
        -1e308,
        3.0,
        0.25,
    ]
    assert type(Number().convert(3, None, None)) is float
    with pytest.raises(click.BadParameter, match="'fast' is not a valid float"):
        Number().convert("fast", None, None)


def test_limits_hold() -> None:
    closed, opened = Number(0, 5), Number(0, 5, min_open=True, max_open=True)
    assert [closed.convert(value, None, None) for value in ("0", "5")] == [0.0, 5.0]
    for kind, value, limits in (
        (closed, "-0.001", "0<=x<=5"),
        (closed, "5.001", "0<=x<=5"),
        (opened, "0", "0<x<5"),
        (opened, "5", "0<x<5"),
    ):
        with pytest.raises(click.BadParameter) as caught:
            kind.convert(value, None, None)
        assert caught.value.message == f"{float(value)} is not in the range {limits}."


def test_help_tells_the_limits_where_there_are_some() -> None:
    def command() -> None:
        pass

    options = [
        click.Option([f"--{name}"], type=kind)
        for name, kind in (("a", Number()), ("b", Number(0)), ("c", Number(max=3)), ("d", Number(1, 3)))
    ]
    shown = CliRunner().invoke(click.Command("do", callback=command, params=options), ["--help"]).output
    told = [line.split() for line in shown.splitlines() if line.strip().startswith("--")]
    limits = [[], ["[x>=0]"], ["[x<=3]"], ["[1<=x<=3]"]]
    expected = [[f"--{name}", "NUMBER", *limit] for name, limit in zip("abcd", limits, strict=True)]
    assert told[:4] == expected
