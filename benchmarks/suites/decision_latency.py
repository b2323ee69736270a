"""Latency of one decision, for every runtime that an exported policy can be run with.

    python -m benchmarks.suites.decision_latency BUNDLE --json latency.json

One raw observation and its mask in, one action out, normalising included; microseconds, median and 99th
percentile. Runtimes take turns in rounds, on one thread each. The observations are golden.json's.
"""

from __future__ import annotations

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

from benchmarks.harness import options as cli
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.output import numeric_table, publish
from benchmarks.harness.reports import SCHEMA, LatencyReport
from benchmarks.harness.rows import LatencyRow
from foundation.errors import run_command
from foundation.json_reading import read_json
from jax_port.export import torch_policy
from jax_port.export.advised import load_network
from jax_port.export.bundle import POLICY
from jax_port.export.golden import GOLDEN
from jax_port.export.golden_file import GOLDEN_FILE
from jax_port.export.manifest import read_manifest
from jax_port.export.programs import PROGRAM
from jax_port.ppo.policy import decide
from markets import InputError
from parity.export_chain.csharp import MISSING, Checker, available, compile_checker
from parity.export_chain.sides import load_sb3, onnx_session

Decide = Callable[[Any, Any], int]
"""One raw observation float32 (D,) and its mask bool (A,) to an action."""


MONO = "C# under Mono"
decisions_option = click.option(
    "--decisions", default=2000, show_default=True, help="Of each runtime, in each round."
)


def in_torch(folder: Path) -> Decide:
    """Return ``policy.pt`` in its module."""
    return _torch_decide(torch_policy.load(folder))


def in_program(folder: Path) -> Decide:
    """Return ``policy.pt2``."""
    return _torch_decide(torch.export.load(folder / PROGRAM).module())


def _torch_decide(policy: Any) -> Decide:
    def run(obs: Any, mask: Any) -> int:
        with torch.inference_mode():
            return int(policy(torch.from_numpy(obs[None]), torch.from_numpy(mask[None]))[0])

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
        normalized = np.asarray(normalizer.normalize_obs(obs))
        return int(model.predict(normalized, action_masks=mask, deterministic=True)[0])

    return run


def in_jax(folder: Path) -> Decide:
    """Return the port's own decision, compiled."""
    policy, _ = load_network(folder / POLICY)
    program = jax.jit(decide, static_argnums=0)
    weights, scale, network = jax.tree.map(jnp.asarray, policy.params), policy.scale, policy.network

    def run(obs: Any, mask: Any) -> int:
        return int(program(network, weights, scale, obs[None], mask[None])[0])

    return run


RUNTIMES: dict[str, Callable[[Path], Decide]] = {
    "ONNX Runtime": in_onnx,
    "PyTorch module": in_torch,
    "PyTorch program (.pt2)": in_program,
    "JAX, compiled": in_jax,
    "MaskablePPO.predict": in_sb3,
}


def time_decisions(run: Decide, obs: Any, masks: Any, count: int) -> tuple[list[float], list[int]]:
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
    cases = read_json(folder / GOLDEN, dict[str, Any], GOLDEN_FILE)["cases"]
    obs = np.array([case["observation"] for case in cases], np.float32)
    masks = np.array([case["mask"] for case in cases])
    return obs, masks, [case["action"] for case in cases]


def measure(folder: Path, decisions: int, rounds: int) -> LatencyReport:
    """Measure every runtime on a bundle's observations, on one thread.

    Args:
        folder: of the bundle.
        decisions: of each runtime in each round.
        rounds: in which the runtimes take turns.

    Raises:
        InputError: it is no bundle, or a runtime decides otherwise than golden.json.
    """
    manifest = read_manifest(folder)
    torch.set_num_threads(1)
    obs, masks, golden_actions = golden_cases(folder)
    runtimes = {name: make(folder) for name, make in RUNTIMES.items()}
    for name, run in runtimes.items():
        _, actions = time_decisions(run, obs, masks, len(obs))
        if actions != golden_actions:
            raise InputError(f"{name} decides otherwise than golden.json says; verify the bundle first")
    samples: dict[str, list[float]] = {name: [] for name in runtimes}
    with tempfile.TemporaryDirectory() as scratch:
        checker = None
        if available():
            place = Path(scratch)
            checker = Checker(compile_checker(place / "ParityCheck.exe"), folder, place)
            samples[MONO] = []
        for _ in range(rounds):
            for name, run in runtimes.items():
                samples[name] += time_decisions(run, obs, masks, decisions)[0]
            if checker is not None:
                samples[MONO] += checker.latency(decisions)
    rows = [latency_row(name, times) for name, times in samples.items()]
    if MONO not in samples:
        rows.append(LatencyRow(name=MONO, error=MISSING))
    return LatencyReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        settings={"decisions": str(decisions), "rounds": str(rounds)},
        phase=manifest["phase"],
        network=manifest["network"],
        rows=tuple(rows),
    )


def latency_row(name: str, microseconds: list[float]) -> LatencyRow:
    """Return the row of some decisions' times."""
    return LatencyRow(
        name=name,
        decisions=len(microseconds),
        median_us=float(np.median(microseconds)),
        p99_us=float(np.percentile(microseconds, 99)),
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@decisions_option
@cli.rounds_option(5)
@cli.json_option
def main(folder: Path, decisions: int, rounds: int, out: Path | None) -> None:
    """Measure the latency of single decisions of the bundle FOLDER."""
    publish(measure(folder, decisions, rounds), show, out)


def show(report: LatencyReport, console: Console) -> None:
    """Print a report as a table, the fastest first."""
    table = numeric_table("one decision, microseconds", "median", "99th percentile")
    for row in sorted(report.rows, key=lambda row: row.median_us or np.inf):
        if row.median_us is not None:
            table.add_row(row.name, f"{row.median_us:.1f}", f"{row.p99_us:.1f}")
    console.print(table)
    for row in report.rows:
        if row.error:
            console.print(f"{row.name}: {row.error}", markup=False)


if __name__ == "__main__":
    run_command(main)
