"""Whether a side computes in double precision is found by what it does; and what native one fails."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from foundation.errors import InputError
from parity import Port, Program, exact, real
from parity.command.one_case import show_case
from parity.harness import cases as make
from parity.harness.cases import Cases
from parity.harness.compare import LOGIC, ROUNDING, no_rounding, reached
from parity.harness.fields import close
from parity.harness.judge import Evidence, Judge, _within
from parity.harness.modes.played_port import play_port
from parity.harness.precision import PROBED, _was_single, has_fractions, why_not_double
from parity.harness.sides.mutable import MutableSide
from parity.harness.verdicts import field_verdicts
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_judge import found

IN_SINGLE = "put in a state in double precision, it still computes in single"
SHOWN_IN_SINGLE = "it shows its state in single precision, and cannot be put in one"


class Narrow(tiny.Tiny):
    """It holds its levels in the precision in which they are put, or always in single."""

    always = False
    none, factor = -1, 1.1

    def reset(self, seed: int) -> Any:
        super().reset(seed)
        self.levels = self.levels.astype(np.float32)
        if self.none == seed % 2:
            self.levels[0] = np.nan
        return self.seen()

    def step(self, action: int) -> Any:
        if self.always:
            self.levels = self.levels.astype(np.float32)
        self.levels = self.levels * self.levels.dtype.type(self.factor)
        self.count += 1
        return self.seen(), float(self.levels[1]), self.count >= tiny.LIMIT, False, {}


def side(always: bool, none: int, factor: float = 1.1, **changes: Any) -> MutableSide:
    class Own(Narrow):
        pass

    Own.always, Own.none, Own.factor = always, none, factor
    return tiny.side(make=Own, **changes)


@pytest.mark.parametrize("none", [-1, 0, 1])
@pytest.mark.parametrize("always", [True, False])
@pytest.mark.parametrize("factor", [1.1, 1.25])
def test_an_object_that_computes_in_single_is_found_whatever_is_no_number(
    factor: float, always: bool, none: int
) -> None:
    """A factor without rounding of its own gives the same numbers, with more digits in double."""
    one = side(always, none, factor)
    cases = make.visited(tiny.pair(reference=one), 2 * PROBED, 0)
    assert np.isnan(cases.state["levels"]).any() == (none >= 0)
    assert why_not_double(one, cases) == (IN_SINGLE if always else "")


@pytest.mark.parametrize("none", [-1, 0])
@pytest.mark.parametrize("single", [True, False])
def test_a_side_that_is_only_played_is_found_by_what_it_shows(single: bool, none: int) -> None:
    """Its levels are shown in double precision, of numbers that are or are not of single."""

    def read(one: Any) -> Any:
        levels = one.levels.astype(np.float64) * (1.0 if single else 1 + 2.0**-40)
        return {"levels": levels, "count": one.count, "open": one.open}

    port = side(True, none, read=read, write=None)
    cases = play_port(tiny.pair(port), 64, 0).cases
    assert np.isnan(cases.state["levels"]).any() == (none >= 0)
    assert why_not_double(port, cases) == (SHOWN_IN_SINGLE if single else "")


@pytest.mark.parametrize("step", [1.0, 2.0**-20])
def test_whole_numbers_say_nothing_of_the_precision_of_a_side_that_is_only_played(step: float) -> None:
    def read(one: Any) -> Any:
        return {"levels": np.array([step * one.count, np.inf]), "count": one.count, "open": one.open}

    port = tiny.side(read=read, write=None)
    cases = play_port(tiny.pair(port), 64, 0).cases
    assert why_not_double(port, cases) == ("" if step == 1 else SHOWN_IN_SINGLE)


def test_a_side_that_is_only_played_is_looked_at_in_every_field_and_case() -> None:
    """The first field holds whole numbers, and only the last case a fraction."""

    def why(last: float, first: float = 2.0) -> str:
        def read(one: Any) -> Any:
            return {"height": float(one.count), "levels": np.array(one.levels), "open": one.open}

        port = tiny.side(read=read, write=None)
        cases = play_port(tiny.pair(port, reference=tiny.side(read=read)), 96, 0).cases
        cases.state["levels"] = np.full((len(cases), 2), 3.0)
        cases.state["levels"][-1, 1] = last
        cases.state["height"][0] = first
        return why_not_double(port, cases)

    assert why(3.0) == why(3.1) == why(3.0, 2.1) == ""
    assert why(3.25) == why(float(np.float32(3.1))) == why(3.0, 2.5) == SHOWN_IN_SINGLE
    assert why(3.25, 2.1) == SHOWN_IN_SINGLE  # a field in single, beside one in double precision


@pytest.mark.parametrize("count", [1, 2, 9])
def test_few_cases_and_those_that_show_nothing_tell_of_the_others(count: int) -> None:
    """Nothing is as much in either precision, which says that a side computes in single."""
    one = side(False, -1)
    cases = make.visited(tiny.pair(reference=one), 16, 0).rows(np.arange(count))
    assert why_not_double(one, cases) == ""
    cases.state["levels"][: count - 1] = 0.0
    assert why_not_double(one, cases) == ""
    cases.state["levels"][:] = 0.0
    assert why_not_double(one, cases) == IN_SINGLE


def told_once(raised: Exception) -> Any:
    def step(x: Any) -> Any:
        if x.dtype == jnp.float64:
            raise raised
        return x

    return step


SINGLE = np.float32(0.1)
STEPS: dict[str, tuple[Any, int]] = {
    "plain numbers": (lambda x: 0.1 * x + 1 / 3, 0),
    "a constant in single": (lambda x: x + SINGLE, 1),
    "two constants in single": (lambda x: x * np.float32(2.4) + SINGLE, 2),
    "one constant twice": (lambda x: (x + SINGLE) * SINGLE, 1),
    "an array in single": (lambda x: x + jnp.asarray([0.1], jnp.float32)[0], 1),
    "a cast there and back": (lambda x: x.astype(jnp.float32).astype(x.dtype), 1),
    "a cast to half and back": (lambda x: x.astype(jnp.float16).astype(x.dtype), 1),
    "a cast to whole numbers": (lambda x: x.astype(jnp.float32).astype(jnp.int32) + x, 0),
    "a cast alone": (lambda x: x.astype(jnp.float32), 0),
    "whole numbers to double": (lambda x: x + jnp.asarray(3, jnp.int32).astype(x.dtype), 0),
    "constants that are exact": (lambda x: x * np.float32(0.5) + np.float32(3), 0),
    "within a loop": (lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y + SINGLE, x), 1),
}


def functional(step: Any, dtype: Any = float, **changes: Any) -> tuple[Any, Cases]:
    """Return a side whose state is a number that becomes ``step`` of it, and a case of it."""

    def program() -> Program:
        def stepped(key: Any, state: Any, action: Any) -> Any:
            new = {"x": step(state["x"]), "n": state["n"] + action}
            return new["x"], new, 1.0, new["n"] > 3, False, {}

        def reset(key: Any) -> Any:
            x = jax.random.uniform(key, dtype=dtype)
            return x, {"x": x, "n": jnp.asarray(0, jnp.int32)}

        return Program(reset, stepped)

    state = {"x": np.array([0.3, 0.7]), "n": np.array([1, 2])}
    cases = Cases(state, {"action": np.array([0, 1])}, np.full(2, "drawn"))
    return Port.functional(program, **changes), cases


@pytest.mark.parametrize("name", STEPS)
def test_pure_functions_are_read_for_what_they_widen(name: str) -> None:
    step, times = STEPS[name]
    words = (
        f"it widens numbers of single precision ({times} times), constants of the module or casts; "
        "make them where the environment is made, in the dtype of the state"
    )
    assert why_not_double(*functional(step)) == (words if times else "")


@pytest.mark.parametrize(
    ("step", "times"),
    [
        (lambda x: 0.1 * x + 1.0, 2),
        (lambda x: jnp.where(x > 0.5, -x, jnp.zeros_like(x)), 0),
        (lambda x: jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y), x), 1),
        (lambda x: jax.jit(lambda y: y + y)(x), 1),
    ],
)
def test_a_state_that_is_in_single_precision_by_name_has_none_in_double(step: Any, times: int) -> None:
    words = (
        f"it computes in single precision ({times} times) whatever it is given: a state or a cast is "
        "of float32 by name; leave that dtype to JAX (jax_enable_x64)"
    )
    assert why_not_double(*functional(step, jnp.float32)) == (words if times else "")
    cast = functional(lambda x: step(x.astype(jnp.float32)))  # and it stays there
    assert why_not_double(*cast) == (words if times else "")
    assert why_not_double(*functional(step)) == ""


def test_what_functions_raise_in_double_precision_is_told_by_its_first_line() -> None:
    words = why_not_double(*functional(told_once(ValueError("  one line\nand another  "))))
    assert words == "it cannot be run in double precision (ValueError: one line)"
    words = why_not_double(*functional(told_once(TypeError("x" * 200))))
    assert words == f"it cannot be run in double precision (TypeError: {'x' * 160})"
    with pytest.raises(InputError, match="of its own"):
        why_not_double(*functional(told_once(InputError("a sentence of its own"))))


def test_a_constant_was_of_single_precision_where_it_has_digits_beyond_it() -> None:
    single = [0.1, 1 / 3, 2.4, -0.7, 1e-30, 3.0000002]
    assert [_was_single(float(np.float32(value))) for value in single] == [True] * 6
    assert [_was_single(value) for value in single] == [False] * 6
    exact = [0.0, 0.5, -3.0, 0.75, 2.0**-40, 1234.5, 12345.5, 2.0**24, 1e300, np.inf, -np.inf, np.nan]
    assert [value for value in exact if _was_single(value)] == []


HALF = 3
"""The count from which on the fault shows."""


def _own(step: Any) -> Any:
    made = side(False, -1)
    made.step_one = step
    return made


def judged(port: Any, **changes: Any) -> tuple[Judge, Evidence]:
    one = tiny.pair(port, reference=side(False, -1), **changes)
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
    one = tiny.pair(_own(_faulty(overflowing)), reference=side(False, -1))
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


def test_fields_have_fractions_where_any_of_a_row_has() -> None:
    whole, flags, share = np.arange(3), np.ones(3, bool), np.zeros((3, 2), np.float16)
    assert has_fractions({"a": whole, "b": flags, "c": share})
    assert not has_fractions({"a": whole, "b": flags})
    assert not has_fractions({"c": share[:0], "a": whole[:0]})
