"""Steps of a side: which fields count where it restarted, and rows that are taken and joined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from parity import Port
from parity.harness import cases as make
from parity.harness.contract.forms import ask_forms
from parity.harness.judge import Judge
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.side import (
    OUTCOME,
    Moments,
    Steps,
    action_tree,
    join_moments,
    join_steps,
    named,
    nests_for,
    outcome_of,
    require_fields,
    take_moments,
)
from parity.harness.spaces import describe_space, nest_of
from parity.harness.trees import take
from tests.parity.harness import lander
from tests.parity.harness.sides import tiny
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
        own = np.asarray(given).dtype
        assert made["reward"].dtype == (np.int64 if own.kind == "b" else own)
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


BUTTON = spaces.Discrete(2)
ODD_KEYS = spaces.Dict(
    {
        "0": BUTTON,
        "1": spaces.Tuple((BUTTON, spaces.Dict({"arm.left": spaces.Box(-1, 1, (2,))}))),
    }
)


def test_an_action_is_nested_as_the_first_space_that_has_its_parts() -> None:
    names = describe_space(ODD_KEYS, "action")
    parts = {name: np.arange(6).reshape(3, 2) + n for n, name in enumerate(names)}
    assert list(parts) == ["action.0", "action.1.0", "action.1.1.arm.left"]
    nest = nest_of(ODD_KEYS, "action")
    other = nest_of(spaces.Dict({"0": BUTTON}), "action")
    for nests in ((nest,), (None, nest, None), (other, nest)):
        one = action_tree(parts, 1, *nests)
        assert list(one) == ["0", "1"]
        assert one["0"].tolist() == [2, 3]
        assert isinstance(one["1"], tuple)
        assert one["1"][0].tolist() == [3, 4]
        assert {key: value.tolist() for key, value in one["1"][1].items()} == {"arm.left": [4, 5]}
        one["0"][:] = 9
    assert parts["action.0"].tolist() == [[0, 1], [2, 3], [4, 5]]  # each is a copy
    for nests in ((), (None,), (other,)):
        assert isinstance(action_tree(parts, slice(None), *nests), tuple)
    two = {name: parts[name] for name in list(parts)[:2]}
    assert isinstance(action_tree(two, 0, nest), tuple)  # of another space


class Buttons(tiny.Tiny):
    """Takes its actions as a mapping with keys that are digits or have dots, and nothing else."""

    def step(self, action: Any) -> Any:
        assert list(action) == ["0", "1"]
        speed = action["1"][1]["arm.left"]
        assert np.shape(speed) == (2,)
        return super().step(int(action["0"]) ^ int(action["1"][0]) ^ int(speed[1] > 0))


class ManyButtons:
    """Some copies of it in one object, none of which restarts."""

    def __init__(self, copies: int) -> None:
        self.ones = [Buttons() for _ in range(copies)]

    def stacked(self, trees: Any) -> Any:
        return {name: np.stack([np.asarray(tree[name]) for tree in trees]) for name in trees[0]}

    def reset(self, seeds: Any) -> Any:
        return self.stacked([one.reset(int(seed)) for one, seed in zip(self.ones, seeds, strict=True)])

    def step(self, actions: Any) -> Any:
        steps = []
        for row, one in enumerate(self.ones):
            pair, arm = actions["1"]
            given = {"0": actions["0"][row], "1": (pair[row], {"arm.left": arm["arm.left"][row]})}
            steps.append(one.step(given))
        return (
            self.stacked([step[0] for step in steps]),
            *map(np.array, zip(*(s[1:4] for s in steps), strict=True)),
            {},
        )


def many_buttons(space: Any) -> BatchedSide:
    def write(many: Any, state: Any) -> None:
        for row, one in enumerate(many.ones):
            tiny.write(one, {name: value[row] for name, value in state.items()})

    return Port.batched(
        make=ManyButtons,
        read=lambda many: many.stacked([tiny.read(one) for one in many.ones]),
        write=write,
        reset_all=lambda many, seeds: many.reset(seeds),
        restarts="never",
        action_space=space,
    )


@pytest.mark.parametrize("space", ["the reference's", "the port's"])
@pytest.mark.parametrize("which", ["object", "copies"])
def test_an_environment_gets_its_action_with_the_keys_of_its_space(which: str, space: str) -> None:
    mine = (lambda one: ODD_KEYS) if space == "the reference's" else None
    theirs = (lambda one: ODD_KEYS) if space == "the port's" else None
    port: Any = many_buttons(theirs) if which == "copies" else None
    port = port or tiny.side(make=Buttons, action_space=theirs)
    one = tiny.pair(port, reference=tiny.side(make=Buttons, action_space=mine))
    base = make.visited(one, 64, 0)
    stepped = port.transition(base.state, base.action, np.arange(len(base)))
    assert base.played is not None
    assert stepped.outcome["reward"].tolist() == base.played.outcome["reward"].tolist()
    evidence = Judge(one, base).step(base)
    assert not any(evidence.wrong(name).any() for name in evidence.labels)
    answers = ask_forms(Judge(one, base), base)
    assert {answer.status for answer in answers} <= {"same", "not asked"}, answers


def test_functions_get_the_action_as_the_reference_s_space_nests_it() -> None:
    def step(ship: Any, action: Any) -> Any:
        return ship.step(int(action["0"]))

    reference = replace(lander.mutable(), step_one=step, action_space=lambda ship: ODD_KEYS)
    port = Port.functional(lander.program, convert_action=lambda action: action["0"])
    one = lander.pair(port, reference=reference)
    base = make.visited(one, 64, 0)
    evidence = Judge(one, base).step(base)
    assert not any(evidence.wrong(name).any() for name in evidence.labels)
    seeds = np.arange(4)
    lanes = port.lanes(seeds, take(base.state, seeds))
    stepped = lanes.advance(take(base.action, seeds), seeds)
    assert base.played is not None
    assert stepped.outcome["reward"] == pytest.approx(base.played.outcome["reward"][:4], rel=1e-6)


@pytest.mark.parametrize("name", ["reward", "terminated", "truncated", "obs", "obs.x"])
def test_a_state_that_is_called_like_what_a_step_returns_is_refused(name: str) -> None:
    named({"observed": 1, "rewards": 2})
    with refuses():
        named({"x": 0, name: 1})


def test_an_episode_that_ends_in_both_ways_has_ended() -> None:
    flags = {"terminated": np.array([1, 1, 0, 0], bool), "truncated": np.array([1, 0, 1, 0], bool)}
    assert Steps({}, {}, flags, np.ones(4, bool)).ended.tolist() == [True, True, True, False]


def moments(*numbers: int) -> Moments:
    rows = np.array(numbers)
    return Moments(
        {"x": rows, "y": rows * 10.0}, {"obs.a": rows + 100, "obs.b": rows[:, None] * [1, -1]}
    )


def test_moments_are_joined_and_taken_in_every_part() -> None:
    whole = join_moments([moments(1, 2), moments(5), moments(7, 8, 9)])
    for made, expected in (
        (whole, moments(1, 2, 5, 7, 8, 9)),
        (take_moments(whole, [4, 0]), moments(8, 1)),
        (take_moments(whole, slice(2, 4)), moments(5, 7)),
    ):
        for fields, others in ((made.state, expected.state), (made.obs, expected.obs)):
            assert list(fields) == list(others)
            assert all(np.array_equal(fields[name], others[name]) for name in others)


def test_restarts_are_joined_where_every_set_has_one() -> None:
    first, second = (
        steps(restart=moments(1, 2, 3, 4, 5)),
        steps(first=5, restart=moments(6, 7, 8, 9, 10)),
    )
    restart = join_steps([first, second]).restart
    assert restart is not None
    assert restart.state["y"].tolist() == [10.0 * n for n in range(1, 11)]
    assert restart.obs["obs.a"].tolist() == list(range(101, 111))
    for parts in ([first, steps()], [steps(), first]):
        assert join_steps(parts).restart is None


@pytest.mark.parametrize("missing", [["a"], ["c"], ["a", "c"]])
def test_what_a_state_lacks_is_named(missing: list[str]) -> None:
    state = {name: np.zeros(1) for name in "abcd" if name not in missing}
    require_fields(("c", "a", "b"), {**state, **dict.fromkeys(missing, np.zeros(1))})
    with refuses():
        require_fields(("c", "a", "b"), state)


def test_a_lone_action_is_a_copy_and_asks_no_space() -> None:
    alone = {"action": np.array([[1, 2], [3, 4]])}
    one = action_tree(alone, 1)
    one[:] = 9
    assert alone["action"].tolist() == [[1, 2], [3, 4]]
    side = tiny.side(action_space=lambda one: ODD_KEYS)
    assert nests_for(alone, side, None, side) == []
    parts = {"action.0": np.zeros(1), "action.1": np.zeros(1)}
    assert nests_for(parts, side, None) == [nest_of(ODD_KEYS, "action")]


def test_what_is_told_at_times_is_taken_and_joined_with_what_other_sets_told_in_every_step() -> None:
    when = np.array([1, 0, 0, 1, 0], bool)
    some, every, none = steps(), steps(first=COUNT), steps(first=2 * COUNT)
    for one in (some, every, none):
        one.told = {}
    some.at_times = {"won": (when, when * 2.0), "odd": (when, when * 1)}
    every.told = {"won": np.arange(5.0), "odd": np.zeros((5, 2))}
    few = some.rows([3, 1])
    assert [part.tolist() for part in few.at_times["won"]] == [[True, False], [2.0, 0.0]]
    assert few.told_of("lost") is None
    whole = join_steps([some, every, none])
    assert set(whole.at_times) == {"won"}  # the other has two shapes
    found = whole.told_of("won")
    assert found is not None
    assert found[0].tolist() == [*when.tolist(), *[True] * 5, *[False] * 5]
    assert found[1].tolist() == [2, 0, 0, 2, 0, 0, 1, 2, 3, 4, *[0] * 5]
    assert join_steps([every, every]).at_times == {}
