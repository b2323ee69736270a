import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.engine.compare import FAR, Tolerance, close, compare, exact, ulp_distance
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
