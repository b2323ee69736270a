"""Two samples of which one has values that are no numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parity.harness.contract.samples import but_for_rounding, compare_samples


def drawn(seed: int, few: int = 0) -> dict[str, np.ndarray]:
    values = np.random.default_rng(seed).uniform(size=1000)
    values[:few] = np.nan
    return {"x": values}


def test_draws_that_are_no_numbers_are_seen_and_hide_no_range() -> None:
    assert not compare_samples(drawn(0), drawn(1)).differs
    assert compare_samples(drawn(0), drawn(1, few=40)).differs
    assert compare_samples(drawn(0, few=40), drawn(1)).differs
    assert not compare_samples(drawn(0, few=40), drawn(1, few=40)).differs
    narrow = drawn(1, few=1)
    narrow["x"] = 0.04 + 0.96 * narrow["x"]  # lowest values are missing
    assert compare_samples(drawn(0), narrow).differs


def normal(seed: int, many: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=many)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("shape", [(4,), (2, 2)])
def test_one_number_of_an_array_is_drawn_otherwise(shape: tuple[int, ...], place: int) -> None:
    def drawn(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=(1000, 4))

    same = compare_samples({"x": drawn(0).reshape(-1, *shape)}, {"x": drawn(1).reshape(-1, *shape)})
    assert same.differs == {}
    for change in (lambda x: x + 0.5, lambda x: x * 1.6, lambda x: np.abs(x), lambda x: x.round(1)):
        other = drawn(1)
        other[:, place] = change(other[:, place])
        for a, b in ((drawn(0), other), (other, drawn(0))):
            result = compare_samples({"x": a.reshape(-1, *shape)}, {"x": b.reshape(-1, *shape)})
            rounded = np.array_equal(other[:, place], other[:, place].round(1))
            assert (f"x[{place}]" in result.differs) or (rounded and b is not other)
            assert not {f"x[{n}]" for n in range(4) if n != place} & set(result.differs)


def test_numbers_that_hang_together_on_one_side_alone_differ() -> None:
    a, b, c = (normal(seed) for seed in range(3))
    free = {"x": a, "y": b}
    for other in ({"x": c, "y": c}, {"x": c, "y": -c}):
        for mine, theirs in ((free, other), (other, free)):
            differs = compare_samples(mine, theirs).differs
            assert differs
            assert all("scaled" in name for name in differs)


def test_any_field_may_differ_and_every_one_is_named() -> None:
    mine = {name: normal(seed) for seed, name in enumerate("abcdef")}
    theirs = {name: normal(10 + seed) for seed, name in enumerate("abcdef")}
    assert compare_samples(mine, theirs).differs == {}
    for name in ("b", "f"):
        theirs[name] = theirs[name] + 1
    assert {"b", "f"} <= set(compare_samples(mine, theirs).differs)
    assert not set("acde") & set(compare_samples(mine, theirs).differs)


@pytest.mark.parametrize("sizes", [(1000, 1000), (1000, 60), (60, 1000)])
def test_a_constant_a_shift_of_one_and_another_range_are_found_in_samples_of_any_size(
    sizes: tuple[int, int],
) -> None:
    mine, theirs = (np.random.default_rng(n).random(size) for n, size in enumerate(sizes))
    assert compare_samples({"x": mine}, {"x": theirs}).differs == {}
    for other in (theirs * 0 + 0.5, theirs + 0.5, 1 - theirs**4):
        assert "x" in compare_samples({"x": mine}, {"x": other}).differs
    text = compare_samples({"x": mine}, {"x": theirs * 0 + 0.5}).differs["x"]
    assert "; always 0.5 on the port (gap 0." in text


def test_the_gap_that_can_go_unnoticed_is_the_bound_of_kolmogorov() -> None:
    result = compare_samples({"x": normal(0, 400)}, {"x": normal(1, 100)}, alpha=1e-3)
    level = 1e-3 / result.tests
    assert result.tests == 5  # one number: its distribution, its two ends on two sides
    size = 400 * 100 / 500
    assert 2 * math.exp(-2 * size * result.smallest**2) == pytest.approx(level)


@pytest.mark.parametrize("sizes", [(4000, 4000), (6000, 2000), (2000, 6000)])
def test_small_differences_are_found_where_there_are_many_draws(sizes: tuple[int, int]) -> None:
    """A range a few hundredths narrower at either end, and a small shift of the whole."""
    mine, theirs = (np.random.default_rng(n).random(size) for n, size in enumerate(sizes))
    assert compare_samples({"x": mine}, {"x": theirs}).differs == {}
    for change in (lambda x: 0.04 + 0.96 * x, lambda x: 0.96 * x):
        assert "x" in compare_samples({"x": mine}, {"x": change(theirs)}).differs
        assert "x" in compare_samples({"x": change(mine)}, {"x": theirs}).differs
    bent = theirs + 0.12 * np.sin(np.pi * theirs)  # within the same ends
    result = compare_samples({"x": mine}, {"x": bent})
    assert "x" in result.differs
    assert float(result.differs["x"].rpartition("gap ")[2].rstrip(")")) < 0.2


@pytest.mark.parametrize("size", [256, 257, 1000])
@pytest.mark.parametrize("part", range(4))
def test_every_quarter_of_a_large_field_is_looked_at(size: int, part: int) -> None:
    mine, theirs = (np.random.default_rng(seed).normal(size=(400, size)) for seed in range(2))
    assert compare_samples({"x": mine}, {"x": theirs}).differs == {}
    quarter = slice(part * size // 4, (part + 1) * size // 4)
    theirs[:, quarter] += 1
    differs = compare_samples({"x": mine}, {"x": theirs}).differs
    named = {int(name[2:-1]) for name in differs if name.startswith("x[") and name.endswith("]")}
    assert len(named) >= 60
    assert named <= set(range(size)[quarter])


def test_a_number_that_never_varies_is_in_no_sum_whatever_rounding_makes_of_its_spread() -> None:
    still = np.full(1000, 0.1)
    assert still.std() > 0  # but for which this would show nothing
    alone = compare_samples({"x": normal(0)}, {"x": normal(1)}).tests
    beside = compare_samples({"x": normal(0), "y": still}, {"x": normal(1), "y": still})
    assert not beside.differs
    assert beside.tests == 2 * alone == 10  # and none of sums and differences
    both = compare_samples({"x": normal(0), "y": normal(2)}, {"x": normal(1), "y": normal(3)})
    assert both.tests == 12


def test_numbers_that_are_none_at_times_still_show_how_they_hang_together() -> None:
    def gone(values: np.ndarray) -> np.ndarray:
        return np.where(np.arange(1000) % 50, values, np.nan)

    a, b, c = (normal(seed) for seed in range(3))
    assert not compare_samples({"x": gone(a), "y": b}, {"x": gone(c), "y": normal(4)}).differs
    differs = compare_samples({"x": gone(a), "y": b}, {"x": gone(c), "y": c}).differs
    assert "x - y, scaled" in differs


def test_what_is_no_number_is_told_with_how_often_it_is_none() -> None:
    def told(mine: np.ndarray, theirs: np.ndarray) -> str:
        (text,) = compare_samples({"x": mine}, {"x": theirs}).differs.values()
        return text.partition(" (gap")[0]

    numbers = np.arange(1000.0)
    some, none = np.where(numbers < 900, numbers, np.nan), np.full(1000, np.nan)
    whole = "from 0 to 999, mean 499.5"
    assert told(numbers, some) == (
        f"{whole} on the reference; no number in 100 of 1000 draws, else from 0 to 899, mean 449.5 on "
        "the port"
    )
    assert told(none, numbers) == f"never a number in 1000 draws on the reference; {whole} on the port"
    still = np.where(numbers >= 100, 3.0, np.nan)
    assert told(numbers, still).endswith("no number in 100 of 1000 draws, else always 3 on the port")


@pytest.mark.parametrize(("distinct", "found"), [(450, True), (300, True), (550, False)])
def test_a_port_that_takes_far_fewer_values_is_found_though_they_lie_as_the_reference_s_do(
    distinct: int, found: bool
) -> None:
    many = np.arange(1000.0)
    few = np.floor(many * distinct / 1000) * 1000 / distinct
    assert len(np.unique(few)) == distinct
    words = f"takes {distinct} distinct values in 1000 draws, the reference 1000"
    assert compare_samples({"x": many}, {"x": few}).differs == ({"x": words} if found else {})
    assert compare_samples({"x": few}, {"x": many}).differs == {}


@pytest.mark.parametrize("narrow", [np.float32, np.float16])
def test_a_constant_and_a_choice_of_few_are_one_in_two_precisions(narrow: type) -> None:
    few = np.array([0.1, 1 / 3, 0.7, np.nan, np.inf])
    mine, theirs = (np.random.default_rng(seed).choice(few, 1000) for seed in range(2))
    still = np.full(1000, 0.1)
    rounded = theirs.astype(narrow)
    for _ in range(2):
        rounded = np.where(np.isfinite(rounded), np.nextafter(rounded, narrow(0)), rounded)
    for a, b in (
        ({"x": still, "y": mine}, {"x": still.astype(narrow), "y": theirs.astype(narrow)}),
        ({"x": still, "y": mine}, {"x": (still * 3).astype(narrow) / narrow(3), "y": rounded}),
        ({"x": still, "y": mine}, {"x": (still + 0.2) - 0.2, "y": theirs * 3 / 3}),
    ):
        assert compare_samples(a, b).differs == {}
        assert compare_samples(b, a).differs == {}
    other = {"x": (still * 1.02).astype(narrow), "y": theirs.astype(narrow)}
    assert set(compare_samples({"x": still, "y": mine}, other).differs) == {"x"}


def test_no_more_numbers_are_joined_than_lie_within_a_few_units_in_the_last_place() -> None:
    unit = 2.0**-52
    row = 1 + unit * np.arange(100)
    one, other = but_for_rounding(row, np.full(1000, 1.0))
    assert (len(np.unique(one)), set(other)) == (20, {1.0})
    whole, counted = but_for_rounding(np.array([3, 4]), np.array([2.0**53, 2.0**53 - 1]))
    assert (whole.tolist(), len(np.unique(counted))) == ([3, 4], 2)


def test_a_dtype_too_narrow_to_draw_in_is_found() -> None:
    mine, theirs = (1e9 + np.random.default_rng(seed).random(1000) for seed in range(2))
    words = "takes 1 distinct values in 1000 draws, the reference 1000"
    assert compare_samples({"x": mine}, {"x": theirs.astype(np.float32)}).differs == {"x": words}
