"""The latency of one decision, of a policy made for it: the plan's network with its first weights.

    python -m benchmarks.suites.latency [--json OUT]

Exports the policy into a folder that is gone afterwards and hands over to
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

from benchmarks.harness.options import json_option, quick_option
from benchmarks.suites.decision_latency import main as decision_latency
from foundation.errors import run_command
from jax_port.data.data_loader import prepare
from jax_port.export.bundle import export
from jax_port.ppo.policy import Policy, make_network, save_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

DAYS = 4


def made_policy(seed: int = 0) -> Policy:
    """Return a policy of Phase 1 with the plan's network, fresh weights and a market's statistics."""
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
@click.option("--decisions", default=2000, show_default=True, help="Of each rival, in each round.")
@click.option("--rounds", default=5, show_default=True)
@quick_option
@json_option
def main(decisions: int, rounds: int, quick: bool, out: Path | None) -> None:
    """Measure single decisions of a policy with the plan's network."""
    if quick:
        decisions, rounds = 10, 1
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "policy-0.safetensors"
        save_policy(source, made_policy())
        bundle = Path(scratch) / "bundle"
        export(source, bundle)
        asked = [str(bundle), "--decisions", str(decisions), "--rounds", str(rounds)]
        asked += [] if out is None else ["--json", str(out)]
        decision_latency.main(asked, standalone_mode=False)


if __name__ == "__main__":
    run_command(main)
