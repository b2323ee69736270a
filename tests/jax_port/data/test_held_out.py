"""Trading days between training and a file that begins after it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from jax_port.data import held_out
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)


@pytest.mark.parametrize(
    ("begins", "last", "between"),
    [
        ("2022-12-27", "2022-12-23", 0),  # Christmas, a Sunday, is kept on the Monday
        ("2021-12-27", "2021-12-23", 0),  # and a Saturday's on the Friday
        ("2022-01-03", "2021-12-30", 1),  # New Year's Day, a Saturday, is not
        ("2023-01-03", "2022-12-30", 0),
        ("2025-04-21", "2025-04-17", 0),  # Easter Monday
        ("2025-05-27", "2025-05-23", 1),  # on Memorial Day futures have bars until 13:00
        ("2025-01-02", "2023-12-22", 268 - 5),  # two Christmases, two New Years, a Good Friday
    ],
)
def test_a_holiday_before_the_first_bar_is_no_trading_day(begins: str, last: str, between: int) -> None:
    market = prepare(synthetic_bars("ES", days=1, seed=5, start=begins), CONFIG)
    about = {"data": {"symbol": "ES", "first": "2020-01-02", "last": last}}
    relation = held_out.relate(market, CONFIG, market.starts, about)
    assert relation.trading_days_between == between
    assert relation.status == (held_out.HELD_OUT if between else held_out.TOO_CLOSE)


def relation(symbol: str, *training: tuple[str, str, str]) -> held_out.Relation:
    """Return how 2 and 3 January 2025 of a contract stand to files of (symbol, first, last)."""
    market = prepare(synthetic_bars(symbol, days=2, seed=5, start="2025-01-02"), CONFIG)
    data = [dict(zip(("symbol", "first", "last"), one, strict=True)) for one in training]
    return held_out.relate(market, CONFIG, market.starts, {"data": data})


@pytest.mark.parametrize(
    ("traded", "trained", "same"),
    [
        ("RTY", "M2K", True),
        ("M2K", "RTY", True),
        ("M2K", "M2K", True),
        ("MYM", "YM", True),
        ("ES", "MNQ", False),
        ("RTY", "2K", False),
        ("ES", "mes", True),
        ("ES", "CL", False),  # of a file of contracts that is not there
    ],
)
def test_a_micro_is_the_market_of_its_full_size_contract(traded: str, trained: str, same: bool) -> None:
    found = relation(traded, (trained, "2024-06-03", "2025-01-02"))
    assert found.status == (held_out.OVERLAPS if same else held_out.OTHER_MARKET)


def test_of_several_files_that_one_is_named_that_comes_nearest() -> None:
    """Before the range, the one that ends last; after it, the one that begins first."""
    long_ago, before = ("ES", "2024-02-01", "2024-03-01"), ("ES", "2024-01-02", "2024-12-27")
    soon, later = ("ES", "2025-01-06", "2025-09-30"), ("ES", "2025-02-03", "2025-03-03")
    for files in ([soon, later], [later, soon]):
        found = relation("ES", *files)
        assert (found.status, str(found.training)) == (held_out.BEFORE, "2025-01-06 to 2025-09-30")
        assert (found.trading_days_between, found.leaks) == (None, False)
    for files in ([long_ago, before], [before, long_ago]):
        found = relation("ES", *files)
        assert (found.status, str(found.training)) == (held_out.HELD_OUT, "2024-01-02 to 2024-12-27")
        assert found.trading_days_between == 2  # 30 and 31 December
    for files in ([long_ago, before, later, soon], [soon, later, before, long_ago]):
        found = relation("ES", *files)  # what was learnt afterwards is not known beforehand
        assert (found.status, str(found.training)) == (held_out.BEFORE, "2025-01-06 to 2025-09-30")
    assert relation("NQ", long_ago, ("ES", "2025-01-02", "2025-01-03")).status == held_out.OTHER_MARKET


def test_an_episode_lies_within_dates_from_its_first_bar_to_its_last() -> None:
    """Its last is the one before the bar that its last step leads to; bounds are inclusive."""
    wide = CONFIG.override(entry_close_minute=1019)  # so that episodes begin until the day's last bars
    market = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), wide)
    days = market.timestamps_ns.astype("datetime64[ns]").astype("datetime64[D]")  # UTC's, by day
    for first, last in (
        (None, None),
        (date(2025, 1, 3), None),
        (None, date(2025, 1, 6)),
        (date(2025, 1, 3), date(2025, 1, 6)),
        (date(2025, 1, 6), date(2025, 1, 6)),
        (date(2025, 1, 4), date(2025, 1, 7)),
    ):
        expected = [
            row
            for row in market.starts.tolist()
            if (first is None or days[row] >= np.datetime64(first))
            and (last is None or days[row + 59] <= np.datetime64(last))
        ]
        found = held_out.starts_within(market, CONFIG, first, last)
        assert found.tolist() == expected
        assert found.dtype == np.int64
    of_a_day = held_out.starts_within(market, CONFIG, date(2025, 1, 3), date(2025, 1, 3))
    bars = np.flatnonzero(days == np.datetime64("2025-01-03"))
    assert of_a_day.tolist() == list(range(bars[0], bars[-1] - 58))
    with refuses():
        held_out.starts_within(market, CONFIG, date(2025, 1, 6), date(2025, 1, 3))
    with refuses():
        held_out.starts_within(market, CONFIG, date(2025, 1, 4), date(2025, 1, 5))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "ES",
        [{"symbol": "ES", "first": "2024-01-02", "last": "2024-02-01"}, {"symbol": "ES"}],
        [{"symbol": "ES", "first": "2024-01-02", "last": "soon"}],
        [{"symbol": "ES", "first": "2024-01-02", "last": 20240201}],
        [None],
    ],
)
def test_training_that_is_not_known_in_full_is_unknown(data: Any) -> None:
    market = prepare(synthetic_bars("ES", days=2, seed=5, start="2025-01-02"), CONFIG)
    rows = market.starts[5:8].astype(np.int64)
    found = held_out.relate(market, CONFIG, rows, {} if data is None else {"data": data})
    days = (date(2025, 1, 2), date(2025, 1, 2))
    assert found == held_out.Relation(held_out.UNKNOWN, held_out.Span(*days))
    assert not found.leaks
    held_out.require_held_out(found, market)


@pytest.mark.parametrize(
    ("trained", "status", "between", "begin"),
    [
        # Bars of Thursday 2 to Tuesday 7 January; a full trading day must lie between.
        (("2024-06-03", "2024-12-30"), held_out.HELD_OUT, 1, None),
        (("2024-06-03", "2024-12-31"), held_out.TOO_CLOSE, 0, date(2025, 1, 3)),
        (("2024-06-03", "2025-01-02"), held_out.OVERLAPS, None, date(2025, 1, 6)),
        (("2024-06-03", "2025-01-03"), held_out.OVERLAPS, None, date(2025, 1, 7)),
        (("2025-01-03", "2025-01-06"), held_out.OVERLAPS, None, None),
        (("2025-01-07", "2025-02-03"), held_out.OVERLAPS, None, None),
        (("2025-01-08", "2025-02-03"), held_out.BEFORE, None, None),
    ],
)
def test_a_relation_tells_all_and_from_where_on_the_rest_is_held_out(
    trained: tuple[str, str], status: str, between: int | None, begin: date | None
) -> None:
    market = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), CONFIG)
    rows = held_out.starts_within(market, CONFIG, None, None)
    first, last = map(date.fromisoformat, trained)
    about = {"data": [{"symbol": "MES", "first": trained[0], "last": trained[1]}]}
    found = held_out.relate(market, CONFIG, rows, about)
    traded = held_out.Span(date(2025, 1, 2), date(2025, 1, 7))
    assert found == held_out.Relation(status, traded, held_out.Span(first, last), between, begin)
    assert found.leaks == (status in (held_out.OVERLAPS, held_out.TOO_CLOSE))
    if found.leaks:
        with refuses():
            held_out.require_held_out(found, market)
    else:
        held_out.require_held_out(found, market)


def test_of_several_files_that_overlap_the_one_that_ends_last_is_named_and_its_end_counts() -> None:
    """Bars of Thursday 2 to Tuesday 7 January; other contracts and files that do not reach are none."""
    market = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), CONFIG)
    rows = held_out.starts_within(market, CONFIG, None, None)
    spans = [("2024-12-02", "2025-01-02"), ("2024-06-03", "2025-01-03"), ("2025-01-02", "2025-01-02")]
    files = [{"symbol": "ES", "first": first, "last": last} for first, last in spans]
    files += [
        {"symbol": "NQ", "first": "2024-06-03", "last": "2025-01-07"},
        {"symbol": "ES", "first": "2025-01-08", "last": "2025-02-03"},
        {"symbol": "ES", "first": "2024-01-02", "last": "2024-12-31"},
    ]
    for order in (files, files[::-1], files[1:] + files[:1]):
        found = held_out.relate(market, CONFIG, rows, {"data": order})
        assert (found.status, str(found.training)) == (held_out.OVERLAPS, "2024-06-03 to 2025-01-03")
        assert found.begin == date(2025, 1, 7)


def test_what_is_traded_ends_with_the_last_bar_of_the_last_episode() -> None:
    """Of the rows that are asked for, not of all; its bar limit is counted from the last of them."""
    market = prepare(synthetic_bars("ES", days=4, seed=5, start="2025-01-02"), CONFIG)
    days = market.timestamps_ns.astype("datetime64[ns]").astype("datetime64[D]")
    second = np.flatnonzero(days == np.datetime64("2025-01-03"))
    for last, ends in ((second[-1] - 59, date(2025, 1, 3)), (second[-1] - 58, date(2025, 1, 6))):
        rows = np.array([second[0], second[5], last], np.int64)
        found = held_out.relate(market, CONFIG, rows, {})
        assert found.traded == held_out.Span(date(2025, 1, 3), ends)
