"""Questions about spaces as a whole: which side is asked of what, and what an answer tells of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.spaces import _bounds, _endless, _inside, _observation, ask_spaces
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.sides.side import Steps
from parity.harness.spaces import Leaf
from tests.parity.harness.sides import tiny

BOX = Leaf("box", (2,), "float64", np.array([0.0, -2.0]), np.array([4e9, 9.5]))
COUNT = Leaf("discrete", (), "int64", np.array(1), np.array(12))


def boxes(top: float, last: int, dtype: Any = np.float64) -> Any:
    """Return the space of what the small pair shows, with these upper ends."""
    near = gymnasium.spaces.Box(np.array([0, -2]), np.array([1e11, top]), (2,), dtype)
    parts = {"near": near, "count": gymnasium.spaces.Discrete(last, start=1)}
    return gymnasium.spaces.Dict(parts)


class Three:
    n, dtype = 3, np.int64


def asked(port: Any, reference: Any = None, told: Any = None) -> dict[str, Answer]:
    mine = tiny.side(observation_space=lambda one: boxes(30.0, 12)) if reference is None else reference
    one = tiny.pair(port, reference=mine)
    base = make.visited(one, 320, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base), judge.step(base.rows(np.arange(16)))]
    if told is not None:
        told(evidence)
    return {answer.question: answer for answer in ask_spaces(judge, evidence)}


QUESTIONS = [
    "observation dtype and shape",
    "observation bounds",
    "observations stay inside their bounds",
    "action space",
    "actions beyond the bounds",
    "info keys",
    "info values",
]
MINE = "box from [ 0., -2.] to [1.e+11, 3.e+01] of shape (2,), float64"


def test_every_question_is_asked_of_the_sides_that_it_is_about() -> None:
    same = asked(tiny.side(observation_space=lambda one: boxes(30.0, 12)))
    assert list(same) == QUESTIONS
    assert [one.status for one in same.values()] == ["same"] * 6 + ["not asked"]
    kinds = "obs.near float64 of shape (2,); obs.count int64 of shape ()"
    first = same["observation dtype and shape"]
    assert (first.text, first.reference, first.port) == (f"both: {kinds}", kinds, kinds)
    bounds = f"discrete from 1 to 12, int64; {MINE}"
    assert same["observation bounds"].text == f"both: {bounds}"
    assert same["observations stay inside their bounds"].text == "all of both sides' in visited states"
    assert same["action space"].text == "both: discrete from 0 to 1, int64"
    narrow = {"observation_space": lambda one: boxes(9.0, 11), "action_space": lambda one: Three()}
    other = asked(tiny.side(**narrow))
    theirs = f"discrete from 1 to 11, int64; {MINE.replace('3.e+01', '9.e+00')}"
    answer = other["observation bounds"]
    assert (answer.status, answer.reference, answer.port) == ("different", bounds, theirs)
    assert answer.text == f"reference: {bounds}; port: {theirs}"
    inside = other["observations stay inside their bounds"]
    assert inside.status == "different"
    assert [part.partition(" of ")[2] for part in inside.text.split("; ")] == [
        "the port's obs.count are outside",
        "the port's obs.near are outside",
    ]
    actions = other["action space"]
    assert (actions.status, actions.reference) == ("different", "discrete from 0 to 1, int64")
    assert actions.port == "discrete from 0 to 2, int64"
    assert other["actions beyond the bounds"].text.startswith("with -1 both sides do the same")
    assert "with 2 both" in other["actions beyond the bounds"].text  # the reference's space counts
    assert "with 3" not in other["actions beyond the bounds"].text


def test_what_is_told_in_any_set_of_cases_is_asked_of() -> None:
    def told(evidence: list[Evidence]) -> None:
        arm = evidence[1].double or evidence[1].native
        for side, heat in ((arm.reference, 1.0), (arm.port, 2.0)):
            side.told = {"heat": np.full(16, heat)}

    plain = tiny.side(observation_space=lambda one: boxes(30.0, 12))
    answer = asked(plain, told=told)["info values"]
    assert answer.status == "different"
    assert answer.text.startswith("heat differs in 16 of 16 cases, for example 1.0 on the reference")


@pytest.mark.parametrize("lone", ["reference", "port"])
def test_a_side_that_declares_no_space_is_the_one_that_is_named(lone: str) -> None:
    spaces = (None, {"x": COUNT}) if lone == "reference" else ({"x": COUNT}, None)
    answer = _bounds("q", *spaces)
    assert (answer.status, answer.text) == ("not asked", f"the {lone} declares none")
    plain, full = tiny.side(), tiny.side(observation_space=lambda one: boxes(30.0, 12))
    sides = {"reference": full, "port": full, lone: plain}
    answers = asked(sides["port"], sides["reference"])
    assert answers["observation bounds"].text == f"the {lone} declares none"
    assert answers["observations stay inside their bounds"].status == "same"


def test_the_discrete_number_whose_width_is_open_is_one_of_the_reference_s_space() -> None:
    def steps(**kinds: Any) -> Steps:
        obs = {
            name: np.zeros((3, *shape), dtype) for name, (dtype, shape) in kinds.items() if name != "_"
        }
        flags = np.zeros(3, bool)
        return Steps({}, obs, {"terminated": flags, "truncated": flags}, ~flags)

    def answer(space: Any, mine: dict[str, Any], theirs: dict[str, Any]) -> Answer:
        arm = Arm({}, steps(**mine), steps(**theirs))
        return _observation(Evidence(None, arm, None, {}), space)  # type: ignore[arg-type]

    wide, narrow = {"a": (np.int64, (2,))}, {"a": (np.int32, (2,))}
    two = replace(COUNT, shape=(2,), low=np.array([1, 0]), high=np.array([12, 3]))
    noted = answer({"a": two}, wide, narrow)
    assert noted.status == "note"
    assert noted.text == "reference: a int64 of shape (2,); port: a int32 of shape (2,)"
    assert (noted.reference, noted.port) == ("a int64 of shape (2,)", "a int32 of shape (2,)")
    for space, mine, theirs in (
        ({"a": BOX}, wide, narrow),
        ({"b": two}, wide, narrow),
        ({"a": two}, wide, {"a": (np.int32, (3,))}),
        ({"a": two}, wide, {"a": (np.uint64, (2,))}),
        ({"a": two}, {"a": (np.uint32, (2,))}, wide),
        ({"a": two}, wide, {"a": (np.int32, (2,)), "b": (np.int64, ())}),
        ({"a": two, "b": COUNT}, {**wide, "b": (np.int64, ())}, narrow),
        ({"a": two, "b": COUNT}, {**wide, "b": (np.int64, ())}, {**narrow, "b": (np.float32, ())}),
    ):
        assert answer(space, mine, theirs).status == "different"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dtype_s_largest_number_stands_for_infinity_of_its_own_sign(dtype: Any) -> None:
    most = float(np.finfo(dtype).max)
    name = np.dtype(dtype).name
    ends = np.array([-most, 0.0, most]), np.array([-np.inf, np.inf, np.inf])
    box = Leaf("box", (3,), name, *ends)
    assert _endless(box).low.tolist() == [-np.inf, 0, np.inf]
    assert _endless(box).high.tolist() == [-np.inf, np.inf, np.inf]
    less = float(np.nextafter(dtype(most), dtype(0)))
    near = replace(box, low=np.array([-less, 0.0, 1e30]))
    assert _endless(near).low.tolist() == [-less, 0.0, 1e30]
    whole = replace(box, kind="discrete", dtype="int64")
    assert _endless(whole) is whole
    one = {"x": BOX, "y": replace(box, low=np.full(3, -most), high=np.full(3, most))}
    other = {"x": BOX, "y": replace(box, low=np.full(3, -np.inf), high=np.full(3, np.inf))}
    answer = _bounds("q", one, other)
    words = "the same, where one side writes infinity and the other a dtype's largest number"
    if dtype is np.float64:  # both are infinite in single precision, in which bounds are compared
        assert answer.status == "same"
    else:
        assert (answer.status, answer.text) == ("note", words)
    assert "inf" not in answer.reference
    assert "inf" in answer.port
    swapped = {**other, "x": replace(BOX, high=np.array([4e9, 9.0]))}
    assert _bounds("q", one, swapped).status == "different"


def test_what_stands_where_no_last_observation_is_shown_is_not_outside() -> None:
    """A port that begins another episode within the step shows zeros there."""
    flags = np.array([False, True, True])
    outcome = {"reward": np.zeros(3), "terminated": flags, "truncated": flags}
    values = np.array([3, 0, 0])
    mine = Steps({}, {"a": np.array([3, 4, 5])}, outcome, ~flags | True)
    theirs = Steps({}, {"a": values}, outcome, ~flags)
    cases: Any = make.Cases({}, {"action": values}, np.array(["visited"] * 3))
    evidence = [Evidence(cases, Arm({}, mine, theirs), None, {})]
    space = {"a": COUNT}
    assert _inside(evidence, space, space).status == "same"
    theirs.final_obs = np.array([True, False, True])
    assert _inside(evidence, space, space).text == "1 of the port's a are outside"
    assert _inside(evidence, space, None).status == "same"
    wide = {"a": replace(COUNT, shape=(2,))}
    assert _inside(evidence, wide, None).status == "not asked"  # of another shape than what is shown
    grid = {"b": replace(COUNT, shape=(3,), low=np.full(3, 1), high=np.full(3, 12))}
    for steps in (mine, theirs):
        steps.obs["b"] = np.full((3, 2), 99)  # as many axes, of another length
    assert _inside(evidence, grid, grid).status == "not asked"


def test_the_reference_s_space_says_which_number_s_width_is_open() -> None:
    def narrow(one: tiny.Tiny, action: Any) -> Any:
        obs, *others = one.step(action)
        return {**obs, "count": np.int32(obs["count"])}, *others

    class Narrow(tiny.Tiny):
        def seen(self) -> Any:
            return {**super().seen(), "count": np.int32(self.count)}

    def as_box(one: Any) -> Any:
        box = gymnasium.spaces.Box(1, 12, (), np.int64)
        return gymnasium.spaces.Dict({"near": boxes(30.0, 12)["near"], "count": box})

    plain = {"observation_space": lambda one: boxes(30.0, 12)}
    for mine, theirs, status in (
        (plain, {"observation_space": as_box}, "note"),
        ({}, plain, "different"),
    ):
        port = tiny.side(narrow, make=Narrow, **theirs)
        answer = asked(port, tiny.side(**mine))["observation dtype and shape"]
        assert answer.status == status
        kinds = [f"obs.near float64 of shape (2,); obs.count int{n} of shape ()" for n in (64, 32)]
        assert answer.text == f"reference: {kinds[0]}; port: {kinds[1]}"
