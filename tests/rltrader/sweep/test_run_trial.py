"""A trial: what it is trained on, what it is judged by, and when it is cut short."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jax_port.data.data_loader import prepare
from jax_port.evaluation.validation import Score, Split, Validation
from jax_port.ppo.policy import save_policy
from jax_port.runs.run import Moment
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader.options.bars import _collect
from rltrader.sweep.command import sweep
from rltrader.sweep.run_trial import Judge, Task, _final_scores
from rltrader.sweep.search import ELSEWHERE
from tests.jax_port.made_policy import make_policy

SPLIT = Split(date(2025, 1, 2), date(2025, 1, 6), date(2025, 1, 8), date(2025, 1, 9))
CONFIG = EnvConfig.phase1(max_episode_bars=60)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    words = ["--synthetic", "6", "--set", "max_episode_bars=60", "--trials", "1", "--out", "nowhere"]
    context = sweep.make_context("sweep", words)
    options = dict(context.params)
    bars = _collect(options)
    market = prepare(synthetic_bars("ES", days=6, seed=0, start="2025-01-02"), CONFIG)
    validation = Validation(market, CONFIG, SPLIT.judge_first, SPLIT.judge_last)
    folder = tmp_path_factory.mktemp("sweep")
    return Task(bars, {**ELSEWHERE, **options}, validation, SPLIT, "pnl", 4, folder)


def test_it_is_trained_on_the_days_before_those_it_is_judged_by(task: Task) -> None:
    plan = task.plan({"learning_rate": 0.125, "pi": "5,6", "n_epochs": 2})
    assert (plan.data.first, plan.data.last) == ("2025-01-02", "2025-01-06")
    assert (plan.settings.learning_rate, plan.settings.n_epochs) == (0.125, 2)
    assert plan.settings.network.pi == (5, 6)
    assert plan.config == CONFIG


def test_the_seeds_mean_of_what_was_asked_for_counts(task: Task) -> None:
    scores = [Score(30.0, 0.5, 9, 3), Score(-10.0, -0.25, 9, 3), Score(1.0, 0.05, 9, 3)]
    assert task.value(scores) == 7.0
    assert replace(task, objective="sharpe").value(scores) == pytest.approx(0.1)


def _policies(count: int) -> list[Any]:
    market = prepare(synthetic_bars("ES", days=6, seed=0, start="2025-01-02"), CONFIG)
    return [make_policy(market, CONFIG, seed=seed) for seed in range(count)]


@pytest.mark.costly
def test_every_seed_is_judged_on_the_way_and_at_the_end(task: Task, tmp_path: Path) -> None:
    policies = _policies(3)
    for number, policy in enumerate(policies):
        save_policy(tmp_path / f"policy-{number}.safetensors", policy)
    alone = [task.validation.score(policy) for policy in policies]
    assert len({one.pnl for one in alone}) == 3
    assert _final_scores(task, tmp_path, 3) == alone
    told: list[tuple[float, int]] = []
    hopeless = [False, True, True, True]
    trial: Any = SimpleNamespace(
        report=lambda value, step: told.append((value, step)),
        should_prune=lambda: hopeless[len(told) - 1],
    )
    judge, pruned = Judge(task, trial, 10), []
    for updates in range(1, 11):
        judge(Moment(updates, [], lambda: policies))
        pruned.append(judge.pruned)
    assert judge.scores == alone
    # Four judgements of ten updates: after the third, fifth, eighth and tenth.
    assert told == [(task.value(alone), part) for part in (1, 2, 3, 4)]
    assert pruned == [*[False] * 4, *[True] * 5, False]  # what is trained to its end is not cut short
