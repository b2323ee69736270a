"""Trials that many workers share: each is run to its end once, whoever dies on the way.

A worker renews the lease of the trial that it runs. A trial whose lease was not renewed for long is
failed by whoever sees it first, which the storage lets happen once, and queued again with the same
settings. Being queued twice does no harm: of several attempts at a trial only the one with the lowest
number is run. Time is the observer's own, so the clocks of several machines need not agree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

ORIGIN, ALIVE, REASON, SPARE, BACK = "origin", "alive", "reason", "spare", "handed back"
"""User attributes: number of the first attempt; count of renewals; why it failed; nobody needs it; its
worker was stopped and handed it back."""
RENEWALS = 4
"""Renewals of a lease before it would run out."""
MOST_ATTEMPTS = 3
"""A trial whose workers died so often is given up: it may be what kills them."""
LIVE = (TrialState.RUNNING, TrialState.WAITING)
GOOD = (TrialState.COMPLETE, TrialState.PRUNED)


def origin_of(trial: FrozenTrial | Trial) -> int:
    """Return the number of a trial's first attempt."""
    return int(trial.user_attrs.get(ORIGIN, trial.number))


def attempts(trials: Sequence[FrozenTrial]) -> dict[int, list[FrozenTrial]]:
    """Return the attempts at each trial by the number of the first, in order; none that is spare."""
    by_number: dict[int, list[FrozenTrial]] = {}
    for trial in trials:
        if SPARE not in trial.user_attrs:
            by_number.setdefault(origin_of(trial), []).append(trial)
    return dict(sorted(by_number.items()))


def is_lost(tries: Sequence[FrozenTrial]) -> bool:
    """Return whether the last of a trial's attempts failed only because its worker ended."""
    return all(one.state not in (*LIVE, *GOOD) for one in tries) and REASON not in tries[-1].user_attrs


def deaths(tries: Sequence[FrozenTrial]) -> int:
    """Return how many of a trial's attempts ended with their worker; stopping one is no death."""
    return sum(BACK not in one.user_attrs for one in tries)


class Lease:
    """Shows others that a trial is being worked on, from a thread of its own.

    Args:
        trial: that this worker runs.
        seconds: after which others take it for lost.
    """

    def __init__(self, trial: Trial, seconds: float) -> None:
        self._trial, self._seconds = trial, seconds
        self._done, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    @property
    def lost(self) -> bool:
        """Whether another worker has taken the trial for lost; then its result counts no more."""
        return self._lost.is_set()

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=self._seconds)

    def _renew(self) -> None:
        count = 0
        while not self._done.wait(self._seconds / RENEWALS):
            count += 1
            try:
                self._trial.set_user_attr(ALIVE, count)
            except UpdateFinishedTrialError:
                self._lost.set()
                return
            except Exception:  # a storage that is out of reach for now; the lease may outlast it
                continue


class SharedTrials:
    """The trials of a study, as one worker takes part in them.

    Args:
        study: on a storage that others may use at the same time.
        space: of every trial.
        count: trials in all, attempts not counted.
        lease: seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Mapping[str, BaseDistribution],
        count: int,
        lease: float,
        clock: Any = time.monotonic,
    ) -> None:
        self.study, self.count, self.lease = study, count, lease
        self._space, self._clock = dict(space), clock
        self._seen: dict[int, tuple[Any, float]] = {}

    def next(self) -> Trial | None:
        """Return a trial to run, waiting for one that others may lose; None when all have ended."""
        while True:
            self.find_lost()
            trials = self.study.get_trials(deepcopy=False)
            states = {trial.state for trial in trials}
            if TrialState.WAITING not in states and len(attempts(trials)) >= self.count:
                if TrialState.RUNNING not in states:
                    return None
                time.sleep(min(1.0, self.lease / RENEWALS))
                continue
            trial = self.study.ask(self._space)
            if not self._is_spare(trial.number):
                return trial
            trial.set_user_attr(SPARE, True)
            self._fail(trial.number)

    def find_lost(self) -> list[int]:
        """Fail trials whose lease ran out and queue them again; return the numbers queued."""
        now = self._clock()
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            sign = trial.user_attrs.get(ALIVE)
            before = self._seen.get(trial.number)
            if before is None or before[0] != sign:
                self._seen[trial.number] = (sign, now)
            elif now - before[1] > self.lease:
                self._fail(trial.number)
        queued = []
        for origin, tries in attempts(self.study.get_trials(deepcopy=False)).items():
            if is_lost(tries) and deaths(tries) < MOST_ATTEMPTS:
                self._queue(origin, tries[-1])
                queued.append(origin)
        return queued

    def give_up(self, trial: Trial, reason: str | None = None) -> None:
        """End this worker's attempt at a trial: for good with a reason, else for another to run it, as
        often as it takes."""
        try:
            if reason is None:
                trial.set_user_attr(BACK, True)
            else:
                trial.set_user_attr(REASON, reason)
        except UpdateFinishedTrialError:
            return
        self._fail(trial.number)

    def finish(self, trial: Trial, value: float, pruned: bool) -> bool:
        """Record a trial's value; return False where another worker has taken it for lost."""
        try:
            if pruned:
                self.study.tell(trial.number, state=TrialState.PRUNED)
            else:
                self.study.tell(trial.number, value)
        except (UpdateFinishedTrialError, ValueError):  # told of a trial that has ended
            return False
        return True

    def _fail(self, number: int) -> None:
        try:
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        except UpdateFinishedTrialError:
            return

    def _queue(self, origin: int, lost: FrozenTrial) -> None:
        self.study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=lost.params,
                distributions=lost.distributions,
                user_attrs={ORIGIN: origin},
                intermediate_values=lost.intermediate_values,
            )
        )

    def _is_spare(self, number: int) -> bool:
        """Return whether a trial is one too many, or another attempt goes before it."""
        known = attempts(self.study.get_trials(deepcopy=False))
        for place, tries in enumerate(known.values()):
            if number in (one.number for one in tries):
                before = [one for one in tries if one.number < number]
                settled = any(one.state in (*LIVE, *GOOD) or REASON in one.user_attrs for one in before)
                return settled or place >= self.count
        return True
