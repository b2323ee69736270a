import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.engine.compare import (
    FAR,
    ULP_BUCKETS,
    Array,
    Comparison,
    Tolerance,
    close,
    compare,
    exact,
    same_numbers,
    ulp_distance,
)
from tests.sentences import refuses

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("a", "b", "ulps"),
    [
        (1.0, 1.0, 0),
        (1.0, np.nextafter(np.float32(1), np.float32(2)), 1),
        (0.0, -0.0, 0),
        (np.float32(1e-45), np.float32(-1e-45), 2),
        (1.0, 2.0, 2**23),
        (np.nan, np.nan, FAR),
        (np.inf, np.inf, FAR),
        (np.nan, 1.0, FAR),
        (1.0, np.nan, FAR),
        (np.inf, 1.0, FAR),
        (1.0, -np.inf, FAR),
    ],
)
def test_ulp_distance_counts_floats_between(a: float, b: float, ulps: int) -> None:
    assert int(ulp_distance(np.array(a), np.array(b))) == ulps


@given(floats, floats)
def test_ulp_distance_is_a_distance(a: float, b: float) -> None:
    there, back = ulp_distance(np.array(a), np.array(b)), ulp_distance(np.array(b), np.array(a))
    assert there == back
    assert (there == 0) == (a == b)


def test_close_allows_what_it_says_and_no_more() -> None:
    one = np.float32(1)
    steps = [one]
    for _ in range(5):
        steps.append(np.nextafter(steps[-1], np.float32(2)))
    agree = close(ulps=4).agree(np.full(6, one), np.array(steps, np.float32))
    np.testing.assert_array_equal(agree, [True, True, True, True, True, False])


def test_close_has_a_floor_for_values_that_pass_through_zero() -> None:
    a, b = np.array([1e-10, 1e-8], np.float32), np.array([-1e-10, -1e-8], np.float32)
    np.testing.assert_array_equal(close(ulps=4, floor=1e-9).agree(a, b), [True, False])


def test_nan_agrees_with_nothing_unless_it_means_undefined() -> None:
    nan = np.array([np.nan], np.float32)
    assert not close().agree(nan, nan)[0]
    assert close(nan_is_undefined=True).agree(nan, nan)[0]
    assert not close(nan_is_undefined=True).agree(nan, np.array([1.0], np.float32))[0]


@pytest.mark.parametrize(
    "tolerance",
    [exact(), close(), Tolerance(1e-5, 1e-5), Tolerance(1e-5, 1e-5, relative_to="row")],
    ids=["exact", "close", "relative", "of the row"],
)
def test_an_infinite_number_agrees_with_nothing(tolerance: Tolerance) -> None:
    infinite, one = np.array([[np.inf]], np.float32), np.array([[1.0]], np.float32)
    for a, b in ((infinite, infinite), (infinite, one), (one, infinite), (infinite, -infinite)):
        assert not tolerance.agree(a, b).any()


@pytest.mark.parametrize(
    ("made", "fields", "words"),
    [
        (exact(), (0.0, 0.0, 0, "number", False, ""), "equal"),
        (exact("ticks"), (0.0, 0.0, 0, "number", False, "ticks"), "equal (ticks)"),
        (exact(nan_is_undefined=True), (0.0, 0.0, 0, "number", True, ""), "equal"),
        (close(), (1e-9, 0.0, 4, "number", False, ""), "within 4 ulps or 1e-09"),
        (close(2, 0.5, True), (0.5, 0.0, 2, "number", True, ""), "within 2 ulps or 0.5"),
        (Tolerance(ulps=3), (0.0, 0.0, 3, "number", False, ""), "within 3 ulps or 0"),
        (Tolerance(0.5), (0.5, 0.0, 0, "number", False, ""), "0.5 + 0 of itself"),
        (
            Tolerance(0.5, 0.25, relative_to="row"),
            (0.5, 0.25, 0, "row", False, ""),
            "0.5 + 0.25 of the row",
        ),
    ],
)
def test_a_tolerance_is_what_it_is_called(made: Tolerance, fields: tuple[Any, ...], words: str) -> None:
    assert (made, made.describe()) == (Tolerance(*fields), words)
    assert made.exact == words.startswith("equal")


def test_compare_counts_and_places_what_differs() -> None:
    a = np.arange(6).reshape(2, 3)
    b = a.copy()
    b[1, 2] = 9
    differs, stats = compare(exact("ticks"), a, b)
    assert differs.sum() == 1
    assert differs[1, 2]
    assert (stats.compared, stats.mismatches, stats.max_abs) == (6, 1, 4.0)
    assert stats.rule == "equal (ticks)"


def test_compare_leaves_out_what_is_not_valid() -> None:
    a, b = np.zeros((2, 3)), np.ones((2, 3))
    differs, stats = compare(exact(), a, b, np.array([True, False]))
    assert differs.tolist() == [[True] * 3, [False] * 3]
    assert stats.compared == 3


def test_compare_refuses_other_shapes() -> None:
    with refuses(kind=ValueError):
        compare(exact(), np.zeros(3), np.zeros(4))


def ordinal(x: float) -> int:
    """Return a float32's place among all finite ones, in order; both zeros are at 0."""
    bits = int(np.float32(abs(x)).view(np.int32))
    return -bits if x < 0 else bits


def agree_plainly(tolerance: Tolerance, row: list[float], expected: float, actual: float) -> bool:
    """Tell whether two numbers agree as :class:`Tolerance` describes it, one at a time."""
    if math.isnan(expected) and math.isnan(actual):
        return tolerance.nan_is_undefined
    if not (math.isfinite(expected) and math.isfinite(actual)):
        return False
    size = max(map(abs, row)) if tolerance.relative_to == "row" else abs(expected)
    near = abs(expected - actual) <= tolerance.absolute + tolerance.relative * size
    return near or abs(ordinal(expected) - ordinal(actual)) <= tolerance.ulps


TOLERANCES = [
    exact(),
    exact(nan_is_undefined=True),
    close(ulps=2),
    close(ulps=2, floor=0.25),
    close(ulps=2, nan_is_undefined=True),
    Tolerance(ulps=3),
    Tolerance(absolute=0.25),
    Tolerance(absolute=0.25, relative=0.5),
    Tolerance(relative=0.5, nan_is_undefined=True),
    Tolerance(absolute=0.25, relative=0.5, ulps=2),
    Tolerance(absolute=0.25, relative=0.5, relative_to="row"),
]
STEPS = (0, 0, 1, 2, 3, 4, 8, 9, 64, 65, 4096, 4097, 5000)
SHIFTS = (-8.0, -2.0, -1.0, -0.75, -0.5, -0.25, -1e-10, 1e-10, 0.25, 0.5, 0.75, 1.0, 2.0, 8.0)
ODD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 3e38)


@st.composite
def two_tables(draw: st.DrawFn, odd: bool = True) -> tuple[Array, Array]:
    """Draw two float32 tables (3, 2) that are equal, near, at a limit, or far apart in each number."""
    sizes = st.sampled_from((0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0, -0.5, -1.0, -2.0, -4.0))
    expected = np.array([draw(sizes) for _ in range(6)], np.float32)
    actual = expected.copy()
    for place in range(6):
        kind = draw(st.integers(0, 4 if odd else 2))
        if kind == 1:
            away = np.int32(draw(st.sampled_from(STEPS)))
            actual[place] = (actual[place : place + 1].view(np.int32) + away).view(np.float32)[0]
        elif kind == 2:
            actual[place] += draw(st.sampled_from(SHIFTS))
        elif kind > 2:
            if draw(st.booleans()):
                expected[place] = draw(st.sampled_from(ODD))
            actual[place] = draw(st.sampled_from(ODD))
    return expected.reshape(3, 2), actual.reshape(3, 2)


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=repr)
@given(data=st.data())
def test_numbers_agree_where_the_plain_definition_says_so(
    tolerance: Tolerance, data: st.DataObject
) -> None:
    expected, actual = data.draw(two_tables(odd=tolerance.relative_to == "number"))
    wanted = [
        [
            agree_plainly(tolerance, row.tolist(), float(a), float(b))
            for a, b in zip(row, other, strict=True)
        ]
        for row, other in zip(expected, actual, strict=True)
    ]
    assert tolerance.agree(expected, actual).tolist() == wanted


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=repr)
@given(tables=two_tables(), valid=st.lists(st.booleans(), min_size=3, max_size=3))
def test_a_comparison_counts_as_the_plain_definition_does(
    tolerance: Tolerance, tables: tuple[Array, Array], valid: list[bool]
) -> None:
    expected, actual = tables
    differs, stats = compare(tolerance, expected, actual, np.array(valid))
    agree = tolerance.agree(expected, actual)
    assert differs.tolist() == [
        [not x and one for x in row] for row, one in zip(agree, valid, strict=True)
    ]
    assert (stats.compared, stats.mismatches) == (2 * sum(valid), int(differs.sum()))
    pairs = list(zip(expected[valid].ravel().tolist(), actual[valid].ravel().tolist(), strict=True))
    apart = [abs(a - b) for a, b in pairs]
    assert stats.max_abs == max(filter(math.isfinite, apart), default=0.0)
    if tolerance in (exact(), exact(nan_is_undefined=True)):
        assert (stats.max_ulps, sum(stats.ulp_histogram)) == (0, 0)
        return
    distances = []
    for (a, b), between in zip(pairs, apart, strict=True):
        if math.isnan(a) and math.isnan(b) and tolerance.nan_is_undefined:
            distances.append(0)
        elif not math.isfinite(between):
            distances.append(FAR)
        else:
            distances.append(0 if between <= tolerance.absolute else abs(ordinal(a) - ordinal(b)))
    assert stats.max_ulps == max(distances, default=0)
    ends = [-1, *ULP_BUCKETS, FAR]
    counts = [sum(low < one <= high for one in distances) for low, high in pairwise(ends)]
    assert stats.ulp_histogram == counts


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=repr)
@given(tables=two_tables())
def test_parts_that_are_merged_say_what_the_whole_says(
    tolerance: Tolerance, tables: tuple[Array, Array]
) -> None:
    expected, actual = tables
    _, whole = compare(tolerance, expected, actual)
    parts = [compare(tolerance, expected[row], actual[row])[1] for row in range(3)]
    if tolerance.relative_to == "row":  # a single row has no rows, so numbers are their own size
        parts = [compare(tolerance, expected[[row]], actual[[row]])[1] for row in range(3)]
    assert parts[0].merge(parts[1]).merge(parts[2]) == whole


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 2), (2, 2, 2, 2)])
def test_what_is_valid_tells_of_leading_axes(shape: tuple[int, ...]) -> None:
    valid = np.array([[True, False], [True, True]])
    differs, stats = compare(exact(), np.zeros(shape), np.ones(shape), valid)
    assert differs.any(axis=tuple(range(2, len(shape)))).tolist() == valid.tolist()
    assert stats.compared == stats.mismatches == 3 * int(np.prod(shape[2:]))


def test_flags_are_counted() -> None:
    a, b = np.array([True, False, True]), np.array([True, True, False])
    differs, stats = compare(exact(), a, b)
    assert differs.tolist() == [False, True, True]
    assert (stats.compared, stats.mismatches, stats.passed) == (3, 2, False)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (1, 2, 3), (2, 1), (1, 3)])
def test_arrays_of_other_shapes_are_not_spread_over_each_other(shape: tuple[int, ...]) -> None:
    with refuses(kind=ValueError):
        compare(exact(), np.zeros((2, 3)), np.zeros(shape))


ANY = ("bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float32", "float64")


@pytest.mark.parametrize("mine", ANY)
@pytest.mark.parametrize("theirs", ANY)
def test_numbers_of_any_two_dtypes_are_compared_as_python_compares_them(mine: str, theirs: str) -> None:
    """Python compares whole numbers with those with a fraction exactly; NumPy rounds the former."""

    def values(dtype: str) -> Array:
        kind = np.dtype(dtype)
        if kind.kind == "b":
            return np.array([False, True])
        if kind.kind == "f":
            some = [0, -0.0, 1, 0.5, -1, 127, 128, 255, 256, 2**24, 2**31, 2**53, 2.0**63, -(2.0**63)]
            return np.array([*some, 2.0**64, math.inf, -math.inf, math.nan], kind)
        ends = np.iinfo(kind)
        some = [0, 1, -1, 127, 128, 255, 2**24 + 1, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63]
        return np.array(
            sorted({ends.min, ends.max, *(n for n in some if ends.min <= n <= ends.max)}), kind
        )

    a, b = (part.reshape(-1) for part in np.meshgrid(values(mine), values(theirs)))
    expected = [
        x == y or (math.isnan(x) and math.isnan(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert same_numbers(a, b).tolist() == expected


def test_a_number_that_float32_does_not_hold_is_far_and_warns_of_nothing() -> None:
    for a, b in ((1e300, 1.0), (1.0, -1e300), (1e300, 1e300)):
        assert int(ulp_distance(np.array(a), np.array(b))) == FAR
    differs, stats = compare(close(), np.array([1e300, 1.0]), np.array([2e300, 1.0]))
    assert (differs.tolist(), stats.max_ulps) == ([True, False], FAR)


def test_a_whole_number_that_a_float_does_not_hold_is_another() -> None:
    whole = np.array([2**53, 2**53 + 1, -(2**60) - 1, 7])
    for dtype in (np.float32, np.float64, np.int64):
        other = np.array([2**53, 2**53, -(2**60), 7], dtype)
        for a, b in ((whole, other), (other, whole)):
            differs, stats = compare(exact(), a, b)
            assert differs.tolist() == [False, True, True, False]
            assert (stats.mismatches, stats.max_abs) == (2, 1.0)  # float64 alone would tell of 0


def test_a_tolerance_tells_all_that_it_allows() -> None:
    told = Tolerance(absolute=0.25, relative=0.5, ulps=2, relative_to="row").describe()
    assert told == "within 2 ulps or 0.25 + 0.5 of the row"
    assert Tolerance(relative=0.5, ulps=2).describe() == "within 2 ulps or 0 + 0.5 of itself"


def test_what_is_allowed_beside_a_number_is_a_share_of_all_its_digits() -> None:
    half = Tolerance(relative=0.5)
    expected = np.array([2**24 + 1.0, 2**24 + 1.0, -3.0, 1e300])
    apart = np.array([2**23 + 0.5, 2**23 + 0.5 + 2**-20, 1.5, 5e299])
    assert half.agree(expected, expected + apart).tolist() == [True, False, True, True]
    assert half.agree(expected, expected - apart).tolist() == [True, False, True, True]
    assert half.allowed(expected).tolist() == [2**23 + 0.5, 2**23 + 0.5, 1.5, 5e299]
    rows = np.array([[1.0, -8.0], [2.0, 0.0], [-4.0, 4.0]])
    of_row = Tolerance(absolute=1.0, relative=0.25, relative_to="row")
    assert of_row.allowed(rows).tolist() == [[3.0, 3.0], [1.5, 1.5], [2.0, 2.0]]
    deep = of_row.allowed(np.stack([rows, 2 * rows]))
    assert deep.tolist() == [[[3.0, 3.0], [1.5, 1.5], [2.0, 2.0]], [[5.0, 5.0], [2.0, 2.0], [3.0, 3.0]]]
    assert of_row.allowed(np.array([1.0, -8.0])).tolist() == [1.25, 3.0]  # no rows
    assert exact().allowed(rows).tolist() == [[0.0, 0.0]] * 3


def test_a_comparison_is_told_whole() -> None:
    whole = np.array([[3, 250], [7, 10], [1, 2]])
    other = np.array([[3, 250], [-2, 10], [1, 6]])
    differs, stats = compare(exact("cents"), whole, other)
    assert differs.tolist() == [[False, False], [True, False], [False, True]]
    assert stats == Comparison("equal (cents)", 6, 2, 0, 9.0)
    ones = np.ones(13, np.float32)
    steps = np.array([0, 1, 2, 3, 4, 5, 8, 9, 64, 65, 4096, 4097, 10**6], np.int32)
    differs, stats = compare(close(4), ones, (ones.view(np.int32) + steps).view(np.float32))
    assert differs.tolist() == [False] * 5 + [True] * 8
    assert stats.counts() == {
        "rule": "within 4 ulps or 1e-09",
        "compared": 13,
        "mismatches": 8,
        "max_ulps": 10**6,
        "max_abs": 10**6 * 2.0**-23,
        "ulp_histogram": [1, 1, 1, 1, 1, 2, 2, 2, 2],
    }
    assert (stats.largest(), stats.passed) == (
        {"error": 0.0, "limit": 0.0, "compared": 13, "where": ""},
        False,
    )
    floor = compare(close(4, 0.5), np.array([0.0, 0.0, 0.25]), np.array([0.5, 0.75, 0.25]))[1]
    assert (floor.mismatches, floor.max_ulps, floor.max_abs) == (1, ordinal(0.75), 0.75)
    assert floor.ulp_histogram == [2, 0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("tolerance", [exact(), close(), Tolerance(0.5, 0.5)], ids=repr)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_of_nothing_nothing_is_compared(tolerance: Tolerance, shape: tuple[int, ...]) -> None:
    differs, stats = compare(tolerance, np.zeros(shape), np.ones(shape))
    assert differs.shape == shape
    assert stats == Comparison(tolerance.describe())
    none = np.zeros(3, bool)
    differs, stats = compare(tolerance, np.zeros((3, 2)), np.ones((3, 2)), none)
    assert not differs.any()
    assert stats == Comparison(tolerance.describe())


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32])
def test_whole_numbers_of_any_size_are_apart_by_what_they_are(dtype: Any) -> None:
    a, b = np.array([3, 200, 7], dtype), np.array([5, 100, 7], dtype)
    for mine, theirs in ((a, b), (b, a)):
        stats = compare(exact(), mine, theirs)[1]
        assert (stats.mismatches, stats.max_abs) == (2, 100.0)


def test_what_is_merged_keeps_the_larger_of_each_and_a_number_that_is_none() -> None:
    one = Comparison("a", 3, 1, 7, 0.5, [1, 2, 3, 4, 5, 6, 7, 8, 9], 0.25, 1.0, "first")
    two = Comparison("b", 5, 2, 4, 2.5, [9, 1, 1, 1, 1, 1, 1, 1, 2], 0.125, 2.0, "second")
    both = [10, 3, 4, 5, 6, 7, 8, 9, 11]
    assert replace(one).merge(two) == Comparison("a", 8, 3, 7, 2.5, both, 0.25, 1.0, "first")
    assert replace(two).merge(one) == Comparison("b", 8, 3, 7, 2.5, both, 0.25, 2.0, "first")
    equal = replace(two, error=0.25)
    assert replace(one).merge(equal).where == "first"  # the first of two alike
    assert not Comparison(mismatches=1).passed  # however little was compared
    for a, b in ((one, replace(two, max_abs=math.nan)), (replace(two, max_abs=math.nan), one)):
        assert math.isnan(replace(a).merge(b).max_abs)
    for a, b in ((one, replace(two, error=math.nan)), (replace(two, error=math.nan), one)):
        merged = replace(a).merge(b)
        assert (math.isnan(merged.error), merged.where) == (True, "second")
