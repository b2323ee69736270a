"""Worker that measures the checkout it is started in, on request: the child of ``against_commit``.

Run as a file with ``PYTHONPATH`` set to a checkout, of this commit or an older one. It imports nothing
of this tree, only what that checkout holds, under the names it has there. It reads one JSON list
``[workload, seconds]`` a line and answers with the steps per second; the first line that it writes says
which checkout it measures, and how long each workload took to prepare.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

PLACES = {
    "PortWorkload": (
        "benchmarks.baselines.environments:PortWorkload",
        "benchmarks.baselines.environments:PortRival",
        "benchmarks.env_rivals:PortRival",
    ),
    "PortTrainer": (
        "benchmarks.baselines.port_trainer:PortTrainer",
        "benchmarks.baselines.port_and_sb3:PortTrainer",
        "benchmarks.train_rivals:PortTrainer",
    ),
    "prepare": ("jax_port.data.data_loader:prepare", "jax_port.data_loader:prepare"),
    "stack": ("jax_port.data.data_loader:stack", "jax_port.data_loader:stack"),
    "phase_of": ("jax_port.envs.registry:phase_of", "jax_port.phases:phase_of"),
    "TrainSettings": ("jax_port.ppo.settings:TrainSettings", "jax_port.settings:TrainSettings"),
    "EnvConfig": ("markets:EnvConfig",),
    "synthetic_bars": ("markets.synthetic.bars:synthetic_bars", "markets.synthetic:synthetic_bars"),
}
"""Where each name is, in this layout and in older ones."""


def find(name: str) -> Any:
    """Return a function or class from the first of its places that the checkout has."""
    for place in PLACES[name]:
        module, _, attribute = place.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise SystemExit(f"this checkout has no {name}; add its place to {Path(__file__).name}")


def make_workloads(options: argparse.Namespace) -> dict[str, Any]:
    """Return the checkout's own workloads by name: an environment, and training of both phases."""
    config_class, settings_class = find("EnvConfig"), find("TrainSettings")
    bars = find("synthetic_bars")("ES", days=options.days, seed=0)
    params = {}
    for phase, config in ((1, config_class.phase1()), (2, config_class.phase2())):
        market = find("stack")([find("prepare")(bars, config)])
        params[phase] = find("phase_of")(config).make_params(market, config)
    settings = settings_class(n_envs=options.envs, n_steps=options.steps, batch_size=options.batch_size)
    environment = find("PortWorkload")(params[1], "obs", envs=options.envs, steps=options.steps, seed=0)
    trainer = find("PortTrainer")
    return {
        "environment, phase 1": environment,
        "training, phase 1": trainer(params[1], settings),
        "training, phase 2": trainer(params[2], settings),
    }


def rate(workload: Any, seconds: float) -> float:
    """Return steps per second of portions that take at least so long."""
    steps, began = 0, time.perf_counter()
    while True:
        steps += workload.run()
        elapsed = time.perf_counter() - began
        if elapsed >= seconds:
            return float(steps / elapsed)


def main() -> None:
    """Prepare the workloads, then answer requests until the input ends."""
    parser = argparse.ArgumentParser()
    for name in ("--days", "--envs", "--steps", "--batch-size"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    workloads = make_workloads(options)
    source = Path(str(import_module("jax_port").__file__)).resolve().parent.parent
    prepared = {name: workload.prepare() for name, workload in workloads.items()}
    for workload in workloads.values():
        workload.run()
    print(json.dumps({"checkout": str(source), "prepare_seconds": prepared}), flush=True)
    for line in sys.stdin:
        name, seconds = json.loads(line)
        print(json.dumps(rate(workloads[name], seconds)), flush=True)


if __name__ == "__main__":
    main()
