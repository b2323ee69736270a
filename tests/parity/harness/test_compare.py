"""Labels of fields: every place of every case counts, at every size, and what is not finite as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.compare import (
    EQUAL,
    LOGIC,
    OF_FIELD,
    RELATIVE,
    ROUNDING,
    _class_of,
    default_rule,
    differ_in_double,
    differ_in_single,
    discrete,
    farthest,
    label,
    narrower,
    spacing,
)
from parity.harness.fields import angle, close, exact
from parity.harness.judge import Judge
from parity.harness.precision import why_not_double
from tests.parity.harness.sides import tiny


def test_the_largest_number_has_the_spacing_of_those_below_it() -> None:
    largest = np.array([np.finfo(np.float32).max, np.inf, np.nan])
    assert spacing(largest, np.dtype(np.float32)).tolist() == [2.0**104, 0, 0]


def test_a_nudged_value_that_is_no_number_explains_no_other_difference() -> None:
    nan = np.nan
    reference = np.array([1e9, nan, nan, 5.0, 5.0], np.float32)
    port = np.array([5.0, 5.0, nan, 5.0, np.nextafter(np.float32(5), np.float32(6))], np.float32)
    nudged = [np.array([nan, nan, nan, nan, 5.0], np.float32)]
    found = label(close(), (reference, port), None, np.ones(5, bool), nudged)
    assert found.labels.tolist() == [LOGIC, ROUNDING, EQUAL, EQUAL, ROUNDING]


def test_a_large_number_allows_nothing_of_the_places_beside_it() -> None:
    """Such as a volume of a billion beside a price, in one observation."""
    reference = np.array([[1e9, 1.0], [2e9, 2.0]])
    port = reference + np.array([[1e-5, 0.0], [0.0, 1e-4]])
    differs, _ = differ_in_double(close(), reference, port)
    assert differs.tolist() == [[False, False], [False, True]]


F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
ONES = np.ones(4, bool)


@pytest.mark.parametrize(
    ("mine", "theirs", "kind", "narrow"),
    [
        (np.float64, np.float32, "close", np.float32),
        (np.float32, np.float64, "close", np.float32),
        (np.float64, np.float64, "close", np.float64),
        (np.int32, np.float32, "close", np.float32),
        (np.float32, np.int32, "close", np.float32),
        (np.int64, np.int32, "exact", np.float64),
        (bool, bool, "exact", np.float64),
    ],
)
def test_the_rule_and_the_precision_of_two_dtypes(
    mine: Any, theirs: Any, kind: str, narrow: Any
) -> None:
    a, b = np.zeros(2, mine), np.zeros(2, theirs)
    assert default_rule(a, b).kind == kind
    assert narrower(a, b) == np.dtype(narrow)
    assert discrete(a, b) is (kind == "exact")


ODD = (0.0, -0.0, 1.0, -1.0, 3.0, 2.0**20, np.nan, np.inf, -np.inf)


@pytest.mark.parametrize("dtypes", [(F64, F64), (F64, F32), (F32, F64)], ids=str)
def test_exactly_is_value_for_value_in_both_precisions(dtypes: Any) -> None:
    x, y = (np.array(side) for side in zip(*[(x, y) for x in ODD for y in ODD], strict=True))
    a, b = x.astype(dtypes[0]), y.astype(dtypes[1])
    expected = [not (p == q or (p != p and q != q)) for p, q in zip(a, b, strict=True)]
    for rule in (exact(), close()):
        assert differ_in_single(rule, a, b)[0].tolist() == expected
        assert differ_in_double(rule, a, b)[0].tolist() == expected
    whole = np.arange(4)
    assert differ_in_double(close(), whole, np.array([0, 1, 3, 3]))[0].tolist() == [0, 0, 1, 0]


def steps_from(values: Any, count: int) -> Any:
    """Return the numbers so many units in the last place above."""
    for _ in range(count):
        values = np.nextafter(values, values.dtype.type(np.inf))
    return values


@pytest.mark.parametrize("size", [1e-30, 3e-3, 1.5, 7e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_units_in_the_last_place_and_their_bound_are_counted_at_every_size(
    size: float, dtype: Any
) -> None:
    a = np.full(6, size, dtype)
    b = np.stack([steps_from(a[0], count) for count in range(6)])
    differs, apart, ulps, beyond = differ_in_single(close(ulps=3), a, b)
    assert ulps.tolist() == [0, 1, 2, 3, 4, 5]
    assert beyond.tolist() == [False] * 4 + [True] * 2
    assert differs.tolist() == [False] + [True] * 5
    assert np.array_equal(apart, b.astype(float) - a.astype(float))
    floor = float(apart[4])  # an absolute difference: what lies below it is allowed at every size
    assert differ_in_single(close(ulps=0, floor=floor), a, b)[3].tolist() == [False] * 5 + [True]
    assert not differ_in_single(close(), a, b)[3].any()
    for one, two in ((a, b), (b, a), (-a, -b)):
        assert np.array_equal(differ_in_single(close(ulps=3), one, two)[3], beyond)


@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0, 1e6])
def test_double_precision_may_leave_a_share_of_the_number_and_no_more(size: float) -> None:
    for share, expected in ((0.9, False), (1.1, True)):
        for sign in (1, -1):
            a = np.array([[size], [size]])
            limit = RELATIVE * size + OF_FIELD * size
            b = a + sign * np.array([[0.0], [share * limit]])
            assert differ_in_double(close(), a, b)[0].tolist() == [[False], [expected]]
            largest = np.array([1e9 * size])  # where larger numbers cancel, a sum is no more exact
            beyond = share * (RELATIVE * size + OF_FIELD * 1e9 * size)
            b = a + sign * np.array([[0.0], [beyond]])
            assert differ_in_double(close(), a, b, largest)[0].tolist() == [[False], [expected]]


@pytest.mark.parametrize("narrow", ["reference", "port", "both"])
def test_a_number_stored_in_single_precision_may_be_off_by_half_a_unit_a_side(narrow: str) -> None:
    a = np.array([1.0, 1.0, 1e3, 1e3])
    unit = spacing(a, F32)
    b = a + unit * [0.49, 0.0, -0.49, 0.0]
    wide = a + unit * [1.1, 0.0, -1.1, 0.0]
    if narrow == "port":
        for far, expected in ((0.49, False), (0.51, True)):
            double = a + far * unit
            assert differ_in_double(close(), double, a.astype(F32))[0].tolist() == [expected] * 4
    elif narrow == "reference":
        assert not differ_in_double(close(), a.astype(F32), b)[0].any()
        assert differ_in_double(close(), a.astype(F32), wide)[0].tolist() == [1, 0, 1, 0]
    else:
        single, beside = a.astype(F32), (a + unit).astype(F32)
        assert not differ_in_double(close(), single, beside)[0].any()
        assert differ_in_double(close(), single, (a + 2 * unit).astype(F32))[0].all()


def test_units_in_the_last_place_are_those_of_the_larger_number() -> None:
    """Below a power of two they are half as large, and what is no number has none."""
    a = np.array([2.0, 2.0, -8.0, np.nan, 5.0, np.nan], np.float32)
    b = np.array([2 - 2.0**-23, 2 + 2.0**-22, -8 + 2.0**-19, 5.0, np.inf, np.nan], np.float32)
    for one, two in ((a, b), (b, a)):
        differs, apart, ulps, beyond = differ_in_single(close(ulps=1), one, two)
        assert differs.tolist() == [True] * 5 + [False]
        assert apart.tolist() == [2.0**-23, 2.0**-22, 2.0**-19, np.inf, np.inf, 0.0]
        assert ulps.tolist() == [0.5, 1.0, 2.0, np.inf, np.inf, 0.0]
        assert beyond.tolist() == [False, False, True, True, True, False]
        half = np.array([1.0], np.float32), np.array([1 - 2.0**-23], np.float32)
        assert not differ_in_double(close(), *half)[0].any()  # half a unit of 1 on either side
        assert not differ_in_double(close(), *half[::-1])[0].any()


def test_every_part_of_a_label_is_of_its_case() -> None:
    a = np.array([[1.0, 8.0], [1.0, 8.0], [1.0, 8.0], [1.0, 8.0]])
    unit = 2.0**-52
    b = a + np.array([[0, 0], [3, 8], [0, 24], [5, 16]]) * unit
    wide = a + np.array([[0, 0], [0, 0], [1e-3, 1e-2], [0, 0.25]])
    found = label(close(ulps=2), (a, b), (a, wide), np.array([True, True, True, False]))
    assert found.labels.tolist() == [EQUAL, ROUNDING, LOGIC, EQUAL]
    assert found.apart.tolist() == [0.0, 8 * unit, 24 * unit, 0.0]
    assert found.ulps.tolist() == [0.0, 3.0, 3.0, 0.0]
    assert found.beyond.tolist() == [False, True, True, False]
    assert found.compared.tolist() == [True, True, True, False]


def test_the_case_that_is_shown_is_one_that_differs() -> None:
    """A larger distance that is allowed, as of larger numbers, is not what a reader looks for."""
    by = np.array([[9.0, 0.0], [0.0, 0.5], [0.25, 0.0], [0.75, 8.0]])
    differs = np.array([[False, False], [False, True], [True, False], [True, False]])
    assert farthest(differs, by) == 3
    assert farthest(differs[:3], by[:3]) == 1
    assert farthest(np.array([False, True]), np.array([5.0, 0.0])) == 1


SHAPES = [(), (1,), (3,), (12,), (2, 5), (300,)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_place_that_is_wrong_makes_its_case_wrong_and_no_other(shape: tuple[int, ...]) -> None:
    """Whatever the place, in whatever kind of number, in one precision or in two."""
    rng = np.random.default_rng(0)
    for turn in range(60):
        dtype = (np.float32, np.float64, np.int32, bool)[turn % 4]
        a = (rng.uniform(1, 2, (5, *shape)) * 10).astype(dtype)
        case, place = int(rng.integers(5)), int(rng.integers(max(1, math.prod(shape))))
        b = a.copy()
        flat = b.reshape(5, -1)
        flat[case, place] = not flat[case, place] if dtype is bool else flat[case, place] + 1
        wrong = [one == case for one in range(5)]
        every = np.ones(5, bool)
        rule = default_rule(a, b)
        for found in (
            label(rule, (a, b), (a, b), every),
            label(rule, (a, b), None, every),
            label(rule, (a, b), None, every, [a, a]) if dtype is bool else None,
            label(rule, (a, a), (a, b), every),  # the double run alone shows it
        ):
            if found is not None and not (dtype is bool and found.labels.tolist().count(ROUNDING)):
                assert (found.labels == LOGIC).tolist() == wrong
                assert (found.labels == EQUAL).tolist() == [not one for one in wrong]
        found = label(rule, (a, b), (a, a), every)
        assert (found.labels == ROUNDING).tolist() == wrong
        assert (found.apart > 0).tolist() == wrong
        assert (found.ulps > 0).tolist() == [one and not discrete(a, b) for one in wrong]
        bound = label(close(ulps=2), (a, b), (a, a), every)
        assert bound.beyond.tolist() == [one and not discrete(a, b) for one in wrong]
        found = label(rule, (a, b), (a, b), ~np.array(wrong))
        assert not found.labels.any()
        assert not found.apart.any()
        assert not found.ulps.any()
        assert not found.beyond.any()


def test_what_tiny_changes_of_the_inputs_make_is_rounding_in_its_place_alone() -> None:
    """The first case's port is sensitive, and the second's is not; no case excuses another one."""
    port = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], np.float32)
    moved = port + np.array([[0.1, 0.0], [0.0, 0.0], [0.0, 0.1]], np.float32)
    nudged = [port, moved, port]
    off = np.float32(0.3)
    for sign in (1, -1):
        reference = port + sign * np.array([[off, 0], [off, 0], [0, off]], np.float32)
        found = label(close(), (reference, port), None, np.ones(3, bool), nudged)
        assert found.labels.tolist() == [ROUNDING, LOGIC, ROUNDING]
        reference = port + sign * np.array([[off, off], [0, 0], [off, off]], np.float32)
        found = label(close(), (reference, port), None, np.ones(3, bool), nudged)
        assert found.labels.tolist() == [LOGIC, EQUAL, LOGIC]
    beyond = port + np.array([[0.5, 0], [0, 0], [0, 0]], np.float32)
    found = label(close(), (beyond, port), None, np.ones(3, bool), nudged)
    assert found.labels.tolist() == [LOGIC, EQUAL, EQUAL]


def test_a_whole_number_is_rounding_only_where_a_nudge_gives_the_references() -> None:
    reference, port = np.array([1, 1, 1, 2]), np.array([1, 2, 2, 2])
    nudged = [np.array([2, 1, 2, 1]), np.array([1, 2, 3, 2])]
    found = label(exact(), (reference, port), None, ONES, nudged)
    assert found.labels.tolist() == [EQUAL, ROUNDING, LOGIC, EQUAL]
    endless = [np.full(4, np.inf, np.float32)]  # explains nothing but an endless number
    a, b = np.array([1, 2, np.inf, 4], np.float32), np.array([1, 5, 3, 4], np.float32)
    for nudges in (endless, [*endless, b], [b, *endless]):
        found = label(close(), (a, b), None, ONES, nudges)
        assert found.labels.tolist() == [EQUAL, LOGIC, ROUNDING, EQUAL]


def test_without_nudges_that_move_it_sixteen_units_are_rounding_and_no_more() -> None:
    """Four times what the inputs make, where each is stored with a few units of its own."""
    port = np.full(4, 1.25, np.float32)
    reference = (port + np.array([0, 16, 17, -17]) * 2.0**-23).astype(np.float32)
    found = label(close(), (reference, port), None, ONES, [port, port])
    assert found.labels.tolist() == [EQUAL, ROUNDING, LOGIC, LOGIC]
    found = label(close(), (reference, port), None, ONES, [])
    assert found.labels.tolist() == [EQUAL, LOGIC, LOGIC, LOGIC]


def test_a_nudge_that_moves_an_angle_by_a_turn_explains_nothing() -> None:
    port = np.array([180.0, 180.0], np.float32)
    nudged = [np.array([-180.0, -179.9], np.float32)]
    reference = np.array([150.0, 180.3], np.float32)
    found = label(angle(360), (reference, port), None, np.ones(2, bool), nudged)
    assert found.labels.tolist() == [LOGIC, ROUNDING]


def test_numbers_with_a_fraction_that_must_be_equal_are_held_to_what_a_nudge_gives() -> None:
    port, nudged = np.array([1.0, 1.0, 1.0]), [np.array([9.0, 1.0, 1.5])]
    found = label(exact(), (np.array([1.5, 1.0, 1.5]), port), None, np.ones(3, bool), nudged)
    assert found.labels.tolist() == [LOGIC, EQUAL, ROUNDING]


@pytest.mark.parametrize("wrong", [0.0, 1e-9, 1.0])
def test_a_whole_number_is_compared_with_a_number_that_has_fractions(wrong: float) -> None:
    """Where one side's reward is a count and the other's the same count as a float."""

    def giving(reward: Callable[[Any], Any]) -> Any:
        made: Any = tiny.side()
        given = made.transition

        def transition(*asked: Any, **more: Any) -> Any:
            steps = given(*asked, **more)
            steps.outcome["reward"] = reward(steps.state["count"])
            return steps

        made.transition = transition
        return made

    whole, fractions = giving(lambda count: count * 3), giving(lambda count: count * 3.0 + wrong)
    for reference, port in ((whole, fractions), (fractions, whole)):
        one = tiny.pair(port, reference=reference)
        base = make.visited(one, 64, 0)
        evidence = Judge(one, base).step(base)
        assert evidence.labels["reward"].compared.all()
        counts = {name: int(evidence.wrong(name).sum()) for name in evidence.labels}
        assert {name: count for name, count in counts.items() if count} == (
            {"reward": 64} if wrong else {}
        )


def single_with_a_gap(gap: float, wide: bool = False, **changes: Any) -> Any:
    """Return a side that holds its levels in single precision, of which one may be no number; where it
    is ``wide``, it keeps those that it is put in in their own dtype, and still computes in single."""

    class Single(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.float32([1.1 + seed % 7, gap])
            return self.seen()

        def step(self, action: int) -> Any:
            dtype = self.levels.dtype
            out = super().step(action)
            self.levels = self.levels.astype(np.float32).astype(dtype)
            return self.seen(), *out[1:]

    def write(one: Any, state: Any) -> None:
        tiny.write(one, state)
        one.levels = one.levels if wide else one.levels.astype(np.float32)

    return tiny.side(make=Single, **{"write": write, **changes})


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("gap", [1.25, np.nan])
def test_single_precision_is_seen_though_one_place_holds_no_number(gap: float, wide: bool) -> None:
    one = tiny.pair(reference=single_with_a_gap(gap, wide))
    words = why_not_double(one.reference, make.visited(one, 32, 0))
    assert words == "put in a state in double precision, it still computes in single"
    one = tiny.pair(reference=single_with_a_gap(gap, write=None))
    words = why_not_double(one.reference, make.visited(one, 32, 0))
    assert words == "it shows its state in single precision, and cannot be put in one"


def test_whole_numbers_and_no_numbers_are_of_no_precision() -> None:
    class Whole(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.array([np.nan, 3.0])
            return self.seen()

        def step(self, action: int) -> Any:
            out = super().step(action)
            self.levels = np.array([np.nan, 3.0 + self.count])
            return self.seen(), *out[1:]

    one = tiny.pair(reference=tiny.side(make=Whole, write=None))
    assert why_not_double(one.reference, make.visited(one, 32, 0)) == ""


def test_what_is_no_number_and_the_two_endless_ones_are_of_kinds_of_their_own() -> None:
    values = np.array([1.0, np.inf, -np.inf, np.nan, 1e39, -1e39])
    assert _class_of(values, np.dtype(np.float64)).tolist() == [0, 1, -1, 2, 0, 0]
    assert _class_of(values, np.dtype(np.float32)).tolist() == [0, 1, -1, 2, 1, -1]
