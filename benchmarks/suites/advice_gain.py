"""Advice study: a policy beside an advisor who knows what no bar shows, and one who knows nothing.

    python -m benchmarks.suites.advice_gain --out reports/advice_gain

On the pattern market, half of whose signals leave no trace in the bars, agents of five seeds are
trained. On days of another seed they are fused with two advisors: one speaks of each hidden signal for
seven bars, the other of another seed's signals, which is useless. Each comparison is a page with nulls.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.baselines.pattern_agents import SETTINGS, train
from benchmarks.baselines.port_agents import fresh_agents, policy_of
from benchmarks.harness.output import wide_console
from foundation.errors import run_command
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket, prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.evaluation.advice import report
from jax_port.evaluation.advice.comparison import make_arms, play_arms
from jax_port.ppo.policy import Policy, save_policy
from markets import EnvConfig
from markets.advice.answers import OK
from markets.advice.fusion import FusionSettings
from markets.advice.schedule import lay
from markets.advice.store import Result, open_store
from markets.advice.table import TABLE, About, AdviceTable, TableKey
from markets.synthetic.pattern import hidden_signals, pattern_bars

CONFIG = EnvConfig.phase1()
TRAINED_ON, JUDGED_ON, ANOTHER = 1, 8, 1008
"""Seeds of the bars."""
AGENTS = 5
KNOWN_BARS = 7
"""Bars during which the advisor speaks of a signal, its own included."""
COMPARED = (FusionSettings(), FusionSettings(rule="weighted", weight=2.0))
"""Fusions that are judged: the defaults, and one that gives the advice a say at every bar."""


def spoken(days: int, seed: int) -> NDArray[np.int8]:
    """Return the direction of a seed's hidden signals while an advisor speaks of it, (days * 450,)."""
    signals = hidden_signals(days, seed)
    told = np.zeros_like(signals)
    for late in range(KNOWN_BARS):
        earlier = np.concatenate([np.zeros(late, np.int8), signals[: len(signals) - late]])
        told = np.where(earlier != 0, earlier, told)
    return told


def make_table(market: PreparedMarket, told: NDArray[np.int8], name: str, out: Path) -> AdviceTable:
    """Write a table that speaks for a direction with 90%, and else for holding, and return it."""
    view = view_of(market, CONFIG)
    key = TableKey(view.digest, "planted", name, "")
    store = open_store(out, About(key, view.symbol, len(view), "never"), view.timestamps_ns)
    for first, rows in store.ranges(view.rows(1)).items():
        with store.claim(first) as journal:
            assert journal is not None
            journal.write(_say(int(row), int(told[row])) for row in rows)
    return store.collect()


def _say(row: int, side: int) -> Result:
    buy, sell = (0.9 if side == wanted else 0.05 for wanted in (1, -1))
    return Result(row, OK, 1 - buy - sell, buy, sell, 0.9 if side else 0.5)


def train_agents(days: int, steps: int, out: Path) -> list[tuple[Path, Policy]]:
    """Return policies of :data:`AGENTS` seeds, written to a folder."""
    bars = pattern_bars(days=days, seed=TRAINED_ON, hidden=True)
    params = phase_of(CONFIG).make_params(stack([prepare(bars, CONFIG)]), CONFIG)
    settings = replace(SETTINGS, total_timesteps=steps)
    updates = max(1, steps // (settings.n_envs * settings.n_steps))
    agents, _, _ = train(fresh_agents(params, settings, AGENTS), params, settings, updates)
    made = []
    for number in range(AGENTS):
        path = out / f"policy-{number}.safetensors"
        policy = policy_of(agents, number, CONFIG, settings.network)
        save_policy(path, policy)
        made.append((path, policy))
    return made


def compare(
    name: str,
    settings: FusionSettings,
    table: AdviceTable,
    market: PreparedMarket,
    agents: list[tuple[Path, Policy]],
    out: Path,
    console: Console,
) -> None:
    """Write the page of one advisor and one fusion, and print its verdict."""
    arms = make_arms(settings)
    bars = lay(table, market.timestamps_ns)
    played, days = play_arms(arms, [policy for _, policy in agents], market, bars, market.starts)
    values = report.to_values(
        arms,
        played,
        days,
        table,
        out / table.about.key.model / TABLE,
        settings,
        [path for path, _ in agents],
        market,
    )
    report.write(out / name, values, played, days)
    found = report.verdict(values)
    console.print(f"{name}: {found.headline} {found.reason}", soft_wrap=True)
    for row in values["arms"]:
        console.print(
            f"  {row['name']}: {row['mean_day']:.1f} a day, brings {row['gain']:.1f} "
            f"({row['low']:.1f} to {row['high']:.1f})",
            soft_wrap=True,
            highlight=False,
        )


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--train-days", type=click.IntRange(4), default=40, show_default=True)
@click.option("--days", type=click.IntRange(4), default=240, show_default=True)
def main(out: Path, steps: int, train_days: int, days: int) -> None:
    """Train agents, make both tables and compare, with each advisor and each fusion."""
    console = wide_console()
    agents = train_agents(train_days, steps, out)
    market = prepare(pattern_bars(days=days, seed=JUDGED_ON, hidden=True), CONFIG)
    for advisor, seed in (("knows", JUDGED_ON), ("useless", ANOTHER)):
        table = make_table(market, spoken(days, seed), advisor, out / advisor)
        for settings in COMPARED:
            name = f"{advisor}-{settings.rule}-{settings.weight:g}"
            compare(name, settings, table, market, agents, out, console)


if __name__ == "__main__":
    run_command(main)
