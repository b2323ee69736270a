"""What advice costs an evaluation: the same episodes with and without, in turns in one process.

    python -m benchmarks.suites.advice_cost

A made policy plays the same starts bare, fused, and trained with advice as a prior. Turns alternate, so
that whatever else the machine does meets all three alike; processor seconds are compared, of which a
busy machine takes nothing away. Tables are laid and programs compiled beforehand: nothing of an
evaluation calls a model.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness.output import wide_console
from foundation.errors import run_command
from foundation.files import write_json
from jax_port.data.advised_market import with_advice
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.envs.registry import phase_of
from jax_port.evaluation.advice.advised import Advised
from jax_port.evaluation.evaluate import evaluate
from jax_port.ppo.policy import Policy, make_network
from jax_port.ppo.settings import NetworkSpec
from jax_port.runs.run import made_with
from markets import EnvConfig
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.rules import RulesAdvisor
from markets.advice.schedule import NS_PER_MINUTE, AdviceOnBars
from markets.synthetic.pattern import pattern_bars

CONFIG = EnvConfig.phase1()
SPEC = NetworkSpec()
MOST = 1.10
"""Processor time of an evaluation with advice, as a multiple of one without."""


def made_policy(market: PreparedMarket) -> Policy:
    """Return a policy of the usual size with fresh weights and the market's own statistics."""
    phase = phase_of(CONFIG)
    size = CONFIG.window_size * market.features.shape[1] + phase.position_features
    network = make_network(SPEC, num_actions=phase.num_actions)
    weights: Any = network.init(jax.random.key(0), jnp.zeros((1, size)))
    used = market.features[CONFIG.warmup_bars :].astype(np.float64)
    account = np.ones(phase.position_features)
    statistics = {
        "mean": np.append(np.tile(used.mean(0), CONFIG.window_size), 0 * account),
        "var": np.append(np.tile(used.var(0) + 1e-6, CONFIG.window_size), account),
        "count": np.array(1000.0),
    }
    return Policy(SPEC, jax.tree.map(np.asarray, weights), statistics, CONFIG)


def of_rules(market: PreparedMarket) -> AdviceOnBars:
    """Return what the rules say of every bar, known at the next."""
    view = view_of(market, CONFIG)
    rows = view.rows(1)
    made = RulesAdvisor().advise(view, rows)
    count = len(view)
    advice, confidence = np.full((count, 3), 1 / 3, np.float32), np.zeros(count, np.float32)
    given = np.zeros(count, bool)
    advice[rows], confidence[rows], given[rows] = made.probabilities, made.confidence, True
    minute = (view.timestamps_ns // NS_PER_MINUTE).astype(np.int32)
    return AdviceOnBars(advice, confidence, given, np.arange(1, count + 1, dtype=np.int32), minute)


def measure(days: int, episodes: int, turns: int) -> dict[str, Any]:
    """Return processor seconds of each turn of each way, and their ratios to the bare policy's.

    Args:
        days: of synthetic bars.
        episodes: of each evaluation.
        turns: of each way, after one that is not counted.
    """
    market = prepare(pattern_bars(days=days, seed=1), CONFIG)
    bars, policy = of_rules(market), made_policy(market)
    starts = market.starts[:: max(1, len(market.starts) // episodes)][:episodes]
    use = AdviceUse("prior", FusionSettings("weighted"), "rules", "rules", "", "", "never")
    trained, told = replace(policy, advice=use), with_advice(market, bars, use)
    advised = Advised(bars, FusionSettings())
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: evaluate(policy, market, rows=starts),
        "fused": lambda: evaluate(policy, market, rows=starts, advice=advised),
        "prior": lambda: evaluate(trained, told, rows=starts),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, play in ways.items():
            began = time.process_time()
            play()
            if turn:
                seconds[name].append(time.process_time() - began)
    ratios = {
        name: {
            "of_the_best": min(some) / min(seconds["bare"]),
            "of_the_medians": statistics.median(some) / statistics.median(seconds["bare"]),
        }
        for name, some in seconds.items()
        if name != "bare"
    }
    return {
        "episodes": len(starts),
        "turns": turns,
        "processor_seconds": seconds,
        "ratios": ratios,
        "most": MOST,
        "made": made_with(),
    }


@click.command()
@click.option("--days", type=click.IntRange(2), default=24, show_default=True)
@click.option("--episodes", type=click.IntRange(1), default=4096, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File for the numbers, JSON.")
def main(days: int, episodes: int, turns: int, out: Path | None) -> None:
    """Measure, print the ratios, and say whether advice costs at most a tenth more."""
    console = wide_console()
    measured = measure(days, episodes, turns)
    for name, ratios in measured["ratios"].items():
        best, medians = ratios["of_the_best"], ratios["of_the_medians"]
        console.print(
            f"{name}: {best:.3f} times the bare policy's processor time at best, {medians:.3f} between "
            f"the medians, of {measured['turns']} turns of {measured['episodes']:,} episodes",
            highlight=False,
        )
    if out is not None:
        write_json(out, measured)
    if any(ratios["of_the_best"] > MOST for ratios in measured["ratios"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
