"""Decision logs written by hand: a header and lines in which no two values are alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jax_port.export.manifest import ACTIONS, POSITION
from markets.bars import FEATURES

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
        "trailing": 0,
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
            "trailing": 1,
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
