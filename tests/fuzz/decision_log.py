"""Decision logs of the strategy, made without the platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jax_port.export.manifest import ACTIONS, POSITION
from markets.bars import FEATURES
from parity.live_replay.decision_log import HEADER, HELD, KIND, VERSION, read_log
from tests.fuzz.bars import few_bars
from tests.fuzz.fuzz import Kind
from tests.fuzz.mutations import damage_json_lines


def log() -> bytes:
    values: dict[type, Any] = {str: "x", int: 1, float: 1.0, list: [], dict: {}, bool: True}
    header = {name: values[kind] if isinstance(kind, type) else 1 for name, kind in HEADER.items()}
    header |= {"kind": KIND, "version": VERSION, "phase": 1, "features": list(FEATURES)}
    header |= {"position": list(POSITION[:5]), "actions": list(ACTIONS[:3])}
    lines = [header]
    rows = zip(few_bars().frame.index, few_bars().frame.itertuples(index=False), strict=True)
    for number, (at, row) in enumerate(rows):
        lines.append(
            {
                "event": "bar",
                "time": f"{at:%Y-%m-%dT%H:%M:%S}Z",
                "number": number,
                "minute": at.hour * 60 + at.minute,
                "mode": "historical",
                "flat_by": 955,
                "ohlcv": list(row),
                "features": [0.5] * len(FEATURES),
                "distances": [4, 8, 4],
                **dict.fromkeys(HELD, 0),
                "observed": [0.0] * 5,
                "mask": [True] * 3,
                "logits": [0.1, 0.2, 0.3],
                "action": 0,
            }
        )
        if number == 5:
            lines.append(
                {
                    "event": "fill",
                    "time": "2025-01-13T14:36:00Z",
                    "side": 1,
                    "quantity": 1,
                    "price": 6000.25,
                    "order": "entry",
                    "mode": "historical",
                    "latency_ms": None,
                }
            )
            lines.append({"event": "ended", "order": "entry"})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def kinds() -> list[Kind]:
    """Return the decision log."""

    def read(path: Path) -> object:
        return read_log(path)

    return [Kind("decisions", log(), "log.jsonl", damage_json_lines, read)]
