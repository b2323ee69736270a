"""Recording keeps every number as it is: no action or state is cut to whole numbers."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from parity.engine.diverge import differences, state_before
from parity.engine.pair import Case
from parity.engine.record import (
    _Table,
    as_actions,
    record_actions,
    record_cases,
    record_episodes,
    resets_at,
)
from tests.parity.walker import walker_pair
from tests.sentences import refuses


def test_a_reward_of_zero_and_then_a_half_is_stored_as_it_is() -> None:
    for numbers in ((0, 0.5, 1), (np.int8(5), 300, 2**40), (np.float32(0.5), 0.1, np.uint8(1))):
        table = _Table((3,), {})
        for row, reward in enumerate(numbers):
            table.put((row,), {"reward": reward})
        assert table.columns()["reward"].tolist() == list(numbers)


def test_a_number_that_no_common_dtype_holds_is_refused() -> None:
    table = _Table((2,), {})
    table.put((0,), {"ticks": 2**60 + 1})
    with refuses(kind=ValueError):
        table.put((1,), {"ticks": 0.5})


def test_a_flag_does_not_become_a_number() -> None:
    table = _Table((2,), {})
    table.put((0,), {"held": True})
    with refuses(kind=ValueError):
        table.put((1,), {"held": 2})


def test_a_field_with_a_declared_dtype_is_written_in_it_at_its_place() -> None:
    table = _Table((2, 2), {"cents": np.int32, "reward": np.float32, "held": np.bool_})
    table.put((1, 0), {"cents": 7, "reward": 0.1, "held": True, "obs": np.float32([1, 2])})
    table.put((0, 1), {"cents": -3, "reward": 2.0, "held": False, "obs": np.float32([3, 4])})
    columns = table.columns()
    assert {name: column.dtype.name for name, column in columns.items()} == {
        "cents": "int32",
        "reward": "float32",
        "held": "bool",
        "obs": "float32",
    }
    assert columns["cents"].tolist() == [[0, -3], [7, 0]]
    assert columns["reward"].tolist() == [[0, 2], [np.float32(0.1).item(), 0]]
    assert columns["held"].tolist() == [[False, False], [True, False]]
    assert columns["obs"][[1, 0], [0, 1]].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 0.5, float("nan")])
def test_a_number_that_its_declared_dtype_does_not_hold_is_refused(number: float) -> None:
    table = _Table((2,), {"cents": np.int32})
    table.put((0,), {"cents": 1})
    table.put((1,), {"cents": number})
    with refuses(kind=ValueError):
        table.columns()


def test_a_row_with_other_fields_than_the_first_is_refused() -> None:
    table = _Table((2,), {"cents": np.int32})
    table.put((0,), {"cents": 1})
    with refuses(kind=ValueError):
        table.put((1,), {"cents": 1, "reward": 0.5})


def test_real_actions_stay_real_and_whole_ones_fit_32_bits_or_are_refused() -> None:
    assert as_actions([[0.7], [-0.2]]).tolist() == [[0.7], [-0.2]]
    assert as_actions([3, 1]).dtype == np.int32
    with refuses(kind=ValueError):
        as_actions([2**40])


def test_a_recorded_episode_and_a_case_hold_the_action_that_was_taken() -> None:
    pair = walker_pair()
    taken: list[float] = []

    def step(env: Any, action: float) -> dict[str, Any]:
        taken.append(action)
        return pair.reference.step(env, round(action))

    side = dataclasses.replace(pair.reference, step=step)
    real = dataclasses.replace(pair, reference=side, policies={"a little": lambda *_: 0.7})
    recording = record_episodes(real, 0, 2, np.random.default_rng(0))
    assert recording.actions[0, 0] == 0.7
    record_cases(real, [Case(0, {"place": 3, "steps": 0, "begun": 0}, 0.7)])
    assert set(taken) == {0.7}


def test_a_divergence_shows_the_state_that_was_injected() -> None:
    pair = walker_pair()
    recording = record_episodes(pair, 0, 2, np.random.default_rng(0))
    recording.before["height"] = np.full(2, 0.25, np.float32)
    recording.after["height"] = np.full(recording.actions.shape, 0.75, np.float32)
    recording.before["grid"] = np.full((2, 2), 0.5)
    recording.after["grid"] = np.full((*recording.actions.shape, 2), 0.5)
    assert state_before(recording, 0, 0)["height"] == 0.25
    assert state_before(recording, 0, 1)["height"] == 0.75
    assert state_before(recording, 0, 1)["grid"] == [0.5, 0.5]
    assert differences(pair, Case(0, {"place": 3, "steps": 0, "begun": 0}, 1)) == []


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (300, np.uint8), (-1, np.uint8), (0.5, np.uint16), (-1, np.uint64), (2**64, np.uint64),
        (2**64, np.int32), (2**53 + 1.5, np.int8), (float("inf"), np.int64), (2, np.bool_),
        (0.5, np.bool_), (float("nan"), np.bool_),
    ],
)  # fmt: skip
def test_what_no_dtype_of_whole_numbers_or_flags_holds_is_refused_wherever_it_stands(
    number: float, dtype: Any, place: int
) -> None:
    table = _Table((3,), {"x": dtype})
    for row in range(3):
        table.put((row,), {"x": number if row == place else 1})
    sentence = f"x is {number!r}, which {np.dtype(dtype)} does not hold"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        table.columns()


def test_the_ends_of_a_declared_dtype_are_written_as_they_are() -> None:
    ends = {np.uint8: (0, 255), np.uint64: (0, 2**64 - 1), np.int64: (-(2**63), 2**63 - 1)}
    for dtype, numbers in ends.items():
        table = _Table((2,), {"x": dtype})
        for row, number in enumerate(numbers):
            table.put((row,), {"x": number})
        assert table.columns()["x"].tolist() == list(numbers)


@pytest.mark.parametrize("number", [2**63 - 1, 2**53 + 1, -(2**63) + 1])
def test_a_large_number_and_a_half_are_refused_whichever_comes_first(number: int) -> None:
    for rows, told in (
        ((np.int64(number), 0.5), "ticks is int64 in one step and float64 in another"),
        ((0.5, np.int64(number)), "ticks is float64 in one step and int64 in another"),
    ):
        table = _Table((2,), {})
        table.put((0,), {"ticks": rows[0]})
        with pytest.raises(ValueError, match=told):
            table.put((1,), {"ticks": rows[1]})


def test_the_last_episode_alone_begins_at_the_very_last_start() -> None:
    pair = clock_pair()
    begun = [record_episodes(pair, 1, 3, np.random.default_rng(seed)).starts for seed in range(40)]
    assert [starts[-1] for starts in begun] == [11] * 40
    assert {start for starts in begun for start in starts[:-1].tolist()} == {4, 7, 11}
    assert {starts[0] for starts in begun} != {11}


def test_actions_that_are_arrays_are_taken_whole() -> None:
    pair = walker_pair()
    taken: list[list[float]] = []

    def step(env: Any, action: Any) -> dict[str, Any]:
        taken.append(action.tolist())
        return pair.reference.step(env, int(action[1] > 0))

    told = dataclasses.replace(pair, reference=dataclasses.replace(pair.reference, step=step))
    actions = np.arange(12, dtype=np.float32).reshape(2, 3, 2) - 6
    recording = record_actions(told, 0, np.array([0, 2], np.int32), actions)
    assert taken == actions.reshape(6, 2).tolist()
    assert recording.after["place"].tolist() == [[-1, -2, -3], [3, 4, 5]]
    assert recording.actions is actions


@pytest.mark.parametrize(
    ("dtype", "number"),
    [
        *((np.uint8, number) for number in (256, -1, 0.5)),
        *((np.bool_, number) for number in (2, -1, 0.5)),
        (np.uint32, 2**32),
        (np.int64, 0.5),
    ],
)
def test_no_declared_dtype_of_whole_numbers_or_flags_changes_a_number(dtype: Any, number: Any) -> None:
    table = _Table((2,), {"held": dtype})
    table.put((0,), {"held": 1})
    table.put((1,), {"held": number})
    with refuses(kind=ValueError):
        table.columns()


@pytest.mark.parametrize("declared", [True, False])
def test_a_row_of_as_many_other_fields_is_refused(declared: bool) -> None:
    table = _Table((2,), {"cents": np.int32} if declared else {})
    table.put((0,), {"cents": 1, "held": True})
    for row in ({"cents": 1, "reward": 0.5}, {"held": True, "reward": 1}, {"cents": 1}):
        with refuses(kind=ValueError):
            table.put((1,), row)
    table.put((1,), {"held": False, "cents": 3})
    told = {name: column.tolist() for name, column in table.columns().items()}
    assert told == {"cents": [1, 3], "held": [True, False]}


@pytest.mark.parametrize("later", [(), (1,), (3,), (2, 1), (1, 2)])
def test_a_field_of_another_shape_is_not_spread_over_its_place(later: tuple[int, ...]) -> None:
    table = _Table((2, 2), {})
    table.put((0, 1), {"obs": np.ones(2)})
    with refuses(kind=ValueError):
        table.put((1, 0), {"obs": np.ones(later)})


ENDS = ("terminated", "truncated")


class Clock:
    """Counts from its start by what it is told, in steps as long as its world's number.

    It is over where it has counted to 30, and out of time where it is told 9, which counts nothing."""

    def __init__(self, world: int) -> None:
        self.stride, self.count, self.last = 10**world, 0, 0

    def shown(self) -> Any:
        return np.array([self.count, self.last])


def clock_pair() -> Any:
    """Return a pair of clocks of three worlds, of which the reference alone is driven."""

    def put(clock: Clock, count: int) -> Any:
        clock.count, clock.last = count, 0
        return clock.shown()

    def step(clock: Clock, action: int) -> dict[str, Any]:
        clock.count, clock.last = clock.count + clock.stride * (action % 9), action
        over = {"terminated": clock.count >= 30, "truncated": action == 9}
        return {"obs": clock.shown(), "reward": action / 4, **over}

    side = dataclasses.replace(
        walker_pair().reference,
        make=Clock,
        reset=put,
        inject=lambda clock, state: put(clock, state["count"]),
        read=lambda clock: {"count": clock.count, "stride": clock.stride},
        observe=lambda clock: clock.shown() * 2,
        masks=lambda clock: np.array([clock.count % 2 == 0, True]),
        step=step,
    )
    policies = {
        "as it is shown": lambda rng, masks, obs: 9 if obs[0] % 3 == 2 else int(obs[0] % 4) + 1,
        "as it may": lambda rng, masks, obs: 2 if masks[0] else 5,
    }
    starts = [np.arange(4), np.array([4, 7, 11]), np.array([0])]
    worlds = ["one", "ten", "hundred"]
    return dataclasses.replace(
        walker_pair(), reference=side, policies=policies, starts=starts, worlds=worlds, max_steps=6
    )


def counted(start: int, stride: int, actions: list[int]) -> list[int]:
    """Return what a clock shows after each action, up to its end."""
    counts: list[int] = []
    for action in actions:
        counts.append((counts[-1] if counts else start) + stride * (action % 9))
        if counts[-1] >= 30 or action == 9:
            break
    return counts


def assert_holds(recording: Any, stride: int) -> None:
    """Assert that a recording holds what clocks do from its starts with its actions."""
    for lane, start in enumerate(recording.starts.tolist()):
        actions = recording.actions[lane].tolist()
        counts = counted(start, stride, actions)
        length = len(counts)
        assert recording.lengths[lane] == length
        after = {name: value[lane, :length].tolist() for name, value in recording.after.items()}
        assert after == {
            "count": counts,
            "stride": [stride] * length,
            "masks": [[count % 2 == 0, True] for count in counts],
            "obs": [list(row) for row in zip(counts, actions, strict=False)],
            "reward": [action / 4 for action in actions[:length]],
            "terminated": [count >= 30 for count in counts],
            "truncated": [action == 9 for action in actions[:length]],
        }
        assert {name: value[lane].tolist() for name, value in recording.before.items()} == {
            "count": start,
            "stride": stride,
            "masks": [start % 2 == 0, True],
            "obs": [start, 0],
        }
        assert not any(value[lane, length:].any() for value in recording.after.values())


@pytest.mark.parametrize("world", [0, 1])
def test_whole_episodes_are_recorded_by_each_policy_in_turn_as_they_were(world: int) -> None:
    pair = clock_pair()
    recording = record_episodes(pair, world, 7, np.random.default_rng(3))
    assert_holds(recording, 10**world)
    assert recording.worlds.tolist() == [world] * 7
    assert recording.labels == ["as it is shown", "as it may"] * 3 + ["as it is shown"]
    assert (recording.injected, recording.transitions) == (False, int(recording.lengths.sum()))
    starts = set(recording.starts.tolist())
    assert starts <= set(pair.starts[world].tolist())
    assert len(starts) > 1
    assert recording.starts[-1] == max(pair.starts[world])
    for lane, start in enumerate(recording.starts.tolist()):
        shown = [start, *recording.after["count"][lane].tolist()]
        by_shown = [9 if count % 3 == 2 else count % 4 + 1 for count in shown]
        by_mask = [2 if count % 2 == 0 else 5 for count in shown]
        length = recording.lengths[lane]
        chosen = (by_shown, by_mask)[lane % 2][:length]
        assert recording.actions[lane].tolist() == [*chosen, *([0] * (6 - length))]
    ends = [recording.after[name][np.arange(7), recording.lengths - 1] for name in ENDS]
    assert [bool(one.any()) for one in ends] == [world == 1, True]


def test_given_actions_are_taken_from_given_starts_up_to_either_end() -> None:
    actions = np.array([[1, 9, 1, 1], [2, 1, 1, 1], [1, 1, 1, 1], [9, 2, 2, 2]], np.int32)
    starts = np.array([4, 7, 0, 20], np.int32)
    recording = record_actions(clock_pair(), 1, starts, actions)
    assert_holds(recording, 10)
    assert recording.lengths.tolist() == [2, 2, 3, 1]
    assert recording.valid.sum(axis=1).tolist() == [2, 2, 3, 1]
    assert recording.valid.any(axis=0).tolist() == [True, True, True, False]
    assert recording.transitions == 8
    assert recording.worlds.tolist() == [1] * 4
    assert recording.labels == ["given"] * 4
    assert not recording.injected
    assert recording.actions is actions
    assert recording.starts is starts


def test_cases_of_several_worlds_are_each_stepped_in_its_own() -> None:
    cases = [
        Case(2, {"count": 3}, 4, ("here", "there")),
        Case(0, {"count": 6}, 9, ()),
        Case(1, {"count": 28}, 1, ("an end",)),
        Case(0, {"count": 27}, 3),
    ]
    recording = record_cases(clock_pair(), cases)
    assert recording.worlds.tolist() == [2, 0, 1, 0]
    assert recording.labels == ["here; there", "", "an end", ""]
    assert recording.actions.tolist() == [[4], [9], [1], [3]]
    assert (recording.lengths.tolist(), recording.injected) == ([1] * 4, True)
    assert recording.starts.tolist() == [0] * 4
    assert recording.before["count"].tolist() == [3, 6, 28, 27]
    assert recording.before["obs"].tolist() == [[6, 0], [12, 0], [56, 0], [54, 0]]
    assert recording.before["masks"][:, 0].tolist() == [False, True, True, False]
    assert recording.before["masks"][:, 1].all()
    assert recording.after["count"].tolist() == [[403], [6], [38], [30]]
    assert recording.after["stride"].tolist() == [[100], [1], [10], [1]]
    assert recording.after["terminated"].tolist() == [[True], [False], [True], [True]]
    assert recording.after["truncated"].tolist() == [[False], [True], [False], [False]]


def test_resets_are_shown_as_they_are_at_each_start() -> None:
    shown = resets_at(clock_pair(), 2, np.array([5, 2, 5]))
    assert {name: value.tolist() for name, value in shown.items()} == {
        "count": [5, 2, 5],
        "stride": [100] * 3,
        "masks": [[False, True], [True, True], [False, True]],
        "obs": [[5, 0], [2, 0], [5, 0]],
    }


def test_unsigned_actions_are_whole_numbers_too() -> None:
    assert as_actions(np.array([3, 200], np.uint8)).dtype == np.int32
    for number in (2**31, 2**32 + 1):
        with refuses(kind=ValueError):
            as_actions(np.array([1, number], np.uint64))


@pytest.mark.parametrize(
    ("actions", "named"),
    [
        ([3, -(2**40), 2**50], -(2**40)), ([2**31 - 1, -(2**31), -(2**31) - 1], -(2**31) - 1),
        ([[1, 2], [3, 2**31]], 2**31),
    ],
)  # fmt: skip
def test_the_action_that_does_not_fit_is_named(actions: Any, named: int) -> None:
    with pytest.raises(ValueError, match=f"^an action of {named} does not fit into 32 bits; "):
        as_actions(actions)
    kept = as_actions([2**31 - 1, -(2**31)])
    assert (kept.dtype, kept.tolist()) == (np.int32, [2**31 - 1, -(2**31)])


def test_of_several_numbers_that_are_not_held_the_first_is_named() -> None:
    for numbers, first in (((1, 300, -4), 300), ((0.5, 1, 300), 0.5), ((1, 2**70, 0.25), 2**70)):
        table = _Table((3,), {"x": np.uint8, "y": np.int64})
        for row, number in enumerate(numbers):
            table.put((row,), {"x": number, "y": 7})
        with pytest.raises(ValueError, match=f"^x is {first}, which uint8 does not hold$"):
            table.columns()
