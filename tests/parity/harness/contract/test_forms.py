"""How far two forms of one function are apart, where numbers are as large as they can be."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import pytest

from parity import Port
from parity.harness import cases as make
from parity.harness.contract.forms import (
    _distance,
    _drawn_by_the_reference,
    _form,
    _same_seed,
    apart_words,
    form_distance,
)
from parity.harness.fields import exact
from parity.harness.judge import Judge
from parity.harness.sides.side import Steps
from tests.parity.harness.lander import pair, program
from tests.parity.harness.sides import tiny


def test_the_largest_number_hides_no_difference() -> None:
    """Gymnasium's spaces have the largest float32 as an end, and some environments hand it out."""
    largest = np.finfo(np.float32).max
    one = np.array([[largest, 1.0], [2.0, 3.0]], np.float32)
    assert form_distance(one, one) == 0
    other = one.copy()
    other[1, 0] = 4.0
    assert form_distance(one, other) > 1e6
    other[1, 0] = np.nan
    assert form_distance(one, other) == math.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_one_number_of_one_case_is_far_from_the_other(shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = (rng.uniform(1, 2, (6, *shape)) * 10).astype(dtype)
        other = one.copy()
        flat = other.reshape(-1)
        place = int(rng.integers(flat.size))
        flat[place] = not flat[place] if dtype is bool else flat[place] + 1
        for a, b in ((one, other), (other, one)):
            far = form_distance(a, b)
            if np.dtype(dtype).kind != "f":
                assert far == math.inf
                continue
            row = int(np.unravel_index(place, one.shape)[0])
            unit = np.spacing(dtype(np.abs(a[row]).max()))
            assert far == pytest.approx(1 / float(unit), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_whole_numbers_beyond_what_a_double_holds_are_apart(dtype: Any) -> None:
    one = np.array([[3, 2**53], [2**63 - 1, 2**60]], dtype)
    other = one.copy()
    assert form_distance(one, other) == 0
    for place in ((0, 1), (1, 0), (1, 1)):
        other = one.copy()
        other[place] -= 1
        assert form_distance(one, other) == math.inf
        assert exact().apart(one, other).tolist() == [
            [float((i, j) == place) for j in (0, 1)] for i in (0, 1)
        ]


class Moody(tiny.Tiny):
    """What it does hangs on how often it was reset or stepped, in the fields that are named."""

    calls = 0
    late = ""

    def reset(self, seed: int) -> Any:
        obs = super().reset(seed)
        type(self).calls += 1
        if self.late == "reset":
            self.levels[1] += 1e-9 * self.calls
        return self.seen() if self.late != "" else obs

    def step(self, action: int) -> Any:
        obs, reward, *others = super().step(action)
        type(self).calls += 1
        if self.late == "step" and self.count == 3:
            reward += 1e-9 * self.calls
        return obs, reward, *others


@pytest.mark.parametrize("which", ["reference", "port"])
@pytest.mark.parametrize("late", ["", "reset", "step"])
def test_a_side_that_does_not_repeat_itself_is_named(late: str, which: str) -> None:
    class Other(Moody):
        pass

    Other.late = late
    one = tiny.pair(**{which: tiny.side(make=Other)})
    base = make.visited(one, 64, 0)
    answer = _same_seed(Judge(one, base), base.rows(np.flatnonzero(base.state["count"] == 2)))
    assert answer.status == ("different" if late else "same"), answer.text
    if late:
        assert answer.text.startswith(f"the {which}'s {late} gives another ")


def test_the_field_that_is_farthest_is_named_wherever_it_stands() -> None:
    def steps(**off: float) -> Steps:
        state = {name: np.full(4, 1.0) + off.get(name, 0.0) * np.arange(4) for name in "abc"}
        flags = np.zeros(4, bool)
        return Steps(state, {}, {"terminated": flags, "truncated": flags}, ~flags)

    assert _distance(steps(), steps(), frozenset()) == (0.0, "")
    for name in "abc":
        far, worst = _distance(
            steps(), steps(**{**dict.fromkeys("abc", 1e-9), name: 1e-6}), frozenset()
        )
        assert worst == name
        assert far == pytest.approx(3e-6 * 2**52, rel=1e-6)
        assert _distance(steps(), steps(**{name: 1e-6}), frozenset(name)) == (0.0, "")


def test_a_form_that_is_another_in_a_whole_number_or_no_number_is_told_so() -> None:
    whole, none = np.array([1, 2]), np.array([1.0, np.nan])
    assert apart_words(form_distance(whole, whole + 1)) == apart_words(form_distance(none, np.ones(2)))
    words = "in a whole number, a flag, or in whether it is a number"
    assert apart_words(form_distance(whole, whole + 1)) == words
    far = form_distance(np.array([1.0, 1.0]), np.array([1.0, 1.0 + 2.0**-40]))
    assert apart_words(far) == "by 4096 ulps"


def test_a_port_that_is_another_one_by_one_is_told_with_how_much() -> None:
    """A step that counts its environments, of which there is one where it is alone."""

    def told(change: Any) -> tuple[str, str]:
        def made() -> Any:
            plain = program()

            def step(key: Any, state: Any, action: Any) -> Any:
                out = plain.step(key, state, action)
                many = jax.config.jax_disable_jit  # as one that looks at how it is run
                return (out[0], change(out[1]) if many else out[1], *out[2:])

            return plain._replace(step=step)

        one = pair(Port.functional(made))
        base = make.visited(one, 32, 0)
        answer = _form(Judge(one, base), base, "eager", "eager against jitted")
        return answer.status, answer.text

    more = told(lambda state: state._replace(steps=state.steps + 1))
    assert more == (
        "different",
        "steps differs in a whole number, a flag, or in whether it is a number in 8 cases",
    )
    status, text = told(lambda state: state._replace(speed=state.speed + 1))
    assert status == "different"
    assert text.startswith("speed differs by ")
    assert text.endswith(" ulps in 8 cases")
    assert told(lambda state: state)[0] == "same"


def test_a_field_without_a_number_is_not_drawn_and_one_drawn_with_the_seed_is() -> None:
    def step(one: Any, action: Any) -> Any:
        _, _, *others = one.step(action)
        one.levels = np.array([np.nan, one.levels[1]])
        return one.seen(), float(getattr(one, "drawn", 0)), *others

    def reseed(one: Any, seed: int) -> None:
        one.drawn = seed

    one = tiny.pair(reference=tiny.side(step, reseed=reseed))
    base = make.visited(one, 32, 0)
    judge = Judge(one, base, frozenset({"levels", "reward"}))
    assert _drawn_by_the_reference(judge, base) == {"reward"}
