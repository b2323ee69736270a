"""TOML: files read through declared types, in TOML's own words, and plain values as its lines."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

from foundation.errors import InputError, reason_of
from foundation.json_reading import MOST_DEPTH, Artifact, convert

T = TypeVar("T")

BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029]")
"""Beside those that JSON escapes: what TOML forbids, what a terminal obeys, and what ends a line."""
_WORDS = {"object": "table", "str": "string", "int": "integer", "bool": "boolean"}
"""What TOML calls the types of a declaration, which are named as JSON's."""
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b")


def read_toml(path: Path, kind: type[T], artifact: Artifact) -> T:
    """Read a TOML file as a declared type, such as ``dict[str, Any]``.

    Raises:
        InputError: there is no file, it is too large, is no TOML, or does not hold what was declared.
    """
    data = artifact.read(path)
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
        _check_limits(values)
    except RecursionError:
        raise artifact.damaged(path, "nested too deeply") from None
    except ValueError as error:  # of UTF-8 and of TOML
        raise artifact.damaged(path, reason_of(error)) from None
    return convert_toml(values, kind, artifact, where=path)


def convert_toml(values: Any, kind: type[T], artifact: Artifact, *, where: object) -> T:
    """Return values of a TOML file, read before, as a declared type.

    Raises:
        InputError: they do not hold what was declared.
    """
    return convert(values, kind, artifact, where=where, in_words=_in_words_of_toml)


def _in_words_of_toml(message: str) -> str:
    """Return what msgspec says of a type; names of fields and places stay as they are."""
    reason, at, place = message.partition(" - at `")
    if reason.startswith("Expected "):
        reason = _WORD.sub(lambda word: _WORDS[word[1]], reason.replace(" | null", ""))
    elif reason.startswith("Object "):
        reason = f"Table {reason.removeprefix('Object ')}"
    return f"{reason}{at}{place}"


def _check_limits(values: Any, depth: int = 1) -> None:
    """Refuse what is nested deeper than JSON may be, and whole numbers beyond TOML's 64 bits."""
    if depth > MOST_DEPTH:
        raise ValueError(f"nested more than {MOST_DEPTH} deep")
    inner: Iterable[Any] = values.values() if isinstance(values, dict) else values
    for value in inner:
        if isinstance(value, dict | list):
            _check_limits(value, depth + 1)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("a whole number does not fit 64 bits")


def key(name: str) -> str:
    """Return a name, in quotes where TOML asks for them."""
    return name if BARE.fullmatch(name) else _text(name)


def line(name: str, value: Any) -> str:
    """Return ``name = value``."""
    return f"{key(name)} = {toml(value)}"


def toml(value: Any) -> str:
    """Return a value as a file has it.

    Numbers and quoted texts are written as in JSON, so that a terminal shows them as they are.
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(line(name, one) for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e16:
        return f"{value:.1f}"
    return _text(str(value)) if isinstance(value, str | Path) else json.dumps(value)


def _text(value: str) -> str:
    """Return a text in quotes, on one line.

    Raises:
        InputError: it is a path with bytes that are no UTF-8.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{value}: this name has bytes that are no UTF-8, which no TOML can hold; rename the file"
        ) from None
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
