"""Where the habits of columns begin, on arrays that are made to lie on either side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from markets.quality.contents.arrays import BLOCK, BLOCKS, Contents
from markets.quality.contents.mixed_columns import column_problems
from tests.markets.quality.contents.made_contents import made


def kinds(bars: Contents) -> list[str]:
    return [one.kind for one in column_problems(bars)]


@pytest.mark.parametrize(
    ("rises", "falls", "still", "total"),
    [
        (98, 2, 0, True),
        (97, 3, 0, False),  # of 100 pairs 2 may fall, at a new session
        (50, 2, 48, True),
        (49, 2, 49, False),  # half must rise
        (97, 2, 0, False),  # 99 pairs are too few
        (980, 20, 0, True),
        (979, 21, 0, False),
    ],
)
def test_a_running_total_rises_and_hardly_falls(
    rises: int, falls: int, still: int, total: bool
) -> None:
    steps = np.array([7.0] * rises + [-5.0] * falls + [0.0] * still)
    steps = np.random.default_rng(0).permutation(steps)
    bars = made(200.0 + np.concatenate([[0.0], np.cumsum(steps)]))
    assert kinds(bars) == ["volume_is_a_total"] * total
    if total:
        (found,) = column_problems(bars)
        words = f"falls on only {falls} bars of {rises + falls + still:,}, so"
        assert (found.count, words in found.message) == (len(bars), True)


def test_pairs_that_a_break_parts_do_not_count() -> None:
    """A volume that grows over every hour's pause and is anything within is no total."""
    volume = 200.0 + np.array([0.0, 9.0] * 150)
    minutes = np.arange(300) + 60 * (np.arange(300) // 2)
    assert kinds(made(volume, minutes=minutes)) == ["volume_is_a_total"]
    assert kinds(made(volume[1:], minutes=np.arange(299) + 60 * (np.arange(299) // 2))) == []


@pytest.mark.parametrize(
    ("size", "step", "interest"),
    [
        (5001.0, 24.0, True),
        (5001.0, 26.0, False),
        (4900.0, 0.0, False),
        (1e6, 4900.0, True),
        (1e6, 5100.0, False),
    ],
)
def test_open_interest_is_large_and_hardly_changes(size: float, step: float, interest: bool) -> None:
    volume = size + step * (np.arange(301) % 2)
    assert kinds(made(volume)) == ["volume_is_open_interest"] * interest


@pytest.mark.parametrize(
    ("flat", "volume", "one_price"),
    [
        (900, 10.0, True),
        (899, 10.0, False),
        (900, 9.0, False),  # of bars that hardly trade nearly all must be flat
        (995, 9.0, True),
        (994, 9.0, False),
    ],
)
def test_one_price_a_bar_where_nine_of_ten_busy_bars_have_it(
    flat: int, volume: float, one_price: bool
) -> None:
    bars = made(volume + np.zeros(1000))
    for column in (bars.open, bars.high, bars.low):
        column[:flat] = bars.close[:flat]
    assert ("one_price_a_bar" in kinds(bars)) is one_price


ROWS = 2 * BLOCKS * BLOCK + 1


@pytest.mark.parametrize("first", [True, False])
def test_a_long_files_columns_are_judged_by_all_of_it(first: bool) -> None:
    """A quarter of it that is otherwise, at either end, neither clears it nor makes it."""
    rows = np.arange(ROWS)
    odd = rows < ROWS // 4 if first else rows >= ROWS - ROWS // 4
    plain = made(100.0 + rows % 7 * (1 + rows % 5))
    assert kinds(plain) == []
    for part, wanted in ((odd, False), (~odd, True)):
        swapped = replace(plain, open=np.where(part, plain.close, plain.open))
        swapped = replace(swapped, close=np.where(part, plain.open, plain.close))
        assert kinds(swapped) == ["open_and_close_swapped"] * wanted
        flat = replace(plain, high=np.where(part, plain.low, plain.high))
        assert ("one_price_a_bar" in kinds(flat)) is False  # three quarters are not nine tenths
        interest = made(np.where(part, 90_000.0 + rows % 2, 100.0 + rows % 7 * 900.0))
        assert kinds(interest) == ["volume_is_open_interest"] * wanted
    tenth = rows < ROWS // 20 if first else rows >= ROWS - ROWS // 20
    flat = replace(plain, high=np.where(tenth, plain.high, plain.low))
    assert "one_price_a_bar" in kinds(flat)
    total = made(np.where(tenth, 100.0 + rows % 2, 200.0 + rows))
    assert "volume_is_a_total" not in kinds(total)
    assert kinds(made(200.0 + rows)) == ["volume_is_a_total"]


@pytest.mark.parametrize(
    ("step", "body", "rows", "kind"),
    [
        # From one open to the next, and from an open to its close: bars open |step - body| points from
        # the close before, and close |step + body| points from the open before.
        (-3.0, 1.0, 101, None),  # half as near is no less
        (-3.0, 1.25, 101, "open_and_close_swapped"),
        (-3.0, 1.25, 100, None),  # 99 pairs are too few
        (-3.0, 0.75, 101, None),
        (3.0, -1.25, 101, "open_and_close_swapped"),
        (2.0, 4.0, 101, "averaged_bars"),
        (2.0, 4.0, 100, None),
        (-2.0, -4.0, 101, "averaged_bars"),
        (2.5, 4.0, 101, "averaged_bars"),  # half a point from the middle, and 1.5 from that close
        (2.75, 4.0, 101, None),
        (1.0, 1.0, 101, None),
    ],
)
def test_where_bars_open_and_close_tells_which_column_is_which(
    step: float, body: float, rows: int, kind: str | None
) -> None:
    opened = 6000.0 + step * np.arange(rows)
    bars = made(20.0 + np.arange(rows) % 9, close=opened + body)
    high, low = np.maximum(opened, bars.close) + 0.5, np.minimum(opened, bars.close) - 0.5
    assert kinds(replace(bars, open=opened, high=high, low=low)) == [kind] * (kind is not None)
    apart = bars.ns + np.arange(rows) * 60 * 10**9  # no bar follows another within a minute
    assert kinds(replace(bars, open=opened, high=high, low=low, ns=apart)) == []
