"""JSON through declared types: what does not fit is one sentence with the place inside the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import InputError
from foundation.json_reading import Count, Int32, Struct, convert, decode_json, read_json


class Inner(Struct):
    size: Count
    values: list[float]


class Outer(Struct):
    name: str
    parts: list[Inner]
    number: Int32 = 0
    rest: Any = None


GOOD = {"name": "x", "parts": [{"size": 1, "values": [1, 2.5]}]}
WORDS = {"what": "thing", "mend": "make it anew"}


def part(**values: Any) -> str:
    return json.dumps({**GOOD, "parts": [values]})


def read(path: Path, **options: Any) -> Outer:
    return read_json(path, Outer, **WORDS, **options)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**GOOD, "more": [1], "rest": {"a": 0.12345678901234567890123}}))
    found = read(path)
    assert found.parts == [Inner(size=1, values=[1.0, 2.5])]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "input data was truncated"),
        ('{"name": "x"', "input data was truncated"),
        ("[]", "expected object, got array"),
        ('{"name": "x"}', "object missing required field parts"),
        (json.dumps({**GOOD, "name": 3}), r"name: expected str, got int"),
        (json.dumps({**GOOD, "number": 2**31}), r"number: expected int <= 2147483647"),
        (
            json.dumps({**GOOD, "parts": [{"size": -1, "values": []}]}),
            r"parts\[0\]\.size: expected int >= 0",
        ),
        (
            json.dumps({**GOOD, "parts": [{"size": 1, "values": [1, "2"]}]}),
            r"parts\[0\]\.values\[1\]: expected",
        ),
        ('{"name": "x", "parts": [{"size": 1, "values": [1e999]}]}', "number out of range"),
        ('{"name": "x", "parts": [{"size": 1, "values": [NaN]}]}', "invalid character"),
        (json.dumps({**GOOD, "rest": 10**25}), "a whole number has more than 19 digits"),
        (json.dumps({**GOOD, "rest": {"a": [-(10**30)]}}), "a whole number has more than 19 digits"),
        ('{"name": "x", "parts": [], "rest": ' + "[" * 40 + "]" * 40 + "}", "nested more than 32 deep"),
        ('{"name": "x", "parts": [], "rest": ' + "[" * 100_000, "nested too deeply"),
        ("[" * 1_000_000, "expected object"),
        ('{"name": "\\ud800", "parts": []}', "truncated|surrogate"),
        ("\ufeff{}", "invalid character"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(
        InputError, match=rf"a\.json: not a readable thing \(.*({reason}).*\); make it anew"
    ):
        read(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"name": "\xff\xfe", "parts": []}')
    with pytest.raises(InputError, match="not a readable thing"):
        read(path)


def test_brackets_in_strings_do_not_count() -> None:
    text = json.dumps({**GOOD, "rest": ["[" * 100, '\\"[[[' * 50, "1" * 40]})
    assert decode_json(text, Outer, where="x", **WORDS).name == "x"


def test_a_file_that_is_missing_a_folder_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; make it anew"):
        read(tmp_path / "none.json")
    with pytest.raises(InputError, match="nothing here yet"):
        read(tmp_path / "none.json", absent="nothing here yet")
    with pytest.raises(InputError, match="Is a directory"):
        read(tmp_path)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD))
    with pytest.raises(InputError, match=r"larger than 10 bytes"):
        read(path, most_bytes=10)


def test_values_that_were_read_before() -> None:
    assert convert(GOOD, Outer, where="x", **WORDS).parts[0].size == 1
    with pytest.raises(InputError, match=r"x: not a readable thing \(parts: expected array, got int\)"):
        convert({**GOOD, "parts": 3}, Outer, where="x", **WORDS)
