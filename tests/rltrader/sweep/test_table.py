"""A sweep's table: trials ranked, each once, and what a deflated Sharpe ratio needs of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from rich.console import Console

from jax_port.evaluation.tasks import choice_of
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
        choice = choice_of(tmp_path / folder / "policy-0.safetensors", {"agents": 3})
        assert (choice.trials, choice.sharpes) == (6, (0.5, 0.7, 0.1, 0.3, 0.9, 1.1))
    elsewhere = choice_of(tmp_path / "elsewhere" / "run" / "x" / "y" / "policy-0.safetensors", {})
    assert (elsewhere.trials, elsewhere.sharpes) == (1, ())
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


def two_of_other_settings() -> optuna.Study:
    """Return a trial of two seeds, and a better one of three whose settings are others."""
    made = optuna.create_study(direction="maximize")
    floats, counts = FloatDistribution(0.0, 9.0), IntDistribution(1, 99)
    for value, params, pnl, sharpes in (
        (3.0, {"n_steps": 64, "gamma": 0.123456}, [1.0, 5.0], [0.25, 0.75]),
        (6.0, {"gamma": 0.5, "lr": 0.0000123}, [2.0, 6.0, 10.0], [0.5, 0.125, 0.5]),
    ):
        number = len(made.trials)
        notes = {"pnl": pnl, "sharpes": sharpes, "days": 3 + number, "seconds": 1.5 + number}
        notes |= {"parity": f"p{number}", "folder": f"trials/000{number}"}
        each = {name: counts if name == "n_steps" else floats for name in params}
        made.add_trial(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                value=value,
                params=params,
                distributions=each,
                user_attrs=notes,
            )
        )
    return made


def test_every_field_of_a_trial_is_written_and_shown(tmp_path: Path) -> None:
    rows = ranked(two_of_other_settings().get_trials())
    first = {
        "rank": 1, "trial": 1, "state": "complete", "value": 6.0, "pnl": 6.0, "spread": 4.0,
        "sharpe_day": 0.375, "sharpes": [0.5, 0.125, 0.5], "days": 4, "seconds": 2.5, "parity": "p1",
        "folder": "trials/0001", "why": "", "settings": {"gamma": 0.5, "lr": 0.0000123},
    }  # fmt: skip
    second = {
        "rank": 2, "trial": 0, "state": "complete", "value": 3.0, "pnl": 3.0, "spread": 8**0.5,
        "sharpe_day": 0.5, "sharpes": [0.25, 0.75], "days": 3, "seconds": 1.5, "parity": "p0",
        "folder": "trials/0000", "why": "", "settings": {"n_steps": 64, "gamma": 0.123456},
    }  # fmt: skip
    assert rows == [first, second]
    write(tmp_path, rows, {"study": "s", "judge_first": "2025-01-08"}, 3)
    assert (tmp_path / "trials.csv").read_text().splitlines() == [
        "rank,trial,state,value,pnl,spread,sharpe_day,days,seconds,parity,folder,why,gamma,lr,n_steps",
        "1,1,complete,6.0,6.0,4.0,0.375,4,2.5,p1,trials/0001,,0.5,1.23e-05,",
        f"2,0,complete,3.0,3.0,{8**0.5},0.5,3,1.5,p0,trials/0000,,0.123456,,64",
    ]
    assert json.loads((tmp_path / "sweep.json").read_text()) == {
        "study": "s", "judge_first": "2025-01-08", "chosen_from": 5, "seeds": 3, "best": 1,
        "sharpes": [0.5, 0.125, 0.5, 0.25, 0.75], "trials": rows,
    }  # fmt: skip
    console = Console(record=True, width=150)
    show(rows, "pnl", tmp_path, console)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert lines == [
        "rank trial an episode +/- Sharpe of a day gamma lr n_steps",
        "1 1 complete $6.00 $4.00 0.375 0.5 1.23e-05",
        "2 0 complete $3.00 $2.83 0.500 0.1235 64",
        "ranked by the PnL of an episode on the days left out of training; all of it: "
        f"{tmp_path / 'trials.csv'}",
    ]


@pytest.mark.parametrize("count", [20, 22])
def test_a_long_table_is_shown_as_far_as_fits_and_says_where_the_rest_is(count: int) -> None:
    row = {"trial": 1, "state": "complete", "pnl": None, "spread": None, "sharpe_day": None}
    rows = [{"rank": rank, "settings": {}, **row} for rank in range(1, count + 1)]
    console = Console(record=True, width=150)
    show(rows, "sharpe", Path("out"), console)
    _, *lines = (" ".join(line.split()) for line in console.export_text().splitlines())
    assert lines[:20] == [f"{rank} 1 complete" for rank in range(1, 21)]
    ranked_by = "ranked by the Sharpe ratio of a day on the days left out of training"
    ending = f"{ranked_by}; all of it: out/trials.csv"
    assert lines[20:] == [*(["2 more in out/trials.csv"] if count == 22 else []), ending]
