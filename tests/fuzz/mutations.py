"""Ways to damage a file: bytes, lines of text, values of JSON; by random numbers that are given."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from tests.damage import ABSURD, parent, places

ODD_TEXT = (
    *(
        b"\0",
        b"\r",
        b"\f",
        b"\v",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\x1b[31m",
        b'"',
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(b",", b";", b"\t", b" ", b"\n", b"\n\n", b"-", b".", b"e", b"NaN", b"inf", b"1e999", b"9" * 40),
    *(b"[red]", b"<script>", b"'", b"#", b"=1+1", b"\x1c", b"1,234.5", b"true", b"null"),
)
"""Pieces that readers of text do not agree on."""

HOSTILE = (
    *(b"", b"\0", b"\n", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"NaN", b"null", b"[]", b"{}"),
    *(b'"\\ud800"', b"\xff\xfe{\0}\0", b"\x80\x04.", b"PK\x03\x04", b"PAR1PAR1", b"x" * 300_000),
)
"""Whole files that are nothing of the kind."""


def damage_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one to three of them flipped, cut, doubled, moved or replaced."""
    if rng.random() < 0.03:
        return rng.choice(HOSTILE)
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not made:
            break
        at = rng.randrange(len(made))
        end = min(len(made), at + rng.choice((1, 2, 4, 8, 64, 1024)))
        what = rng.randrange(7)
        if what == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            made[at] = rng.randrange(256)
        elif what == 2:
            del made[at:end]
        elif what == 3:
            made[at:at] = made[at:end]
        elif what == 4:
            del made[at:]
        elif what == 5:
            made[at:end] = bytes(end - at)
        else:
            made[at:end] = rng.randbytes(end - at)
    return bytes(made)


def damage_text(rng: random.Random, data: bytes) -> bytes:
    """Return text with a piece put in, a field changed, or lines left out, doubled, moved or joined."""
    if rng.random() < 0.2:
        return damage_bytes(rng, data)
    for _ in range(rng.choice((1, 1, 2))):
        data = _damage_lines(rng, data)
    return data


def _damage_lines(rng: random.Random, data: bytes) -> bytes:
    what = rng.randrange(8)
    if what == 0:
        return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" \n")))
    if what == 1:
        at = rng.randrange(len(data) + 1)
        return data[:at] + rng.choice(ODD_TEXT) + data[at:]
    lines = data.split(b"\n")
    at = rng.choice((0, 1, rng.randrange(len(lines)))) % len(lines)
    if what == 2:
        del lines[at]
    elif what == 3:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif what == 4:
        lines[at : at + 2] = [rng.choice((b"", b" ", b",")).join(lines[at : at + 2])]
    elif what == 5:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        separator = b";" if b";" in lines[at] else b","
        fields = lines[at].split(separator)
        field = rng.randrange(len(fields))
        piece = rng.choice(ODD_TEXT)
        if what == 6:
            fields[field] = rng.choice((b"", piece, fields[field] + piece, piece + fields[field]))
        elif rng.random() < 0.5:
            del fields[field]
        else:
            fields.insert(field, rng.choice((b"", piece, fields[field])))
        lines[at] = separator.join(fields)
    return b"\n".join(lines)


def damage_json(rng: random.Random, data: bytes) -> bytes:
    """Return JSON with a value replaced, left out, doubled, or named otherwise; or damaged bytes."""
    if rng.random() < 0.25:
        return damage_bytes(rng, data)
    values = json.loads(data)
    for _ in range(rng.choice((1, 1, 2))):
        values = damage_values(rng, values)
    return json.dumps(values).encode("utf-8", "surrogatepass")


def damage_values(rng: random.Random, values: Any) -> Any:
    """Return plain values with one of them changed."""
    paths = list(places(values))
    if not paths:
        return rng.choice(ABSURD)
    path = rng.choice(paths)
    made = copy.deepcopy(values)
    inner, key = parent(made, path), path[-1]
    what = rng.randrange(6)
    if what == 0:
        del inner[key]
    elif what == 1:
        inner[key] = [inner[key], copy.deepcopy(inner[key])]
    elif what == 2 and isinstance(inner, dict):
        inner[rng.choice(("", "x", "\x1b[31m", str(key).upper()))] = inner.pop(key)
    elif what == 3 and isinstance(inner[key], int | float):
        inner[key] = rng.choice((-inner[key], inner[key] * 1e9, inner[key] + 0.5, 10**30, float("nan")))
    else:
        inner[key] = copy.deepcopy(rng.choice(ABSURD))
    return made


def damage_json_lines(rng: random.Random, data: bytes) -> bytes:
    """Return lines of JSON with one damaged, or damaged as text."""
    if rng.random() < 0.4:
        return damage_text(rng, data)
    lines = data.split(b"\n")
    at = rng.choice((0, 1, rng.randrange(len(lines)))) % len(lines)
    if lines[at]:
        lines[at] = damage_json(rng, lines[at])
    return b"\n".join(lines)
