"""Numbers as text: money, shares, signs, sizes and times, written one way."""

import math
from pathlib import Path

import numpy as np
import pytest

from foundation.report import format as form


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (-4250.0, "−4,250"),
        (float(np.float32(-10.425)), "−10.425"),
        (np.int32(-3), "−3"),
        (6536.75, "6,536.75"),
        (0.1, "0.1"),
        (1e300, "1e300"),
        (-1.5e-9, "−1.5e−9"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (True, "yes"),
        (None, "–"),
        ("", "–"),
        ("ES", "ES"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_any_value_with_no_digit_lost(value: object, text: str) -> None:
    assert form.show(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "$1,234.50"), (-0.004, "$0.00"), (-65, "−$65.00"), (None, "–"), (math.nan, "–")],
)
def test_dollars(value: float | None, text: str) -> None:
    assert form.dollars(value) == text


def test_dollars_of_an_axis_and_of_cents() -> None:
    assert [form.dollars_short(x) for x in (50_000, -250.0, 2_500_000)] == ["$50,000", "−$250", "$2.5M"]
    assert [form.dollars_of_cents(x) for x in (4_999_750, -3.75, 0)] == [
        "$49,997.50",
        "−$0.0375",
        "$0.00",
    ]
    assert form.dollars(1234.5, 0) == "$1,234"


def test_shares() -> None:
    assert [form.percent(x) for x in (0.4375, -0.5, None)] == ["43.8%", "−50.0%", "–"]
    assert [form.percent(x, 2) for x in (3e-7, 5.535331, math.inf)] == ["0.00%", "553.53%", "∞"]
    assert [form.percent_figures(x) for x in (0.5, 0.0123)] == ["50%", "1.2%"]


def test_numbers_and_differences() -> None:
    assert [form.number(x) for x in (3, -3, 1.005, -0.001, None)] == ["3", "−3", "1.00", "0.00", "–"]
    assert [form.difference(x) for x in (2500.0, -0.25, 0.0, math.nan)] == [
        "+2,500",
        "−0.25",
        "0",
        "NaN",
    ]
    assert [form.change(x) for x in (0.0123, -0.5, 0.0, math.inf)] == ["+0.012", "−0.500", "0.000", "∞"]
    assert [form.figures(x) for x in (1.9e-4, 2.8e-6, -12.0, math.nan)] == [
        "0.00019",
        "2.8e−6",
        "−12",
        "NaN",
    ]
    assert [form.exponent(x) for x in (1.234e-7, 0.0, 0.05, math.nan)] == [
        "1.2e−7",
        "0",
        "5.0e−2",
        "NaN",
    ]
    # A power of nought is one too, and noughts within a power stay.
    assert [form.exponent(x) for x in (2.0, -9.96, 1e10, 1e-100)] == [
        "2.0e0", "−1.0e1", "1.0e10", "1.0e−100",
    ]  # fmt: skip
    assert [form.figures(x) for x in (2e10, -3e100)] == ["2e10", "−3e100"]


def test_large_numbers_in_short() -> None:
    assert [form.short(x) for x in (0, 9999, 12345, 1885725, 2142974771)] == [
        "0", "9,999", "12.3k", "1.89M", "2.14bn",
    ]  # fmt: skip
    assert [form.short_rate(x) for x in (3.21, 9999, 3.41e6, 2.1e9)] == ["3.21", "10k", "3.41M", "2.1G"]
    assert [form.byte_size(x) for x in (70, 1945, 5 * 2**20)] == ["70 B", "1.9 KiB", "5 MiB"]


def test_numbers_just_below_a_unit_have_no_exponent() -> None:
    given = (999_499, 999_600, 9_999.7, 999_600_000, 1.5e12)
    assert [form.short(x) for x in given] == ["999k", "1M", "10,000", "1bn", "1,500bn"]
    given = (999.4, 999.7, 999_400, 999_700, 999_700_000, 5e15)
    assert [form.short_rate(x) for x in given] == ["999", "1k", "999k", "1M", "1G", "5,000T"]
    assert [form.duration(x) for x in (3_599.0, 3_597_000, 3_700_000)] == ["60 min", "999 h", "1,028 h"]
    assert [form.byte_size(x) for x in (2**20 - 1, 3 * 2**40)] == ["1,024 KiB", "3,072 GiB"]
    assert [form.dollars_short(x) for x in (999_999.6, 99_999.96, 1e13)] == [
        "$1,000,000", "$100,000", "$10,000,000M",
    ]  # fmt: skip
    assert [form.difference(x) for x in (-1234567.8, 1e300)] == ["−1,234,568", "+1e300"]


def test_times_and_things() -> None:
    assert [form.duration(x) for x in (5.5, 1380, 7200)] == ["5.5 s", "23 min", "2 h"]
    assert form.when("2026-11-26T14:10:05+00:00") == "2026-11-26 14:10 UTC"
    assert [form.count(x, "day") for x in (1, 2, 1234)] == ["1 day", "2 days", "1,234 days"]
    assert form.plain("n_envs") == "n envs"


def test_nothing_is_a_number_too() -> None:
    """A dash stands for what is not known."""
    known = form.dollars(0.0), form.percent(0.0), form.number(0), form.number(0.0)
    assert known == ("$0.00", "0.0%", "0", "0.00")
    assert {form.dollars(None), form.percent(None), form.number(None)} == {form.DASH}


def test_units_begin_at_themselves() -> None:
    assert [form.short(x) for x in (9_999, 10_000, 999_500, 1e9)] == ["9,999", "10k", "1M", "1bn"]
    assert [form.short_rate(x) for x in (999.5, 1e3, 1e6, 1e9, 1e12)] == ["1k", "1k", "1M", "1G", "1T"]
    sizes = (0, 1023, 2**10, 2**20, 2**30)
    assert [form.byte_size(x) for x in sizes] == ["0 B", "1023 B", "1 KiB", "1 MiB", "1 GiB"]
    times = (0, 0.0123, 59, 60, 3600)
    assert [form.duration(x) for x in times] == ["0 s", "0.0123 s", "59 s", "1 min", "1 h"]
    axis = (999_999, 1e6, -1e6, 0)
    assert [form.dollars_short(x) for x in axis] == ["$999,999", "$1M", "−$1M", "$0"]
    assert [form.percent_figures(x) for x in (0.1, 0.0999, 0.0)] == ["10%", "10%", "0%"]


def test_zero_one_and_a_thousand() -> None:
    assert [form.count(x, "day") for x in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert [form.show(x) for x in (0, 0.0, False, 1000.5, 1000, -999.25, 1e16, 1e-5)] == [
        "0", "0", "no", "1,000.5", "1,000", "−999.25", "1e16", "1e−5",
    ]  # fmt: skip
    assert form.show(1e15) == "1,000,000,000,000,000"
    assert [form.difference(x) for x in (1_234_567.0, -1_000_000.0, 1e15)] == [
        "+1,234,567", "−1,000,000", "+1e15",
    ]  # fmt: skip


def test_what_rounds_to_nothing_has_no_sign_and_what_does_not_has_one() -> None:
    assert [form.percent(x) for x in (-0.0004, -0.004, -0.0006)] == ["0.0%", "−0.4%", "−0.1%"]
    assert [form.change(x) for x in (0.0004, 0.0006, -0.0004)] == ["0.000", "+0.001", "0.000"]
    assert [form.dollars(x) for x in (-0.0049, -0.006, 0.006)] == ["$0.00", "−$0.01", "$0.01"]
    assert [form.number(x, 1) for x in (-0.04, -0.06, -1234)] == ["0.0", "−0.1", "−1,234"]


def test_figures_are_as_many_as_are_asked_for() -> None:
    axis = (1_234_567, -12_345.67, 123_456.7, 2_345_678_900)
    assert [form.dollars_short(x) for x in axis] == [
        "$1.23457M", "−$12,345.7", "$123,457", "$2,345.68M",
    ]  # fmt: skip
    assert [form.dollars_of_cents(x) for x in (123_456.789, -0.5, 1e-3)] == [
        "$1,234.56789", "−$0.005", "$1e−5",
    ]  # fmt: skip
    assert [form.percent_figures(x) for x in (0.095, 0.0994, 0.105, 12.0)] == [
        "9.5%", "9.9%", "10%", "1,200%",
    ]  # fmt: skip
    assert [form.figures(x, 4) for x in (0.0123456, 1234.56, -7.0)] == ["0.01235", "1235", "−7"]
    assert [form.change(x, 1) for x in (2.26, -0.05, 0.06)] == ["+2.3", "−0.1", "+0.1"]
    assert [form.percent(x, 0) for x in (0.125, -0.995, 12.0)] == ["12%", "−100%", "1,200%"]


def test_numbers_of_numpy_and_paths_are_shown_as_pythons_own() -> None:
    given = (np.True_, np.False_, np.float32(-1234.5), np.float64(0.1), np.int64(-4250), Path("a"))
    assert [form.show(x) for x in given] == ["yes", "no", "−1,234.5", "0.1", "−4,250", "a"]
    assert form.show([Path("a"), 1.5]) == '["a", 1.5]'
    assert form.show((1, None)) == "[1, null]"
