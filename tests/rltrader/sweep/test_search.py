"""A study that several workers share: its options, how trials end, and each worker's own settings."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection
from rich.console import Console

from foundation.errors import InputError
from foundation.files import WriteError
from jax_port.data.data_loader import prepare
from jax_port.data.held_out import starts_within
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.training_data import trading_days
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader.options.bars import _collect
from rltrader.sweep import search
from rltrader.sweep.attempts import SharedTrials
from rltrader.sweep.command import sweep
from rltrader.sweep.run_trial import LostError, Stopped
from rltrader.sweep.search import PRUNERS, _open_study


def test_a_worker_that_joins_suggests_other_settings_than_the_one_that_began(tmp_path: Path) -> None:
    options = {"storage": None, "study": "s", "seed": 3, "pruner": "none"}
    numbers: list[list[float]] = []
    for _ in range(3):
        study = _open_study(options, tmp_path, {"bars": "x"})
        numbers.append([study.ask().suggest_float("x", 0.0, 1.0) for _ in range(4)])
    assert len({number for row in numbers for number in row}) == 12
    begun = _open_study({**options, "study": "again"}, tmp_path, {"bars": "x"})
    assert [begun.ask().suggest_float("x", 0.0, 1.0) for _ in range(4)] == numbers[0]


def opened(folder: Path, **asked: Any) -> optuna.Study:
    options = {"storage": None, "study": None, "seed": 3, "pruner": "none", **asked}
    return _open_study(options, folder, {"bars": "x"})


def test_a_worker_that_joins_waits_for_what_the_first_one_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = optuna.create_study(
        storage=search.open_storage(None, tmp_path), study_name="s", direction="maximize"
    )
    options = {"storage": None, "study": "s", "seed": 3, "pruner": "none"}
    waited: list[float] = []

    def says_meanwhile(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            made.set_user_attr(search.ASKED, {"bars": "x"})

    monkeypatch.setattr("rltrader.sweep.search.time.sleep", says_meanwhile)
    with pytest.raises(InputError, match="begun with other bars"):
        _open_study(options, tmp_path, {"bars": "y"})
    assert len(waited) == 3
    assert _open_study(options, tmp_path, {"bars": "x"}).user_attrs == {search.ASKED: {"bars": "x"}}


def test_what_a_worker_that_died_did_not_say_the_next_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna.create_study(
        storage=search.open_storage(None, tmp_path), study_name="s", direction="maximize"
    )
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)
    options = {"storage": None, "study": "s", "seed": 3, "pruner": "none"}
    assert _open_study(options, tmp_path, {"bars": "x"}).user_attrs == {search.ASKED: {"bars": "x"}}
    with pytest.raises(InputError, match="begun with other bars"):
        _open_study(options, tmp_path, {"bars": "y"})


def test_each_option_of_a_study_is_its_own(tmp_path: Path) -> None:
    def drawn(name: str, seed: int | None) -> float:
        return opened(tmp_path / name, seed=seed).ask().suggest_float("x", 0.0, 1.0)

    assert drawn("a", 3) == drawn("b", 3) != drawn("c", 4)
    assert drawn("d", None) == drawn("e", 0)
    study = opened(tmp_path / "a")
    assert (study.study_name, study.direction) == ("a", StudyDirection.MAXIMIZE)
    assert opened(tmp_path / "a", study="mine").study_name == "mine"
    for name, make in PRUNERS.items():
        assert type(opened(tmp_path / "a", pruner=name).pruner) is type(make())


def test_no_trial_is_cut_short_at_its_first_judgement_by_the_median() -> None:
    study = optuna.create_study(direction="maximize", pruner=PRUNERS["median"]())
    for value in range(6):
        trial = study.ask()
        trial.report(value, 1)
        trial.report(value, 2)
        study.tell(trial, value)
    hopeless = study.ask()
    hopeless.report(-1.0, 1)
    assert not hopeless.should_prune()
    hopeless.report(-1.0, 2)
    assert hopeless.should_prune()


@dataclass
class Told:
    """Stands for the trials of a study, and remembers how one of them ended."""

    ended: list[Any] = field(default_factory=list)
    ours: bool = True

    def give_up(self, trial: Any, reason: str | None = None) -> None:
        self.ended.append(("given up", reason))

    def finish(self, trial: Any, value: float, pruned: bool) -> bool:
        self.ended.append((value, pruned))
        return self.ours


TRIAL: Any = SimpleNamespace(number=9, user_attrs={"origin": 7})
"""The second attempt at trial 7, by which its folder and the table call it."""
TASK: Any = SimpleNamespace(objective="pnl")


def end_of(monkeypatch: pytest.MonkeyPatch, ends: Any, told: Told) -> str:
    """Return what is said of a trial that ends so."""

    def run_trial(task: Any, trial: Any, lease: float, console: Console) -> Any:
        assert (task, trial, lease) == (TASK, TRIAL, 9.0)
        if isinstance(ends, BaseException):
            raise ends
        return ends

    monkeypatch.setattr(search, "run_trial", run_trial)
    return search._ended(cast(SharedTrials, told), TASK, TRIAL, 9.0, Console(quiet=True))


@pytest.mark.parametrize(
    ("ends", "ended", "said"),
    [
        ((0.0, False), [(0.0, False)], "trial 7: $0.00 an episode"),
        ((12.5, True), [(12.5, True)], "trial 7: $12.50 an episode, cut short"),
        (InputError("no good"), [("given up", "no good")], "trial 7: failed, no good"),
        (LostError(), [], "trial 7: another worker took it over"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nthere"),
            [("given up", "RESOURCE_EXHAUSTED: Out of memory")],
            "trial 7: failed, out of memory",
        ),
    ],
)
def test_how_a_trial_ended_is_recorded_and_said(
    ends: Any, ended: list[Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    assert end_of(monkeypatch, ends, told) == said
    assert told.ended == ended


def test_a_trial_that_another_worker_has_by_now_is_not_said_to_be_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = end_of(monkeypatch, (1.0, False), Told(ours=False))
    assert said == "trial 7: another worker took it over"


@pytest.mark.parametrize(
    ("ends", "raised", "reason"),
    [
        (Stopped(143), SystemExit, None),
        (WriteError(Path("x"), "the disk is full"), WriteError, None),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (ZeroDivisionError("by zero\nthere"), ZeroDivisionError, "by zero"),
        (ValueError(), ValueError, "ValueError"),
    ],
    ids=["stopped", "disk", "interrupted", "fault", "fault without words"],
)
def test_what_ends_the_worker_hands_its_trial_back_unless_it_is_the_trial_s_fault(
    ends: BaseException,
    raised: type[BaseException],
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told()
    with pytest.raises(raised) as found:
        end_of(monkeypatch, ends, told)
    assert told.ended == [("given up", reason)]
    if isinstance(found.value, SystemExit):
        assert found.value.code == 143


def test_a_worker_that_joins_leaves_the_sweep_s_file_and_takes_its_own_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the study is of all trials, with a proof that is asked for as the command says."""
    out, config, asked = tmp_path / "out", tmp_path / "es.toml", []
    config.write_text("[search]\ngamma = [0.97, 0.99]\n")
    days = [date(2025, 1, day) for day in (2, 6, 8, 9)]
    task = SimpleNamespace(plan=lambda _: "plan", split=days, folder=out)

    class NoMore:
        def __init__(self, study: Any, space: Any, count: int, lease: float) -> None:
            asked.append((study.study_name, list(space), count, lease))

        def next(self) -> None:
            return None

    monkeypatch.setattr(search, "_prepare", lambda *_: (task, {}))
    monkeypatch.setattr(search, "SharedTrials", NoMore)
    monkeypatch.setattr(search, "prove", lambda plan, given, _: asked.append(given["ungated"]))
    for lease in ("7", "9"):
        words = ("--trials", "5", "--seeds", "2", "--lease", lease, "--out", str(out))
        words = (*words, "--synthetic", lease, "--config", str(config))
        sweep.main(list(words), standalone_mode=False)
    assert asked == [False, ("out", ["gamma"], 5, 7.0), False, ("out", ["gamma"], 5, 9.0)]
    assert tomllib.loads((out / "sweep.toml").read_text())["synthetic"] == 7
    values = json.loads((out / "sweep.json").read_text())
    assert values["judge_first"] == "2025-01-08"
    assert (values["seeds"], values["study"], values["objective"]) == (2, "out", "pnl")


def test_trials_share_their_bars_days_and_judgements_and_workers_agree_on_all_of_it(
    tmp_path: Path,
) -> None:
    words = ("--synthetic", "9", "--validate", "3", "--trials", "5", "--seeds", "2", "--gamma", "0.5")
    more = ("--objective", "sharpe", "--judgements", "7", "--pruner", "halving", "--phase", "2")
    context = sweep.make_context("sweep", [*words, *more, "--symbol", "NQ", "--out", str(tmp_path)])
    options = {**search.ELSEWHERE, **context.params}
    bars = _collect(options)
    task, asked = search._prepare(bars, options, tmp_path)
    days = trading_days(prepare(synthetic_bars("NQ", days=9, seed=0), EnvConfig.phase2()))
    split = [str(day) for day in (days[0], days[4], days[6], days[8])]
    assert [str(day) for day in task.split] == split
    assert (task.bars, task.options, task.folder) == (bars, options, tmp_path)
    assert (task.objective, task.judgements, task.programs) == ("sharpe", 7, {})
    judged = task.validation
    market = prepare(synthetic_bars("NQ", days=9, seed=0), EnvConfig.phase2())
    np.testing.assert_array_equal(
        judged.rows, starts_within(market, EnvConfig.phase2(), days[6], days[8])
    )
    assert search._dates(task) == {
        "train_first": split[0], "train_last": split[1],
        "judge_first": split[2], "judge_last": split[3],
    }  # fmt: skip
    settings = json.loads(json.dumps(TrainSettings().override(gamma=0.5).to_dict()))
    assert asked == {
        "settings": settings, "environment": json.loads(json.dumps(EnvConfig.phase2().to_dict())),
        "bars": market.digest, "dates": split, "seeds": 2, "objective": "sharpe", "judgements": 7,
        "pruner": "halving",
    }  # fmt: skip


def test_a_worker_runs_trials_until_none_is_left_and_writes_the_table_after_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, config = tmp_path / "out", tmp_path / "es.toml"
    config.write_text("[search]\ngamma = [0.97, 0.99]\nlearning_rate = { low = 0.1, high = 0.2 }\n")
    days = [date(2025, 1, day) for day in (2, 6, 8, 9)]
    planned: list[Any] = []
    task = SimpleNamespace(plan=planned.append, split=days, folder=out)
    left, told = ["one", "two"], []  # type: ignore[var-annotated]

    class Trials:
        def __init__(self, study: Any, *_: Any) -> None:
            told.append(("space", study.user_attrs[search.ASKED]))

        def next(self) -> str | None:
            return left.pop(0) if left else None

    def ended(shared: Any, task: Any, trial: str, lease: float, console: Console) -> str:
        assert isinstance(shared, Trials)
        told.append((trial, lease))
        return f"{trial} ended"

    rows = [{"rows": 1}, {"rows": 2}, {"rows": 3}]
    write = lambda folder, rows, about, seeds: told.append((rows, about, seeds, folder))  # noqa: E731
    monkeypatch.setattr(search, "_prepare", lambda *_: (task, {"bars": "x"}))
    monkeypatch.setattr(search, "SharedTrials", Trials)
    monkeypatch.setattr(search, "prove", lambda *_: None)
    monkeypatch.setattr(search, "_ended", ended)
    monkeypatch.setattr(search.table, "ranked", lambda _: rows.pop(0))
    monkeypatch.setattr(search.table, "write", write)
    monkeypatch.setattr(search.table, "show", lambda *given: told.append(given[:3]))
    words = ("--trials", "5", "--seeds", "3", "--lease", "7", "--objective", "sharpe")
    words = (*words, "--out", str(out), "--config", str(config))
    sweep.main(list(words), standalone_mode=False)
    (_, asked), *rest = told
    assert (asked["bars"], sorted(asked["space"])) == ("x", ["gamma", "learning_rate"])
    assert json.loads(asked["space"]["gamma"])["attributes"] == {"choices": [0.97, 0.99]}
    assert planned == [{}]
    about = {
        "study": "out", "objective": "sharpe", "train_first": "2025-01-02", "train_last": "2025-01-06",
        "judge_first": "2025-01-08", "judge_last": "2025-01-09",
    }  # fmt: skip
    assert rest == [
        *(("one", 7.0), ({"rows": 1}, about, 3, out), ("two", 7.0), ({"rows": 2}, about, 3, out)),
        *(({"rows": 3}, about, 3, out), ({"rows": 3}, "sharpe", out)),
    ]
    assert capsys.readouterr().out == "one ended\ntwo ended\n"


def test_another_objective_is_said_in_its_own_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "run_trial", lambda *_: (0.12345, True))
    task: Any = SimpleNamespace(objective="sharpe")
    said = search._ended(cast(SharedTrials, Told()), task, TRIAL, 9.0, Console(quiet=True))
    assert said == "trial 7: 0.123, cut short"
