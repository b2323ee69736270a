"""What is seen of sides of every kind: their numbers, where they lie, and how they are driven."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from foundation.errors import InputError
from parity.command.look import (
    SideFacts,
    _as_number,
    _ended,
    _played,
    look_at_port,
    look_at_reference,
    made,
)
from tests.parity.command import factories
from tests.parity.command.factories import Lift

SAME = {"height": "height", "speed": "speed"}


def facts(side: SideFacts) -> dict[str, Any]:
    """Return all facts that are not the default, numbers by shape and kind."""
    values = {**vars(side)}
    numbers = values.pop("numbers")
    plain = {**vars(SideFacts("object", {}))}
    told = {name: value for name, value in values.items() if value != plain[name]}
    return {**told, "numbers": {name: (x.shape[1:], x.dtype.kind) for name, x in numbers.items()}}


def port(make: Any) -> dict[str, Any]:
    return facts(look_at_port(make, lambda: 1))


FLOATS = {"height": ((), "f"), "speed": ((), "f")}


def test_a_reference_is_told_by_the_numbers_that_change() -> None:
    assert facts(look_at_reference(Lift)) == {"kind": "gymnasium", "paths": SAME, "numbers": FLOATS}
    assert facts(look_at_reference(factories.cartpole)) == {
        "kind": "gymnasium",
        "paths": {"state": "state"},
        "limit": 500,
        "numbers": {"state": ((4,), "f")},
    }
    wrapped = gymnasium.wrappers.TimeLimit(Lift(), 37)
    told = look_at_reference(lambda: gymnasium.wrappers.OrderEnforcing(wrapped))
    assert (told.limit, told.paths) == (37, SAME)


def test_objects_are_told_with_how_they_are_reset_and_what_their_steps_return() -> None:
    numpy_lift = {
        "paths": SAME,
        "types": {"height": "float", "speed": "float"},
        "reset": "port.reset(seed=seed)[0]",
        "generator": "rng",
        "action_space": True,
        "numbers": FLOATS,
    }
    assert port(factories.NumpyLift) == numpy_lift
    assert port(factories.OldLift) == {
        **numpy_lift,
        "before": "port.rng = np.random.default_rng(seed)",
        "reset": "port.reset()",
        "values": 4,
    }
    hidden = {name: f"_{name}" for name in SAME}
    assert port(factories.HiddenLift) == {
        "paths": hidden,
        "types": {"height": "", "speed": ""},
        "before": "port.seed(seed)",
        "reset": "port.reset()",
        "numbers": FLOATS,
    }
    assert port(factories.StructLift) == {
        "paths": {"height": "lift.height", "speed": "lift.speed"},
        "types": {"height": "float", "speed": "float"},
        "reset": "port.reset(seed=seed)",
        "numbers": FLOATS,
    }
    assert port(factories.NumpyCartPole) == {
        "paths": {"state": "state", "steps": "steps"},
        "types": {"state": "array", "steps": "int"},
        "counter": "steps",
        "reset": "port.reset(seed=seed)",
        "numbers": {"state": ((4,), "f"), "steps": ((), "i")},
    }
    assert port(factories.LiftAgain) == {"kind": "gymnasium", "paths": SAME, "numbers": FLOATS}
    assert port(factories.program) == {"kind": "functional", "numbers": FLOATS}
    assert list(port(factories.CartPole)["numbers"]) == ["time", "x", "x_dot", "theta", "theta_dot"]


class Positional:
    """Its reset takes a seed by its place alone, under another name; a step returns three values."""

    observation_space = Lift.observation_space

    def __init__(self) -> None:
        self.level, self.turns, self.on, self.named = 0.0, 0, False, "a name"

    def reset(self, number: int) -> Any:
        self.level, self.turns, self.on = float(number), 0, False
        return np.array([self.level])

    def step(self, action: int) -> Any:
        self.level, self.turns, self.on = self.level + 0.5, self.turns + 2, not self.on
        return np.array([self.level]), 0.0, self.turns >= 10


def test_a_number_that_grows_by_two_counts_no_steps_and_flags_are_told() -> None:
    assert port(Positional) == {
        "paths": {"level": "level", "turns": "turns", "on": "on"},
        "types": {"level": "float", "turns": "int", "on": "bool"},
        "reset": "port.reset(seed)",
        "values": 3,
        "observation_space": True,
        "numbers": {"level": ((), "f"), "turns": ((), "i"), "on": ((), "b")},
    }


class Counting:
    """Two numbers that count: episodes from 0 on, and steps; the state has one shape to begin with."""

    def __init__(self) -> None:
        self.episodes, self.steps, self.fixed, self.grown = -1, 0, 7, np.zeros(1)

    def begin(self, seed: int) -> None:
        self.episodes, self.steps, self.grown = self.episodes + 1, 0, np.zeros(1 + seed)

    def move(self) -> bool:
        self.steps += 1
        return self.steps == 4


def test_what_counts_an_episode_s_steps_begins_anew_with_it() -> None:
    one = Counting()
    seen = _played(one, one.begin, one.move)
    assert list(seen.changing()) == ["episodes", "steps"]  # of one shape, and not fixed
    assert seen.changing()["steps"].tolist()[:7] == [0, 1, 2, 3, 4, 0, 1]
    assert seen.first[:7] == [True, False, False, False, False, True, False]
    assert seen.counter() == "steps"
    for row in seen.rows[-1:]:
        row["steps"] = row["steps"] + 1
    assert seen.counter() == ""


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, False),
        ("3", False),
        ([[1], [1, 2]], False),
        (1j, False),
        (np.zeros(64), True),
        (np.zeros(65), False),
        (True, True),
        (np.uint8(3), True),
        (np.array(["a"]), False),
    ],
)
def test_numbers_are_flags_whole_and_real_ones_and_arrays_of_a_state_s_size(
    value: Any, number: bool
) -> None:
    found = _as_number(value)
    assert (found is not None) == number
    if number:
        assert np.array_equal(found, np.asarray(value))
        assert found is not value


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (3, "the factory is of type int; name a function that makes one"),
        (lambda: {}["a"], "the factory raises KeyError: 'a'; mend it, or name another"),
    ],
)
def test_a_factory_that_makes_nothing_is_refused(make: Any, words: str) -> None:
    with pytest.raises(InputError) as raised:
        made(make)
    assert str(raised.value) == words


def test_a_reset_that_raises_and_steps_of_two_or_six_values_are_refused() -> None:
    def stepping(count: int) -> Any:
        return SimpleNamespace(reset=lambda seed: 0.0, step=lambda action: (0.0,) * count)

    def raising(seed: int) -> Any:
        raise OSError("no such file")

    for made_one, words in (
        (SimpleNamespace(reset=raising, step=None), "neither a Program"),
        (SimpleNamespace(reset=raising, step=lambda action: 0), "reset raises OSError: no such file"),
        (stepping(2), "step returns a value of type tuple"),
        (stepping(6), "step returns a value of type tuple"),
    ):
        with pytest.raises(InputError, match=words):
            look_at_port(lambda made_one=made_one: made_one, lambda: 1)


@pytest.mark.parametrize(
    ("out", "ended"),
    [
        ((0, 0.0, False), False),
        ((0, 0.0, True), True),
        ((0, 0.0, False, {"end": True}), False),  # of four values the last is the info
        ((0, 0.0, True, {}), True),
        ((0, 0.0, False, False, {}), False),
        ((0, 0.0, False, True, {}), True),
        ((0, 0.0, np.True_, False, {}), True),
    ],
)
def test_an_episode_ends_by_either_flag(out: Any, ended: bool) -> None:
    assert _ended(out) is ended


def test_every_episode_begins_with_a_seed_of_its_own() -> None:
    one, seeds = Counting(), list[int]()
    _played(one, lambda seed: seeds.append(seed) or one.begin(0), one.move)
    assert seeds[:4] == [0, 4, 8, 12]
    assert len(set(seeds)) == len(seeds) == 16


class Tuples(Positional):
    """It shows a tuple, which is no observation with an info unless its second part is one."""

    shown: Any = (1.0, 2.0)

    def reset(self, number: int) -> Any:
        super().reset(number)
        return self.shown


@pytest.mark.parametrize(
    ("shown", "reset"),
    [
        ((1.0, 2.0), "port.reset(seed)"),
        ((1.0, {}), "port.reset(seed)[0]"),
        ((1.0, {}, 2.0), "port.reset(seed)"),
        ([1.0, {}], "port.reset(seed)"),
    ],
)
def test_an_observation_beside_an_info_is_told_from_other_tuples(shown: Any, reset: str) -> None:
    made_one = Tuples()
    made_one.shown = shown
    assert look_at_port(lambda: made_one, lambda: 1).reset == reset


class Unused:
    """A number that is none, one that becomes none, and one that counts."""

    def __init__(self) -> None:
        self.unused, self.lost, self.steps = float("nan"), 1.0, 0

    def begin(self, seed: int) -> None:
        self.lost, self.steps = 1.0, 0

    def move(self) -> bool:
        self.lost, self.steps = float("nan"), self.steps + 1
        return self.steps == 4


def test_what_is_no_number_all_the_time_does_not_change() -> None:
    one = Unused()
    assert list(_played(one, one.begin, one.move).changing()) == ["lost", "steps"]
