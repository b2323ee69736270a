"""A port that restarts in the step after an end is told from one that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.compare import EQUAL, LOGIC
from parity.harness.contract.ends import _all_apart, _reward, _which_end, ask_ends, only_at_ends
from parity.harness.judge import Evidence, Judge
from parity.harness.trees import digits
from tests.parity.harness.lander import mutable, pair
from tests.parity.harness.sides import tiny


def test_a_restart_in_the_step_after_an_end_is_named() -> None:
    plain = mutable()

    def step(ship: Any, action: Any) -> Any:
        if getattr(ship, "over", False):
            ship.over = False
            return ship.reset(9), 0.0, False, False, {}
        out = plain.step_one(ship, action)
        ship.over = out[2] or out[3]
        return out

    def write(ship: Any, state: Any) -> None:
        ship.over = False
        assert plain.write is not None
        plain.write(ship, state)

    one = pair()
    one = replace(one, reference=mutable(), port=replace(plain, step_one=step, write=write))
    base = make.visited(one, 320, 0)
    judge = Judge(one, base)
    answer = ask_ends(judge, [judge.step(base)])[2]
    assert answer.status == "note"
    assert answer.port.startswith("begins another episode (Gymnasium's NEXT_STEP)"), answer.text
    assert answer.reference.startswith("goes on"), answer.text


def judged(parts: int = 3) -> list[Evidence]:
    one = tiny.pair()
    base = make.visited(one, 48, 0)
    judge = Judge(one, base)
    return [judge.step(base) for _ in range(parts)]


def set_ends(one: Evidence, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Have episodes end in rows of both precisions: name to rows."""
    for arm in (one.native, one.double):
        assert arm is not None
        for steps, ends in ((arm.reference, mine), (arm.port, theirs)):
            for name in ("terminated", "truncated"):
                steps.outcome[name] = np.isin(np.arange(48), ends.get(name, []))
    for name in ("terminated", "truncated"):
        a, b = one.native.reference.outcome[name], one.native.port.outcome[name]
        one.labels[name].labels = np.where(a != b, LOGIC, EQUAL).astype(np.int8)


@pytest.mark.parametrize("part", range(3))
def test_one_last_reward_of_any_set_of_cases_is_another(part: int) -> None:
    evidence = judged()
    for one in evidence:
        set_ends(one, {"terminated": [1, 7]}, {"terminated": [1, 7, 9]})
    assert _reward(evidence).text == "equal, but for rounding, in 6 last steps"
    evidence[part].labels["reward"].labels[[5, 9]] = LOGIC  # not the end of an episode on both sides
    assert _reward(evidence).status == "same"
    evidence[part].labels["reward"].labels[7] = LOGIC
    answer = _reward(evidence)
    assert answer.status == "different"
    arm = evidence[part].double or evidence[part].native
    value = digits(arm.reference.outcome["reward"][7])
    assert answer.text == (
        f"another in 1 of 6 last steps; for example {value} on the reference and {value} on the port"
    )
    evidence[part].accepted["reward"][7] = True
    assert _reward(evidence).status == "same"


KINDS: dict[str, Any] = {
    "the same": ({"terminated": [3], "truncated": [5]}, {"terminated": [3], "truncated": [5]}, ""),
    "swapped": ({"terminated": [3]}, {"truncated": [3]}, "1 steps end an episode on both sides and do"),
    "both and one": (
        {"terminated": [3]},
        {"terminated": [3], "truncated": [3]},
        "1 steps end an episode on both sides and do",
    ),
    "port alone": ({}, {"terminated": [3]}, "1 steps end an episode on one side alone"),
    "reference alone": ({"truncated": [3]}, {}, "1 steps end an episode on one side alone"),
}


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_the_way_an_episode_ends_is_held_in_every_set_of_cases(kind: str, part: int) -> None:
    mine, theirs, words = KINDS[kind]
    evidence = judged()
    for one in evidence:
        set_ends(one, {}, {})
    set_ends(evidence[part], mine, theirs)
    answer = _which_end(evidence)
    assert answer.status == ("different" if words else "same")
    assert answer.text.startswith(words or "both sides say the same")
    counts = [len(mine.get(name, [])) for name in ("terminated", "truncated")]
    assert f"({counts[0]} terminated and {counts[1]} truncated on the reference)" in answer.text


def test_a_field_is_wrong_at_ends_alone_only_if_both_sides_end_there() -> None:
    evidence = judged()
    for one in evidence:
        set_ends(one, {"terminated": [3, 4]}, {"terminated": [3, 5]})
    assert not only_at_ends(evidence, "reward")
    evidence[2].labels["reward"].labels[3] = LOGIC
    assert only_at_ends(evidence, "reward")
    for row in (0, 4, 5):
        evidence[1].labels["reward"].labels[row] = LOGIC
        assert not only_at_ends(evidence, "reward")
        evidence[1].labels["reward"].labels[row] = EQUAL


def test_two_ends_that_have_no_number_in_one_place_are_the_same_there() -> None:
    a = {"x": np.array([[1.0, np.nan], [2.0, np.nan]]), "n": np.array([3, 4])}
    assert not _all_apart(a, a)
    other = {**a, "n": np.array([3, 5])}
    assert not _all_apart(a, other)
    for change in ({"n": np.array([4, 5])}, {"x": a["x"] + 1}, {"x": np.nan_to_num(a["x"])}):
        assert _all_apart(a, {**a, **change})


def test_where_no_episode_ended_both_sides_say_nothing_of_why() -> None:
    evidence = judged()
    for one in evidence:
        set_ends(one, {}, {})
    assert _which_end(evidence).status == "not asked"
    set_ends(evidence[2], {"truncated": [47]}, {"truncated": [47]})
    answer = _which_end(evidence)
    words = "both sides say the same (0 terminated and 1 truncated on the reference)"
    assert (answer.status, answer.text) == ("same", words)
