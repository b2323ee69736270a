"""Certificates as a run of the gate of standard strength would write them, of the code at hand."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from foundation.loaded_code import loaded_digests
from foundation.provenance import jax_flags
from jax_port.data.data_loader import prepare
from jax_port.runs.training_data import TrainingData
from markets import SYMBOLS, EnvConfig
from parity.engine.certificate import envelope, issue
from parity.engine.report import versions
from parity.gate.covered import covered_by
from parity.gate.strength import CHECKS, LEAST, REQUIRED
from parity.pairs.market_key import market_key
from parity.suites.trading import MODULES


def worlds_of(data: TrainingData, config: EnvConfig) -> list[dict[str, Any]]:
    """Return what a report says of a training's markets under its configuration."""
    worlds = []
    for bars in data.bars():
        market = prepare(bars, config)
        worlds.append(
            {
                "name": "file",
                "source": bars.source,
                "contract": bars.contract.symbol,
                "digest": market.digest,
                "key": market_key(market.digest, bars.contract),
                "config": config.to_dict(),
            }
        )
    return worlds


def made_certificate(worlds: Sequence[dict[str, Any]] = (), level: str = "standard") -> dict[str, Any]:
    """Return a sound certificate of this strength that covers these worlds."""
    replayed, generated = LEAST.get(level, (100, 100))  # type: ignore[call-overload]
    checks = [_check(kind, "a world", 1) for kind in sorted(CHECKS - {"replay", "generated"})]
    checks.append(_check("replay", "ES synthetic", replayed))
    names = [f"{symbol} synthetic{phase}" for symbol in SYMBOLS for phase in ("", ", phase 2")]
    checks += [_check("generated", name, generated) for name in names]
    report = {
        "title": "t",
        "verdict": "same",
        "made": {
            "when": "now",
            "device": "cpu",
            "platform": jax.default_backend(),
            "flags": jax_flags(jax.config),
            "versions": versions(),
        },
        "summary": {
            "replayed_transitions": replayed,
            "generated_transitions": generated * len(names),
            "numbers_compared": sum(check["numbers"] for check in checks),
            "mismatches": 0,
            "failed_checks": 0,
        },
        "checks": checks,
        "required": sorted(REQUIRED),
        "coverage": dict.fromkeys(sorted(REQUIRED), 1),
        "worlds": list(worlds),
    }
    return issue(report, {}, loaded_digests(MODULES), covered_by(worlds, [0], True))


def _check(kind: str, world: str, compared: int) -> dict[str, Any]:
    counted = {"compared": compared, "numbers": 10 * compared, "mismatches": 0, "passed": True}
    return {"check": kind, "world": world, **counted}


def write_certificate(path: Path, certificate: dict[str, Any], key: Path | None = None) -> Path:
    """Write a certificate in its envelope."""
    path.write_text(json.dumps(envelope(certificate, key)))
    return path


def opened(path: Path) -> dict[str, Any]:
    """Return the Statement in an envelope."""
    payload = base64.b64decode(json.loads(path.read_text())["payload"])
    return dict(json.loads(payload))
