"""The best of a policy's judgements, and what several callbacks answer together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jax_port.data.data_loader import prepare
from jax_port.evaluation.validation import Score
from jax_port.ppo import policy as policy_files
from jax_port.runs.run import Moment
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader import EvaluateEvery
from rltrader.python.callbacks import Call, together
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

BARS = synthetic_bars("ES", days=2, seed=0)


def judged(objective: str, *scores: tuple[int, float, float]) -> EvaluateEvery:
    callback = EvaluateEvery(BARS, 100, objective=objective)
    callback.scores = [(steps, Score(pnl, sharpe, 9, 3)) for steps, pnl, sharpe in scores]
    return callback


def test_the_best_is_of_what_is_asked_and_the_earliest_of_equals() -> None:
    scores = [(100, 5.0, 0.3), (200, 7.0, 0.1), (300, 7.0, 0.2), (400, 6.0, 0.3)]
    assert judged("pnl", *scores).best_steps == 200
    assert judged("sharpe", *scores).best_steps == 100
    assert judged("pnl").best_steps is None


def test_every_callback_is_called_and_one_ends_the_training() -> None:
    called = []

    def callback(name: str, answer: bool | None) -> Any:
        def call(_: Any) -> bool | None:
            called.append(name)
            return answer

        return call

    now: Any = None
    assert together([callback("a", True), callback("b", None)])(now) is True
    assert called == ["a", "b"]
    assert together(callback("c", False))(now) is False
    assert together(None)(now) is False


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"steps": 1, "patience": 0}, {"steps": 1, "objective": "loss"}], ids=str
)
def test_what_cannot_be_judged_by_is_refused(options: Any) -> None:
    with refuses():
        EvaluateEvery(BARS, **options)


def test_what_is_no_function_is_refused() -> None:
    callback: Any = ["a"]
    with refuses():
        together(callback)


def test_patience_counts_judgements_without_a_new_best(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([1.0, 3.0, 3.0, 2.0, 4.0, 4.0, 4.0])

    class Judged:
        def score(self, _: Any) -> Score:
            return Score(next(made), 0.0, 9, 3)

    callback = EvaluateEvery(BARS, 100, patience=2)
    monkeypatch.setattr(callback, "_judged_on", lambda _: Judged())
    said = []
    for updates in range(1, 8):
        moment = Moment(updates, [], lambda: [object()])  # type: ignore[list-item]
        said.append(callback(Call(moment, 100, 1_000)))
    assert said == [False, False, False, True, False, False, True]
    assert callback.best_steps == 500


def test_the_best_is_kept_over_several_trainings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Steps begin anew in the second, so that its second judgement has the first best's steps."""
    made, kept = iter([1.0, 3.0, 0.5, 2.0]), []
    market = prepare(BARS, EnvConfig.phase1())
    policies = [make_policy(market, EnvConfig.phase1(), seed=seed) for seed in range(4)]
    policies[1] = replace(policies[1], about={"agents": 3, "made": "x"})

    class Judged:
        def score(self, _: Any) -> Score:
            return Score(next(made), 0.0, 9, 3)

    callback = EvaluateEvery(BARS, 100, best=tmp_path / "best")
    monkeypatch.setattr(callback, "_judged_on", lambda _: Judged())
    monkeypatch.setattr(policy_files, "save_policy", lambda _, policy: kept.append(policy))
    for updates, policy in zip((1, 2, 1, 2), policies, strict=True):
        callback(Call(Moment(updates, [], lambda: [policy]), 100, 1_000))  # noqa: B023
    assert [id(one.params) for one in kept] == [id(policies[which].params) for which in (0, 1, 1, 1)]
    assert [one.about["agents"] for one in kept] == [1, 6, 9, 12]  # of so many it is the best
    assert kept[3].about == {"agents": 12, "made": "x"}
    assert callback.best_steps == 200


def test_what_each_training_has_seen_and_its_rules_are_looked_at_anew() -> None:
    later = synthetic_bars("ES", days=2, seed=0, start="2025-03-03")
    short, long = (EnvConfig.phase1(window_size=bars) for bars in (20, 40))
    seen = [
        {"symbol": "ES", "first": day, "last": day}
        for day in ("2025-01-06", "2025-01-07", "2025-03-04")
    ]
    callback = EvaluateEvery(later, 100)

    def judged_after(config: EnvConfig, data: Any) -> Any:
        return callback._judged_on(SimpleNamespace(config=config, about={"data": data}))  # type: ignore[arg-type]

    first = judged_after(short, seen[0])
    assert judged_after(short, dict(seen[0])) is first
    assert judged_after(long, seen[0]).rows[0] == first.rows[0] + 20
    with refuses():
        judged_after(short, seen[2])
    with refuses():
        judged_after(short, [seen[1], seen[2]])
    assert judged_after(short, seen[1]) is not first


def test_it_judges_where_so_many_steps_were_passed_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Judged:
        def score(self, _: Any) -> Score:
            return Score(0.0, 0.0, 9, 3)

    for calls, judged_at in (
        (range(1, 10), [300, 500, 800, 900]),  # the last is no multiple
        ((2, 4, 6, 8, 9), [400, 600, 800, 900]),  # two updates in a call, and the one that is left
        ((3, 4, 7, 9), [300, 700, 900]),
        ((9,), [900]),
    ):
        callback = EvaluateEvery(BARS, 250)
        monkeypatch.setattr(callback, "_judged_on", lambda _: Judged())
        before, ended = 0, []
        for updates in calls:
            records: list[Any] = [{}] * (updates - before)
            moment = Moment(updates, records, lambda: [object()])  # type: ignore[list-item]
            now, before = Call(moment, 100, 9), updates
            callback(now)
            ended.append(now.last)
        assert [steps for steps, _ in callback.scores] == judged_at
        assert ended == [*[False] * (len(ended) - 1), True]
