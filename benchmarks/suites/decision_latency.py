"""How long one decision takes, for everything that an exported policy can be run with.

    python -m benchmarks.suites.decision_latency BUNDLE --json latency.json

One raw observation and its mask in, one action out, normalising included; microseconds, median and 99th
percentile. Rivals take turns in rounds, on one thread each. The observations are golden.json's.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness.measure import surroundings, write_json
from benchmarks.harness.options import json_option
from foundation.errors import run_command
from jax_port.export import torch_policy
from jax_port.export.bundle import POLICY
from jax_port.export.golden import GOLDEN
from jax_port.export.manifest import read_manifest
from jax_port.export.programs import PROGRAM
from jax_port.ppo.policy import decide, load_policy
from markets import InputError
from parity.export_chain.csharp import MISSING, Checker, available, compile_checker
from parity.export_chain.sides import load_sb3, onnx_session

Decide = Callable[[Any, Any], int]
"""One raw observation float32 (D,) and its mask bool (A,) to an action."""


def in_torch(folder: Path) -> Decide:
    """Return ``policy.pt`` in its module."""
    policy = torch_policy.load(folder)

    def run(obs: Any, mask: Any) -> int:
        with torch.inference_mode():
            return int(policy(torch.from_numpy(obs[None]), torch.from_numpy(mask[None]))[0])

    return run


def in_program(folder: Path) -> Decide:
    """Return ``policy.pt2``."""
    program = torch.export.load(folder / PROGRAM).module()

    def run(obs: Any, mask: Any) -> int:
        with torch.inference_mode():
            return int(program(torch.from_numpy(obs[None]), torch.from_numpy(mask[None]))[0])

    return run


def in_onnx(folder: Path) -> Decide:
    """Return ``policy.onnx``."""
    session = onnx_session(folder)

    def run(obs: Any, mask: Any) -> int:
        return int(session.run(["actions"], {"obs": obs[None], "masks": mask[None]})[0][0])

    return run


def in_sb3(folder: Path) -> Decide:
    """Return MaskablePPO's predict behind VecNormalize."""
    model, normalizer = load_sb3(folder)

    def run(obs: Any, mask: Any) -> int:
        seen = np.asarray(normalizer.normalize_obs(obs))
        return int(model.predict(seen, action_masks=mask, deterministic=True)[0])

    return run


def in_jax(folder: Path) -> Decide:
    """Return the port's own decision, compiled."""
    policy = load_policy(folder / POLICY)
    program = jax.jit(decide, static_argnums=0)
    weights, scale, network = jax.tree.map(jnp.asarray, policy.params), policy.scale, policy.network

    def run(obs: Any, mask: Any) -> int:
        return int(program(network, weights, scale, obs[None], mask[None])[0])

    return run


RIVALS: dict[str, Callable[[Path], Decide]] = {
    "ONNX Runtime": in_onnx,
    "PyTorch module": in_torch,
    "PyTorch program (.pt2)": in_program,
    "JAX, compiled": in_jax,
    "MaskablePPO.predict": in_sb3,
}


def measure(run: Decide, obs: Any, masks: Any, count: int) -> tuple[list[float], list[int]]:
    """Return microseconds of ``count`` single decisions, and the actions."""
    times, actions = [], []
    for number in range(count):
        place = number % len(obs)
        began = time.perf_counter_ns()
        action = run(obs[place], masks[place])
        times.append((time.perf_counter_ns() - began) / 1000)
        actions.append(action)
    return times, actions


def golden_cases(folder: Path) -> tuple[Any, Any, list[int]]:
    """Return a bundle's observations (N, D), masks (N, A) and actions."""
    cases = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))["cases"]
    obs = np.array([case["observation"] for case in cases], np.float32)
    masks = np.array([case["mask"] for case in cases])
    return obs, masks, [case["action"] for case in cases]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--decisions", default=2000, show_default=True, help="Of each rival, in each round.")
@click.option("--rounds", default=5, show_default=True)
@json_option
def main(folder: Path, decisions: int, rounds: int, out: Path | None) -> None:
    """Measure the latency of single decisions of the bundle FOLDER."""
    manifest = read_manifest(folder)
    torch.set_num_threads(1)
    obs, masks, wanted = golden_cases(folder)
    rivals = {name: make(folder) for name, make in RIVALS.items()}
    for name, run in rivals.items():
        _, actions = measure(run, obs, masks, len(obs))
        if actions != wanted:
            raise InputError(f"{name} decides otherwise than golden.json says; verify the bundle first")
    samples: dict[str, list[float]] = {name: [] for name in rivals}
    with tempfile.TemporaryDirectory() as scratch:
        checker = None
        if available():
            place = Path(scratch)
            checker = Checker(compile_checker(place / "ParityCheck.exe"), folder, place)
            samples["C# under Mono"] = []
        for _ in range(rounds):
            for name, run in rivals.items():
                samples[name] += measure(run, obs, masks, decisions)[0]
            if checker is not None:
                samples["C# under Mono"] += checker.latency(decisions)
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "decisions": len(times),
            "median_us": float(np.median(times)),
            "p99_us": float(np.percentile(times, 99)),
        }
        for name, times in samples.items()
    ]
    _show(rows)
    if checker is None:
        click.echo(f"C#: {MISSING}")
        rows.append({"name": "C# under Mono", "error": MISSING})
    if out is not None:
        network = manifest["network"]
        report = {"schema": 1, "benchmark": "decision_latency", "network": network, "rows": rows}
        write_json(out, {**report, "phase": manifest["phase"], "surroundings": surroundings()})


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="one decision, microseconds", box=None, title_justify="left")
    for name in ("", "median", "99th percentile"):
        table.add_column(name, justify="right" if name else "left")
    for row in sorted(rows, key=lambda row: float(row["median_us"])):
        table.add_row(row["name"], f"{row['median_us']:.1f}", f"{row['p99_us']:.1f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_command(main)
