"""Trials that workers share: none is lost with its worker, none is run to its end twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import Trial, TrialState

from rltrader.sweep.attempts import (
    MOST_ATTEMPTS,
    ORIGIN,
    REASON,
    SPARE,
    Lease,
    SharedTrials,
    attempts,
    origin_of,
)
from rltrader.sweep.storage import open_storage

# Optuna leaves a database's connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SPACE = {"x": FloatDistribution(0.0, 1.0)}


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def study_at(place: str) -> optuna.Study:
    storage = open_storage(place, Path())
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(
        storage=storage, study_name="s", load_if_exists=True, sampler=sampler, direction="maximize"
    )


def worker(place: str, clock: Clock, count: int = 3) -> SharedTrials:
    return SharedTrials(study_at(place), SPACE, count, lease=10.0, clock=clock)


def taken(shared: SharedTrials) -> Trial:
    trial = shared.next()
    assert trial is not None
    return trial


def finished(study: optuna.Study) -> dict[int, list[TrialState]]:
    return {
        origin: [one.state for one in tries]
        for origin, tries in attempts(study.get_trials(deepcopy=False)).items()
    }


def test_a_dead_workers_trial_is_run_again_with_its_settings(place: str, clock: Clock) -> None:
    dead, alive = worker(place, clock), worker(place, clock)
    lost = taken(dead)
    lost.report(1.5, 1)
    assert alive.find_lost() == []
    clock.now = 9.0
    assert alive.find_lost() == []
    clock.now = 11.0
    assert alive.find_lost() == [lost.number]
    again = taken(alive)
    assert (again.params, again.number) == (lost.params, 1)
    frozen = alive.study.get_trials()[1]
    assert origin_of(frozen) == 0
    assert frozen.intermediate_values == {1: 1.5}
    assert alive.finish(again, 1.0, pruned=False)
    assert not dead.finish(lost, 9.0, pruned=False)
    assert finished(alive.study) == {0: [TrialState.FAIL, TrialState.COMPLETE]}
    assert alive.study.best_value == 1.0


def test_a_renewed_lease_is_not_lost(place: str, clock: Clock) -> None:
    busy, other = worker(place, clock), worker(place, clock)
    trial = taken(busy)
    for now in range(0, 60, 6):
        clock.now = float(now)
        trial.set_user_attr("alive", now)
        assert other.find_lost() == []


def test_what_two_workers_queue_is_run_once(place: str, clock: Clock) -> None:
    dead = worker(place, clock, count=1)
    taken(dead)
    one, two = worker(place, clock, count=1), worker(place, clock, count=1)
    one.find_lost(), two.find_lost()
    clock.now = 11.0
    assert one.find_lost() == [0]
    two._queue(0, two.study.get_trials()[0])  # what a worker does that looked at the same moment
    first = taken(one)
    assert first.number == 1
    assert one.finish(first, 1.0, pruned=False)
    assert two.next() is None
    states = [(trial.state, SPARE in trial.user_attrs) for trial in two.study.get_trials()]
    assert states == [
        (TrialState.FAIL, False),
        (TrialState.COMPLETE, False),
        (TrialState.FAIL, True),
    ]


def test_no_more_trials_than_asked_for(place: str, clock: Clock) -> None:
    first, second = worker(place, clock, count=1), worker(place, clock, count=1)
    mine = taken(first)
    second.study.ask(SPACE)  # both looked before either asked
    assert second._is_spare(1)
    assert not first._is_spare(0)
    assert first.finish(mine, 1.0, pruned=True)


def test_a_failure_with_a_reason_is_final_and_deaths_have_an_end(place: str, clock: Clock) -> None:
    shared = worker(place, clock, count=2)
    shared.give_up(taken(shared), "loss is no number")
    assert shared.find_lost() == []
    numbers = []
    for _ in range(MOST_ATTEMPTS):
        numbers.append(taken(shared).number)
        shared.find_lost()
        clock.now += 11.0
        shared.find_lost()
    assert numbers == [1, 2, 3]
    assert shared.next() is None
    told = [trial.user_attrs for trial in shared.study.get_trials()]
    assert told[0][REASON] == "loss is no number"
    assert [one.get(ORIGIN) for one in told] == [None, None, 1, 1]


def test_a_trial_that_is_handed_back_is_queued_again_however_often(place: str, clock: Clock) -> None:
    """A machine that is stopped again and again loses none, and its deaths are counted beside."""
    shared = worker(place, clock, count=1)
    for number in range(2 * MOST_ATTEMPTS):
        trial = taken(shared)
        assert trial.number == number
        if number % 3 < 2:
            shared.give_up(trial)
        else:
            shared.find_lost()
            clock.now += 11.0
            shared.find_lost()
    trial = taken(shared)
    assert shared.finish(trial, 1.0, pruned=False)
    failed = [TrialState.FAIL] * 2 * MOST_ATTEMPTS
    assert finished(shared.study) == {0: [*failed, TrialState.COMPLETE]}


def test_a_lease_is_renewed_and_says_when_it_was_lost(place: str, clock: Clock) -> None:
    shared = worker(place, clock)
    trial = taken(shared)
    with Lease(trial, 0.04) as lease:
        changed = threading.Event()
        for _ in range(500):
            if shared.study.get_trials()[0].user_attrs.get("alive", 0) >= 2:
                break
            changed.wait(0.01)
        assert shared.study.get_trials()[0].user_attrs["alive"] >= 2
        assert not lease.lost
        shared._fail(trial.number)
        for _ in range(500):
            if lease.lost:
                break
            changed.wait(0.01)
        assert lease.lost


class Unreachable:
    """A trial some of whose writes fail, counted from 1, as where its storage is out of reach."""

    def __init__(self, trial: Trial, fails: dict[int, Exception]) -> None:
        self.trial, self.fails, self.writes = trial, fails, 0

    def set_user_attr(self, name: str, value: object) -> None:
        self.writes += 1
        if self.writes in self.fails:
            raise self.fails[self.writes]
        self.trial.set_user_attr(name, value)


def until(done: Callable[[], bool]) -> None:
    """Wait for up to five seconds."""
    for _ in range(500):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


@pytest.mark.parametrize(
    "fails",
    [
        {1: OSError("no route to host")},
        {2: StorageInternalError("server closed the connection")},
        {1: TimeoutError(), 2: RuntimeError("rpc"), 4: ConnectionError(), 5: ValueError("half a line")},
    ],
    ids=["the first", "the second", "several"],
)
def test_renewals_go_on_after_writes_that_failed(
    place: str, clock: Clock, fails: dict[int, Exception]
) -> None:
    """So a healthy trial stays its worker's, though the storage was out of reach for a moment."""
    busy, other = worker(place, clock), worker(place, clock)
    trial = taken(busy)
    flaky = Unreachable(trial, fails)
    assert other.find_lost() == []
    with Lease(cast(Trial, flaky), 0.04) as lease:
        until(lambda: flaky.writes > max(fails) + 1)
        clock.now = 11.0
        assert other.find_lost() == []
        assert not lease.lost
        shown = other.study.get_trials()[trial.number].user_attrs["alive"]
        assert shown > max(fails)
        busy._fail(trial.number)  # and what ends it is still heard of
        until(lambda: lease.lost)
    assert flaky.writes > shown
