"""A strategy played by hand on a morning's bars: a log that agrees, made without the C# strategy."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jax_port.data.data_loader import prepare
from jax_port.export.manifest import ACTIONS, POSITION
from jax_port.ppo.policy import Policy
from markets import Bars, EnvConfig, get_contract
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars
from parity.live_replay.decision_log import Between, Fill, LiveLog
from parity.live_replay.offline import Held, Offline
from tests.jax_port.made_policy import make_policy

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


Lines = list[dict[str, Any]]
DIGEST = "ab" * 32


def header(phase: int = 2, **values: Any) -> dict[str, Any]:
    return {
        "kind": "rltrader decisions",
        "version": 2,
        "bundle": "/bundles/es",
        "policy_sha256": DIGEST,
        "symbol": "ES",
        "session": "rth",
        "phase": phase,
        "window": 3,
        "preload": 40,
        "contracts": 2,
        "features": list(FEATURES),
        "position": list(POSITION[: 5 if phase == 1 else 8]),
        "actions": list(ACTIONS[: 3 if phase == 1 else 6]),
        **values,
    }


def waiting(number: int, **values: Any) -> dict[str, Any]:
    """Return the line of a bar on which nothing is decided."""
    return {
        "event": "bar",
        "number": number,
        "time": f"2025-01-06T14:{30 + number}:00Z",
        "ohlcv": [6000.0 + number, 6003.25, 5998.5 - number, 6001.75, 120 + number],
        "minute": 570 + number,
        "mode": ("historical", "virtual", "live")[number % 3],
        "flat_by": 950 + number,
        "features": [None if x == number else x + number / 8 for x in range(11)],
        "distances": [8 + number, 17, 5],
        "side": 0,
        "entry": 0,
        "stop": 0,
        "target": 0,
        "entry_bar": 0,
        "trailing": False,
        "skipped": "warming up",
        **values,
    }


def decided(number: int, **values: Any) -> dict[str, Any]:
    """Return the line of a bar on which something is decided, a short trade being open."""
    return waiting(
        number,
        **{
            "skipped": None,
            "side": -1,
            "entry": 24_000 + number,
            "stop": 24_010,
            "target": 23_979,
            "entry_bar": number - 1,
            "trailing": True,
            "observed": [-1.0, 0.25, 0.5, -0.75, 0.125, 1.0, 0.0, number / 2],
            "mask": [True, False, False, True, True, False],
            "logits": [0.5, -2.0, 1.5, 3.0, -0.25, number / 4],
            "action": 3,
            **values,
        },
    )


def fill(order: str = "RLTrader", **values: Any) -> dict[str, Any]:
    return {
        "event": "fill",
        "time": "2025-01-06T14:31:02Z",
        "side": -1,
        "quantity": 2,
        "price": 6000.25,
        "order": order,
        "mode": "live",
        "latency_ms": 41.5,
        **values,
    }


def small(phase: int = 2, **values: Any) -> Lines:
    """Return the lines of a log of three bars, one of which something is decided on."""
    return [
        header(phase, **values),
        waiting(0),
        waiting(1, withheld="too late"),
        fill(),
        {"event": "ended", "order": "RLTrader"},
        {"event": "ended", "order": "Stop loss"},
        decided(2),
        {"event": "alive", "mode": "live"},
        fill("Profit target", side=1, quantity=1, price=5994.75, mode="backtest", latency_ms=None),
        fill("Stop loss", side=1, quantity=1, price=6002.5, mode="virtual", latency_ms=0),
    ]


def written(folder: Path, lines: Lines, name: str = "log.jsonl", end: str = "\n") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(line) for line in lines) + end, encoding="utf-8")
    return path
