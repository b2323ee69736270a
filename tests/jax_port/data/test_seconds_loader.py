"""Seconds on the device are the file's own, minute by minute, of every contract."""

from __future__ import annotations

import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.data.seconds_loader import prepare_seconds, stack_seconds
from markets import SYMBOLS, Bars, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars

CONFIG = EnvConfig.phase1(max_episode_bars=60)
MINUTE = 60_000_000_000


def made(symbol: str) -> tuple[Bars, Bars]:
    """Return minutes of a day and night, and their seconds, of which some minutes lack some or all."""
    minutes = synthetic_bars(symbol, days=1, seed=3, session="all")
    seconds = second_bars(minutes, seed=3)
    rng = np.random.default_rng(1)
    kept = rng.random(len(seconds)) < 0.9
    of_minute = seconds.timestamps_ns // MINUTE
    lost = np.unique(of_minute)[::7]
    return minutes, seconds.select(kept & ~np.isin(of_minute, lost))


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("session", ["rth", "all"])
def test_every_second_lies_in_its_minute_and_the_rest_is_padding(symbol: str, session: str) -> None:
    minutes, seconds = made(symbol)
    config = CONFIG.override(session=session)
    found = prepare_seconds(minutes, seconds, config)
    market = prepare(minutes, config)
    assert found.high.shape == found.low.shape == (len(market), 60)
    assert found.high.dtype == found.low.dtype == np.int32
    tick = get_contract(symbol).tick_size
    of_minute = seconds.timestamps_ns // MINUTE
    prices = {
        name: np.round(seconds.frame[name].to_numpy() / tick).astype(np.int64)
        for name in ("high", "low")
    }
    assert prices["high"].max() > 2**15 or symbol not in ("NQ", "MNQ", "YM", "MYM")
    without = 0
    for row, minute in enumerate(market.timestamps_ns // MINUTE):
        own = np.flatnonzero(of_minute == minute)
        without += not len(own)
        for name, table in (("high", found.high), ("low", found.low)):
            assert table[row, : len(own)].tolist() == prices[name][own].tolist()
        assert (found.high[row, len(own) :] < found.low[row, len(own) :]).all()
    assert found.minutes_without == without > 0
    assert (found.source, found.digest) == (seconds.source, seconds.digest)


def test_markets_lie_one_after_another_as_their_bars_do() -> None:
    pairs = [made(symbol) for symbol in ("NQ", "ES")]
    prepared = [prepare_seconds(*pair, CONFIG) for pair in pairs]
    data = stack_seconds(prepared)
    bars = stack([prepare(minutes, CONFIG) for minutes, _ in pairs])
    assert len(data.high) == len(bars.bars)
    first = np.asarray(bars.first_bar)
    for number, one in enumerate(prepared):
        place = slice(first[number], first[number] + len(one.high))
        np.testing.assert_array_equal(data.high[place], one.high)
        np.testing.assert_array_equal(data.low[place], one.low)
    assert data.high.dtype == data.low.dtype == np.int32
