"""Damaged JSON made from good: each value in turn is replaced, left out, or made absurd."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from foundation.errors import InputError

ABSURD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**31,
    10**18,
    1e308,
    "",
    "\x1b[31m[red]",
    [],
    [[1, 2], "x"],
    {},
    {"a": {"b": 1}},
)
"""What a value is replaced by; all of it is JSON."""


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, of lists only the first and the last."""
    if path:
        yield path
    if isinstance(values, dict):
        for name, value in values.items():
            yield from places(value, (*path, name))
    elif isinstance(values, list):
        for at in sorted({0, len(values) - 1} & set(range(len(values)))):
            yield from places(values[at], (*path, at))


def damaged(values: Any) -> Iterator[tuple[str, Any]]:
    """Yield what was done, and values with that done to them."""
    for path in places(values):
        for absurd in ABSURD:
            made = copy.deepcopy(values)
            inner = parent(made, path)
            inner[path[-1]] = absurd
            yield f"{path} = {absurd!r}", made
        made = copy.deepcopy(values)
        del parent(made, path)[path[-1]]
        yield f"{path} left out", made


def refusal(read: Callable[[], object]) -> str | None:
    """Return the sentence with which bad input is refused, or None; other exceptions pass."""
    try:
        read()
    except InputError as error:
        return str(error)
    return None


def parent(values: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        values = values[step]
    return values


def damaged_bytes(data: bytes) -> Iterator[bytes]:
    """Yield bytes that are cut off, have a byte changed, or are not JSON at all."""
    for share in range(8):
        yield data[: len(data) * share // 8]
    for share in range(16):
        at = len(data) * share // 16
        yield data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
    yield b"[" * 200_000
    yield b'{"a":' * 100_000
    yield b"NaN"
    yield b'"\\ud800"'
    yield b"9" * 5000
    yield b"\xff\xfe" + data
    yield data + data
