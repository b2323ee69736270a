"""Values written as TOML are read back as they were."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rltrader.options.toml_text import key, line


@pytest.mark.parametrize(
    ("name", "written"),
    [("n_steps", "n_steps"), ("a-B9", "a-B9"), ("a b", '"a b"'), ("", '""'), ('é"', '"é\\""')],
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
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (True, "true"),
        ("é", '"é"'),
        (Path("a/b"), '"a/b"'),
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
