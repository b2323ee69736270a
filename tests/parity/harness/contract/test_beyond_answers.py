"""What is asked beyond an action space of several parts, and what the answer tells of it."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest

from parity import Pair
from parity.harness import cases as make
from parity.harness.contract.beyond import _beyond_box, _outside, ask_beyond
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.spaces import Leaf
from tests.parity.harness.sides import tiny

GRID = Leaf("discrete", (2, 2), "int64", np.array([[1, -3], [0, 7]]), np.array([[4, -1], [9, 7]]))
LONE = Leaf("discrete", (), "int64", np.array(2), np.array(5))
BOX = Leaf("box", (3,), "float32", np.array([-1.0, 0.0, 4.0]), np.array([1.0, 0.5, 4.0]))


def test_one_part_is_outside_in_one_place_and_all_others_stay_as_they_were() -> None:
    many = 200
    numbers = np.random.default_rng(0)
    action = {
        "action.grid": numbers.integers(GRID.low, GRID.high + 1, (many, 2, 2)),
        "action.lone": numbers.integers(2, 6, many),
        "action.box": numbers.uniform(BOX.low, BOX.high, (many, 3)).astype(np.float32),
    }
    kept = {name: value.copy() for name, value in action.items()}
    space = {"action.grid": GRID, "action.lone": LONE, "action.box": BOX, "action.none": LONE}
    asked = _outside(space, action)
    assert [one.words for one in asked] == [
        "one below in a place",
        "one above in a place",
        "1",
        "6",
        "numbers beyond the bounds",
    ]
    changed = ["action.grid", "action.grid", "action.lone", "action.lone", "action.box"]
    for one, name in zip(asked, changed, strict=True):
        assert set(one.action) == set(action)
        for part, values in action.items():
            assert np.array_equal(values, kept[part])
            assert one.action[part].dtype == values.dtype
            assert np.array_equal(one.action[part], values) == (part != name)
    for one, ends, step in ((asked[0], GRID.low, -1), (asked[1], GRID.high, 1)):
        moved = (one.action["action.grid"] != kept["action.grid"]).reshape(many, 4)
        assert (moved.sum(axis=1) == 1).all()
        assert moved.any(axis=0).all()
        values = one.action["action.grid"].reshape(many, 4)[moved]
        assert values.tolist() == (ends.reshape(-1) + step)[moved.argmax(axis=1)].tolist()
        assert one.like == {}
    assert {name: set(like["action.lone"]) for name, like in asked[2].like.items()} == {
        "2": {2},
        "5": {5},
    }
    assert {name: set(like["action.lone"]) for name, like in asked[3].like.items()} == {"5": {5}}
    for like in asked[2].like.values():
        assert np.array_equal(like["action.grid"], kept["action.grid"])
        assert like["action.lone"].dtype == np.int64
    assert set(asked[2].action["action.lone"]) == {1}
    assert set(asked[3].action["action.lone"]) == {6}
    beyond = asked[4].action["action.box"]
    assert ((beyond < BOX.low) | (beyond > BOX.high)).all()


def test_places_that_hold_no_number_beyond_an_end_do_not_keep_the_others_from_being_asked() -> None:
    leaf = Leaf("discrete", (3,), "uint8", np.array([0, 4, 0]), np.array([9, 255, 255]))
    inside = np.tile(np.array([5, 5, 5], np.uint8), (64, 1))
    below, above = _outside({"action": leaf}, {"action": inside})
    assert (below.words, above.words) == ("one below in a place", "one above in a place")
    assert np.unique(below.action["action"], axis=0).tolist() == [[5, 3, 5]]
    assert np.unique(above.action["action"], axis=0).tolist() == [[10, 5, 5]]
    full = Leaf("discrete", (), "int64", np.array(-(2**63)), np.array(2**63 - 1))
    assert _outside({"action": full}, {"action": np.zeros(8, np.int64)}) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("low", "high"), [(-np.inf, 3.0), (-0.5, np.inf), (-np.inf, -1e6), (0.0, np.inf)]
)
def test_a_box_with_one_end_is_asked_beyond_that_one(low: float, high: float, dtype: Any) -> None:
    leaf = Leaf("box", (2,), np.dtype(dtype).name, np.array([low, -1.0]), np.array([high, 1.0]))
    inside = np.zeros((200, 2), dtype)
    (one,) = _outside({"action": leaf}, {"action": inside})
    values = one.action["action"].astype(np.float64)
    first = values[:, 0]
    assert (first > high).all() if np.isinf(low) else (first < low).all()
    assert np.isfinite(values).all()
    assert len(np.unique(first)) > 100
    width = max(abs(high if np.isinf(low) else low), 1.0)
    assert 0.9 * width < np.abs(first - (high if np.isinf(low) else low)).max() <= 1.001 * width
    assert {-1.0, 1.0} == set(np.sign(values[:, 1]))


def test_a_box_without_an_end_is_not_asked_and_one_place_with_an_end_is_not_enough() -> None:
    open_ = Leaf("box", (2,), "float32", np.full(2, -np.inf), np.full(2, np.inf))
    inside = np.zeros((64, 2), np.float32)
    assert _outside({"action": open_}, {"action": inside}) == []
    half = Leaf("box", (2,), "float32", np.array([-np.inf, -2.0]), np.full(2, np.inf))
    values = _beyond_box(np.random.default_rng(0), half, inside)
    assert values is not None
    assert (values[:, 0] == 0).all()
    assert (values[:, 1] < -2).all()


class Three:
    """A space of three actions."""

    n, dtype = 3, np.int64


def refusing(below: str | None = None, above: str | None = None, change: Any = None) -> Any:
    """Return a side that refuses actions below or above its own with these words, or changes."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        for words, out in ((below, action < 0), (above, action > 2)):
            if out and words is not None:
                raise ValueError(words) if words else ValueError
        return one.step(action) if change is None else change(one, action)

    return tiny.side(step, action_space=lambda one: Three())


def asked(one: Pair, many: int = 64) -> Answer:
    base = make.visited(one, many, 0)
    judge = Judge(one, base)
    return ask_beyond(judge, judge.step(base), one.reference.spaces()["action"])


@pytest.mark.parametrize("sealed", ["reference", "port"])
def test_a_side_that_cannot_be_put_in_a_state_is_not_asked(sealed: str) -> None:
    one = tiny.pair(refusing(), reference=refusing())
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    evidence = judge.step(base)
    getattr(one, sealed).write = None
    answer = ask_beyond(judge, evidence, one.reference.spaces()["action"])
    words = "both sides must be put in one state (give write)"
    assert (answer.status, answer.text) == ("not asked", words)


def test_the_answer_is_the_worst_and_says_what_each_side_did_there() -> None:
    def other(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(1 if action < 0 else action)
        return obs, reward + (action > 2) * 0.5, *others

    worst = asked(tiny.pair(refusing(change=other), reference=refusing(below="none below")))
    # with 3 the reference takes it, and the port's reward is another
    assert worst.status == "different"
    assert float(worst.port) == float(worst.reference) + 0.5
    assert worst.text.startswith("reward differ; with {'action': 3} reward is ")
    assert "-1" not in worst.text
    told = asked(tiny.pair(refusing(change=other), reference=refusing("none below", "")))
    does = "takes it"
    assert (told.status, told.reference, told.port) == ("note", "ValueError: none below", does)
    assert told.text == (
        "with -1 the reference refuses (ValueError: none below) and the port takes it; with 3 the "
        "reference refuses (ValueError) and the port takes it"
    )


@pytest.mark.parametrize(("instead", "words"), [(0, "0"), (2, "2"), (1, "")])
def test_which_legal_action_a_port_does_instead_is_told_only_if_it_is_that_in_every_field(
    instead: int, words: str
) -> None:
    """Of the actions of the small pair 1 raises the levels; here 2 keeps them as well."""

    def pays(one: tiny.Tiny, action: Any) -> Any:
        taken = instead if action < 0 else int(action)
        obs, reward, *others = one.step(taken)
        return obs, reward + (taken == 2) * one.count, *others

    answer = asked(tiny.pair(refusing(change=pays), reference=refusing("no", "no")))
    does = f"does what it does with {words}" if words else "takes it"
    assert answer.text.startswith(
        f"with -1 the reference refuses (ValueError: no) and the port {does};"
    ), answer.text
    assert answer.text.endswith("with 3 the reference refuses (ValueError: no) and the port takes it")


def test_the_first_case_that_differs_is_shown_with_its_values_and_every_field() -> None:
    """It differs late in an episode alone, in the tenth step of any."""

    def late(one: tiny.Tiny, action: Any) -> Any:
        _, reward, *others = one.step(action)
        wrong = action > 2 and one.count == 10
        one.levels = one.levels * [1.0, 1.0 + wrong]
        return one.seen(), reward - 2.0 * wrong, *others

    answer = asked(tiny.pair(refusing(change=late), reference=refusing()), 320)
    assert answer.status == "different", answer.text
    assert answer.text.startswith("levels, obs.near, reward differ; with {'action': 3} levels is [")
    shown = answer.text.partition("levels is ")[2].partition(" on the port")[0]
    mine, theirs = (np.array(json.loads(part)) for part in shown.split(" on the reference and "))
    assert (theirs == mine * [1.0, 2.0]).all()
    assert (answer.reference, answer.port) == (str(mine.tolist()), str(theirs.tolist()))


def test_a_refusal_is_told_by_its_first_line_and_no_more_of_it_than_that() -> None:
    long = "x" * 150
    answer = asked(tiny.pair(refusing(long, " a\nb"), reference=refusing("one\ntwo", "")))
    assert answer.status == "same"
    assert answer.text == (
        f"with -1 both sides refuse (ValueError: one, ValueError: {'x' * 100}); with 3 both sides "
        "refuse (ValueError, ValueError: a)"
    )
    assert (answer.reference, answer.port) == ("ValueError: one", f"ValueError: {'x' * 100}")


def test_a_space_of_named_parts_is_asked_in_each() -> None:
    space = gymnasium.spaces.Dict(
        {"pump": gymnasium.spaces.Discrete(2), "valve": gymnasium.spaces.Box(0, 1, (2,), np.float32)}
    )

    def flows(clamped: bool) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            valve = np.clip(action["valve"], 0, 1) if clamped else action["valve"]
            obs, reward, *others = one.step(int(action["pump"]))
            return obs, reward + float(valve[1]), *others

        return tiny.side(step, action_space=lambda one: space)

    same = asked(tiny.pair(flows(False), reference=flows(False)))
    assert same.text == "; ".join(
        f"with {words} both sides do the same in 64 cases"
        for words in ("-1", "2", "numbers beyond the bounds")
    )
    answer = asked(tiny.pair(flows(True), reference=flows(False)))
    assert answer.status == "different"
    assert answer.text.startswith("reward differ; with {'action.pump': ")
