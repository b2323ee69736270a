"""A pair of objects in NumPy alone that is made in an instant: a counter with a speed and a level.

A side's class may be given another ``move``, so that a test plants one fault in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity import Pair, Port, integer, real
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import OUTCOME

LIMIT = 12


class Tiny:
    """Levels of two numbers, one a billion times the other, that grow by a speed; a count of steps."""

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, seed: int) -> Any:
        self.levels = np.random.default_rng(seed).uniform(1, 2, 2) * [1e9, 1.0]
        self.count, self.open = 0, False
        return self.seen()

    def seen(self) -> Any:
        return {"near": np.array(self.levels), "count": np.int64(self.count)}

    def step(self, action: int) -> Any:
        self.levels = self.levels * (1.25 if action == 1 else 0.75)
        self.count += 1
        self.open = action == 1
        return self.seen(), float(self.levels[1]), self.count >= LIMIT, self.levels[1] > 9.0, {}


class Ending(Tiny):
    """It knows whether its episode has ended."""

    over = False

    def reset(self, seed: int) -> Any:
        self.over = False
        return super().reset(seed)

    def step(self, action: int) -> Any:
        out = super().step(action)
        self.over = bool(out[2] or out[3])
        return out


def read(one: Tiny) -> dict[str, Any]:
    return {"levels": one.levels, "count": one.count, "open": one.open}


def write(one: Tiny, state: dict[str, Any]) -> None:
    one.levels, one.count = np.array(state["levels"]), int(state["count"])
    one.open = bool(state["open"])


class Two:
    """A space of two actions."""

    n, dtype = 2, np.int64


def side(
    step: Callable[[Any, Any], Any] | None = None, make: Callable[[], Any] = Tiny, **changes: Any
) -> MutableSide:
    """Return a side; ``step``: (environment, action) -> as :meth:`Tiny.step` returns."""
    values: dict[str, Any] = {
        "make": make,
        "read": read,
        "write": write,
        "reset_one": lambda one, seed: one.reset(seed),
        "step_one": step if step is not None else lambda one, action: one.step(action),
        "action_space": lambda one: Two(),
        **changes,
    }
    made: MutableSide = Port.mutable(**values)
    return made


def changed(change: Callable[[Tiny], None], where: Callable[[Tiny], bool] = lambda one: True) -> Any:
    """Return a step after which something is changed, in the states that it leads to somewhere."""

    def step(one: Tiny, action: Any) -> Any:
        out = one.step(action)
        if where(one):
            change(one)
        return one.seen(), *out[1:]

    return step


def returning(**forms: Callable[[Any], Any]) -> MutableSide:
    """Return a side whose steps return parts of their outcome, by name, in another form."""

    def step(one: Tiny, action: Any) -> Any:
        obs, *outcome, info = one.step(action)
        named = zip(OUTCOME, outcome, strict=True)
        return obs, *(forms.get(name, lambda value: value)(value) for name, value in named), info

    return side(step)


def two(value: Any) -> Any:
    """Return a value twice."""
    return np.array([value, value])


def pair(port: Any = None, **changes: Any) -> Pair:
    values: dict[str, Any] = {
        "name": "tiny",
        "reference": side(),
        "port": side() if port is None else port,
        "state": {"levels": real(0, 1e9), "count": integer(0, LIMIT - 1)},
        **changes,
    }
    return Pair(**values)
