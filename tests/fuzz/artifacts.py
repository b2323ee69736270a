"""What the product writes and reads again: JSON, policies, caches, checkpoints, models of SB3."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from benchmarks.harness.machine_info import machine_info
from foundation.import_closure import PACKAGES_ROOT, digests
from jax_port.data.data_loader import PreparedMarket, load
from jax_port.export.golden_file import read_golden
from jax_port.export.manifest import MANIFEST, contract_of, describe
from jax_port.export.sb3 import make_sb3
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.runs.checkpoints import FOLDER, Checkpoints
from jax_port.runs.logs.training_log import LOG, TrainingLog, read_log
from jax_port.runs.plan import read_plan
from jax_port.runs.run_file import RUN
from markets import EnvConfig, get_contract
from markets.writers import write_bars
from parity.engine.certificate import FORMAT, misfits, read
from parity.engine.report import versions
from rltrader.__main__ import app
from rltrader.options.agents import read_agents
from rltrader.options.environment import environment
from tests.fuzz.bars import made_bars
from tests.fuzz.fuzz import Kind
from tests.fuzz.mutations import (
    damage_bytes,
    damage_json,
    damage_json_lines,
    damage_text,
    damage_values,
)
from tests.jax_port.export.made_bundle import made_policy
from tests.jax_port.export.test_bundle_damaged import golden, header_of, rewrite
from tests.jax_port.runs.test_run_file import PLAN


def dumped(values: Any) -> bytes:
    return json.dumps(values).encode()


def run_json() -> Kind:
    values = {"plan": PLAN.to_dict(), "made": {}}
    return Kind("run", dumped(values), RUN, damage_json, lambda path: read_plan(path.parent))


def certificate() -> Kind:
    modules = ("foundation.errors",)
    values = {
        "format": FORMAT,
        "title": "x",
        "verdict": "same",
        "made": {"when": "now", "device": "cpu", "versions": versions()},
        "counts": {"episodes": 3, "largest": None},
        "tolerances": {"obs": "equal"},
        "data": [{"name": "ES", "source": "x", "digest": "0"}],
        "sources": digests(PACKAGES_ROOT, modules),
    }

    def fits(path: Path) -> object:
        return misfits(read(path), PACKAGES_ROOT, modules)

    return Kind("certificate", dumped(values), "certificate.json", damage_json, fits)


def verified_certificate() -> Kind:
    """Return the same through the command: it does not fit the code, and says so."""
    kind = certificate()
    return replace(
        kind, name="verify", read=lambda path: app(["parity", "verify", str(path)]), named="certificate"
    )


def manifest() -> Kind:
    policy = made_policy(2)
    made = describe(policy, contract_of(policy, "ES"), {"file": "p", "sha256": "0"})
    made["files"] = {"policy.safetensors": "0"}
    with_state = json.loads(json.dumps(made))

    def imported(path: Path) -> object:
        (path.parent / "policy.pt").write_bytes(b"")
        with contextlib.ExitStack() as stack:
            stack.callback((path.parent / "policy.pt").unlink)
            return app(["import", str(path.parent), "--to", str(path.parent / "made.safetensors")])

    return Kind(
        "manifest", dumped(with_state), MANIFEST, damage_json, imported, named="policy.pt|manifest"
    )


def golden_file() -> Kind:
    policy = made_policy(1)
    return Kind(
        "golden",
        dumped(golden()),
        "golden.json",
        damage_json,
        lambda path: read_golden(path.parent, policy),
    )


@cache
def policy_bytes() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "policy.safetensors"
        save_policy(path, made_policy(1))
        return path.read_bytes()


def policy() -> Kind:
    """Return a policy with any byte damaged: it is the good one, or it is refused."""

    def same(path: Path, good: bytes) -> str | None:
        found, wanted = load_policy(path), made_policy(1)
        equal = all(
            np.array_equal(found.params["params"][layer][name], value)
            for layer, kinds in wanted.params["params"].items()
            for name, value in kinds.items()
        )
        return None if equal and found.config == wanted.config else "another policy was read"

    return Kind("policy", policy_bytes(), "policy.safetensors", damage_bytes, load_policy, same)


def policy_header() -> Kind:
    """Return a policy whose description is damaged under a checksum that is not asked for, for SB3."""

    def damage(rng: random.Random, data: bytes) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "policy.safetensors"
            path.write_bytes(data)
            about = damage_values(rng, {**header_of(path), "format": 1})
            rewrite(path, about)
            return path.read_bytes()

    return Kind(
        *("header", policy_bytes(), "policy.safetensors", damage),
        lambda path: make_sb3(load_policy(path)),
        named="policy",
    )


def cache_entry() -> Kind:
    """Return an entry of the cache: what is loaded is always what the bars say."""
    scratch = Path(os.environ.get("TMPDIR", "/tmp"))
    folder = TemporaryDirectory(dir=scratch)
    root = Path(folder.name)
    bars = write_bars(made_bars(), root / "bars.parquet")
    contract, config = get_contract("ES"), EnvConfig.phase1()
    good = load(bars, contract, config, cache_dir=root / "cache")
    (entry,) = (root / "cache").iterdir()

    def read_cache(path: Path, keep: object = folder) -> object:
        found = load(bars, contract, config, cache_dir=path.parent)
        if not equal(found, good):
            raise AssertionError("wrong data were used silently")
        return None

    return Kind("cache", entry.read_bytes(), entry.name, damage_bytes, read_cache)


def equal(one: PreparedMarket, other: PreparedMarket) -> bool:
    names = ("features", "bars", "starts", "timestamps_ns")
    return one.digest == other.digest and all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "features")
        for name in names
    )


def training_log() -> Kind:
    lines = [json.dumps({"update": n, "agent": 0, "loss": 0.5}) for n in range(1, 9)]

    def go_on(path: Path) -> object:
        TrainingLog(path.parent, after=10**6, agents=1, rollout_size=8).close()
        shutil.rmtree(path.parent / "tensorboard", ignore_errors=True)
        return read_log(path.parent)

    return Kind("log", "".join(f"{x}\n" for x in lines).encode(), LOG, damage_json_lines, go_on)


def checkpoint() -> Kind:
    """Return a checkpoint: its numbers are the good ones, or it is refused."""
    tree = {"weights": np.arange(50.0, dtype=np.float32), "count": np.int32(3)}
    with TemporaryDirectory() as folder:
        Checkpoints(Path(folder), "identity").save(3, tree, [])
        (place,) = (Path(folder) / FOLDER).iterdir()
        data, name = place.read_bytes(), place.name

    def latest(path: Path) -> object:
        place = path.parent / FOLDER / name
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, place)
        try:
            found = Checkpoints(path.parent, "identity").latest(tree)
        finally:
            shutil.rmtree(place.parent)
        if found is None or not np.array_equal(found[1]["weights"], tree["weights"]):
            raise AssertionError("other weights were restored")
        return found

    return Kind("checkpoint", data, name, damage_bytes, latest)


def settings() -> Kind:
    good = b"session=rth\nwindow_size=20\nsl_atr_mult=1.5\nhold_penalty=0\nmax_episode_bars=300"

    def read_settings(path: Path) -> object:
        texts = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        return environment("1", [text for text in texts if text])

    return Kind("settings", good, "settings", damage_text, read_settings, named=" ")


def agents() -> Kind:
    good = b"seed,learning_rate,gamma\n1,0.0003,0.99\n2,0.001,0.9\n"
    return Kind("agents", good, "agents.csv", damage_text, read_agents)


def benchmark() -> Kind:
    from tests.benchmarks.report.test_compare import _report

    good = _report({"a": [1.0, 1.1, 0.9], "b": [2.0, 2.1, 2.2]}, machine_info())
    text = dumped(msgspec.to_builtins(good))
    folder = TemporaryDirectory()
    before = Path(folder.name) / "before.json"
    before.write_bytes(text)

    def compared(path: Path, keep: object = folder) -> object:
        return app(["bench", "compare", str(before), str(path)])

    return Kind("benchmark", text, "after.json", damage_json, compared)


STATE = {
    **dict.fromkeys(("position", "num_trades", "winning_trades", "losing_trades"), 0),
    **dict.fromkeys(("position_entry_step", "entry_price", "sl_price", "tp_price", "total_pnl"), 0),
    "step_idx": 120,
    "episode_start": 120,
    "balance": 5_000_000,
    "highest_balance": 5_000_000,
    "trailing_dd_level": 3_500_000,
}


def state() -> Kind:
    def one(path: Path) -> object:
        text = path.read_text(encoding="utf-8", errors="surrogateescape").replace("\0", "")
        return app(["parity", "case", "--state", text, "--action", "1"])

    return Kind("state", dumped(STATE), "state.json", damage_json, one, named="--state")


def sb3_model() -> Iterator[Kind]:
    """Yield a model's zip damaged as bytes and inside its description, and its normaliser."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        model, normalizer = make_sb3(made_policy(1))
        model.save(root / "model.zip")
        normalizer.save(str(root / "vecnormalize.pkl"))
        zipped, normaliser = (root / "model.zip").read_bytes(), (root / "vecnormalize.pkl").read_bytes()

    def beside(name: str, data: bytes) -> Callable[[Path], object]:
        def imported(path: Path) -> object:
            (path.parent / name).write_bytes(data)
            made = path.parent / "made.safetensors"
            made.unlink(missing_ok=True)
            try:
                source = str(path.parent / "model.zip")
                return app(["import", source, "--phase", "1", "--to", str(made)])
            finally:
                (path.parent / name).unlink()

        return imported

    reads = beside("vecnormalize.pkl", normaliser)
    yield Kind("sb3", zipped, "model.zip", damage_bytes, reads, named="model.zip|vecnormalize")
    yield Kind("sb3-data", zipped, "model.zip", damage_member, reads, named="model.zip|policy")
    reads = beside("model.zip", zipped)
    yield Kind(
        "normaliser",
        normaliser,
        "vecnormalize.pkl",
        damage_bytes,
        reads,
        named="vecnormalize.pkl|model",
    )


def damage_member(rng: random.Random, data: bytes) -> bytes:
    """Return a zip in which the description, or another member, is damaged."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w") as other:
        names = archive.namelist()
        chosen = "data" if rng.random() < 0.7 else rng.choice(names)
        for name in names:
            content = archive.read(name)
            if name == chosen:
                content = damage_json(rng, content) if name == "data" else damage_bytes(rng, content)
            other.writestr(name, content)
    return made.getvalue()


def kinds() -> list[Kind]:
    """Return the kinds of artifacts."""
    return [
        *(run_json(), certificate(), verified_certificate(), manifest(), golden_file()),
        *(
            policy(),
            policy_header(),
            cache_entry(),
            training_log(),
            settings(),
            agents(),
            benchmark(),
            state(),
        ),
        checkpoint(),
        *sb3_model(),
    ]
