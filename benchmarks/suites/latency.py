"""Latency of one decision of a policy with untrained weights, exported for this benchmark.

    python -m benchmarks.suites.latency [--json OUT]

The network is the default one. The policy is exported into a temporary folder and measured by
:mod:`benchmarks.suites.decision_latency`. How long a decision takes does not depend on what was
learned.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import options as cli
from benchmarks.harness.output import publish
from benchmarks.suites.decision_latency import decisions_option, measure, show
from foundation.errors import run_command
from jax_port.data.data_loader import prepare
from jax_port.export.bundle import export
from jax_port.ppo.policy import Policy, make_network, save_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

DAYS = 4


def untrained_policy(seed: int = 0) -> Policy:
    """Return a policy of Phase 1 with the default network, fresh weights and a market's statistics."""
    config, spec = EnvConfig.phase1(), NetworkSpec()
    market = prepare(synthetic_bars("ES", days=DAYS, seed=seed), config)
    bars = market.features[config.warmup_bars :].astype(np.float64)
    position = np.array([0.0, 1.0, 0.0, 0.0, 0.0]), np.array([1.0, 1e-6, 4.0, 40.0, 0.1])
    mean, var = (
        np.concatenate([np.tile(of_bars, config.window_size), of_position])
        for of_bars, of_position in zip((bars.mean(0), bars.var(0)), position, strict=True)
    )
    weights = make_network(spec).init(jax.random.key(seed), jnp.zeros(len(mean)))
    statistics = {"mean": mean, "var": var, "count": np.array(1000.0)}
    about = {"data": {"symbol": "ES"}, "made for": "the latency benchmark"}
    return Policy(spec, jax.tree.map(np.asarray, weights), statistics, config, about)


@click.command()
@decisions_option
@cli.rounds_option(5)
@cli.quick_option
@cli.json_option
def main(decisions: int, rounds: int, quick: bool, out: Path | None) -> None:
    """Measure single decisions of a policy with the default network."""
    if quick:
        decisions, rounds = 10, 1
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "policy-0.safetensors"
        save_policy(source, untrained_policy())
        bundle = Path(scratch) / "bundle"
        export(source, bundle)
        report = measure(bundle, decisions, rounds)
    publish(report, show, out)


if __name__ == "__main__":
    run_command(main)
