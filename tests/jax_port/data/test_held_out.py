"""Trading days between training and a file that begins after it."""

from __future__ import annotations

import pytest

from jax_port.data import held_out
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

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
    for files in ([long_ago, before, later], [later, before, long_ago]):
        found = relation("ES", *files)
        assert (found.status, str(found.training)) == (held_out.HELD_OUT, "2024-01-02 to 2024-12-27")
        assert found.trading_days_between == 2  # 30 and 31 December
    assert relation("NQ", long_ago, ("ES", "2025-01-02", "2025-01-03")).status == held_out.OTHER_MARKET
