"""A trial: what it is trained on, what it is judged by, and when it is cut short."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.exceptions import UpdateFinishedTrialError
from rich.console import Console

from foundation.files import write_json
from jax_port.data.data_loader import prepare
from jax_port.evaluation.validation import Score, Split, Validation
from jax_port.ppo.policy import save_policy
from jax_port.runs import run as runs
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from jax_port.runs.run import Moment
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from rltrader.options.bars import _collect
from rltrader.sweep import run_trial
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


@pytest.mark.parametrize(
    ("judgements", "total", "parts"),
    [
        (4, 10, {3: 1, 5: 2, 8: 3, 10: 4}),
        (1, 3, {3: 1}),
        (5, 2, {1: 2, 2: 5}),
        (3, 3, {1: 1, 2: 2, 3: 3}),
    ],
)
def test_a_trial_is_judged_in_equal_parts_and_never_cut_short_at_its_end(
    judgements: int, total: int, parts: dict[int, int], task: Task
) -> None:
    """Each time anew, by the policies of that moment, with the objective's mean over them."""
    validation: Any = SimpleNamespace(score=lambda policy: Score(policy, policy / 8, 9, 3))
    task = replace(task, judgements=judgements, validation=validation, objective="sharpe")
    told: list[tuple[float, int]] = []
    trial: Any = SimpleNamespace(
        report=lambda value, step: told.append((value, step)), should_prune=lambda: True
    )
    judge, wanted = Judge(task, trial, total), []
    for updates in range(1, total + 1):
        judge(Moment(updates, [], lambda updates=updates: [8.0 * updates, 24.0]))  # type: ignore[misc]
        if updates in parts:
            wanted.append(((updates + 3) / 2, parts[updates]))
            scores = [Score(8.0 * updates, float(updates), 9, 3), Score(24.0, 3.0, 9, 3)]
        assert told == wanted
        assert not wanted or judge.scores == scores
        assert judge.pruned == (bool(wanted) and updates < total)


class Begun(Exception):
    """Stops a trial where its training would begin; holds what arrived there."""


def stop(plan: Plan, folder: Path, *_: Any, **more: Any) -> None:
    raise Begun(plan, folder, more)


def begun(
    task: Task, number: int, proofs: dict[str, Any], **attributes: Any
) -> tuple[Plan, str, dict[str, Any]]:
    """Return the plan of a trial, the name of its folder, and all else that its run is told.

    Args:
        task: of the trial.
        number: of the trial.
        proofs: by what ``--ungated`` is where a proof is asked for.
        attributes: of the trial.
    """
    trial: Any = SimpleNamespace(
        number=number,
        params={"learning_rate": 0.125},
        user_attrs=attributes,
        set_user_attr=lambda *_: None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_trial, "prove", lambda plan, options, _: proofs[str(options["ungated"])])
        patch.setattr(runs, "run", stop)
        with pytest.raises(Begun) as found:
            run_trial.run_trial(task, trial, 9.0, Console(quiet=True))
    plan, folder, more = found.value.args
    assert folder.parent == task.folder / "trials"
    return plan, folder.name, more


PROOFS = {"False": {"verdict": "same"}, "True": UNGATED}


def test_a_trial_goes_on_where_an_earlier_attempt_began_the_same(task: Task, tmp_path: Path) -> None:
    task = replace(task, folder=tmp_path, options={**task.options, "loggers": ("mlflow",)})
    plan, name, more = begun(task, 0, PROOFS)
    assert (name, more["begin"], more["loggers"]) == ("0000", True, ("mlflow",))
    assert more["certificate"] == plan.certificate == PROOFS["False"]
    assert more["programs"] is task.programs
    assert list(more["texts"]) == ["run.toml"]
    runs.start(plan, tmp_path / "trials" / name)
    newer = {"False": {"verdict": "same", "sha256": "2"}, "True": UNGATED}
    again, name, more = begun(task, 5, newer, origin=0)
    assert (again, name) == (plan, "0000")  # whose checkpoints are of the plan as it was written
    assert (more["begin"], more["certificate"]) == (False, newer["False"])


def test_a_trial_that_was_begun_without_a_proof_asks_for_none_again(task: Task, tmp_path: Path) -> None:
    task = replace(task, folder=tmp_path)
    plan = replace(task.plan({"learning_rate": 0.125}), certificate=UNGATED)
    runs.start(plan, tmp_path / "trials" / "0003")
    again, name, more = begun(task, 4, PROOFS, origin=3)
    assert (again, name, more["certificate"]) == (plan, "0003", UNGATED)


@pytest.mark.costly
@pytest.mark.parametrize(("before_end", "pruned"), [(1, True), (0, False)])
def test_a_trial_that_ended_before_its_worker_died_is_judged_and_not_trained_on(
    before_end: int, pruned: bool, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short it is still cut short, and is not one that was trained to its end."""
    task = replace(task, folder=tmp_path, options={**task.options, "seeds": 2})
    plan = replace(task.plan({"learning_rate": 0.125}), certificate=UNGATED)
    folder = tmp_path / "trials" / "0003"
    runs.start(plan, folder)
    policies = _policies(2)
    for number, policy in enumerate(policies):
        save_policy(folder / f"policy-{number}.safetensors", policy)
    updates = plan.settings.num_updates - before_end
    write_json(folder / "finished.json", {"updates": updates, "policies": 2})
    (folder / "checkpoints").mkdir()
    monkeypatch.setattr(runs, "run", stop)
    noted: dict[str, Any] = {}
    trial: Any = SimpleNamespace(
        number=4,
        params={"learning_rate": 0.125},
        user_attrs={"origin": 3},
        set_user_attr=noted.__setitem__,
    )
    found = run_trial.run_trial(task, trial, 9.0, Console(quiet=True))
    alone = [task.validation.score(policy) for policy in policies]
    assert found == (task.value(alone), pruned)
    assert noted.pop("seconds") >= 0
    assert noted == {
        "pnl": [round(one.pnl, 6) for one in alone],
        "sharpes": [round(one.sharpe_day, 9) for one in alone],
        "days": alone[0].days,
        "folder": "trials/0003",
        "parity": UNGATED,
    }
    assert not (folder / "checkpoints").exists()


@pytest.mark.parametrize(
    "changed",
    [
        lambda plan: replace(plan, settings=plan.settings.override(gamma=0.5)),
        lambda plan: replace(plan, config=EnvConfig.phase1(max_episode_bars=61)),
        lambda plan: replace(plan, data=replace(plan.data, last="2025-01-03")),
        lambda plan: replace(plan, agents=({}, {})),
        lambda plan: replace(plan, checkpoint_every=1),
        None,
    ],
    ids=["settings", "rules", "dates", "seeds", "checkpoints", "damaged"],
)
def test_what_another_training_left_is_neither_gone_on_with_nor_written_over(
    changed: Any, task: Task, tmp_path: Path
) -> None:
    task = replace(task, folder=tmp_path)
    left = tmp_path / "trials" / "0002" / "run.json"
    if changed is None:
        left.parent.mkdir(parents=True)
        left.write_text("{")
    else:
        runs.start(changed(task.plan({"learning_rate": 0.125})), left.parent)
    before = left.read_bytes()
    plan, name, more = begun(task, 6, PROOFS, origin=2)
    assert (name, more["begin"]) == ("0002-0006", True)
    assert replace(plan, certificate={}) == task.plan({"learning_rate": 0.125})
    assert left.read_bytes() == before


def test_a_trial_that_ended_and_whose_checkpoints_are_gone_is_trained_beside_it(
    task: Task, tmp_path: Path
) -> None:
    """Its worker was killed before the sweep was told: what it left stays as it is."""
    task = replace(task, folder=tmp_path)
    left = tmp_path / "trials" / "0002"
    runs.start(replace(task.plan({"learning_rate": 0.125}), certificate=UNGATED), left)
    (left / "checkpoints").mkdir()
    (left / "finished.json").write_text('{"updates": 1, "policies": 1}')  # whose policy is gone
    _, name, more = begun(task, 6, PROOFS, origin=2)
    assert (name, more["begin"]) == ("0002-0006", True)
    (left / "checkpoints" / "1.safetensors").touch()
    _, name, more = begun(task, 7, PROOFS, origin=2)
    assert (name, more["begin"]) == ("0002", False)


SCORES = {"early": Score(3.0, 0.5, 4, 9), "late": Score(30.1234567, 0.123456789012, 5, 8)}


def ended_trial(
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Any,
    lost: bool = False,
    **told: Any,
) -> tuple[Any, dict[str, Any]]:
    """Return what a trial comes to whose training is ``run``, and what is noted with it."""
    validation: Any = SimpleNamespace(score=SCORES.get)
    options = {**task.options, "seeds": 2}
    task = replace(task, folder=tmp_path, validation=validation, options=options, objective="sharpe")
    noted: dict[str, Any] = {}
    trial: Any = SimpleNamespace(
        number=4, params={"learning_rate": 0.125}, user_attrs={}, should_prune=lambda: True,
        **({"set_user_attr": noted.__setitem__, "report": lambda value, step: None} | told),
    )  # fmt: skip
    monkeypatch.setattr(run_trial, "prove", lambda *_: PROOFS["False"])
    monkeypatch.setattr(run_trial.Lease, "lost", property(lambda _: lost))
    monkeypatch.setattr(run_trial, "shown_proof", lambda folder: {"verdict": f"same in {folder.name}"})
    monkeypatch.setattr(runs, "run", run)
    return run_trial.run_trial(task, trial, 9.0, Console(quiet=True)), noted


def test_a_trial_is_judged_cut_short_and_noted_while_it_is_trained(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: Plan, folder: Path, on_update: Any, stop: Any, **more: Any) -> bool:
        (folder / "checkpoints").mkdir(parents=True)
        total = plan.settings.num_updates
        assert (more["enough"](), stop()) == (False, False)
        more["watch"](Moment(total // 2, [], lambda: ["early", "late"]))
        assert more["enough"]()
        return True

    found, noted = ended_trial(task, tmp_path, monkeypatch, run)
    assert found == (pytest.approx((0.5 + 0.123456789012) / 2), True)
    assert 0 <= noted.pop("seconds") < 60
    assert noted == {
        "pnl": [3.0, 30.123457], "sharpes": [0.5, 0.123456789], "days": 9, "folder": "trials/0004",
        "parity": "same in 0004",
    }  # fmt: skip
    assert not (tmp_path / "trials" / "0004" / "checkpoints").exists()


def test_a_trial_that_is_stopped_says_the_signal_and_one_that_is_lost_that_it_is(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: Plan, folder: Path, on_update: Any, stop: Any, **more: Any) -> bool:
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        if not stop():
            on_update(1, [{"steps_per_second": 1.0, "episode_pnl_dollars": None}])
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        return False

    with pytest.raises(run_trial.Stopped) as stopped:
        ended_trial(task, tmp_path, monkeypatch, run)
    assert stopped.value.code == 143
    with pytest.raises(run_trial.LostError):
        ended_trial(task, tmp_path, monkeypatch, run, lost=True)
    assert (tmp_path / "trials" / "0004" / "checkpoints").is_dir()


@pytest.mark.parametrize("told", ["report", "set_user_attr"])
def test_a_trial_that_the_storage_knows_to_have_ended_is_another_worker_s(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """Whoever failed it did so since the lease was renewed last."""

    def ended(*given: Any) -> None:
        raise UpdateFinishedTrialError

    def run(plan: Plan, folder: Path, on_update: Any, stop: Any, **more: Any) -> bool:
        (folder / "checkpoints").mkdir(parents=True)
        more["watch"](Moment(plan.settings.num_updates // 2, [], lambda: ["early", "late"]))
        return True

    with pytest.raises(run_trial.LostError):
        ended_trial(task, tmp_path, monkeypatch, run, **{told: ended})
    assert (tmp_path / "trials" / "0004" / "checkpoints").is_dir()
