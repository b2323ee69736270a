"""Files that come from elsewhere: weights of PyTorch, accounts of runs and sweeps, tables of advice."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from foundation.json_lines import read_json_lines
from foundation.json_reading import Artifact
from jax_port.evaluation.tasks import choice_of
from jax_port.export.bundle import STATE, state_of
from jax_port.export.manifest import MANIFEST, contract_of, describe
from jax_port.ppo.policy import load_policy
from markets.advice.table import COLUMNS, About, AdviceTable, TableKey, load_table, save_table
from rltrader.__main__ import app
from tests.fuzz.fuzz import Kind
from tests.fuzz.mutations import damage_bytes, damage_json, damage_json_lines
from tests.jax_port.export.made_bundle import made_policy


def state() -> list[Kind]:
    """Return a policy.pt, damaged as bytes and tensor by tensor, as ``rltrader import`` reads it."""
    policy = made_policy(1)
    stream = io.BytesIO()
    torch.save(state_of(policy), stream)
    described = describe(policy, contract_of(policy, "ES"), {"file": "p", "sha256": "0"})
    manifest = json.dumps({**described, "files": {}}).encode()

    def imported(path: Path) -> object:
        (path.parent / MANIFEST).write_bytes(manifest)
        to = path.parent / "made.safetensors"
        to.unlink(missing_ok=True)
        try:
            return app(["import", str(path), "--to", str(to)])
        finally:
            (path.parent / MANIFEST).unlink()

    def usable(path: Path, good: bytes) -> str | None:
        found = load_policy(path.parent / "made.safetensors")
        numbers = [value for kinds in found.params["params"].values() for value in kinds.values()]
        numbers += list((found.statistics or {}).values())
        return None if all(np.isfinite(one).all() for one in numbers) else "no numbers were saved"

    def kind(name: str, damage: Any) -> Kind:
        return Kind(name, stream.getvalue(), STATE, damage, imported, usable, named="policy.pt")

    return [kind("state-bytes", damage_bytes), kind("state-tensors", damage_tensors)]


def damage_tensors(rng: random.Random, data: bytes) -> bytes:
    """Return a file of tensors with one of another kind, shape, type or value."""
    state = dict(torch.load(io.BytesIO(data), weights_only=True))
    name = rng.choice(sorted(state))
    value = state[name]
    state[name] = rng.choice(
        (
            lambda: value.to(rng.choice((torch.float16, torch.bfloat16, torch.float64, torch.int32))),
            lambda: value.to_sparse() if value.ndim else value.bool(),
            lambda: torch.full_like(value, rng.choice((float("nan"), float("inf"), 1e38, -1.0))),
            lambda: value[:0] if value.ndim else value.reshape(1),
            lambda: value.unsqueeze(0),
            lambda: value.T if value.ndim == 2 else value.expand(3, *value.shape),
            lambda: torch.zeros(1, dtype=value.dtype).expand(1 << rng.choice((3, 20, 34, 40))),
            lambda: torch.empty(value.shape, device="meta"),
            lambda: rng.choice((None, 3.0, "x", [value], {"a": value})),
        )
    )()
    if rng.random() < 0.2:
        state[rng.choice(("x", "", "policy_9.weight"))] = state.pop(name)
    made = io.BytesIO()
    torch.save(rng.choice((state, state, state, list(state.values()))), made)
    return made.getvalue()


def accounts() -> list[Kind]:
    """Return what a run and a sweep say of how many policies one was chosen from."""
    finished = json.dumps({"updates": 7, "policies": 12}).encode()
    swept = json.dumps({"chosen_from": 4, "sharpes": [0.1, None, -0.2, 0.3], "trials": []}).encode()

    def finished_read(path: Path) -> object:
        return (choice_of(path.parent / "policy.safetensors", {}).trials,)

    def swept_read(path: Path) -> object:
        policy = path.parent / "best" / "policy.safetensors"
        choice = choice_of(policy, {})
        return choice.trials, choice.sharpes

    return [
        Kind("finished", finished, "finished.json", damage_json, finished_read),
        Kind("sweep", swept, "sweep.json", damage_json, swept_read),
    ]


def advice_table() -> Kind:
    rows = [3, 5, 9, 12]
    values: dict[str, Any] = {
        "row": rows,
        "status": ["ok"] * 4,
        **{name: [1 / 3] * 4 for name in ("hold", "buy", "sell")},
        "confidence": [0.5] * 4,
        "latency_ms": [2.0] * 4,
        **dict.fromkeys(("attempts", "prompt_tokens", "completion_tokens"), [1] * 4),
    }
    frame = pd.DataFrame({name: values.get(name, "") for name in COLUMNS if name != "time"})
    frame["time"] = pd.date_range("2025-01-06", periods=4, freq="min", tz="UTC")
    about = About(TableKey("0", "rules", "rules", ""), "ES", 20)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "advice.parquet"
        save_table(path, AdviceTable(about, frame))
        data = path.read_bytes()

    def read(path: Path) -> object:
        table = load_table(path)
        return table.totals(), table.rows, table.usable, table.probabilities

    return Kind("advice", data, "advice.parquet", damage_bytes, read)


def lines() -> Kind:
    data = "".join(json.dumps({"mutant": n, "outcome": "killed"}) + "\n" for n in range(5)).encode()
    artifact = Artifact("line of mutants", "remove the file")
    return Kind(
        *("lines", data, "mutants.jsonl", damage_json_lines),
        lambda path: read_json_lines(path, artifact),
    )


def kinds() -> list[Kind]:
    """Return the kinds of files from elsewhere."""
    return [*state(), *accounts(), advice_table(), lines()]
