"""Environments that raise when they are stepped after an end, as they may, are stepped no further."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from parity import Port
from parity.harness import cases as make
from parity.harness.contract.forms import _episodes_part
from parity.harness.judge import Judge
from parity.harness.modes.free_run import free_run
from parity.harness.modes.played_port import play_port
from parity.harness.sides.going import advance_going
from parity.harness.sides.side import Lanes
from tests.parity.harness.sides import tiny


class Strict(tiny.Ending):
    """It must be reset after an end."""

    def step(self, action: int) -> Any:
        if self.over:
            raise RuntimeError("call reset")
        return super().step(action)


def strict(**changes: Any) -> Any:
    def put(one: Any, state: dict[str, Any]) -> None:
        tiny.write(one, state)
        one.over = False

    return tiny.side(**{"make": Strict, "write": put, **changes})


class Copies:
    """Counts of several copies, which end at three; none may be stepped once one has ended."""

    def __init__(self, copies: int) -> None:
        self.count = np.zeros(copies, np.int64)

    def reset(self, seeds: Any) -> Any:
        self.count = np.asarray(seeds) % 3
        return self.count.copy()

    def step(self, actions: Any) -> Any:
        if (self.count >= 3).any():
            raise RuntimeError("call reset")
        if (actions == 9).any():
            raise InputError("there is no action 9")
        self.count = self.count + 1
        none = np.zeros(len(self.count), bool)
        return self.count.copy(), np.ones(len(self.count)), self.count >= 3, none, {}


def copies(restarts: Any = "never") -> Any:
    def put(one: Copies, state: Any) -> None:
        one.count = state["count"]

    return Port.batched(
        make=Copies,
        read=lambda one: {"count": one.count},
        write=put,
        reset_all=lambda one, seeds: one.reset(seeds),
        restarts=restarts,
        batch=3,
    )


SEEDS, UP = np.arange(3), {"action": np.ones(3, np.int64)}


def test_an_environment_whose_episode_has_ended_is_left_and_shows_its_last_step() -> None:
    state = {"levels": np.ones((3, 2)), "count": np.array([3, tiny.LIMIT - 1, 5])}
    state["open"] = np.zeros(3, bool)
    lanes: Lanes = strict().lanes(SEEDS, state)
    going = np.ones(3, bool)
    for step in (1, 2):
        done = advance_going(lanes, UP, SEEDS, going)
        assert done is not None
        assert done.state["count"].tolist() == [3 + step, tiny.LIMIT, 5 + step]
        going &= ~done.ended
        assert going.tolist() == [True, False, True]
    with pytest.raises(RuntimeError, match="call reset"):
        advance_going(lanes, UP, SEEDS, np.ones(3, bool))


def test_an_environment_that_begins_another_episode_by_itself_is_stepped_on() -> None:
    lanes: Any = tiny.side(hands_out_final=False).lanes(SEEDS, None)
    for step in (1, 2):
        done = advance_going(lanes, UP, SEEDS, np.zeros(3, bool))
        assert done is not None
        assert done.state["count"].tolist() == [step] * 3


def test_copies_that_raise_once_some_have_ended_are_stepped_no_more() -> None:
    lanes: Any = copies().lanes(SEEDS, None)
    first = advance_going(lanes, UP, SEEDS, np.ones(3, bool))
    assert first is not None
    assert first.ended.tolist() == [False, False, True]
    assert advance_going(lanes, UP, SEEDS, ~first.ended) is None
    with pytest.raises(RuntimeError, match="call reset"):
        advance_going(lanes, UP, SEEDS, np.ones(3, bool))
    other: Any = copies("next step").lanes(SEEDS, None)
    other.advance(UP, SEEDS)
    with pytest.raises(RuntimeError, match="call reset"):
        advance_going(other, UP, SEEDS, ~first.ended)
    with pytest.raises(InputError, match="no action 9"):
        advance_going(copies().lanes(SEEDS, None), {"action": np.full(3, 9)}, SEEDS, ~first.ended)


def test_free_runs_and_episodes_played_twice_go_no_further_than_an_end() -> None:
    pair = tiny.pair(strict(), reference=strict())
    run = free_run(Judge(pair, make.visited(pair, 64, 0)), 0)
    assert (run.apart, run.steps > 4) == ("", True)
    played = strict(write=None)
    assert _episodes_part(played, play_port(tiny.pair(played, reference=strict()), 96, 0).cases) == ""


class Careful(Strict):
    """It may only go up in its first steps; what it holds is of single precision after one."""

    def step(self, action: int) -> Any:
        if action == 0 and self.count < 4:
            raise ValueError("not yet")
        self.levels = self.levels.astype(np.float32)
        return super().step(action)


@pytest.mark.parametrize("count", [3, 5])
def test_an_action_that_may_not_be_taken_at_first_is_tried_where_it_is_taken(count: int) -> None:
    side = tiny.side(make=Careful)
    state = {"levels": np.ones((1, 2)), "count": np.array([count]), "open": np.zeros(1, bool)}
    if count == 3:
        with pytest.raises(ValueError, match="not yet"):
            side.transition(state, {"action": np.zeros(1, int)}, np.arange(1))
        return
    done = side.transition(state, {"action": np.zeros(1, int)}, np.arange(1))
    assert done.state["levels"].tolist() == [[0.75, 0.75]]
    assert side.native()["levels"] == np.float32  # as it is held in mid-episode


@pytest.mark.parametrize("first", [1, 2])
def test_an_action_that_copies_refuse_at_first_is_tried_where_it_is_taken(first: int) -> None:
    side, state = copies(), {"count": np.array([first, 1, 0])}
    side.make = Late
    if first == 2:
        with pytest.raises(ValueError, match="not yet"):
            side.transition({"count": state["count"] * 0}, UP, SEEDS)
    assert side.transition(state, UP, SEEDS).state["count"].tolist() == [first + 1, 2, 1]


class Late(Copies):
    """It may not be stepped where all have just begun with one seed."""

    def step(self, actions: Any) -> Any:
        if not self.count.any():
            raise ValueError("not yet")
        return super().step(actions)
