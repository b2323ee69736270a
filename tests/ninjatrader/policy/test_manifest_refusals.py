"""Which manifests the C# side takes, from either side of each limit, and what it says of the others."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        foreach (string folder in args)
            try { Console.WriteLine(Manifest.Load(folder).Symbol); }
            catch (BundleException error) { Console.WriteLine(error.Message); }
    }
}
"""
FEATURES = [
    *("close", "volume", "sma_5", "sma_20", "rsi", "macd", "momentum", "atr"),
    *("hour_decimal", "min_from_open", "min_to_close"),
]
POSITION = ["position", "entry_ratio", "stop_distance", "target_distance", "time_in_position"]
POLICY = b"not read here"
WHOLE: dict[str, Any] = {
    "kind": "rltrader bundle",
    "version": 1,
    "phase": 1,
    "observation": {"size": 27, "window": 2, "features": FEATURES, "position": POSITION},
    "actions": ["hold", "buy", "sell"],
    "normalizer": {"epsilon": 1e-8, "clip": 10, "mean": [0] * 27, "var": [1] * 27},
    "network": {
        "activation": "relu",
        "policy": [{"name": "a", "in": 27, "out": 4}, {"name": "b", "in": 4, "out": 3}],
        "value": [{"name": "c", "in": 27, "out": 1}],
    },
    "masks": {"forbidden_logit": -1e8},
    "env_config": {
        "phase": 1,
        "window_size": 2,
        "session": "rth",
        "warmup_bars": 0,
        "max_episode_bars": 1,
        "entry_open_minute": 0,
        "entry_close_minute": 1440,
        "flat_by_minute": 1439,
        "sl_atr_mult": 0.5,
        "tp_sl_ratio": 2,
        "trail_atr_mult": 1,
        "account": {"contracts": 1, "trailing_drawdown_dollars": 9, "floor_lock_dollars": 0},
    },
    "contract": {
        "symbol": "ES",
        "tick_size": 0.25,
        "tick_value_cents": 1250,
        "slippage_ticks": 0,
        "commission_cents": 0,
    },
    "certificate": "ungated",
    "files": {"policy.safetensors": hashlib.sha256(POLICY).hexdigest()},
}
FUSION = {
    "rule": "gated",
    "weight": 0,
    "threshold": 0,
    "least_left": 0,
    "fade": 0,
    "most_losses": 1,
    "every": 1,
    "cooldown": 0,
    "most_age": 0,
    "at_entries": False,
}
TAKEN: list[dict[str, Any]] = [
    {},
    {"env_config.account.contracts": 100},
    {"env_config.sl_atr_mult": 100, "env_config.tp_sl_ratio": 100, "env_config.trail_atr_mult": 100},
    {"normalizer": None},
    {"fusion": FUSION},
    {"fusion": {**FUSION, "weight": 100, "threshold": 1, "least_left": 1, "fade": 1, "rule": "alone"}},
    {"fusion": FUSION | dict.fromkeys(("most_losses", "every", "cooldown", "most_age"), 1000)},
    {"fusion": FUSION, "trained_with_advice": {"as": "prior"}},
    {"trained_with_advice": None},
    {"certificate": {"verdict": "same"}, "network.activation": "tanh", "env_config.session": "all"},
]
NAMES = f"{', '.join(FEATURES)}"
REFUSED: list[tuple[str, Any, str]] = [
    ("kind", "rltrader", 'it is not "rltrader bundle" version 1'),
    ("version", 2, 'it is not "rltrader bundle" version 1'),
    ("phase", 3, "phase 3 is not known"),
    ("phase", 0, "phase 0 is not known"),
    (
        "observation.features",
        FEATURES[::-1],
        f"feature order is {', '.join(FEATURES[::-1])} and not {NAMES}",
    ),
    (
        "observation.features",
        FEATURES[:-1],
        f"feature order is {', '.join(FEATURES[:-1])} and not {NAMES}",
    ),
    (
        "observation.position",
        [*POSITION, "can_enter"],
        f"position features is {', '.join(POSITION)}, can_enter and not {', '.join(POSITION)}",
    ),
    ("observation.size", 28, "the observation's size does not add up"),
    ("observation.window", 3, "the observation's size does not add up"),
    ("observation.window", 0, "the observation's size does not add up"),
    ("actions", ["hold", "sell", "buy"], "actions is hold, sell, buy and not hold, buy, sell"),
    ("normalizer.mean", [0] * 26, "statistics are not as long as the observation"),
    ("normalizer.var", [1] * 28, "statistics are not as long as the observation"),
    ("normalizer.epsilon", 0, "epsilon and clip must be above zero"),
    ("normalizer.clip", 0, "epsilon and clip must be above zero"),
    ("network.activation", "gelu", "activation gelu is not known"),
    ("network.policy.0.in", 26, "layer a does not follow the one before it"),
    ("network.policy.1.in", 5, "layer b does not follow the one before it"),
    ("network.policy.1.out", 4, "the policy MLP ends in another size"),
    ("network.policy", [], "the policy MLP ends in another size"),
    ("network.value.0.out", 2, "the value MLP ends in another size"),
    ("env_config.phase", 2, "phase and env_config differ"),
    ("env_config.window_size", 1, "window and env_config differ"),
    ("env_config.session", "asia", "session asia is not known"),
    ("contract.tick_size", 0, "tick_size and tick_value must be above zero"),
    ("contract.tick_value_cents", 0, "tick_size and tick_value must be above zero"),
    ("env_config.account.contracts", 0, "contracts must be 1 to 100"),
    ("env_config.account.contracts", 101, "contracts must be 1 to 100"),
    *(
        (f"env_config.{name}", 0, "sl_atr_mult, tp_sl_ratio and trail_atr_mult must be above zero")
        for name in ("sl_atr_mult", "tp_sl_ratio", "trail_atr_mult")
    ),
    *(
        (
            f"env_config.{name}",
            100.5,
            "sl_atr_mult, tp_sl_ratio and trail_atr_mult must not be above 100",
        )
        for name in ("sl_atr_mult", "tp_sl_ratio", "trail_atr_mult")
    ),
    ("env_config.entry_open_minute", -1, "a minute lies outside the day"),
    ("env_config.entry_close_minute", 1441, "a minute lies outside the day"),
    ("env_config.flat_by_minute", 1440, "a minute lies outside the day"),
    ("contract.slippage_ticks", -1, "slippage and commission must not be below zero"),
    ("contract.commission_cents", -1, "slippage and commission must not be below zero"),
    ("env_config.warmup_bars", -1, "warmup_bars or max_episode_bars is too small"),
    ("env_config.max_episode_bars", 0, "warmup_bars or max_episode_bars is too small"),
    *(
        (
            "trained_with_advice",
            {"as": kind},
            "its policy was trained with advice, and its fusion is not there",
        )
        for kind in ("prior", "columns")
    ),
    (
        "files",
        {"policy.safetensors": "0" * 64},
        "policy.safetensors is not the file it was written for",
    ),
]
ANEW = "; export the policy anew"
OTHERS: list[tuple[str, Any, str]] = [
    ("phase", 1.5, f'"phase" is not a whole number{ANEW}'),
    ("certificate", {}, f'no "verdict" where one is needed{ANEW}'),
    ("contract.tick_value_cents", 12.5, f'"tick_value_cents" is not a whole number{ANEW}'),
    ("contract.symbol", None, f'"symbol" is of another kind than expected{ANEW}'),
    ("fusion", {**FUSION, "rule": "Gated"}, "fusion rule Gated is not known; use a newer strategy"),
    *(
        ("fusion", {**FUSION, name: value}, f"fusion setting {name} is not from 0 to {most}{ANEW}")
        for name, most in (("weight", 100), ("threshold", 1), ("least_left", 1), ("fade", 1))
        for value in (-0.001, most + 0.001)
    ),
    *(
        ("fusion", {**FUSION, name: value}, f"fusion setting {name} is not from {least} to 1000{ANEW}")
        for name, least in (("most_losses", 1), ("every", 1), ("cooldown", 0), ("most_age", 0))
        for value in (least - 1, 1001)
    ),
    ("fusion", {**FUSION, "most_losses": 1.5}, f'"most_losses" is not a whole number{ANEW}'),
    ("fusion", {**FUSION, "at_entries": 1}, f'"at_entries" is of another kind than expected{ANEW}'),
]
"""What is said without the file's name."""


def write(folder: Path, change: dict[str, Any]) -> str:
    """Write a manifest with other values, whose names lead inwards by dots, and its policy."""
    manifest = copy.deepcopy(WHOLE)
    for path, value in change.items():
        *outer, last = path.split(".")
        part: Any = manifest
        for name in outer:
            part = part[int(name) if isinstance(part, list) else name]
        part[last] = value
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "policy.safetensors").write_bytes(POLICY)
    return str(folder)


def test_a_manifest_is_taken_whole_or_refused_with_its_reason(tmp_path: Path) -> None:
    changes = [*TAKEN, *({path: value} for path, value, _ in (*REFUSED, *OTHERS))]
    folders = [write(tmp_path / str(number), change) for number, change in enumerate(changes)]
    (tmp_path / "none").mkdir()
    write(tmp_path / "alone", {})
    (tmp_path / "alone" / "policy.safetensors").unlink()
    folders += [str(tmp_path / "none"), str(tmp_path / "alone")]
    mend = "use the version of this code that fits, or export the policy anew"
    files = [f"{folder}/manifest.json" for folder in folders]
    wanted = ["ES"] * len(TAKEN)
    wanted += [
        f"{file}: {why}; {mend}" for file, (*_, why) in zip(files[len(TAKEN) :], REFUSED, strict=False)
    ]
    wanted += [why for *_, why in OTHERS]
    wanted += [
        f"{files[-2]}: no bundle here; give a folder that `rltrader export` wrote",
        f"{folders[-1]}/policy.safetensors: no such file; copy the whole bundle",
    ]
    command = ["mono", str(compiled(tmp_path, PROGRAM)), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == wanted
