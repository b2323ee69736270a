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
