"""Recording keeps every number as it is: no action or state is cut to whole numbers."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from parity.engine.diverge import differences, state_before
from parity.engine.pair import Case
from parity.engine.record import _Table, as_actions, record_cases, record_episodes
from tests.parity.walker import walker_pair
from tests.sentences import refuses


def test_a_reward_of_zero_and_then_a_half_is_stored_as_it_is() -> None:
    table = _Table((3,), {})
    for row, reward in enumerate((0, 0.5, 1)):
        table.put((row,), {"reward": reward})
    assert table.columns()["reward"].tolist() == [0.0, 0.5, 1.0]


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
        (300, np.uint8),
        (-1, np.uint8),
        (0.5, np.uint16),
        (-1, np.uint64),
        (2**64, np.uint64),
        (2**64, np.int32),
        (2**53 + 1.5, np.int8),
        (float("inf"), np.int64),
        (2, np.bool_),
        (0.5, np.bool_),
        (float("nan"), np.bool_),
    ],
)
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
def test_a_large_number_and_then_a_half_are_refused(number: int) -> None:
    table = _Table((2,), {})
    table.put((0,), {"ticks": np.int64(number)})
    with pytest.raises(ValueError, match="ticks is int64 in one step and float64 in another"):
        table.put((1,), {"ticks": 0.5})


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
    assert {name: column.tolist() for name, column in table.columns().items()} == {
        "cents": [1, 3],
        "held": [True, False],
    }


@pytest.mark.parametrize("later", [(), (1,), (3,), (2, 1), (1, 2)])
def test_a_field_of_another_shape_is_not_spread_over_its_place(later: tuple[int, ...]) -> None:
    table = _Table((2, 2), {})
    table.put((0, 1), {"obs": np.ones(2)})
    with refuses(kind=ValueError):
        table.put((1, 0), {"obs": np.ones(later)})
