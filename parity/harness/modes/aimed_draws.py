"""Draws about which a reference changes what it does, such as a chance that is compared with a limit.

A limit that is off by a millionth shows in one draw of a million. So the draw is moved between two
values that lead to other flags or whole numbers, by bisection, and cases are placed beside the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from parity.harness.trees import Array, Fields

PAIRS, HALVINGS = 48, 44
OFFSETS = tuple(sign * far for far in (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4) for sign in (-1, 1))
"""How far beside a limit draws are placed; draws lie from 0 up to 1."""
LAST = 1 - 2.0**-53
"""The largest number that a generator draws."""

Run = Callable[[Array, dict[str, Array]], Fields]
"""(rows (M,), numbers by kind (M, ...)) -> what the reference comes to in these rows' states."""


class Aimed(NamedTuple):
    """M cases with draws beside a limit: rows (M,) of the cases, and numbers by kind (M, ...)."""

    rows: Array
    numbers: dict[str, Array]


def aimed(run: Run, numbers: dict[str, Array], rng: np.random.Generator) -> Aimed | None:
    """Return cases with draws on both sides of limits; None where draws change no whole number or flag.

    Args:
        run: the reference, driven by numbers that are handed to it.
        numbers: by kind, (N, count), as they were recorded in N rows.
        rng: chooses rows and ends.
    """
    count, drawn = numbers["uniform"].shape
    if not drawn:
        return None
    rows, place = rng.integers(0, count, PAIRS), rng.integers(0, drawn, PAIRS)
    low = numbers["uniform"][rows, place]
    high = np.where(rng.random(PAIRS) < 0.5, rng.random(PAIRS), rng.choice([0.0, LAST], PAIRS))

    def with_draw(pick: Array, draw: Array) -> dict[str, Array]:
        given = {kind: values[rows[pick]].copy() for kind, values in numbers.items()}
        given["uniform"][np.arange(len(pick)), place[pick]] = draw
        return given

    def does(pick: Array, draw: Array) -> Array:
        return _whole(run(rows[pick], with_draw(pick, draw)))

    every = np.arange(PAIRS)
    before = does(every, low)
    usable = np.flatnonzero((before != does(every, high)).any(axis=1))
    if not len(usable):
        return None
    a, b = low[usable], high[usable]
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        same = (does(usable, middle) == before[usable]).all(axis=1)
        a, b = np.where(same, middle, a), np.where(same, b, middle)
    pick = np.tile(usable, len(OFFSETS))
    draws = np.concatenate([np.clip(b + far, 0.0, LAST) for far in OFFSETS])
    return Aimed(rows[pick], with_draw(pick, draws))


def _whole(fields: Fields) -> Array:
    """Return the whole numbers and flags of N rows side by side: int64 (N, M)."""
    parts = [
        value.reshape(len(value), -1).astype(np.int64)
        for value in fields.values()
        if value.dtype.kind != "f"
    ]
    return np.concatenate([np.zeros((len(next(iter(fields.values()))), 1), np.int64), *parts], axis=1)
