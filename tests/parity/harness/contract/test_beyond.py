"""Actions outside their space: refused by both, the same on both, or a finding."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from parity import Accepted, Pair, Port, integer, verify
from parity.harness import cases as make
from parity.harness.contract.beyond import _beyond_box, _outside, ask_beyond
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.mutable import MutableSide
from parity.harness.spaces import Leaf, describe_space
from tests.parity.harness.lander import Ship, mutable, pair, program, read, write


def asked(one: Pair) -> Answer:
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    return ask_beyond(judge, judge.step(base), one.reference.spaces()["action"])


class Strict(Ship):
    """Refuses what is no action."""

    def step(self, action: int) -> Any:
        if action not in (0, 1):
            raise ValueError(f"no action {action}")
        return super().step(action)


class Eager(Ship):
    """Fires its engine with every action but 0."""

    def step(self, action: int) -> Any:
        return super().step(int(action != 0))


def objects(ship: Any) -> MutableSide:
    side = mutable()
    side.make = ship
    return side


def eager() -> Any:
    """Return the port, with a push for every action but 0, as one that clamps has it."""
    return Port.functional(program, convert_action=lambda action: action.clip(0, 1))


def test_a_port_that_treats_them_as_the_reference_does_is_the_same() -> None:
    answer = asked(pair())
    assert answer.status == "same"
    assert answer.text == (
        "with -1 both sides do the same in 64 cases; with 2 both sides do the same in 64 cases"
    )


@pytest.mark.parametrize("port", [objects(Eager), eager()], ids=["object", "functions"])
def test_a_port_that_takes_them_otherwise_differs(port: Any) -> None:
    answer = asked(pair(port))
    assert answer.status == "different"
    assert "differ; with {'action': 2} height is" in answer.text
    state = make.visited(pair(), 64, 0).state  # shown as it is in double precision
    height = state["height"][0] + (state["speed"][0] - 0.1) * 0.5
    assert answer.reference == str(height)
    assert float(answer.port) == pytest.approx(height + 0.125, abs=1e-12)


def test_what_both_refuse_is_the_same() -> None:
    answer = asked(pair(objects(Strict), reference=objects(Strict)))
    assert answer.status == "same"
    assert "with 2 both sides refuse (ValueError: no action 2, ValueError: no action 2)" in answer.text


def test_a_port_that_cannot_refuse_is_told_what_it_does_instead() -> None:
    answer = asked(pair(eager(), reference=objects(Strict)))
    assert answer.status == "note"
    refuses = (
        "the reference refuses (ValueError: no action {0}) and the port does what it does with {1}"
    )
    assert answer.text.split("; ") == [
        f"with {n} {refuses.format(n, instead)}" for n, instead in ((-1, 0), (2, 1))
    ]


def test_a_port_that_refuses_what_the_reference_takes_differs() -> None:
    answer = asked(pair(objects(Strict)))
    assert answer.status == "different"
    assert "the port refuses (ValueError: no action -1) and the reference takes it" in answer.text


@pytest.mark.slow
def test_it_fails_the_pair_and_is_accepted_by_its_name() -> None:
    few: dict[str, Any] = {"transitions": 64, "resets": 50}
    assert verify(pair(eager()), **few).answer("actions beyond the bounds").status == "different"
    known = Accepted("actions beyond the bounds", "the port clamps")
    report = verify(pair(eager(), accepted=(known,)), **few)
    assert report.answer("actions beyond the bounds").status == "accepted"
    assert not report.unused


class Engines(Ship):
    """Two engines, of which the second is stronger."""

    def step(self, action: Any) -> Any:
        self.settings["thrust"] = 0.1 * action[0] + 0.2 * action[1]
        return super().step(1)


class ClampedEngines(Engines):
    """The same, whose engines cannot do more than they can."""

    def step(self, action: Any) -> Any:
        return super().step(np.clip(action, 0, 2))


def engines(ship: Any, space: Any) -> MutableSide:
    return Port.mutable(
        make=ship,
        read=read,
        write=write,
        reset_one=lambda one, seed: one.reset(seed),
        step_one=lambda one, action: one.step(action),
        action_space=lambda one: space,
    )


def test_parts_of_a_space_of_several_whole_numbers_are_asked_one_by_one() -> None:
    space = gymnasium.spaces.MultiDiscrete([3, 3])
    both = {"reference": engines(Engines, space)}
    honest = asked(pair(engines(Engines, space), **both))
    assert honest.status == "same", honest.text
    assert "with one below in a place both sides do the same" in honest.text
    answer = asked(pair(engines(ClampedEngines, space), **both))
    assert answer.status == "different"


def test_numbers_that_no_action_can_hold_are_not_asked() -> None:
    space = gymnasium.spaces.MultiDiscrete([3, 3], dtype=np.uint8)
    answer = asked(pair(engines(Engines, space), reference=engines(Engines, space)))
    assert "below" not in answer.text
    assert "one above" in answer.text


def test_without_bounds_or_a_state_to_be_put_in_nothing_is_asked() -> None:
    side = mutable()
    side.action_space = None
    assert asked(pair(side, reference=side, action=integer(0, 1))).status == "not asked"
    side = mutable()
    side.write = None
    assert asked(pair(reference=side)).status == "not asked"


class HalfStrict(Ship):
    """Refuses what is below its actions and takes what is above."""

    def step(self, action: int) -> Any:
        if action < 0:
            raise ValueError(f"no action {action}")
        return super().step(action)


def test_what_differs_goes_before_what_is_only_told() -> None:
    answer = asked(pair(objects(Eager), reference=objects(HalfStrict)))
    assert answer.status == "different"
    assert "differ; with {'action': 2}" in answer.text


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_numbers_lie_beyond_both_ends_and_in_every_place(shape: tuple[int, ...]) -> None:
    leaf = Leaf("box", shape, "float32", np.full(shape, -1.0), np.full(shape, 2.0))
    values = _beyond_box(np.random.default_rng(0), leaf, np.zeros((200, *shape), np.float32))
    assert values is not None
    assert values.dtype == np.float32
    assert ((values < -1.0) | (values > 2.0)).all()
    assert 60 < (values < -1.0).reshape(200, -1)[:, -1].sum() < 140


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 10, np.int64),
        (0, 10, np.uint8),
        (-128, 126, np.int8),
        (0, 255, np.int16),
        (3, 3, np.int32),
        (-(2.0**63), 0, np.int64),
        (0.5, 2.5, np.int32),
        (1e8, 1e8 + 8, np.float32),
        (5.0, 5.0, np.float32),
        (-1.0, float(np.finfo(np.float32).max), np.float32),
    ],
)
def test_numbers_lie_beyond_a_bound_in_the_dtype_of_the_action(low: Any, high: Any, dtype: Any) -> None:
    leaf = Leaf("box", (3,), np.dtype(dtype).name, np.full(3, float(low)), np.full(3, float(high)))
    values = _beyond_box(np.random.default_rng(0), leaf, np.full((200, 3), low, dtype))
    assert values is not None
    assert values.dtype == dtype
    told = [value for row in values.tolist() for value in row]
    assert all(np.isfinite(value) and (value < low or value > high) for value in told)
    sides = {value > high for value in told}
    below = low > (np.iinfo if np.dtype(dtype).kind in "iu" else np.finfo)(dtype).min
    above = high < (np.iinfo if np.dtype(dtype).kind in "iu" else np.finfo)(dtype).max
    assert sides == {flag for flag, held in ((False, below), (True, above)) if held}


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(0, 255, np.uint8), (-128, 127, np.int8), (0, 1, np.bool_)]
)
def test_bounds_that_no_number_of_an_action_can_exceed_are_not_asked(
    low: int, high: int, dtype: Any
) -> None:
    leaf = Leaf("box", (), np.dtype(dtype).name, np.array(float(low)), np.array(float(high)))
    inside = np.zeros(64, dtype)
    assert _beyond_box(np.random.default_rng(0), leaf, inside) is None
    space = gymnasium.spaces.Box(low, high, (2,), dtype)
    both = engines(Engines, space)
    assert asked(pair(both, reference=both)).status == "not asked"


def test_places_that_hold_no_number_outside_stay_as_they_were() -> None:
    leaf = Leaf("box", (2,), "uint8", np.array([0.0, 0.0]), np.array([255.0, 7.0]))
    values = _beyond_box(np.random.default_rng(0), leaf, np.full((64, 2), 5, np.uint8))
    assert values is not None
    assert (values[:, 0] == 5).all()
    assert (values[:, 1] > 7).all()


def test_whole_numbers_beyond_a_box_are_taken_otherwise_by_a_port_that_clamps() -> None:
    space = gymnasium.spaces.Box(0, 2, (2,), np.uint8)
    both = {"reference": engines(Engines, space)}
    assert asked(pair(engines(Engines, space), **both)).status == "same"
    answer = asked(pair(engines(ClampedEngines, space), **both))
    assert answer.status == "different"
    assert "differ; with {'action': [" in answer.text


@pytest.mark.parametrize(
    ("dtype", "low", "high", "sides"),
    [
        (np.int32, 0, 10, {-1, 1}),
        (np.int64, -1, 1, {-1, 1}),
        (np.uint8, 0, 10, {1}),
        (np.uint8, 245, 255, {-1}),
        (np.uint8, 100, 255, {-1}),
        (np.int8, -128, 60, {1}),
        (np.uint8, 0, 255, set()),
    ],
)
def test_whole_numbers_beyond_a_box_are_outside_and_none_where_no_such_is_held(
    dtype: Any, low: int, high: int, sides: set[int]
) -> None:
    leaf = Leaf("box", (2,), np.dtype(dtype).name, np.full(2, low * 1.0), np.full(2, high * 1.0))
    inside = np.full((64, 2), low, dtype)
    made = _beyond_box(np.random.default_rng(0), leaf, inside)
    if not sides:
        assert made is None
        assert _outside({"action": leaf}, {"action": inside}) == []
        return
    assert made is not None
    assert made.dtype == dtype
    away = np.where(made > high, 1, np.where(made < low, -1, 0))
    assert set(np.unique(away)) == sides
    assert (away == away[:, :1]).all()


def test_a_port_that_a_refusal_leaves_undone_is_reset_before_it_is_asked_on() -> None:
    class Undone(Ship):
        """An action below 0 is refused, and afterwards every step is wrong until it is reset."""

        stays, stuck = True, False

        def reset(self, seed: int) -> Any:
            self.stuck = False
            return super().reset(seed)

        def step(self, action: int) -> Any:
            if action < 0:
                self.stuck = self.stays
                raise ValueError("no action")
            self.speed = self.speed + self.stuck
            return super().step(action)

    class Done(Undone):
        stays = False

    for port, reference in ((Undone, Done), (Done, Undone)):
        one = pair(objects(port), reference=objects(reference))
        base = make.visited(one, 320, 0)
        assert base.played is not None
        going = ~base.played.ended & (base.action["action"] == 0)  # an end would reset it as well
        few = base.rows(np.flatnonzero(going)[:64])
        judge = Judge(one, few)
        judge.no_double = {"the port": "another environment would be stepped in it"}
        answer = ask_beyond(judge, judge.step(few), one.reference.spaces()["action"])
        assert answer.status == "same"
        assert answer.text == (
            "with -1 both sides refuse (ValueError: no action, ValueError: no action); with 2 both "
            "sides do the same in 64 cases"
        )


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (-(2**62), 2**62, True, True),
        (-(2**63), 2**62, True, False),
        (-(2**63), 2**63 - 1, False, False),
    ],
)
def test_whole_numbers_beyond_a_wide_box_of_64_bits(
    low: int, high: int, above: bool, below: bool
) -> None:
    box = gymnasium.spaces.Box(low, high, (2,), np.int64)
    leaf = describe_space(box, "action")["action"]
    values = _beyond_box(np.random.default_rng(0), leaf, np.zeros((200, 2), np.int64))
    if values is None:
        assert not above
        assert not below
        return
    assert not any(box.contains(row) for row in values)
    assert (bool((values > high).any()), bool((values < low).any())) == (above, below)
