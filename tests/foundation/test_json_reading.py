"""JSON through declared types: what does not fit is one sentence with the place inside the file."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import InputError
from foundation.import_closure import PACKAGES_ROOT
from foundation.json_reading import (
    MOST_DEPTH,
    Artifact,
    Count,
    Int32,
    Struct,
    convert,
    decode_json,
    explain,
    json_or_text,
    read_json,
    require_names,
)
from tests.sentences import refuses


class Inner(Struct):
    size: Count
    values: list[float]


class Outer(Struct):
    name: str
    parts: list[Inner]
    number: Int32 = 0
    rest: Any = None


GOOD = {"name": "x", "parts": [{"size": 1, "values": [1, 2.5]}]}
THING = Artifact("thing", "make it anew")


def part(**values: Any) -> str:
    return json.dumps({**GOOD, "parts": [values]})


def read(path: Path, **options: Any) -> Outer:
    return read_json(path, Outer, replace(THING, **options))


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**GOOD, "more": [1], "rest": {"a": 0.12345678901234567890123}}))
    found = read(path)
    assert found.parts == [Inner(size=1, values=[1.0, 2.5])]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"name": "x"',
        "[]",
        '{"name": "x"}',
        json.dumps({**GOOD, "name": 3}),
        json.dumps({**GOOD, "number": 2**31}),
        json.dumps({**GOOD, "parts": [{"size": -1, "values": []}]}),
        json.dumps({**GOOD, "parts": [{"size": 1, "values": [1, "2"]}]}),
        '{"name": "x", "parts": [{"size": 1, "values": [1e999]}]}',
        '{"name": "x", "parts": [{"size": 1, "values": [NaN]}]}',
        json.dumps({**GOOD, "rest": 10**25}),
        json.dumps({**GOOD, "rest": {"a": [-(10**30)]}}),
        '{"name": "x", "parts": [], "rest": ' + "[" * 40 + "]" * 40 + "}",
        '{"name": "x", "parts": [], "rest": ' + "[" * 100_000,
        "[" * 1_000_000,
        '{"name": "\\ud800", "parts": []}',
        "\ufeff{}",
    ],
    ids=[
        "empty",
        "cut off",
        "array",
        "no parts",
        "name",
        "32 bits",
        "size",
        "text",
        "1e999",
        "NaN",
        "20 digits",
        "20 digits within",
        "33 deep",
        "too deep",
        "deep array",
        "half a pair",
        "byte order mark",
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with refuses():
        read(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"name": "\xff\xfe", "parts": []}')
    with refuses():
        read(path)


def test_half_a_character_is_no_text() -> None:
    """A surrogate that stands alone in a text, which UTF-8 cannot hold."""
    with refuses():
        decode_json('{"name": "\ud83d", "parts": []}', Outer, THING, where="x")


def test_brackets_in_strings_do_not_count() -> None:
    text = json.dumps({**GOOD, "rest": ["[" * 100, '\\"[[[' * 50, "1" * 40]})
    assert decode_json(text, Outer, THING, where="x").name == "x"


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a": ', "}")])
def test_nesting_is_read_to_its_limit_and_no_deeper(opened: str, closed: str) -> None:
    def nested(depth: int) -> str:
        return opened * (depth - 1) + ("[]" if opened == "[" else "{}") + closed * (depth - 1)

    for depth in (1, 2, MOST_DEPTH - 1, MOST_DEPTH):
        decode_json(nested(depth), Any, THING, where="x")
    with pytest.raises(InputError, match="nested more than 32 deep"):
        decode_json(nested(MOST_DEPTH + 1), Any, THING, where="x")
    # What is closed again is no depth.
    many = "[" + ", ".join([nested(MOST_DEPTH - 1)] * 40) + "]"
    assert len(decode_json(many, list[Any], THING, where="x")) == 40


@pytest.mark.parametrize("sign", ["", "-"])
def test_whole_numbers_of_up_to_nineteen_digits_are_read(sign: str) -> None:
    for text in (f"{sign}9223372036854775807", f"{sign}1", f"{sign}{'1' * 19}", f"{sign}0.{'1' * 25}"):
        assert decode_json(f'{{"a": {text}}}', Any, THING, where="x") == json.loads(f'{{"a": {text}}}')
    for digits in (20, 21, 30):
        with pytest.raises(InputError, match=r"more than 19 digits|out of range"):
            decode_json(f'{{"a": {sign}{"1" * digits}}}', Any, THING, where="x")


def test_a_file_may_be_as_large_as_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD))
    size = path.stat().st_size
    assert read(path, most_bytes=size).name == "x"
    assert decode_json(path.read_bytes(), Outer, replace(THING, most_bytes=size), where="x").name == "x"
    for found in (
        lambda kind: read_json(path, Outer, kind),
        lambda kind: decode_json(path.read_bytes(), Outer, kind, where="x"),
        lambda kind: decode_json(path.read_text(), Outer, kind, where="x"),
    ):
        with pytest.raises(InputError, match=f"larger than {size - 1} bytes"):
            found(replace(THING, most_bytes=size - 1))


def test_a_file_that_is_missing_a_folder_or_too_large(tmp_path: Path) -> None:
    with refuses():
        read(tmp_path / "none.json")
    with refuses():
        read(tmp_path / "none.json", absent="nothing here yet")
    with refuses():
        read(tmp_path)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD))
    with refuses():
        read(path, most_bytes=10)


def test_values_that_were_read_before() -> None:
    assert convert(GOOD, Outer, THING, where="x").parts[0].size == 1
    with refuses():
        convert({**GOOD, "parts": 3}, Outer, THING, where="x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("[1, 2.5]", [1, 2.5]),
        ('"x"', "x"),
        ("rth", "rth"),
        (" A b ", " A b "),
        (" 3 ", 3),
        ("12345678901234567890.5", 12345678901234567890.5),
        ("[-12345678901234567890e-3]", [-12345678901234567.890]),
        ("12345678901234567890", "12345678901234567890"),
        ("1234567890123456789", 1234567890123456789),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
    ],
)
def test_an_option_is_json_or_text(text: str, value: object) -> None:
    assert json_or_text(text) == value
    assert json_or_text("[" * 100_000) == "[" * 100_000


PACKAGES = ("foundation", "markets", "legacy_torch", "jax_port", "parity")
PLAIN = {
    "jax_port/export/torch_policy.py": 2,  # goes home with a bundle, and needs torch alone
    "jax_port/ppo/policy.py": 1,  # a header that was decoded as a declared type just before
    "markets/readers/parquet.py": 1,  # pandas' note, of which damage is passed over
    "parity/export_chain/verify.py": 1,  # what was just written
    "parity/mutants/sampled/warm_process.py": 1,  # lines of our own parent, as they come
    "rltrader/sweep/search.py": 1,  # what was just written
    "benchmarks/suites/against_commit.py": 1,  # lines of our own child, as they come
    "benchmarks/harness/tree_worker.py": 1,  # lines of our own parent, as they come
    "benchmarks/accelerator/profile.py": 1,  # what JAX's profiler wrote a moment before
}
"""Every plain reading of JSON in the packages, and why it is one."""


def test_json_is_read_through_declared_types() -> None:
    found = {}
    for package in (
        "foundation",
        "markets",
        "legacy_torch",
        "jax_port",
        "parity",
        "rltrader",
        "benchmarks",
    ):
        for path in (PACKAGES_ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            count = sum(
                isinstance(node, ast.Attribute)
                and node.attr in ("load", "loads")
                and isinstance(node.value, ast.Name)
                and node.value.id == "json"
                for node in ast.walk(tree)
            )
            if count:
                found[path.relative_to(PACKAGES_ROOT).as_posix()] = count
    assert found == PLAIN


def test_an_object_must_have_every_name_and_no_other() -> None:
    assert require_names({"b": 2, "a": None}, ("a", "b"), "it") == {"a": None, "b": 2}
    assert require_names({}, (), "it") == {}
    for values, words in (
        ({"a": 1}, "it: b, c missing; mend it"),
        ({"a": 1, "c": 3, "b": 2, "e": 5, "d": 4}, "it: unknown setting d, e; mend it"),
        ([("a", 1)], r"it: \[\('a', 1\)\] is no mapping of settings; mend it"),
        (None, "it: None is no mapping of settings; mend it"),
    ):
        with pytest.raises(InputError, match=f"^{words}$"):
            require_names(values, ("a", "b", "c"), "it", "mend it")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Expected `Int`, got `My Type` - at `$.Parts[0].Name`",
            "Parts[0].Name: expected Int, got My Type",
        ),
        ("JSON is malformed: Invalid NUMBER (byte 3)", "invalid NUMBER (byte 3)"),
        (
            "Object contains unknown field `Size` - at `key in $.A`",
            "A: object contains unknown field Size",
        ),
        ("Expected `int` - at `$`", "expected int"),
    ],
)
def test_what_a_decoder_says_keeps_its_names(said: str, told: str) -> None:
    assert explain(ValueError(said)) == told
