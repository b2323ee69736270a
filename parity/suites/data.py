"""Data parity: both pipelines' features, integers and starts on the same bars.

Source: sections 3 and 4 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jax_port.data.data_loader import ATR, CLOSE, HIGH, LOW, MINUTE, STOP, TARGET, TRAIL, PreparedMarket
from markets import EnvConfig
from markets.bars import FEATURES
from parity.engine.compare import Close, Equal, Rule
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult, compare_fields
from parity.pairs.trading import World, make_reference

TICKS = {"high": HIGH, "low": LOW, "close_ticks": CLOSE}
DISTANCES = {"stop_ticks": STOP, "target_ticks": TARGET, "trail_ticks": TRAIL}

RULES: Mapping[str, Rule] = {
    **{f"feature {name}": Close(ulps=4, nan_is_undefined=True) for name in FEATURES},
    **{name: Equal("ticks") for name in (*TICKS, *DISTANCES)},
    "minute": Equal("minutes"),
    "atr_ticks": Close(ulps=4),
    "can start": Equal(),
}


def reference_data(world: World, config: EnvConfig) -> Fields:
    """Return what the reference prepares of every bar, fields of shape (T,)."""
    env = make_reference(world, config)
    contract = world.bars.contract
    frame = env.df
    starts = np.zeros(len(frame), bool)
    starts[np.asarray(env.valid_starts)] = True
    prices = {"high": "high", "low": "low", "close_ticks": "close"}
    return {
        **{f"feature {name}": env.features[name].to_numpy(np.float32) for name in FEATURES},
        **{name: contract.to_ticks(frame[column]).astype(np.int32) for name, column in prices.items()},
        **{name: frame[name].to_numpy().astype(np.int32) for name in (*DISTANCES, "minute")},
        "atr_ticks": np.nan_to_num(frame["atr_ticks"].to_numpy(), nan=1.0).astype(np.float32),
        "can start": starts,
    }


def port_data(market: PreparedMarket) -> Fields:
    """Return what the port prepares of every bar, fields of shape (T,)."""
    starts = np.zeros(len(market), bool)
    starts[market.starts] = True
    columns = {**TICKS, **DISTANCES, "minute": MINUTE}
    return {
        **{f"feature {name}": market.features[:, i] for i, name in enumerate(FEATURES)},
        **{name: market.bars[:, column] for name, column in columns.items()},
        "atr_ticks": market.bars[:, ATR].copy().view(np.float32),
        "can start": starts,
    }


def judge_data(world: str, reference: Fields, market: PreparedMarket) -> CheckResult:
    """Compare both pipelines' numbers of every bar."""
    rows = len(reference["minute"])
    if rows != len(market):
        text = f"the reference keeps {rows} bars, the port {len(market)}"
        return CheckResult("data", world, rows, error=text)
    stats, firsts = compare_fields(RULES, reference, port_data(market), np.ones(rows, bool))
    return CheckResult("data", world, rows, stats, firsts[0] if firsts else None)


def check_data(world: World, config: EnvConfig, market: PreparedMarket) -> CheckResult:
    """Prepare a world on both sides and compare."""
    return judge_data(world.name, reference_data(world, config), market)
