"""Workloads take turns whose order turns; they are warmed up first and closed last."""

from __future__ import annotations

import pytest

from benchmarks.harness import measure
from benchmarks.harness.entries import environment_entry, measure_entries, training_entry
from benchmarks.harness.measure import Timing, sentence, take_turns
from benchmarks.harness.statistics import Samples


class Clock:
    """Seconds that pass where work is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Work:
    """Takes a second and 10 steps each time, and writes down what it was asked for."""

    def __init__(self, name: str, clock: Clock, told: list[str], fails_at: int = -1) -> None:
        self.name, self.envs = name, 4
        self._clock, self._told, self._fails_at, self._runs = clock, told, fails_at, 0

    def prepare(self) -> float:
        self._told.append(f"prepare {self.name}")
        if self._fails_at == 0:
            raise MemoryError("no room\nfor it")
        return 7.0

    def run(self) -> int:
        self._runs += 1
        self._told.append(self.name)
        if self._runs == self._fails_at:
            raise ValueError("x" * 300)
        self._clock.now += 1.0
        return 10

    def close(self) -> None:
        self._told.append(f"close {self.name}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(measure, "time", made)
    return made


def test_the_order_turns_and_all_are_warmed_up_first_and_closed_last(clock: Clock) -> None:
    told: list[str] = []
    timings = take_turns([Work(name, clock, told) for name in "abc"], rounds=4, seconds_per_row=8.0)
    first = ["prepare a", "prepare b", "prepare c", *"abc"]
    # Two seconds of each in a round: twice a portion of work.
    rounds = [name * 2 for name in ("a", "b", "c", "b", "c", "a", "c", "a", "b", "a", "b", "c")]
    assert told == [*first, *"".join(rounds), "close a", "close b", "close c"]
    assert timings == [Timing(name, 4, 7.0, [10.0] * 4) for name in "abc"]
    assert timings[0].rate == Samples.of([10.0] * 4)


def test_a_portion_that_takes_longer_than_its_time_is_done_to_its_end(clock: Clock) -> None:
    told: list[str] = []
    (timing,) = take_turns([Work("a", clock, told)], rounds=2, seconds_per_row=3.0)
    assert timing.samples == [10.0, 10.0]
    assert told.count("a") == 1 + 2 * 2  # 1.5 seconds: two portions, which take two


def test_one_that_may_fail_ends_its_own_turns_and_says_why(clock: Clock) -> None:
    told: list[str] = []
    works = [Work("a", clock, told), Work("b", clock, told, 3), Work("c", clock, told, 0)]
    one, two, three = take_turns(works, rounds=3, seconds_per_row=3.0, may_fail=works[1:])
    assert (one.error, one.samples) == (None, [10.0] * 3)
    assert two.error == "ValueError: " + "x" * 188
    assert (two.rate, three.rate) == (None, None)
    assert (three.error, three.prepare_seconds) == ("MemoryError: no room", 0.0)
    assert told[-3:] == ["close a", "close b", "close c"]
    told.clear()
    with pytest.raises(ValueError, match="xxx"):
        take_turns([works[0], Work("b", clock, told, 1)], rounds=1, seconds_per_row=1.0)
    assert told[-2:] == ["close a", "close b"]


def test_a_sentence_is_the_class_and_the_first_line() -> None:
    assert sentence(KeyError()) == "KeyError"
    assert sentence(ValueError("  one \n two")) == "ValueError: one"
    assert len(sentence(ValueError("x" * 500))) == 200


def test_rows_hold_what_was_measured_or_why_not(clock: Clock) -> None:
    told: list[str] = []
    good, bad = Work("a", clock, told), Work("b", clock, told, 2)
    entries = [
        environment_entry(good, "port"),
        training_entry(bad, "reference", 4, may_fail=True),
    ]
    one, two = measure_entries(entries, rounds=2, seconds_per_row=2.0)
    assert (one.name, one.envs, one.unit, one.side) == ("a", 4, "steps/s", "port")
    assert (one.error, one.prepare_seconds, one.rate) == (None, 7.0, Samples.of([10.0, 10.0]))
    assert (two.name, two.side, two.epochs) == ("b", "reference", 4)  # type: ignore[attr-defined]
    assert (two.prepare_seconds, two.rate) == (None, None)
    assert two.error is not None
    assert two.error.startswith("ValueError: xxx")
