"""A pair whose port is a module of its own, for mutants."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity import Pair, Port, Reference, integer, real
from tests.parity.mutation import small_port


class Counter:
    """The reference: a number that is counted up by what is asked for, and ends at ten."""

    n = 3
    dtype = np.int64

    def __init__(self) -> None:
        self.total, self.charge = 0, 0.0


def step(one: Counter, action: int) -> Any:
    one.total = min(one.total + int(action), 10)
    one.charge = 0.5 * one.charge + 0.25
    return np.int64(one.total), one.charge * 2.0, one.total >= 10, False, {}


def reset(one: Counter, seed: int) -> Any:
    one.total, one.charge = int(np.random.default_rng(seed).integers(0, 4)), 0.0
    return np.int64(one.total)


def write(one: Any, state: Any) -> None:
    one.total, one.charge = int(state["total"]), float(state["charge"])


def read(one: Any) -> Any:
    return {"total": np.int64(one.total), "charge": np.float64(one.charge)}


pair = Pair(
    name="a counter",
    reference=Reference.mutable(
        Counter, read, reset, step, write, action_space=lambda one: one, language="Python"
    ),
    port=Port.mutable(
        small_port.Count,
        read,
        lambda one, seed: one.reset(seed),
        lambda one, action: one.step(action),
        write,
        language="Python",
    ),
    state={"total": integer(0, 10), "charge": real(0.0, 1.0)},
)
