"""What differs in native precision alone, and agrees in double, is no rounding by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import exact, real
from parity.command.one_case import show_case
from parity.harness import cases as make
from parity.harness.compare import LOGIC, ROUNDING, no_rounding, reached
from parity.harness.fields import close
from parity.harness.judge import Evidence, Judge, _within
from parity.harness.verdicts import field_verdicts
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_judge import found
from tests.parity.harness.test_precision import side as narrow_side

HALF = 3
"""The count from which on the fault shows."""


def _own(step: Any) -> Any:
    made = narrow_side(False, -1)
    made.step_one = step
    return made


def judged(port: Any, **changes: Any) -> tuple[Judge, Evidence]:
    one = tiny.pair(port, reference=narrow_side(False, -1), **changes)
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    assert not judge.no_double
    return judge, judge.step(base)


def overflowing(one: Any, obs: Any, reward: float, others: Any) -> Any:
    """Count as 32 bits do that have overflowed."""
    if one.count >= HALF:
        obs = {**obs, "count": obs["count"] - 2**32}
    return obs, reward, *others


def no_number(one: Any, obs: Any, reward: float, others: Any) -> Any:
    return obs, np.nan if one.count >= HALF else reward, *others


def flagging(one: Any, obs: Any, reward: float, others: Any) -> Any:
    return obs, reward, others[0] ^ (one.count == HALF), *others[1:]


@pytest.mark.parametrize(
    ("fault", "name"),
    [(overflowing, "obs.count"), (no_number, "reward"), (flagging, "terminated")],
)
def test_what_fails_in_native_precision_alone_is_logic_and_shown_as_it_is_there(
    fault: Any, name: str
) -> None:
    judge, evidence = judged(_own(_faulty(fault)))
    counts = evidence.native.reference.state["count"]
    wrong = counts == HALF if fault is flagging else counts >= HALF
    assert 0 < wrong.sum() < 64
    assert (evidence.labels[name].labels == LOGIC).tolist() == wrong.tolist()
    assert found(evidence) == {name: int(wrong.sum())}
    verdicts, smallest, _ = field_verdicts(judge, [evidence], "", None)
    (one,) = (verdict for verdict in verdicts if not verdict.passed)
    assert one.natively == one.logic == wrong.sum()
    assert "(all of them in native precision alone, and not in double)" in one.sentence()
    (case,) = smallest
    assert repr(case.reference[name]) != repr(case.port[name])
    lines, bad = show_case(judge.pair, case.state, case.action)
    assert bad
    assert "(native precision)" in lines[0]


def _faulty(fault: Any) -> Any:
    def step(one: Any, action: Any) -> Any:
        single = one.levels.dtype == np.float32
        obs, reward, *others = one.step(action)
        return fault(one, obs, reward, others) if single else (obs, reward, *others)

    return step


def test_a_flag_that_a_nudge_of_the_inputs_turns_on_either_side_is_rounding() -> None:
    """The port compares a number that it rounded a unit lower, with a threshold that it lies at."""

    def over(off: float) -> Any:
        def step(one: Any, action: Any) -> Any:
            obs, reward, *_ = one.step(action)
            single = one.levels.dtype == np.float32
            value = np.nextafter(one.levels[1], np.float32(off)) if single else one.levels[1]
            return obs, reward, bool(value > at), False, {}

        return _own(step)

    at = np.float32(1.5) * np.float32(1.1)
    one = tiny.pair(over(-1.0), reference=over(9.0), state={"levels": real(0, 9)})
    base = make.visited(one, 16, 0)
    judge = Judge(one, base)
    base.state["levels"][:, 1] = np.float32(1.5)
    evidence = judge.step(base)
    assert (evidence.native.reference.ended != evidence.native.port.ended).all()
    assert (evidence.labels["terminated"].labels == ROUNDING).all()
    assert not evidence.natively["terminated"].any()


def test_about_a_boundary_double_precision_alone_judges() -> None:
    one = tiny.pair(_own(_faulty(overflowing)), reference=narrow_side(False, -1))
    base = make.visited(one, 64, 0)
    base.source = np.full(len(base), "boundary")
    assert found(Judge(one, base).step(base)) == {}


def test_a_number_with_a_fraction_that_is_declared_equal_is_held_to_it_in_native_precision() -> None:
    def step(one: Any, obs: Any, reward: float, others: Any) -> Any:
        return obs, float(np.nextafter(np.float32(reward), np.float32(9))), *others

    for rule, wrong in ((exact(), 64), (close(), 0)):
        _, evidence = judged(_own(_faulty(step)), rules={"reward": rule})
        assert found(evidence) == ({"reward": wrong} if wrong else {})
        assert (evidence.labels["reward"].ulps > 0).all()


def test_no_number_is_reached_only_by_a_nudge_that_gives_its_like() -> None:
    nan, inf = np.nan, np.inf
    a = np.array([1.0, nan, 1e39, 1.0, nan])
    b = np.array([inf, 1.0, inf, 2.0, nan], np.float32)
    assert no_rounding(a, b).tolist() == [True, True, False, False, False]
    other = np.array([5.0, nan, 1.0, 1.0, 1.0], np.float32)
    assert reached(close(), a, b, [(None, other)])[:2].tolist() == [True, True]
    assert reached(close(), a, b, [(None, b), (a, None)])[:2].tolist() == [False, False]
    whole, off = np.array([2**31, 7, 7]), np.array([-(2**31), 6, 6])
    assert no_rounding(whole, off).all()
    nudged = [(whole, off + np.array([0, 0, 1]))]
    assert reached(exact(), whole, off, nudged).tolist() == [False, False, True]


@pytest.mark.parametrize("legal", [False, True])
def test_actions_are_nudged_too_but_not_beyond_their_space_nor_where_legality_is_declared(
    legal: bool,
) -> None:
    """A flag that says on which side of a tenth an action lies; half of a unit decides it."""

    class Pedal:
        shape, dtype, low, high = (), np.dtype(np.float32), np.float32(-0.5), np.float32(0.5)

    given: list[float] = []

    def over(threshold: float) -> Any:
        def step(one: Any, action: Any) -> Any:
            obs, reward, *_ = one.step(0)
            given.append(float(action))
            single = one.levels.dtype == np.float32
            return obs, reward, float(action) > (threshold if single else 0.1), False, {}

        made = _own(step)
        made.action_space = lambda one: Pedal()
        return made

    tenth = np.float32(0.1)
    every = {"legal": lambda state, action: np.ones(len(state["count"]), bool)} if legal else {}
    one = tiny.pair(over(float(tenth)), reference=over(0.1), **every)
    base = make.visited(one, 16, 0)
    judge = Judge(one, base)
    base.action["action"] = np.array([0.5, -2.0, *[tenth] * 14], np.float32)
    given.clear()
    evidence = judge.step(base)
    assert evidence.native.port.ended.tolist() == [True] + [False] * 15
    assert evidence.native.reference.ended.tolist() == [True, False] + [True] * 14
    assert (evidence.labels["terminated"].labels == LOGIC).any() == legal
    assert (len(set(given)) > 3) == (not legal)
    space = judge.pair.reference.spaces()["action"]
    assert space is not None
    old = np.array([0.5, -2.0, 0.1], np.float32)
    moved = _within(space, "action", np.array([0.6, -2.1, 0.2], np.float32), old)
    assert moved.tolist() == np.array([0.5, -2.0, 0.2], np.float32).tolist()
