"""Episodes that are replayed in the reference are of the whole file."""

from __future__ import annotations

import numpy as np
import pytest

from parity.export_chain.replay import spread


@pytest.mark.parametrize("count", [1, 2, 5, 20, 999])
@pytest.mark.parametrize("episodes", [2, 7, 20])
def test_starts_are_spread_from_the_first_to_the_last(count: int, episodes: int) -> None:
    starts = np.sort(np.random.default_rng(count).choice(5000, count, replace=False)).astype(np.int32)
    rows = spread(starts, episodes)
    assert rows.dtype == np.int64
    assert len(rows) == min(count, episodes)
    places = np.searchsorted(starts, rows)
    assert starts[places].tolist() == rows.tolist()
    assert (places[0], places[-1]) == (0, count - 1)
    if count > 1:
        gaps = np.diff(places)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
