"""A sweep's table: trials ranked, each once, and what a deflated Sharpe ratio needs of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import TrialState
from rich.console import Console

from jax_port.evaluation.tasks import sharpes_of, trials_of
from rltrader.sweep.table import ranked, show, write


def study() -> optuna.Study:
    """Return trials: 0 good, 1 better, 2 cut short, 3 failed, 4 lost and run again as 5."""
    made = optuna.create_study(direction="maximize")
    for number, (value, sharpes) in enumerate([(1.0, [0.1, 0.3]), (5.0, [0.5, 0.7])]):
        trial = made.ask()
        trial.suggest_float("gamma", 0.9, 1.0)
        notes = {"sharpes": sharpes, "pnl": [value - 1, value + 1], "days": 4}
        for name, one in {**notes, "folder": f"trials/{number:04d}"}.items():
            trial.set_user_attr(name, one)
        made.tell(trial, value)
    short = made.ask()
    short.report(9.0, 1)
    short.set_user_attr("sharpes", [0.9, 1.1])
    made.tell(short, state=TrialState.PRUNED)
    failed = made.ask()
    failed.set_user_attr("reason", "loss is no number")
    made.tell(failed, state=TrialState.FAIL)
    made.tell(made.ask(), state=TrialState.FAIL)
    again = optuna.create_trial(state=TrialState.COMPLETE, value=3.0, user_attrs={"origin": 4})
    made.add_trial(again)
    return made


def test_the_best_come_first_and_each_trial_once() -> None:
    rows = ranked(study().get_trials())
    assert [(row["rank"], row["trial"], row["state"]) for row in rows] == [
        (1, 1, "complete"),
        (2, 4, "complete"),
        (3, 0, "complete"),
        (4, 2, "pruned"),
        (5, 3, "failed"),
    ]
    assert rows[0]["pnl"] == 5.0
    assert rows[0]["spread"] == 2**0.5
    assert rows[4]["why"] == "loss is no number"


def test_a_trial_that_made_nothing_comes_before_those_that_lost(tmp_path: Path) -> None:
    trials = [
        optuna.create_trial(
            state=TrialState.COMPLETE,
            value=value,
            user_attrs={"origin": number, "pnl": [value], "sharpes": [value]},
        )
        for number, value in enumerate((-2.0, 0.0, 1.0))
    ]
    rows = ranked(trials)
    assert [(row["trial"], row["pnl"], row["sharpe_day"]) for row in rows] == [
        (2, 1.0, 1.0),
        (1, 0.0, 0.0),
        (0, -2.0, -2.0),
    ]
    console = Console(record=True, width=120)
    show(rows, "pnl", tmp_path, console)
    line = next(line for line in console.export_text().splitlines() if line.split()[:2] == ["2", "1"])
    assert line.split()[3:] == ["$0.00", "0.000"]


def test_what_is_written_counts_every_policy_that_was_judged(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / "trials" / f"{number:04d}").mkdir(parents=True)
    write(tmp_path, ranked(study().get_trials()), {"study": "s"}, 2)
    values = json.loads((tmp_path / "sweep.json").read_text())
    assert (values["best"], values["chosen_from"]) == (1, 6)
    assert (tmp_path / "best").resolve() == (tmp_path / "trials" / "0001").resolve()
    for folder in ("best", "trials/0000"):
        assert trials_of(tmp_path / folder / "policy-0.safetensors", {"agents": 3}) == 6
        assert sharpes_of(tmp_path / folder / "policy-0.safetensors") == [0.5, 0.7, 0.1, 0.3, 0.9, 1.1]
    assert trials_of(tmp_path / "elsewhere" / "run" / "x" / "y" / "policy-0.safetensors", {}) == 1
    table = pd.read_csv(tmp_path / "trials.csv")
    assert list(table["trial"]) == [1, 4, 0, 2, 3]
    write(tmp_path, [], {"study": "s"}, 2)
    assert json.loads((tmp_path / "sweep.json").read_text())["best"] is None


def test_the_best_is_one_that_was_trained_to_its_end_and_the_newest_such(tmp_path: Path) -> None:
    """One that was cut short, or failed, is never pointed to, whatever it was worth."""
    folder = tmp_path / "trials"
    cut = {"state": "pruned", "sharpes": [0.5], "folder": "trials/0000"}
    failed = {"state": "failed", "sharpes": [], "folder": None}
    good = {"state": "complete", "sharpes": [0.1, 0.2], "folder": "trials/0001"}
    better = {**good, "folder": "trials/0002"}

    def written(*rows: dict[str, Any]) -> dict[str, Any]:
        table = [{"trial": n, "settings": {}, **row} for n, row in enumerate(rows)]
        write(tmp_path, table, {}, 2)
        return dict(json.loads((tmp_path / "sweep.json").read_text()))

    values = written(cut, failed)
    assert (values["best"], values["chosen_from"], values["sharpes"]) == (None, 1, [0.5])
    assert not (tmp_path / "best").is_symlink()
    assert written(failed)["chosen_from"] == 1
    assert written(cut, good)["best"] == 1
    assert (tmp_path / "best").resolve() == folder / "0001"
    assert written(better, good, cut)["chosen_from"] == 5
    assert (tmp_path / "best").resolve() == folder / "0002"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_attempt_that_came_to_its_end_counts_whatever_came_after() -> None:
    made = optuna.create_study(direction="maximize")
    for state, value, reason in (
        (TrialState.FAIL, None, {}),
        (TrialState.COMPLETE, 2.0, {}),
        (TrialState.FAIL, None, {"reason": "too late"}),
    ):
        attributes = {"origin": 0, **reason}
        made.add_trial(optuna.create_trial(state=state, value=value, user_attrs=attributes))
    (row,) = ranked(made.get_trials())
    assert (row["trial"], row["state"], row["value"], row["why"]) == (0, "complete", 2.0, "")
