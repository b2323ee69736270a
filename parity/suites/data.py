"""Data parity: both pipelines' features, integers and starts on the same bars.

Features are also compared before they are rounded to float32, since rounding hides how a window was
summed: an accumulator that slides along the file is wrong by some 1e-13 of a price until a bad print
comes, and by points after it. Section 3 of ``docs/environment.md`` says in which order every sum is
taken, so both sides must agree to the last bit. Only MACD, a recursion over the whole file, may differ
by the rounding of a fused multiply-add.

Source: sections 3 and 4 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jax_port.data.data_loader import ATR, CLOSE, HIGH, LOW, MINUTE, STOP, TARGET, TRAIL, PreparedMarket
from jax_port.data.features import compute_features
from legacy_torch.features import add_features
from markets import EnvConfig
from markets.bars import FEATURES
from parity.engine.compare import Tolerance, close, exact
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult, compare_fields
from parity.pairs.trading import World, make_reference

TICKS = {"high": HIGH, "low": LOW, "close_ticks": CLOSE}
DISTANCES = {"stop_ticks": STOP, "target_ticks": TARGET, "trail_ticks": TRAIL}

_SAME_BITS = exact(nan_is_undefined=True)
RULES: Mapping[str, Tolerance] = {
    **{f"feature {name}": _SAME_BITS for name in FEATURES},
    **{f"feature {name} in float64": _SAME_BITS for name in FEATURES},
    "feature macd": close(ulps=4, nan_is_undefined=True),
    "feature macd in float64": Tolerance(absolute=1e-9, relative=1e-9, nan_is_undefined=True),
    **{name: exact("ticks") for name in (*TICKS, *DISTANCES)},
    "minute": exact("minutes"),
    "atr_ticks": close(ulps=4),
    "can start": exact(),
}


def reference_data(world: World, config: EnvConfig) -> Fields:
    """Return what the reference prepares of every bar, fields of shape (T,)."""
    env = make_reference(world, config)
    contract = world.bars.contract
    frame = env.df
    unrounded = add_features(env.bars.frame, contract.tick_size, config, env.bars.precomputed)
    starts = np.zeros(len(frame), bool)
    starts[np.asarray(env.valid_starts)] = True
    prices = {"high": "high", "low": "low", "close_ticks": "close"}
    return {
        **{f"feature {name}": env.features[name].to_numpy(np.float32) for name in FEATURES},
        **{f"feature {name} in float64": unrounded[name].to_numpy(np.float64) for name in FEATURES},
        **{name: contract.to_ticks(frame[column]).astype(np.int32) for name, column in prices.items()},
        **{name: frame[name].to_numpy().astype(np.int32) for name in (*DISTANCES, "minute")},
        "atr_ticks": np.nan_to_num(frame["atr_ticks"].to_numpy(), nan=1.0).astype(np.float32),
        "can start": starts,
    }


def port_data(world: World, config: EnvConfig, market: PreparedMarket) -> Fields:
    """Return what the port prepares of every bar, fields of shape (T,)."""
    unrounded = compute_features(world.bars.session(config.session))
    starts = np.zeros(len(market), bool)
    starts[market.starts] = True
    columns = {**TICKS, **DISTANCES, "minute": MINUTE}
    return {
        **{f"feature {name}": market.features[:, i] for i, name in enumerate(FEATURES)},
        **{f"feature {name} in float64": unrounded[:, i] for i, name in enumerate(FEATURES)},
        **{name: market.bars[:, column] for name, column in columns.items()},
        "atr_ticks": market.bars[:, ATR].copy().view(np.float32),
        "can start": starts,
    }


def judge_data(
    world: World, config: EnvConfig, reference: Fields, market: PreparedMarket
) -> CheckResult:
    """Compare both pipelines' numbers of every bar.

    Args:
        world: the bars, before the session is applied.
        config: what both sides prepared them with.
        reference: fields of shape (T,), from :func:`reference_data`.
        market: what the port prepared.
    """
    rows = len(reference["minute"])
    if rows != len(market):
        text = f"the reference keeps {rows} bars, the port {len(market)}"
        return CheckResult("data", world.name, rows, error=text)
    observed = port_data(world, config, market)
    stats, firsts = compare_fields(RULES, reference, observed, np.ones(rows, bool))
    return CheckResult("data", world.name, rows, stats, firsts[0] if firsts else None)


def check_data(world: World, config: EnvConfig, market: PreparedMarket) -> CheckResult:
    """Prepare a world on both sides and compare."""
    return judge_data(world, config, reference_data(world, config), market)
