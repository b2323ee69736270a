"""Medians, quartiles, ratios of rounds and their intervals, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.harness.statistics import (
    RESAMPLES,
    PairedRatio,
    Samples,
    Summary,
    block_scatter,
    central_interval,
    median_interval,
    paired_ratio,
    ratio_of_rounds,
    resampled_medians,
    scaled,
    summarise,
)


def test_a_summary_is_the_median_and_the_quartiles() -> None:
    assert summarise([5.0, 1.0, 2.0, 4.0, 3.0]) == Summary(median=3.0, quartiles=(2.0, 4.0))
    assert summarise([7.0]) == Summary(median=7.0, quartiles=(7.0, 7.0))
    assert summarise([1.0, 2.0]) == Summary(median=1.5, quartiles=(1.25, 1.75))


def test_samples_keep_their_blocks() -> None:
    found = Samples.of([4.0, 2.0], [], [3.0])
    assert found == Samples(median=3.0, quartiles=(2.5, 3.5), blocks=((4.0, 2.0), (), (3.0,)))
    assert found.samples == (4.0, 2.0, 3.0)


@pytest.mark.parametrize("blocks", [((),), ((0.0,),), ((1.0, -1.0),)])
def test_samples_are_above_zero(blocks: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Samples(median=1.0, quartiles=(1.0, 1.0), blocks=blocks)


def test_ratios_are_of_the_same_round() -> None:
    found = ratio_of_rounds([2.0, 9.0, 8.0], [1.0, 3.0, 2.0])
    assert found == PairedRatio(median=3.0, quartiles=(2.5, 3.5), rounds=(2.0, 3.0, 4.0))
    with pytest.raises(ValueError, match="zip"):
        ratio_of_rounds([1.0], [1.0, 2.0])


def test_ratios_are_of_the_blocks_that_both_have() -> None:
    one = Samples.of([2.0, 4.0], [], [6.0, 6.0], [8.0])
    other = Samples.of([1.0, 1.0], [5.0], [3.0], [2.0])
    assert paired_ratio(one, other) == PairedRatio(
        median=4.0, quartiles=(3.0, 4.0), rounds=(2.0, 4.0, 4.0)
    )
    assert paired_ratio(one, Samples.of([1.0])) is None
    assert paired_ratio(Samples.of([], [1.0]), Samples.of([1.0], [])) is None
    assert paired_ratio(None, other) is paired_ratio(one, None) is None
    assert scaled(Summary(median=2.0, quartiles=(1.0, 4.0)), 0.5) == Summary(
        median=1.0, quartiles=(0.5, 2.0)
    )


def test_an_interval_holds_the_share_in_the_middle() -> None:
    values = np.arange(1001.0)
    assert central_interval(values) == pytest.approx((25.0, 975.0))
    assert central_interval(values, 0.5) == pytest.approx((250.0, 750.0))


def test_medians_are_drawn_with_replacement_from_all_values() -> None:
    drawn = resampled_medians([1.0, 2.0, 9.0], np.random.default_rng(0))
    assert drawn.shape == (RESAMPLES,)
    # Two or three of the three draws: 7 of 27 chances for either end, 13 for the middle.
    shares = [float((drawn == value).mean()) for value in (1.0, 2.0, 9.0)]
    assert shares == pytest.approx([7 / 27, 13 / 27, 7 / 27], abs=0.03)
    assert median_interval([3.0] * 5) == (3.0, 3.0)
    assert median_interval([1.0, 2.0, 9.0]) == (1.0, 9.0)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 9.0], seed=1) == (1.0, 9.0)


def test_the_scatter_of_blocks_is_a_sample_s_over_their_mean() -> None:
    assert block_scatter([1.0]) is block_scatter([]) is None
    assert block_scatter([3.0, 5.0]) == pytest.approx(2**0.5 / 4.0)
