"""Both pipelines prepare the same numbers of every bar, and a sum taken in another order is seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from jax_port.data import features
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.synthetic.stress import stress_bars
from parity.engine.verify import CheckResult
from parity.pairs.trading import World
from parity.suites.data import check_data
from parity.suites.processed import processed

F64 = NDArray[np.float64]
CONFIG = EnvConfig.phase1()


@pytest.fixture(scope="module")
def world() -> World:
    """Return bars whose ticks of 0.1 no float64 holds exactly, so that the order of a sum shows."""
    return World("RTY", stress_bars("RTY", seed=0, days=4), "")


def check(world: World) -> CheckResult:
    return check_data(world, CONFIG, prepare(world.bars, CONFIG))


def sliding(x: F64, length: int) -> F64:
    total = np.cumsum(np.nan_to_num(x))
    total[length:] -= total[:-length].copy()
    total[: length - 1] = np.nan
    return np.asarray(total / length)


def newest_first(x: F64, length: int) -> F64:
    out = np.full(x.shape, np.nan)
    out[length - 1 :] = (
        sum(x[age : x.size - length + 1 + age] for age in reversed(range(length))) / length
    )
    return out


def test_both_sides_agree_to_the_last_bit(world: World) -> None:
    for bars in (world, processed(world)):
        result = check(bars)
        assert result.first is None
        assert not result.error
        for name, stats in result.fields.items():
            assert (stats.mismatches, stats.max_abs) == (0, 0.0), name


@pytest.mark.parametrize("mean", [sliding, newest_first])
def test_a_sum_in_another_order_is_seen(
    world: World, mean: Callable[[F64, int], F64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "window_mean", mean)
    result = check(world)
    wrong = {name for name, stats in result.fields.items() if stats.mismatches}
    assert wrong >= {f"feature {name} in float64" for name in ("sma_5", "sma_20", "rsi", "atr")}


def test_a_rounding_of_prices_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = features.compute_features
    monkeypatch.setattr(
        "parity.suites.data.compute_features", lambda bars: right(bars).astype(np.float32).astype(float)
    )
    wrong = {name for name, stats in check(world).fields.items() if stats.mismatches}
    assert "feature macd in float64" in wrong
    assert "feature momentum in float64" in wrong
