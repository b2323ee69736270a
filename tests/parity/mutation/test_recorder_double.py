"""What a port puts out is noted with the precision that it was asked for in."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.harness.sides.mutable import MutableSide
from parity.mutation.recorder import CHANGED, NOTHING, ROUNDING, Recorder, apart
from tests.parity.mutation.small_pair import pair

SEEDS = np.arange(3)
STATE = {"total": np.array([1, 2, 3]), "charge": np.array([0.1, 0.3, 0.7])}
ACTION = {"action": np.array([0, 1, 2])}


def recorded(by: float, *more: Any, **options: Any) -> Recorder:
    """Record a reset and a step in double precision, of a port whose rewards are off by a share."""

    def step(one: Any, action: int) -> Any:
        obs, reward, *ended = one.step(action)
        return obs, reward * (1 + by), *ended

    assert isinstance(pair.port, MutableSide)
    port = replace(pair.port, step_one=step)
    recorder = Recorder()
    recorder.attach(port)
    port.reset(SEEDS, *more, **options)
    port.transition(STATE, ACTION, SEEDS, *more, **options)
    return recorder


@pytest.mark.parametrize(
    ("more", "options", "precision"),
    [
        ((), {}, "native"),
        ((True,), {}, "double"),
        ((False,), {}, "native"),
        ((), {"double": True}, "double"),
        ((True, lambda row: nullcontext()), {}, "double"),
        ((False, lambda row: nullcontext()), {}, "native"),
        ((True,), {"watch": lambda row: nullcontext()}, "double"),
    ],
)
def test_a_call_is_noted_with_its_precision(more: Any, options: Any, precision: str) -> None:
    names = list(recorded(0.0, *more, **options).arrays)
    assert {" ".join(name.split()[:3]) for name in names} == {
        f"1 {precision} reset",
        f"2 {precision} transition",
    }
    assert f"2 {precision} transition reward" in names


def test_what_differs_in_double_precision_is_no_rounding_whoever_watches() -> None:
    watched = True, lambda row: nullcontext()
    assert apart(recorded(0.0, *watched).arrays, recorded(0.0, *watched).arrays) == (NOTHING, "")
    where = "double transition reward"
    assert apart(recorded(0.0, *watched).arrays, recorded(1e-7, *watched).arrays) == (CHANGED, where)
    assert apart(recorded(0.0, *watched).arrays, recorded(2e-16, *watched).arrays) == (ROUNDING, "")
