"""What a port puts out is noted in every precision, and two records are told apart field by field."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from foundation.errors import InputError
from parity.harness.sides.mutable import MutableSide
from parity.mutation.recorder import (
    CHANGED,
    FLIPPED,
    NAMES,
    NOTHING,
    ROUNDING,
    Recorder,
    apart,
)
from tests.parity.harness.sides import tiny
from tests.parity.mutation.small_pair import pair

STATE = {
    "levels": np.array([[1e9, 1.5], [2e9, 2.5], [3e9, 8.0]]),
    "count": np.array([3, 11, 5]),
    "open": np.array([True, False, True]),
}
ACTIONS, SEEDS = {"action": np.array([1, 0, 1])}, np.array([7, 8, 9])
SHOWN = ("levels", "count", "open", "obs.near", "obs.count", "reward", "terminated", "truncated")


def step(one: Any, action: Any) -> Any:
    *out, _ = one.step(action)
    return *out, {"heat": one.count * 10, "word": "w"}


def recorded(**changes: Any) -> tuple[Recorder, Any]:
    side = tiny.side(step, **changes)
    recorder = Recorder()
    recorder.attach(side)
    return recorder, side


def test_every_field_of_every_call_is_noted_with_its_precision() -> None:
    recorder, side = recorded()
    side.reset(SEEDS)
    side.transition(STATE, ACTIONS, SEEDS)
    side.transition(STATE, ACTIONS, SEEDS, True, lambda row: nullcontext())
    side.transition(STATE, ACTIONS, SEEDS, double=True)
    side.lanes(SEEDS, STATE).advance(ACTIONS, SEEDS)
    side.lanes(SEEDS, STATE, True).advance(ACTIONS, SEEDS)
    told = ("told heat", NAMES)
    assert list(recorder.arrays) == [
        *(f"1 native reset {name}" for name in SHOWN[:5]),
        *(f"2 native transition {name}" for name in (*SHOWN, *told)),
        *(f"3 double transition {name}" for name in (*SHOWN, *told)),
        *(f"4 double transition {name}" for name in (*SHOWN, *told)),
        *(f"5 along {name}" for name in (*SHOWN, *told)),
        *(f"6 along in double {name}" for name in (*SHOWN, *told)),
    ]
    for call in ("2 native transition", "3 double transition", "5 along"):
        assert recorder.arrays[f"{call} count"].tolist() == [4, 12, 6]
        assert recorder.arrays[f"{call} told heat"].tolist() == [40, 120, 60]
        assert recorder.arrays[f"{call} terminated"].tolist() == [False, True, False]
        assert recorder.arrays[f"{call} truncated"].tolist() == [False, False, True]
        assert recorder.arrays[f"{call} reward"].tolist() == [1.875, 1.875, 10.0]
        assert bytes(recorder.arrays[f"{call} {NAMES}"]) == b"heat word"


def test_what_a_restart_hands_out_is_noted_beside_the_end() -> None:
    recorder, side = recorded(hands_out_final=False)
    side.transition(STATE, ACTIONS, SEEDS)
    call = "1 native transition"
    assert recorder.arrays[f"{call} restart count"].tolist() == [4, 12, 6]
    assert recorder.arrays[f"{call} restart obs.count"].tolist() == [4, 12, 6]
    assert recorder.arrays[f"{call} count"].tolist() == [4, 0, 0]


def test_what_was_noted_stays_as_it_was() -> None:
    recorder, side = recorded()
    done = side.transition(STATE, ACTIONS, SEEDS)
    done.state["count"][:] = 99
    assert recorder.arrays["1 native transition count"].tolist() == [4, 12, 6]


def test_declared_bounds_and_kinds_are_noted() -> None:
    space = Dict({"arm": Box(-1.0, 2.0, (2,), np.float32), "keys": Discrete(3)})
    recorder, side = recorded(action_space=lambda one: space)
    side.spaces()
    arrays = {name.removeprefix("0 declared action action."): a for name, a in recorder.arrays.items()}
    assert arrays["arm low"].tolist() == [-1.0, -1.0]
    assert arrays["arm high"].tolist() == [2.0, 2.0]
    assert (arrays["keys low"].tolist(), arrays["keys high"].tolist()) == ([0], [2])
    assert b"float32" in bytes(arrays["arm kind"])
    assert b"(2,)" in bytes(arrays["arm kind"])
    assert bytes(arrays["arm kind"]) != bytes(arrays["keys kind"])
    assert len(arrays) == 6


def test_functions_of_the_files_alone_are_noted_where_they_are_entered() -> None:
    side, file = tiny.side(step), Path(tiny.__file__)
    recorder = Recorder([file])
    recorder.attach(side)
    side.reset(SEEDS)
    lines = file.read_text(encoding="utf-8").splitlines()

    def entered() -> set[str]:
        assert {name for name, _ in recorder.entered} == {str(file)}
        return {lines[line - 1].strip().partition("(")[0] for _, line in recorder.entered}

    assert {"def reset", "def seen", "def read"} <= entered()
    assert "def step" not in entered()
    lanes = side.lanes(SEEDS, None)
    assert "def step" not in entered()
    lanes.advance(ACTIONS, SEEDS)
    assert "def step" in entered()
    assert "def two" not in entered()
    nobody = Recorder()
    nobody.attach(tiny.side(step))
    assert nobody.entered == set()


ONE, OTHER = np.arange(1.0, 41.0), np.arange(1.0, 41.0)
OTHER[-1] *= 1 + 1e-15
"""Of one element by a few units in the last place: what rounding may do."""
FAR = ONE.copy()
FAR[-1] += 1e-3
FLAGS = np.zeros(40, bool)
FLIP = FLAGS.copy()
FLIP[-1] = True
MANY = FLAGS.copy()
MANY[-2:] = True


def last(places: int) -> Any:
    """Return the numbers with the last one so many units in its last place further."""
    moved = ONE.copy()
    moved[-1] += places * np.spacing(40.0)
    return moved


NAN = ONE.copy()
NAN[-1] = np.nan
STEP, RESET, DOUBLE, ALONG = (
    "2 native transition x",
    "1 native reset x",
    "3 double transition x",
    "4 along x",
)
WIDE = {"9 double transition y": ONE}


@pytest.mark.parametrize(
    ("name", "a", "b", "with_double", "without"),
    [
        (STEP, ONE, ONE, NOTHING, NOTHING),
        (STEP, ONE, OTHER, ROUNDING, ROUNDING),
        (STEP, ONE, FAR, ROUNDING, CHANGED),
        (RESET, ONE, OTHER, ROUNDING, ROUNDING),
        (RESET, ONE, FAR, CHANGED, CHANGED),
        (RESET, ONE, last(511), ROUNDING, ROUNDING),
        (RESET, ONE, last(513), CHANGED, CHANGED),
        (RESET, FLAGS * 0.0, FLAGS * -0.0, ROUNDING, ROUNDING),
        (RESET, NAN, NAN.copy(), NOTHING, NOTHING),
        (RESET, ONE, NAN, CHANGED, CHANGED),
        (ALONG, ONE, OTHER, ROUNDING, ROUNDING),
        (ALONG, ONE, FAR, CHANGED, CHANGED),
        (STEP, FLAGS, FLIP, ROUNDING, CHANGED),
        (STEP, FLAGS, MANY, CHANGED, CHANGED),
        (RESET, FLAGS, FLIP, CHANGED, CHANGED),
        (ALONG, FLAGS, FLIP, CHANGED, CHANGED),
        (STEP, ONE, ONE.astype(np.float32), CHANGED, CHANGED),
        (STEP, ONE, ONE[:, None], CHANGED, CHANGED),
        (STEP, ONE, ONE[:-1], CHANGED, CHANGED),
        ("0 declared action high", ONE, OTHER, CHANGED, CHANGED),
        (f"2 native transition {NAMES}", FLAGS, FLIP, CHANGED, CHANGED),
    ],
)
def test_how_far_two_arrays_are_apart(
    name: str, a: Any, b: Any, with_double: str, without: str
) -> None:
    """Steps that are made in double, too, are judged there."""
    assert FLIPPED * 40 == 2
    where = name.partition(" ")[2]
    assert apart({name: a}, {name: b}) == (without, where if without == CHANGED else "")
    found = apart({name: a, **WIDE}, {name: b, **WIDE})
    assert found == (with_double, where if with_double == CHANGED else "")
    found = apart({**WIDE, name: a}, {**WIDE, name: b})
    assert found == (with_double, where if with_double == CHANGED else "")


def test_double_precision_rounds_in_its_own_last_places_alone() -> None:
    for other, verdict in ((OTHER, ROUNDING), (ONE * (1 + 1e-7), CHANGED), (NAN, CHANGED)):
        assert apart({DOUBLE: ONE}, {DOUBLE: other})[0] == verdict
    assert apart({DOUBLE: FLAGS}, {DOUBLE: FLIP}) == (CHANGED, "double transition x")


def test_the_first_change_by_more_than_rounding_is_named_and_what_grew_of_rounding_is_none() -> None:
    one = {ALONG: ONE, RESET: ONE, "5 native reset y": ONE}
    assert apart(one, {**one, ALONG: FAR}) == (CHANGED, "along x")
    assert apart(one, {**one, ALONG: FAR, RESET: OTHER}) == (ROUNDING, "")
    assert apart(one, {**one, RESET: OTHER, "5 native reset y": FAR}) == (CHANGED, "native reset y")
    assert apart(one, {**one, ALONG: FAR, "5 native reset y": FAR}) == (CHANGED, "native reset y")
    assert apart({}, {}) == (NOTHING, "")


def test_other_calls_are_a_change() -> None:
    one = {RESET: ONE, STEP: ONE}
    assert apart(one, {RESET: ONE}) == (CHANGED, f"other calls ({STEP})")
    assert apart({RESET: ONE}, one) == (CHANGED, f"other calls ({STEP})")
    assert apart(one, {STEP: ONE, RESET: ONE}) == (CHANGED, "calls in another order")


def test_steps_in_every_form_are_noted_and_watched() -> None:
    class Forms:
        def transition_as(self, form: str, state: Any, actions: Any, seeds: Any) -> Any:
            return tiny.side(step).transition(state, actions, seeds)

        def functions(self, double: bool) -> str:
            return tiny.Two.__name__

        def other(self) -> str:
            return "other"

    port: Any = Forms()
    recorder = Recorder([Path(__file__)])
    recorder.attach(port)
    port.transition_as("one", STATE, ACTIONS, SEEDS)
    assert recorder.arrays["1 native transition_as count"].tolist() == [4, 12, 6]
    assert port.functions(True) == "Two"
    entered = {line for _, line in recorder.entered}
    assert port.other() == "other"
    assert {line for _, line in recorder.entered} == entered
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    names = {source[line - 1].strip().partition("(")[0] for line in entered}
    assert names >= {"def transition_as", "def functions", "def step"}


def test_whoever_else_watches_goes_on_afterwards() -> None:
    recorder, before = Recorder([Path(tiny.__file__)]), sys.getprofile()
    side = tiny.side(step)
    recorder.attach(side)

    def other(frame: Any, event: str, argument: Any) -> None:
        return None

    sys.setprofile(other)
    try:
        side.reset(SEEDS)
        assert sys.getprofile() is other
        with pytest.raises(InputError):
            side.transition({}, ACTIONS, SEEDS)
        assert sys.getprofile() is other
    finally:
        sys.setprofile(before)


THREE = np.arange(3)
TOTALS = {"total": np.array([1, 2, 3]), "charge": np.array([0.1, 0.3, 0.7])}
TAKEN = {"action": np.array([0, 1, 2])}


def in_double(by: float, *more: Any, **options: Any) -> Recorder:
    """Record a reset and a step in double precision, of a port whose rewards are off by a share."""

    def step(one: Any, action: int) -> Any:
        obs, reward, *ended = one.step(action)
        return obs, reward * (1 + by), *ended

    assert isinstance(pair.port, MutableSide)
    port = replace(pair.port, step_one=step)
    recorder = Recorder()
    recorder.attach(port)
    port.reset(THREE, *more, **options)
    port.transition(TOTALS, TAKEN, THREE, *more, **options)
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
    names = list(in_double(0.0, *more, **options).arrays)
    assert {" ".join(name.split()[:3]) for name in names} == {
        f"1 {precision} reset",
        f"2 {precision} transition",
    }
    assert f"2 {precision} transition reward" in names


def test_what_differs_in_double_precision_is_no_rounding_whoever_watches() -> None:
    watched = True, lambda row: nullcontext()
    assert apart(in_double(0.0, *watched).arrays, in_double(0.0, *watched).arrays) == (NOTHING, "")
    where = "double transition reward"
    assert apart(in_double(0.0, *watched).arrays, in_double(1e-7, *watched).arrays) == (CHANGED, where)
    assert apart(in_double(0.0, *watched).arrays, in_double(2e-16, *watched).arrays) == (ROUNDING, "")
