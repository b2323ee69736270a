"""Steps of a side: which fields count where it restarted, and rows that are taken and joined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness.sides.side import (
    OUTCOME,
    Moments,
    Steps,
    action_tree,
    join_steps,
    named,
    outcome_of,
)
from tests.sentences import refuses

COUNT = 5
STATE, SHOWN = np.array([1, 1, 0, 1, 0], bool), np.array([1, 0, 1, 1, 1], bool)


def steps(final_obs: Any = SHOWN, first: int = 0, **parts: Any) -> Steps:
    number = np.arange(first, first + COUNT)
    flags = {"terminated": number % 5 == 2, "truncated": number % 5 == 4}
    values: dict[str, Any] = {
        "state": {"x": number * 1.0, "observed": number},
        "obs": {"obs.a": number + 10, "obs.b": np.stack([number, -number], axis=1)},
        "outcome": {"reward": number * 2.0, **flags},
        "final": STATE,
        "info": frozenset({f"info {first}"}),
        "told": {"heat": number * 3, **({} if first else {"only": number})},
        **parts,
    }
    return Steps(**values, final_obs=final_obs)


@pytest.mark.parametrize("name", OUTCOME)
def test_an_outcome_is_always_of_the_episode_that_was_stepped(name: str) -> None:
    assert steps().final_of(name).tolist() == [True] * COUNT


def test_state_and_observation_are_final_where_each_is_handed_out() -> None:
    for name in ("x", "observed"):
        assert steps().final_of(name).tolist() == STATE.tolist()
        assert steps(None).final_of(name).tolist() == STATE.tolist()
    for name in ("obs", "obs.a", "obs.b"):
        assert steps().final_of(name).tolist() == SHOWN.tolist()
        assert steps(None).final_of(name).tolist() == STATE.tolist()


def test_an_episode_has_ended_either_way() -> None:
    assert steps().ended.tolist() == [False, False, True, False, True]


def test_rows_are_the_same_rows_of_every_part() -> None:
    whole = steps(restart=Moments({}, {}))
    for rows in ([3, 1], slice(1, 4), np.array([True, False, True, False, False])):
        few = whole.rows(rows)
        picked = np.arange(COUNT)[rows]
        for name, value in whole.fields.items():
            assert np.array_equal(few.fields[name], value[picked])
            assert np.array_equal(few.final_of(name), whole.final_of(name)[picked])
        assert np.array_equal(few.told["heat"], whole.told["heat"][picked])
        assert few.restart is None
        assert few.info == whole.info


def test_every_part_of_every_set_of_steps_is_joined() -> None:
    parts = [steps(), steps(None, 5), steps(SHOWN, 10)]
    whole = join_steps(parts)
    assert whole.state["x"].tolist() == list(range(15))
    for name in parts[0].fields:
        expected = np.concatenate([part.fields[name] for part in parts])
        assert np.array_equal(whole.fields[name], expected)
        assert whole.final_of(name).tolist() == [bool(f) for p in parts for f in p.final_of(name)]
    assert list(whole.told) == ["heat"]  # what every set tells
    assert whole.told["heat"].tolist() == [3 * n for n in range(15)]
    assert whole.info == {"info 0", "info 5", "info 10"}


def test_what_is_handed_out_of_an_end_is_left_out_of_the_step_where_it_may_be_drawn() -> None:
    shown = steps().of_the_step
    assert shown["obs.a"].tolist() == [10, 11, 0, 13, 0]
    assert shown["obs.b"].tolist() == [[0, 0], [1, -1], [0, 0], [3, -3], [0, 0]]
    assert shown["reward"].tolist() == [0, 2, 4, 6, 8]
    assert steps(STATE).of_the_step["obs.a"].tolist() == [10, 11, 12, 13, 14]


NUMBERS = {
    "numbers": [0.5, 2.0, 1.0],
    "of one element": [[0.5], [2.0], [1.0]],
    "of one element, deep": [[[0.5]], [[2.0]], [[1.0]]],
    "whole": [1, 0, 2],
}
FLAGS: dict[str, Any] = {
    "flags": [True, False, True],
    "of one element": [[True], [False], [True]],
    "whole": np.array([1, 0, 1], np.int32),
    "unsigned": np.array([[1], [0], [1]], np.uint8),
    "with a fraction": np.array([1, 0, 1], np.float32),
}


def test_an_outcome_in_another_form_is_one_number_and_two_flags_a_step() -> None:
    flags = np.array([True, False, True])
    for given in NUMBERS.values():
        reward = outcome_of({"reward": given})["reward"]
        assert reward.tolist() == np.ravel(given).tolist()
        assert reward.dtype == np.asarray(given).dtype
    for given in FLAGS.values():
        made = outcome_of({"reward": given, "terminated": given, "truncated": given})
        assert made["terminated"].dtype == made["truncated"].dtype == bool
        assert made["terminated"].tolist() == made["truncated"].tolist() == flags.tolist()
        assert made["reward"].dtype.kind in "iuf"
        assert made["reward"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("given", [[1, 2, 0], [0.5, 0, 1], [np.nan, 0, 1], [[0, 2], [1, 1], [0, 0]]])
def test_what_is_no_flag_is_left_as_it_is_and_ends_an_episode_where_it_is_not_zero(given: Any) -> None:
    made = outcome_of({"terminated": given, "truncated": [False] * 3})
    assert np.array_equal(made["terminated"], given, equal_nan=True)
    held = Steps({}, {}, made, np.ones(3, bool))
    assert held.ended.tolist() == [bool(np.any(np.not_equal(row, 0))) for row in given]


def test_an_outcome_of_words_is_refused() -> None:
    with refuses():
        outcome_of({"reward": ["much"]})


def test_an_action_of_several_parts_is_nested_as_its_space_is() -> None:
    parts = {"action.x.0": np.arange(3), "action.x.1": np.arange(3) * 10, "action.y": np.eye(3)}
    one = action_tree(parts, 2)
    assert one["x"] == (2, 20)
    assert one["y"].tolist() == [0, 0, 1]
    one["y"][:] = 7
    assert parts["action.y"].max() == 1  # it is a copy
    many = {f"action.{n}": np.array([n]) for n in range(12)}
    assert action_tree(many, 0) == tuple(range(12))


@pytest.mark.parametrize("name", ["reward", "terminated", "truncated", "obs", "obs.x"])
def test_a_state_that_is_called_like_what_a_step_returns_is_refused(name: str) -> None:
    named({"observed": 1, "rewards": 2})
    with refuses():
        named({"x": 0, name: 1})
