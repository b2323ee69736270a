"""Advice study: a policy beside an advisor who knows what no bar shows, and one who knows nothing.

    python -m benchmarks.suites.advice_gain --out reports/advice_gain --scratch FOLDER

On the pattern market, half of whose signals leave no trace in the bars, agents of five seeds are
trained: bare, with the knowing advisor as a prior, and with it as columns. On days of another seed they
stand beside three advisors: one speaks of each hidden signal for seven bars, one says the same and is
as sure that nothing is to be done as that something is, one speaks of another seed's signals, which is
useless. Each comparison is a page with nulls; ``advice_gain.json`` holds all their numbers and a table
of rules and weights.

It takes a quarter of an hour of two cores, most of it training. What is there already, in both folders,
is taken as it is, so the same command goes on where it was stopped; with other options or code it is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.baselines.pattern_agents import SETTINGS, train
from benchmarks.baselines.port_agents import fresh_agents, policy_of
from benchmarks.harness.output import wide_console
from foundation.errors import run_command
from foundation.files import json_digest, write_json
from foundation.import_closure import PACKAGES_ROOT, digests
from foundation.json_lines import require_same
from foundation.json_reading import Artifact, read_json
from jax_port.data.advised_market import with_advice
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket, prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.evaluation.advice_comparison import report
from jax_port.evaluation.advice_comparison.comparison import (
    BARE,
    FUSED,
    OWN,
    Arm,
    gain,
    make_arms,
    make_own_arms,
    play_arms,
)
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.runs.run import made_with
from markets import EnvConfig
from markets.advice.answers import OK
from markets.advice.by_bar import AdviceUse, use_of
from markets.advice.fusion import FusionSettings
from markets.advice.schedule import lay
from markets.advice.store import Result, open_store
from markets.advice.table import TABLE, About, AdviceTable, TableKey
from markets.synthetic.pattern import hidden_signals, pattern_bars

CONFIG = EnvConfig.phase1()
NUMBERS_FILE = Artifact("comparison of advice", "remove it, and it is made anew")
TRAINED_ON, JUDGED_ON, ANOTHER = 1, 21, 1021
"""Seeds of the bars; rules and weights were chosen on others."""
AGENTS = 5
KNOWN_BARS = 7
"""Bars during which the advisor speaks of a signal, its own included."""
STRONG = FusionSettings(rule="weighted", weight=2.0)
COMPARED = {"knows": (STRONG,), "useless": (FusionSettings(),)}
"""Fusions judged with nulls: one that heeds every answer, and the defaults beside useless advice."""
WEIGHTS = (0.3, 1.0, 2.0, 5.0)
SURE = {"knows": 0.5, "sure": 0.9, "useless": 0.5}
"""Confidence of each advisor that nothing is to be done; 0.9 of a direction."""

ASKED = "asked.json"
"""What the pages, and the policies of ``--scratch``, were made with."""

Agents = list[tuple[Path, Policy]]


def spoken(days: int, seed: int) -> NDArray[np.int8]:
    """Return the direction of a seed's hidden signals while an advisor speaks of it, (days * 450,)."""
    signals = hidden_signals(days, seed)
    direction = np.zeros_like(signals)
    for late in range(KNOWN_BARS):
        earlier = np.concatenate([np.zeros(late, np.int8), signals[: len(signals) - late]])
        direction = np.where(earlier != 0, earlier, direction)
    return direction


def make_table(market: PreparedMarket, told: NDArray[np.int8], name: str, out: Path) -> AdviceTable:
    """Write a table that speaks for a direction with 90%, and else for holding, and return it."""
    view = view_of(market, CONFIG)
    key = TableKey(view.digest, "planted", name, "")
    store = open_store(out, About(key, view.symbol, len(view), "never"), view.timestamps_ns)
    for first, rows in store.ranges(view.rows(1)).items():
        with store.claim(first) as journal:
            assert journal is not None
            journal.write(_say(int(row), int(told[row]), SURE[name]) for row in rows)
    return store.collect()


def _say(row: int, side: int, sure_of_nothing: float) -> Result:
    buy, sell = (0.9 if side == wanted else 0.05 for wanted in (1, -1))
    return Result(row, OK, 1 - buy - sell, buy, sell, 0.9 if side else sure_of_nothing)


def train_agents(days: int, steps: int, out: Path, way: str = "") -> Agents:
    """Return policies of :data:`AGENTS` seeds, trained bare or with the knowing advisor.

    Those whose files are there already are read, so that a study goes on where it was.
    """
    paths = [out / f"{way or 'bare'}-{number}.safetensors" for number in range(AGENTS)]
    if all(path.is_file() for path in paths):
        return [(path, load_policy(path, advised=bool(way))) for path in paths]
    market = prepare(pattern_bars(days=days, seed=TRAINED_ON, hidden=True), CONFIG)
    use: AdviceUse | None = None
    if way:
        table = make_table(market, spoken(days, TRAINED_ON), "knows", out / "trained-on")
        use = use_of(way, STRONG, table)
        market = with_advice(market, lay(table, market.timestamps_ns), use)
    params = phase_of(CONFIG).make_params(stack([market]), CONFIG)
    settings = replace(SETTINGS, total_timesteps=steps)
    updates = max(1, steps // (settings.n_envs * settings.n_steps))
    agents, _, _ = train(fresh_agents(params, settings, AGENTS), params, settings, updates)
    made = []
    for number, path in enumerate(paths):
        policy = replace(policy_of(agents, number, CONFIG, settings.network), advice=use)
        save_policy(path, policy)
        made.append((path, policy))
    return made


def compare(
    name: str,
    settings: FusionSettings | AdviceUse,
    table: AdviceTable,
    place: Path,
    market: PreparedMarket,
    agents: Agents,
    out: Path,
) -> dict[str, Any]:
    """Write the page of one advisor and one fusion or training, and return its numbers.

    Args:
        name: of the page's folder.
        settings: that are judged.
        table, place: the advisor's answers and their folder.
        market: bars to judge on.
        agents: policies with their files.
        out: folder of all pages.
    """
    numbers = out / name / report.NUMBERS
    if numbers.is_file():
        values = read_json(numbers, dict[str, Any], NUMBERS_FILE)
        verdict = report.verdict(values)
        return {"headline": verdict.headline, "reason": verdict.reason, "arms": values["arms"]}
    arms = make_arms(settings) if isinstance(settings, FusionSettings) else make_own_arms(settings)
    bars = lay(table, market.timestamps_ns)
    policies = [policy for _, policy in agents]
    played, days = play_arms(arms, policies, market, bars, market.starts)
    paths = [path for path, _ in agents]
    values = report.to_values(arms, played, days, table, place / TABLE, settings, paths, market)
    report.write(out / name, values, played, days)
    (out / name / "advice_days.parquet").unlink()  # day by day it is large, and of no use for long
    verdict = report.verdict(values)
    return {"headline": verdict.headline, "reason": verdict.reason, "arms": values["arms"]}


def rules_and_weights(
    tables: Mapping[str, AdviceTable], market: PreparedMarket, agents: Agents
) -> list[dict[str, Any]]:
    """Return what each rule brings at each weight over the bare policy and over the advisor alone."""
    policies = [policy for _, policy in agents]
    rows = []
    for advisor in ("knows", "sure", "useless"):
        settings = [
            FusionSettings(rule=rule, weight=weight)
            for rule in ("weighted", "gated")
            for weight in WEIGHTS
        ]
        arms = [Arm("bare", BARE), Arm("alone", FUSED, FusionSettings(rule="alone", weight=1.0))]
        arms += [Arm(f"{one.rule} {one.weight:g}", FUSED, one) for one in settings]
        bars = lay(tables[advisor], market.timestamps_ns)
        played, days = play_arms(arms, policies, market, bars, market.starts)
        every = np.ones(len(days), bool)
        for arm in arms:
            own = played[arm.name]
            over = [gain(own, played[name], every) for name in ("bare", "alone")]
            rows.append(
                {
                    "advisor": advisor,
                    "arm": arm.name,
                    "mean_day": float(own.pnl.mean()),
                    "over_bare": [over[0].mean, over[0].low, over[0].high],
                    "over_alone": [over[1].mean, over[1].low, over[1].high],
                    "trades_a_day": int(own.trades.sum()) / own.pnl.size,
                    "changed": None if own.changed is None else _share(own.changed, own.steps),
                }
            )
    return rows


def _share(part: NDArray[np.int64], of: NDArray[np.int64]) -> float:
    return int(part.sum()) / int(of.sum())


def what_training_brings(
    tables: Mapping[str, AdviceTable],
    market: PreparedMarket,
    bare: Agents,
    trained: Mapping[str, Agents],
) -> list[dict[str, Any]]:
    """Return what policies that were trained with advice make over those that were trained bare.

    Both beside the same advisor: over the bare ones, over the advisor, and over the bare ones fused.
    """
    rows = []
    arms = [
        Arm("bare", BARE),
        Arm("alone", FUSED, FusionSettings(rule="alone", weight=1.0)),
        Arm("fused", FUSED, STRONG),
    ]
    for advisor in COMPARED:
        bars = lay(tables[advisor], market.timestamps_ns)
        others, days = play_arms(arms, [one for _, one in bare], market, bars, market.starts)
        every = np.ones(len(days), bool)
        for way, agents in trained.items():
            policies = [one for _, one in agents]
            played, _ = play_arms([Arm(OWN, FUSED)], policies, market, bars, market.starts)
            row: dict[str, Any] = {"advisor": advisor, "way": way}
            row["mean_day"] = float(played[OWN].pnl.mean())
            for name, other in others.items():
                over = gain(played[OWN], other, every)
                row[f"over_{name}"] = [over.mean, over.low, over.high]
            trades = int(played[OWN].trades.sum())
            rows.append({**row, "trades_a_day": trades / played[OWN].pnl.size})
    return rows


@cache
def code_digest() -> str:
    """Return a SHA-256 over all code that decides on the study's numbers."""
    return json_digest(digests(PACKAGES_ROOT, ["benchmarks.suites.advice_gain"]))


def _show(console: Console, name: str, found: Mapping[str, Any]) -> None:
    console.print(f"{name}: {found['headline']} {found['reason']}", soft_wrap=True)
    for row in found["arms"]:
        console.print(
            f"  {row['name']}: {row['mean_day']:.1f} a day, brings {row['gain']:.1f} "
            f"({row['low']:.1f} to {row['high']:.1f})",
            soft_wrap=True,
            highlight=False,
        )


def _show_weights(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        mean, low, high = row["over_alone"]
        console.print(
            f"  {row['advisor']}, {row['arm']}: {row['mean_day']:.1f} a day, over the advisor "
            f"{mean:.1f} ({low:.1f} to {high:.1f}), {row['trades_a_day']:.1f} trades",
            soft_wrap=True,
            highlight=False,
        )


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--train-days", type=click.IntRange(4), default=40, show_default=True)
@click.option("--days", type=click.IntRange(4), default=240, show_default=True)
@click.option(
    "--way",
    "ways",
    multiple=True,
    type=click.Choice(["prior", "columns", "none"]),
    default=("prior", "columns"),
    show_default=True,
    help="In which agents are trained with advice; none for bare agents alone.",
)
@click.option(
    "--scratch",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for policies and tables, which the pages name.",
)
def main(
    out: Path, steps: int, train_days: int, days: int, ways: tuple[str, ...], scratch: Path
) -> None:
    """Train agents, make the tables and compare, with each advisor and each fusion.

    A study that was cut off goes on, with the same options and code.
    """
    console = wide_console()
    asked = {"steps": steps, "train-days": train_days, "days": days, "code": code_digest()}
    require_same(out / ASKED, asked, any(out.glob(f"*/{report.NUMBERS}")))
    require_same(scratch / ASKED, asked, any(scratch.glob("*.safetensors")))
    market = prepare(pattern_bars(days=days, seed=JUDGED_ON, hidden=True), CONFIG)
    told = {"knows": JUDGED_ON, "sure": JUDGED_ON, "useless": ANOTHER}
    tables = {
        name: make_table(market, spoken(days, seed), name, scratch / name)
        for name, seed in told.items()
    }
    bare = train_agents(train_days, steps, scratch)
    found: dict[str, Any] = {}
    weights = rules_and_weights(tables, market, bare)
    _show_weights(console, weights)
    for advisor, fusions in COMPARED.items():
        for one in fusions:
            name = f"{advisor}-{one.rule}-{one.weight:g}"
            place = scratch / advisor
            found[name] = compare(name, one, tables[advisor], place, market, bare, out)
            _show(console, name, found[name])
    trained: dict[str, Agents] = {}
    for way in ways:
        if way == "none":
            continue
        agents = trained[way] = train_agents(train_days, steps, scratch, way)
        use = agents[0][1].advice
        assert use is not None
        for advisor in COMPARED:
            name, place = f"{advisor}-trained-{way}", scratch / advisor
            found[name] = compare(name, use, tables[advisor], place, market, agents, out)
            _show(console, name, found[name])
    training = what_training_brings(tables, market, bare, trained)
    for row in training:
        console.print(row, soft_wrap=True, highlight=False)
    write_json(
        out / "advice_gain.json",
        {
            "steps_an_agent": steps,
            "train_days": train_days,
            "days": days,
            "rules_and_weights": weights,
            "trained_with_advice": training,
            "comparisons": found,
            "made": made_with(),
        },
    )


if __name__ == "__main__":
    run_command(main)
