"""Every trainer gets as many trials, its own settings, and goes on from the log."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import msgspec
import pytest
from click.testing import CliRunner

from benchmarks.harness.rows import ReturnPoint, ReturnRow
from benchmarks.suites import tuned_return
from benchmarks.suites.time_to_return import TrainingPlan
from benchmarks.suites.tuned_return import FIRST, Races, Run, asked_of, command, plan_of, seconds_of
from tests.sentences import refuses

OPTIONS = {
    "days": 4,
    "starts": 64,
    "share": 0.5,
    "limit_seconds": 10.0,
    "every": 0.1,
    "workers": 1,
    "rollout": 64,
    "reference_batch": 32,
}


def row(seconds: float | None, best: float = 0.0, error: str | None = None) -> ReturnRow:
    curve = (ReturnPoint(1.0, 64, best),)
    return ReturnRow(
        name="x",
        trainer="x",
        seed=0,
        limit_seconds=10.0,
        seconds=seconds,
        curve=curve,
        target_return_dollars=100.0,
        error=error,
    )


def test_who_does_not_get_there_counts_as_longer_the_further_off_it_is() -> None:
    assert seconds_of(row(3.0)) == 3.0
    assert seconds_of(row(None, best=75.0)) == 12.5
    assert seconds_of(row(None, best=-500.0)) == 30.0 == seconds_of(row(None, error="broke"))


def test_a_rollout_is_cut_into_the_minibatches_that_were_drawn() -> None:
    plan = plan_of(OPTIONS, FIRST)
    assert (plan.settings.n_envs, plan.settings.n_steps, plan.settings.batch_size) == (64, 128, 1024)
    assert plan.settings.network.pi == (256, 256)


def test_a_trainer_that_is_not_tuned_is_refused() -> None:
    with refuses():
        command.main(["--trainers", "port,maskable"], standalone_mode=False)


def test_each_finds_its_own_settings_and_a_cut_off_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int]] = []

    def run(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
        """The port is best with many environments, the other with few."""
        made.append((name, seed))
        envs = plan.settings.n_envs
        seconds = 1.0 + (256 / envs if name == "port" else envs / 32)
        return msgspec.structs.replace(row(seconds), name=name, trainer=name, seed=seed)

    monkeypatch.setattr(tuned_return, "run_in_process", run)
    log, out = tmp_path / "log.jsonl", tmp_path / "report.json"
    words = ["--trainers", "port,sbx", "--trials", "12", "--seeds", "3", "--quick"]
    words += ["--log", str(log), "--json", str(out)]
    assert CliRunner().invoke(command, words, catch_exceptions=False).exit_code == 0
    report = json.loads(out.read_text())
    assert report["trainer_settings"]["port"]["envs"] > report["trainer_settings"]["sbx"]["envs"]
    assert [r["trainer"] for r in report["rows"]] == ["port", "sbx"] * 3
    raced = {seed for name, seed in made[-6:]}
    assert raced == {0, 1, 2}
    assert not raced & {seed for name, seed in made[:-6]}
    assert len([one for one in made if one[0] == "port"]) == len(made) / 2

    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[:20]) + '{"stage": "tu')
    before = len(made)
    assert CliRunner().invoke(command, words, catch_exceptions=False).exit_code == 0
    assert len(made) - before == before - 20
    assert log.read_text() == whole
    for other in (["--limit-seconds", "39"], ["--trials", "12"]):  # a quick run has a limit of its own
        words_now = [word for word in words if word != "--quick"] + other
        with refuses():
            command.main(words_now, standalone_mode=False)
    assert log.read_text() == whole


def test_a_race_with_other_settings_is_another_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """More trials may choose others, and a race with those before says nothing of them."""
    made: list[float] = []

    def run(name: str, plan: TrainingPlan, seed: int) -> ReturnRow:
        made.append(plan.settings.learning_rate)
        return row(1.0)

    monkeypatch.setattr(tuned_return, "run_in_process", run)
    added: list[Run] = []
    races = Races(OPTIONS, {}, added.append)
    for rate in (1e-3, 1e-3, 2e-3, 2e-3):
        races.run("race", "port", -1, {**FIRST, "learning_rate": rate}, 0)
    assert made == [1e-3, 2e-3]
    assert [one.settings["learning_rate"] for one in added] == made


def test_a_log_is_of_the_code_and_the_machine_that_made_it() -> None:
    asked = asked_of(OPTIONS)
    assert asked["options"] == OPTIONS
    assert (len(asked["code"]), len(asked["machine"])) == (64, 3)
    assert asked["versions"]["jax"] == jax.__version__
