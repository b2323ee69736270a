"""TOML as editors of any system save it, and what is none; values written as TOML are read back."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foundation.errors import InputError
from foundation.json_reading import Artifact
from foundation.toml_files import convert_toml, key, line, read_toml, toml
from tests.sentences import refuses

TEXT = 'name = "Zürich"\n[set]\nsteps = 3\n'
FILE = Artifact("file of settings", "write it again")


def read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = read_toml(path, dict[str, Any], FILE)
    return values


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_is_read_with_or_without_a_mark_of_its_encoding(
    mark: bytes, ends: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(mark + TEXT.replace("\n", ends).encode())
    assert read(path) == {"name": "Zürich", "set": {"steps": 3}}


def test_a_file_may_go_to_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"low = {-(2**63)}\nhigh = [{2**63 - 1}]\ndeep = {'[' * 31}{']' * 31}\n")
    deep: list[Any] = []
    for _ in range(30):
        deep = [deep]
    assert read(path) == {"low": -(2**63), "high": [2**63 - 1], "deep": deep}


class Part(msgspec.Struct, rename={"whole": "int", "table": "object"}):
    """Has fields that are called as types are."""

    whole: int
    flag: bool = False
    when: str | None = None
    table: dict[str, str] = {}


@pytest.mark.parametrize(
    "text",
    [
        "object = 3",
        "[part]\nint = 1.5",
        "[part]\nint = 2026-11-29",
        "[part]\nint = 'one'",
        "[part]\nint = 1\nflag = 'object'",
        "[part]\nint = 1\nwhen = 2026-11-29",
        "[part]\nint = 1\nwhen = 07:00:00",
        "[part]\nint = 1\n[part.object]\nint = true",
        "[part]\nflag = true",
    ],
)
def test_what_does_not_hold_what_was_declared_is_told_in_tomls_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with refuses():
        read_toml(path, dict[str, Part], FILE)


def test_values_that_were_read_before_are_held_to_a_type_too() -> None:
    made = convert_toml({"one": {"int": 3, "flag": True}}, dict[str, Part], FILE, where="f")
    assert made == {"one": Part(3, flag=True)}
    with refuses():
        convert_toml({"one": 3}, dict[str, Part], FILE, where="f")


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("latin-1"),
        TEXT.encode("utf-16"),
        b"name = ",
        b"name = 1\nname = 2\n",
        b"a = " + b"[" * 5000,
        b"a = " + b"[" * 32 + b"]" * 32,
        b"[a]\nb = [1, {c = 9223372036854775808}]",
        b"a = [[1, -9223372036854775809]]",
        b"a = 1\nb = 9223372036854775808\nc = 1",
        b"\xef\xbb",
    ],
)
def test_what_is_no_toml_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(data)
    with pytest.raises(InputError) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("n_steps", "n_steps"),
        ("a-B9", "a-B9"),
        ("a b", '"a b"'),
        ("", '""'),
        ("\x7f", '"\\u007f"'),
        ('é"', '"é\\""'),
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
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (True, "true"),
        ("é", '"é"'),
        (Path("a/b"), '"a/b"'),
        ((1, 2.5), "[1, 2.5]"),
        ({"low": 1, "of it": [True]}, '{ low = 1, "of it" = [true] }'),
        ({}, "{}"),
        ([], "[]"),
        (-0.0, "-0.0"),
        (1e15, "1000000000000000.0"),
        (-1e15, "-1000000000000000.0"),
        (-1e16, "-1e+16"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (date(2025, 1, 2), "2025-01-02"),
        (time(9, 30), "09:30:00"),
        (datetime(2025, 1, 2, 9, 30, tzinfo=UTC), "2025-01-02T09:30:00+00:00"),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("a\tb\nc\x00", '"a\\tb\\nc\\u0000"'),
        ("\x7f", '"\\u007f"'),  # which TOML allows in no text
        ("\x9b2J", '"\\u009b2J"'),
        ("\u2028", '"\\u2028"'),
        ("\U0001f600", '"\U0001f600"'),
    ],
)
def test_a_value_is_written_as_reviewed(value: Any, written: str) -> None:
    assert line("x", value) == f"x = {written}"
    read = tomllib.loads(line("x", value))["x"]
    assert read == (
        list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    )


def test_a_value_that_is_no_number_is_written_too() -> None:
    assert toml(float("nan")) == "nan"
    (read,) = tomllib.loads(line("x", float("nan"))).values()
    assert read != read
    assert toml([True, date(2025, 1, 2), {"a": False}]) == "[true, 2025-01-02, { a = false }]"


def test_every_character_of_a_text_is_read_back() -> None:
    """Those that no byte of a path may be (a lone half of a pair) are none of a text."""
    text = "".join(map(chr, [*range(0x2100), 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF]))
    assert tomllib.loads(line(text, [text, {text: text}])) == {text: [text, {text: text}]}


def test_a_path_that_is_no_text_is_refused() -> None:
    for name, value in (("data", Path(os.fsdecode(b"/b\xff.csv"))), ("\udcff", 1)):
        with refuses():
            line(name, value)
