"""Values written as TOML are read back as they were."""

from __future__ import annotations

import math
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rltrader.options.toml_text import key, line
from tests.sentences import refuses


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("n_steps", "n_steps"),
        ("a-B9", "a-B9"),
        ("a b", '"a b"'),
        ("", '""'),
        ('é"', '"é\\""'),
        ("a\x7f", '"a\\u007f"'),
    ],
)
def test_a_name_is_quoted_where_toml_asks_for_it(name: str, written: str) -> None:
    assert key(name) == written
    assert tomllib.loads(line(name, 1)) == {name: 1}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3, "3"),
        (3.0, "3.0"),
        (1e-7, "1e-07"),
        (1e16, "1e+16"),
        (-1e16, "-1e+16"),
        (2.5e-5, "2.5e-05"),
        (2e-5, "2e-05"),
        (1.5e300, "1.5e+300"),
        (-0.0, "-0.0"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (True, "true"),
        ("é", '"é"'),
        (Path("a/b"), '"a/b"'),
        (Path("a\x7f/b"), '"a\\u007f/b"'),
        ((1, 2.5), "[1, 2.5]"),
        ({"low": 1, "of it": [True]}, '{ low = 1, "of it" = [true] }'),
    ],
)
def test_a_value_is_written_as_reviewed(value: Any, written: str) -> None:
    assert line("x", value) == f"x = {written}"
    read = tomllib.loads(line("x", value))["x"]
    assert read == (
        list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    )


def test_every_character_of_a_text_is_read_back() -> None:
    """Those that no byte of a path may be (a lone half of a pair) are none of a text."""
    text = "".join(map(chr, [*range(0x2100), 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF]))
    assert tomllib.loads(line(text, [text, {text: text}])) == {text: [text, {text: text}]}


def test_no_number_is_read_back_as_none() -> None:
    assert math.isnan(tomllib.loads(line("x", math.nan))["x"])


def test_a_path_that_is_no_text_is_refused() -> None:
    for name, value in (("data", Path(os.fsdecode(b"/b\xff.csv"))), ("\udcff", 1)):
        with refuses():
            line(name, value)
