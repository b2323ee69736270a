"""Forbidden cases: which are repeated with hold, in how many lanes, and what is told of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.engine.pair import Case, Fields
from parity.engine.record import Recording
from parity.engine.replay import Shape
from parity.engine.verify import Mismatch
from parity.suites import invariants
from parity.suites.invariants import check_forbidden
from tests.parity.suites.test_invariants import NAMES, recorded
from tests.parity.walker import walker_pair


class _Asked:
    """What was asked of either side of a forbidden case, in the order of asking."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.held: list[Case] = []
        self.replayed: Recording | None = None
        self.shape: Shape | None = None
        patch.setattr(invariants, "record_cases", self.record)
        patch.setattr(invariants, "replay", self.replay)

    def after(self, places: Any) -> Fields:
        return {"place": np.array(places)[:, None], "forbidden": np.zeros((len(places), 1), bool)}

    def record(self, pair: Any, cases: list[Case]) -> Recording:
        self.held = cases
        places = [case.state["place"] for case in cases]
        count = len(cases)
        return Recording(
            worlds=np.array([case.world for case in cases], np.int32),
            actions=np.array([[case.action] for case in cases], np.int32),
            lengths=np.ones(count, np.int32),
            before={"place": np.array(places), "twice": 2 * np.array(places)},
            after=self.after(places),
            injected=True,
            starts=np.zeros(count, np.int32),
            labels=[""] * count,
        )

    def replay(self, pair: Any, recording: Recording, shape: Shape) -> Any:
        self.replayed, self.shape = recording, shape
        return SimpleNamespace(after=self.after(recording.before["place"]))


def forbidden_on(lanes: list[int], count: int) -> tuple[list[Case], Recording, Any]:
    """Return cases of the second world, what was recorded, forbidden on some lanes, and a replay."""
    cases = [Case(1, {"place": 10 + lane}, 3) for lane in range(count)]
    recording = recorded({}, {})
    recording.lengths, recording.actions = np.ones(count, np.int32), np.zeros((count, 1), np.int32)
    flags = np.isin(np.arange(count), lanes)[:, None]
    recording.after = {"place": 10 + np.arange(count)[:, None], "forbidden": flags}
    played = SimpleNamespace(after={name: value.copy() for name, value in recording.after.items()})
    return cases, recording, played


@pytest.mark.parametrize("shape", [None, Shape(3, 9)])
@pytest.mark.parametrize("lanes", [[2], [0, 4], [1, 3, 4, 6]])
def test_forbidden_cases_are_repeated_with_hold_in_the_program_of_all_cases(
    monkeypatch: pytest.MonkeyPatch, lanes: list[int], shape: Shape | None
) -> None:
    asked = _Asked(monkeypatch)
    cases, recording, played = forbidden_on(lanes, 7)
    pair = replace(walker_pair(), worlds=("north", "south"))
    results = check_forbidden(pair, cases, recording, played, shape=shape)
    assert asked.held == [replace(cases[lane], action=0) for lane in lanes]
    again = asked.replayed
    assert again is not None
    places = [10 + lane for lane in lanes]
    assert again.worlds.tolist() == [1] * len(lanes)
    assert again.actions.tolist() == [[0]] * len(lanes)
    assert again.before["place"].tolist() == places
    assert again.before["twice"].tolist() == [2 * place for place in places]
    assert asked.shape == (shape or (1, 7))
    for side, result in zip(NAMES, results, strict=True):
        assert (result.check, result.world) == (f"forbidden is hold, {side}", "south")
        assert (result.passed, result.compared) == (True, len(lanes))
        assert {name: one.compared for name, one in result.fields.items()} == {"place": len(lanes)}


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_of_many_forbidden_cases_so_many_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    lanes, pair = [0, 2, 5, 6], replace(walker_pair(), worlds=("north", "south"))
    for wrong in range(4):
        for side in (0, 1):
            _Asked(monkeypatch)
            cases, recording, played = forbidden_on(lanes, 7)
            (recording, played)[side].after["place"][lanes[wrong], 0] += 1
            results = check_forbidden(pair, cases, recording, played, most)
            assert [one.compared for one in results] == [most, most]
            found = wrong < most
            assert [one.passed for one in results] == [not (found and side == n) for n in (0, 1)]
            first = results[side].first
            place = 10.0 + lanes[wrong]
            told = Mismatch(lanes[wrong], 0, "place", (), place, place + 1)
            assert first == (told if found else None)


def test_without_a_forbidden_case_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _Asked(monkeypatch)
    assert check_forbidden(walker_pair(), *forbidden_on([], 3)) == []
    assert (asked.held, asked.replayed) == ([], None)
