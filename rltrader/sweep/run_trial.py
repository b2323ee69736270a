"""One trial of a sweep: train with its settings, judge on the way, stop where that is hopeless."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial
from rich.console import Console

from foundation.errors import InputError
from foundation.lock import folder_lock
from foundation.signals import stop_on_signal
from jax_port.evaluation.validation import Score, Split, Validation
from jax_port.runs import lineage
from jax_port.runs import run as runs
from jax_port.runs.checkpoints import FOLDER as CHECKPOINTS
from jax_port.runs.plan import Plan, read_plan
from jax_port.runs.policies import missing_policies, refuse_ended, updates_at_end
from jax_port.runs.run_file import RUN, shown_proof
from jax_port.runs.runner import Programs
from rltrader.options.bars import BarOptions
from rltrader.options.run_toml import texts_of
from rltrader.options.train_plan import make_plan, prove
from rltrader.sweep.attempts import Lease, origin_of
from rltrader.train import answering, progress


@dataclass(frozen=True)
class Task:
    """What all trials of a sweep have in common.

    Attributes:
        bars, options: of the command line; a trial's settings go before them.
        validation, split: what trials are judged on, and the dates of both.
        objective: "pnl", mean dollars of an episode, or "sharpe", of a day.
        judgements: how often a trial is judged.
        folder: of the sweep.
        programs: compiled for earlier trials.
    """

    bars: BarOptions
    options: Mapping[str, Any]
    validation: Validation
    split: Split
    objective: str
    judgements: int
    folder: Path
    programs: Programs = field(default_factory=dict)

    def plan(self, settings: Mapping[str, Any]) -> Plan:
        """Return the plan of a trial, without its proof.

        Raises:
            InputError: the settings do not go together.
        """
        plan = make_plan(self.bars, {**self.options, **settings})
        first, last = str(self.split.train_first), str(self.split.train_last)
        return replace(plan, data=replace(plan.data, first=first, last=last))

    def value(self, scores: list[Score]) -> float:
        """Return what is maximised: the mean over the seeds."""
        each = [one.pnl if self.objective == "pnl" else one.sharpe_day for one in scores]
        return sum(each) / len(each)


class Stopped(Exception):
    """A signal asked the worker to stop; the trial is saved, for another to go on with.

    Attributes:
        code: to exit with.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class LostError(Exception):
    """Another worker has taken the trial for lost, and runs it."""


@dataclass
class Judge:
    """Judges a trial while it is trained.

    Attributes:
        task, trial, total: the sweep, the trial, its updates in all.
        scores: the newest, one a seed.
        pruned: whether the trial is hopeless beside the others.
    """

    task: Task
    trial: Trial
    total: int
    scores: list[Score] = field(default_factory=list)
    pruned: bool = False
    _judged: int = 0

    def __call__(self, moment: runs.Moment) -> None:
        """Judge, where another part of the training is done."""
        part = self.task.judgements * moment.updates // self.total
        if part == self._judged:
            return
        self._judged = part
        self.scores = [self.task.validation.score(policy) for policy in moment.policies()]
        self.trial.report(self.task.value(self.scores), part)
        self.pruned = moment.updates < self.total and self.trial.should_prune()


def run_trial(task: Task, trial: Trial, lease: float, console: Console) -> tuple[float, bool]:
    """Train one trial to its end, or until it is hopeless; return its value, and whether it was pruned.

    Where an earlier attempt left a checkpoint that can be reached, it goes on from there. One whose
    worker died after the training's end, and before that was recorded, is judged and not trained on.

    Raises:
        InputError: the settings do not go together, or the training diverged.
        Stopped: a signal came.
        LostError: the lease ran out, and another worker has the trial.
    """
    try:
        return _to_its_end(task, trial, lease, console)
    except UpdateFinishedTrialError:  # told at once by the storage, and only later by the lease
        raise LostError from None


def _to_its_end(task: Task, trial: Trial, lease: float, console: Console) -> tuple[float, bool]:
    began = time.perf_counter()
    with Lease(trial, lease) as held:
        folder, plan, begun = _place(task, trial, task.plan(trial.params))
        judge = Judge(task, trial, plan.settings.num_updates)
        ended = _updates_at_end(folder, plan) if begun else None
        if ended is None:
            _train(task, plan, folder, begun, judge, held, console)
        else:
            judge.pruned = ended < judge.total
        if held.lost:
            raise LostError
        if not judge.scores:  # an earlier attempt was cut off after its last update
            judge.scores = _final_scores(task, folder, len(plan.agents))
        _note(trial, task, judge, folder, time.perf_counter() - began)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return task.value(judge.scores), judge.pruned


def _train(
    task: Task, plan: Plan, folder: Path, begun: bool, judge: Judge, held: Lease, console: Console
) -> None:
    """Train a trial to its end, or until it is hopeless or another worker's.

    Raises:
        Stopped: a signal came.
    """
    quiet = Console(quiet=True)  # said once, where the sweep begins
    proof = prove(plan, {**task.options, **_as_before(folder, begun)}, quiet)
    plan = plan if begun else replace(plan, certificate=proof)
    with progress(console, plan) as tell, stop_on_signal() as stopped:
        finished = runs.run(
            plan,
            folder,
            answering(stopped, tell),
            lambda: stopped() or held.lost,
            enough=lambda: judge.pruned,
            watch=judge,
            begin=not begun,
            texts={} if begun else texts_of(plan),
            certificate=proof,
            programs=task.programs,
            loggers=task.options["loggers"],
        )
    if not finished and not held.lost:
        raise Stopped(stopped.exit_code)


def _updates_at_end(folder: Path, plan: Plan) -> int | None:
    """Return after how many updates a trial's training ended; None where it has not, or where a policy
    of it is gone."""
    ended = updates_at_end(folder)
    return ended if ended is not None and missing_policies(plan, folder, ended) == [] else None


def _place(task: Task, trial: Trial, plan: Plan) -> tuple[Path, Plan, bool]:
    """Return a trial's folder, its plan, and whether an earlier attempt began it there."""
    origin = origin_of(trial)
    folder = task.folder / "trials" / f"{origin:04d}"
    try:
        with folder_lock(folder, "trains"):
            if not (folder / RUN).exists():
                return folder, plan, False
            before = read_plan(folder)
            if _updates_at_end(folder, before) is None:
                refuse_ended(folder)
    except InputError:  # held by a worker that only seems dead, damaged, or ended without a checkpoint
        return task.folder / "trials" / f"{origin:04d}-{trial.number:04d}", plan, False
    if replace(before, certificate=plan.certificate) != plan:
        return task.folder / "trials" / f"{origin:04d}-{trial.number:04d}", plan, False
    return folder, before, True


def _as_before(folder: Path, begun: bool) -> dict[str, Any]:
    """Return what a run that was begun without a proof is gone on with."""
    from jax_port.runs.gate import UNGATED

    return {"ungated": True} if begun and shown_proof(folder) == UNGATED else {}


def _final_scores(task: Task, folder: Path, agents: int) -> list[Score]:
    from jax_port.ppo.policy import load_policy

    return [
        task.validation.score(load_policy(folder / f"policy-{number}.safetensors"))
        for number in range(agents)
    ]


def _note(trial: Trial, task: Task, judge: Judge, folder: Path, seconds: float) -> None:
    """Record with the trial what its table, and a deflated Sharpe ratio, need."""
    notes: dict[str, Any] = {
        "pnl": [round(one.pnl, 6) for one in judge.scores],
        "sharpes": [round(one.sharpe_day, 9) for one in judge.scores],
        "days": judge.scores[0].days,
        "folder": str(folder.relative_to(task.folder)),
        "seconds": round(seconds, 1),
        "parity": lineage.in_words(shown_proof(folder)),
    }
    for name, value in notes.items():
        trial.set_user_attr(name, value)
