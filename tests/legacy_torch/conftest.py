"""Hand-made bars for the reference's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from markets import Bars, EnvConfig, get_contract

LEAD = 21
"""Quiet bars before the first one of a scenario: 20 of warm-up and a window of one."""

HighLowClose = tuple[float, float, float]


def _new_york(minutes: Sequence[int]) -> pd.DatetimeIndex:
    """Return UTC times of minutes since midnight of 2025-03-10 in New York (1440 is the next day)."""
    midnight = pd.Timestamp("2025-03-10", tz="America/New_York")
    stamps = [midnight + pd.Timedelta(minutes=minute) for minute in minutes]
    return pd.DatetimeIndex(stamps).tz_convert("UTC")


def _frame(rows: Sequence[HighLowClose], minutes: Sequence[int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["high", "low", "close"], index=_new_york(minutes))
    frame["open"] = frame["close"]
    frame["volume"] = np.arange(len(frame), dtype=float) + 1
    return frame


@pytest.fixture(scope="session")
def scenario() -> Callable[..., TradingEnvPhase1]:
    """Return a factory of environments that stand at index 21 of a quiet market, flat.

    Quiet bars close at ``price`` with a range of 8 ticks, so atr_ticks is 8, the stop is 12 ticks
    away and the target 36. The bar at index 21 is quiet unless ``first`` says otherwise; ``rows``
    are the bars after it, and five quiet ones at the last close follow.
    """

    def make(
        rows: Sequence[HighLowClose] = (),
        *,
        first: HighLowClose | None = None,
        minute: int = 600,
        minutes: Sequence[int] | None = None,
        symbol: str = "ES",
        price: float = 5000.0,
        tail: int = 5,
        phase: int = 1,
        **overrides: Any,
    ) -> TradingEnvPhase1:
        contract = get_contract(symbol)
        half = 4 * contract.tick_size
        quiet = (price + half, price - half, price)
        last = rows[-1][2] if rows else price
        after = [*rows, *[(last + half, last - half, last)] * tail]
        times = [minute, *(minutes or ())]
        last_minute = times[-1] % 1440
        room = 1019 - last_minute if last_minute < 1019 else 0  # then on to the next morning
        morning = 1440 * (times[-1] // 1440 + 1) + 570
        times += [*range(times[-1] + 1, times[-1] + 1 + room), *range(morning, morning + 100)]
        stamps = [*range(minute - LEAD, minute), *times[: 1 + len(after)]]
        frame = _frame([*[quiet] * LEAD, first or quiet, *after], stamps)
        settings: dict[str, Any] = {"warmup_bars": 20, "window_size": 1, "max_episode_bars": len(after)}
        configure = EnvConfig.phase1 if phase == 1 else EnvConfig.phase2
        kind = TradingEnvPhase1 if phase == 1 else TradingEnvPhase2
        config = configure(**(settings | overrides))
        env = kind(Bars.from_frame(frame, contract, source="scenario"), config)
        env.reset(options={"start_index": LEAD})
        return env

    return make


@pytest.fixture(scope="session")
def random_frame() -> Callable[..., pd.DataFrame]:
    """Return a factory of random walks on a tick grid, 450 bars a day from 09:30 to 16:59."""

    def make(
        days: int = 2, *, seed: int = 0, tick: float = 0.25, price: float = 5000.0, move: int = 8
    ) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        count = 450 * days
        close = round(price / tick) + np.cumsum(rng.integers(-move, move + 1, count))
        opened = np.concatenate([close[:1], close[:-1]])
        high = np.maximum(opened, close) + rng.integers(0, move, count)
        low = np.minimum(opened, close) - rng.integers(0, move, count)
        minutes = [1440 * day + minute for day in range(days) for minute in range(570, 1020)]
        prices = {"open": opened, "high": high, "low": low, "close": close}
        frame = pd.DataFrame(prices, index=_new_york(minutes)) * tick
        frame["volume"] = rng.integers(1, 5000, count).astype(float)
        return frame

    return make


@pytest.fixture(scope="session")
def random_bars(random_frame: Callable[..., pd.DataFrame]) -> Callable[..., Bars]:
    """Return a factory of such walks as bars of a contract."""

    def make(days: int = 2, *, symbol: str = "ES", **settings: Any) -> Bars:
        contract = get_contract(symbol)
        frame = random_frame(days, tick=contract.tick_size, **settings)
        return Bars.from_frame(frame, contract, source="random walk")

    return make
