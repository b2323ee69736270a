"""Fair draws pass, and draws that leave out, double or invent a start don't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from jax_port.data.data_loader import prepare
from parity.engine.pair import Fields, Pair
from parity.mutants.recordings import small_beds
from parity.pairs.trading import trading_pair
from parity.suites.processed import processed
from parity.suites.start_distribution import PER_START, judge_draws


@pytest.fixture(scope="module")
def pair() -> Pair:
    bed = small_beds(seed=0)[1]
    assert len(bed.worlds) == 2
    return trading_pair(bed.worlds, bed.config)


def drawn(pair: Pair, choose: Callable[[NDArray[np.int64], int], NDArray[np.int64]]) -> Fields:
    """Return begun episodes whose numbers among all starts are chosen from uniform ones."""
    table = np.concatenate(
        [np.stack([np.full(len(s), w), np.asarray(s)], axis=1) for w, s in enumerate(pair.starts)]
    )
    uniform = np.random.default_rng(0).integers(len(table), size=PER_START * len(table))
    rows = table[choose(uniform, len(table))]
    return {"market": rows[:, 0], "step_idx": rows[:, 1]}


def test_uniform_draws_are_fair(pair: Pair) -> None:
    result = judge_draws(pair, "draws", drawn(pair, lambda number, count: number))
    assert result.passed
    assert result.compared == PER_START * sum(map(len, pair.starts))
    least, most = result.notes["draws_of_a_start"]
    assert 0 < least < PER_START < most


@pytest.mark.parametrize(
    ("choose", "starts"),
    [
        (lambda number, count: np.minimum(number, count - 2), 2),  # the last left to the one before it
        (lambda number, count: np.where(number == 0, 1, number), 2),  # the first left to the second
        (lambda number, count: number // 2, None),  # the first half alone
    ],
)
def test_a_start_left_out_is_seen(
    pair: Pair,
    choose: Callable[[NDArray[np.int64], int], NDArray[np.int64]],
    starts: int | None,
) -> None:
    result = judge_draws(pair, "draws", drawn(pair, choose))
    assert not result.passed
    assert result.first is not None
    assert result.first.field == "draws of a start"
    assert result.first.reference == PER_START
    count = sum(map(len, pair.starts))
    # Of the first half, drawn twice too often, all but the luckiest are seen; the rest is never drawn.
    assert result.mismatches == starts if starts else result.mismatches > 0.9 * count


def test_a_start_that_is_none_is_seen(pair: Pair) -> None:
    fields = drawn(pair, lambda number, count: number)
    fields["step_idx"][5] = int(np.max(pair.starts[fields["market"][5]])) + 1
    result = judge_draws(pair, "draws", fields)
    assert result.first is not None
    assert result.first.field == "started at"
    assert result.first.port == fields["step_idx"][5]


def test_a_processed_world_carries_features_of_its_own(pair: Pair) -> None:
    bed = small_beds(seed=0)[0]
    carrying = processed(bed.worlds[0])
    plain, own = prepare(bed.worlds[0].bars, bed.config), prepare(carrying.bars, bed.config)
    assert carrying.name == "ES odd settings, processed"
    np.testing.assert_array_equal(own.bars[:, :3], plain.bars[:, :3])  # prices stay the bars'
    close = plain.features[100:, 0].astype(np.float64)
    np.testing.assert_allclose(own.features[100:, 0], close * 65 / 64, rtol=1e-6)
    assert (own.bars[100:, 3] != plain.bars[100:, 3]).any()
    assert replace(carrying.bars, precomputed=None).digest == bed.worlds[0].bars.digest
