"""A strategy played by hand on a morning's bars: a log that agrees, made without the C# strategy."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jax_port.data.data_loader import prepare
from jax_port.ppo.policy import Policy
from markets import Bars, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.live_replay.decision_log import Between, Fill, LiveLog
from parity.live_replay.offline import Held, Offline
from tests.jax_port.made_policy import make_policy
from tests.parity.live_replay.made_log import header

FIRST, BARS = 570, 80
"""New York minute at which the first bar opens, and how many there are."""
NO_TRADE_BEFORE, NO_TRADE_FROM, FLAT_BY = 598, 642, 644
CONFIG = EnvConfig.phase2(
    window_size=3,
    warmup_bars=22,
    entry_open_minute=NO_TRADE_BEFORE,
    entry_close_minute=NO_TRADE_FROM,
    flat_by_minute=FLAT_BY,
    sl_atr_mult=2.0,
    tp_sl_ratio=0.75,
    contracts=2,
)
SLIPPAGE = 2


@cache
def bars() -> Bars:
    whole = synthetic_bars("ES", days=1, seed=3)
    few = whole.select(np.arange(len(whole)) < BARS)
    return replace(few, contract=replace(get_contract("ES"), slippage_ticks=SLIPPAGE))


@cache
def policy() -> Policy:
    whole = prepare(synthetic_bars("ES", days=1, seed=3), CONFIG)
    return make_policy(whole, CONFIG, seed=19)


@cache
def offline() -> Offline:
    return Offline(policy(), bars())


@cache
def _agreeing() -> LiveLog:
    """Return the log of a strategy that is filled as the rules say, on an account."""
    rules, tick = offline(), bars().contract.tick_size
    first = CONFIG.warmup_bars + CONFIG.window_size
    between = [Between() for _ in range(BARS + 1)]
    held, sent = Held(), 0
    trades: list[Held] = []
    skipped: list[str | None] = []
    columns: dict[str, Any] = {
        "observed": np.full((BARS, 8), np.nan),
        "mask": np.zeros((BARS, 6), bool),
        "logits": np.full((BARS, 6), np.nan),
        "action": np.full(BARS, -1),
    }

    def filled(t: int, side: int, ticks: int, order: str, latency: float | None) -> None:
        time = str(bars().frame.index[min(t, BARS - 1)])
        between[t].fills.append(Fill(time, side, 2, ticks * tick, order, "live", latency))

    for t in range(BARS):
        closed = False
        if sent:
            held, sent = rules.entered(t - 1, sent), 0
            filled(t, held.side, held.entry, "RLTrader", 10.0 + t)
        if held.side and (found := rules.exit_price(t, held)):
            order = "Stop loss" if found[0] == "stop" else "Profit target"
            filled(t, -held.side, found[1], order, None)
            held, closed = Held(), True
        trades.append(held)
        late = bool(held.side) and FIRST + t >= FLAT_BY
        why = "warming up" if t < first else "flat by" if late else None
        skipped.append("closed on this bar" if closed and why is None else why)
        if late:
            filled(t + 1, -held.side, rules.market_price(t, -held.side), "RLTrader flat", 3.0)
            held = Held()
        if skipped[t] is not None:
            continue
        seen = rules.see(np.array([t]), [held], _blank())
        for name in columns:
            columns[name][t] = getattr(seen, name)[0]
        action = int(seen.action[0])
        if held.side:
            held = rules.managed(t, held, action)
        elif action in (1, 2) and NO_TRADE_BEFORE <= FIRST + t < NO_TRADE_FROM:
            sent = 1 if action == 1 else -1
    names = ("side", "entry", "stop", "target", "entry_bar", "trailing")
    return replace(
        _blank(),
        time_ns=bars().timestamps_ns.copy(),
        ohlcv=bars().frame.to_numpy(np.float64).copy(),
        minute=FIRST + np.arange(BARS),
        mode=["live"] * BARS,
        flat_by=np.full(BARS, 950),
        withheld=[None] * BARS,
        features=rules.features.copy(),
        distances=rules.distances.copy(),
        held=np.array([[int(getattr(one, name)) for name in names] for one in trades]),
        skipped=skipped,
        advice=np.full((BARS, 3), np.nan),
        confidence=np.full(BARS, np.nan),
        asked=np.full(BARS, -1),
        between=between,
        **columns,
    )


def _blank() -> LiveLog:
    values: dict[str, Any] = dict.fromkeys(LiveLog.__dataclass_fields__)
    return LiveLog(**{**values, "path": Path("log.jsonl"), "header": header(preload=1), "torn": False})


def agreeing() -> LiveLog:
    """Return a copy of the log, to be changed at will."""
    return copy.deepcopy(_agreeing())
