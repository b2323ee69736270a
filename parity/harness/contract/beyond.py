"""The question what actions outside their space do: both sides refuse them, or both do the same.

The reference is right by definition: where it refuses an action, no result is defined that the port's
could be held to, so that a port which takes it is told of and not called wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from foundation.errors import error_in_words
from parity.harness.cases import Cases
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge
from parity.harness.sides.side import Side
from parity.harness.spaces import Leaf, Space, held_as
from parity.harness.trees import Array, Fields, equal

QUESTION = "actions beyond the bounds"
BEYOND = 64
"""Cases of each kind of action outside the space."""


@dataclass
class Outside:
    """Actions outside their space.

    Attributes:
        words: what they are.
        action: fields (N, ...), one part of them outside.
        like: by a legal action's name, fields (N, ...) that the port may do instead.
    """

    words: str
    action: Fields
    like: dict[str, Fields]


def ask_beyond(judge: Judge, evidence: Evidence, space: Space | None) -> Answer:
    """Ask what actions outside the space do: numbers beyond a box's bounds, and whole numbers just
    outside a discrete space or a part of one.

    Args:
        judge: of the pair.
        evidence: of visited states.
        space: the reference's action space.
    """
    if not (judge.pair.reference.can_write and judge.pair.port.can_write):
        return Answer(QUESTION, "not asked", "both sides must be put in one state (give write)")
    few = evidence.cases.spread(BEYOND)
    asked = _outside(space or {}, few.action)
    if not asked:
        return Answer(QUESTION, "not asked", "the action space has no bounds that numbers could exceed")
    answers = [_ask(judge, Cases(few.state, one.action, few.source), one) for one in asked]
    order: tuple[Literal["different", "note", "same"], ...] = ("different", "note", "same")
    status = next(one for one in order if any(answer.status == one for answer in answers))
    chosen = [answer for answer in answers if answer.status == status]
    text = "; ".join(dict.fromkeys(answer.text for answer in chosen))
    return Answer(QUESTION, status, text, chosen[0].reference, chosen[0].port)


def _outside(space: Space, action: Fields) -> list[Outside]:
    """Return actions with one part outside its space, the others as they were."""
    rng = np.random.default_rng(0)
    asked = []
    for name, leaf in space.items():
        if name not in action:
            continue
        if leaf.kind == "box" and np.isfinite([leaf.low, leaf.high]).any():
            values = _beyond_box(rng, leaf, action[name])
            if values is not None:
                asked.append(Outside("numbers beyond the bounds", {**action, name: values}, {}))
        elif leaf.kind == "discrete" and leaf.low.size:
            asked += _beyond_discrete(rng, name, leaf, action)
    return asked


def _beyond_box(rng: np.random.Generator, leaf: Leaf, inside: Array) -> Array | None:
    """Return numbers beyond a box's bounds in the dtype of those inside, None if some row has none.

    Where the dtype holds no number beyond one end it is one beyond the other, and where beyond neither,
    the number inside.
    """
    far, above = _beyond_end(rng, leaf, 1, inside)
    near, below = _beyond_end(rng, leaf, -1, inside)
    upper = (rng.random(len(inside)) < 0.5).reshape(-1, *(1,) * len(leaf.shape))
    values = np.where((upper | ~below) & above, far, np.where(below, near, inside))
    return values if (above | below).reshape(len(inside), -1).any(axis=1).all() else None


def _beyond_end(rng: np.random.Generator, leaf: Leaf, sign: int, inside: Array) -> tuple[Array, Array]:
    """Return numbers above a box's high end (``sign`` 1) or below its low one (-1), in the dtype of
    those inside, and where the dtype holds one."""
    low, high = leaf.low.astype(np.float64), leaf.high.astype(np.float64)
    dtype, end = inside.dtype, high if sign == 1 else low
    with np.errstate(over="ignore"):
        width = high - low
        far = np.where(np.isfinite(width), width, np.maximum(np.abs(end), 1.0))
        values = end + sign * far * rng.uniform(0.01, 1.0, inside.shape)
    if dtype.kind == "b":
        return inside, np.zeros(inside.shape, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.kind == "f":
            most = float(np.finfo(dtype).max)
            least = np.nextafter(end.astype(dtype), dtype.type(sign * np.inf)).astype(np.float64)
            values = np.clip(sign * np.fmax(sign * values, sign * least), -most, most)
        else:
            values = sign * np.fmax(np.ceil(sign * values), np.floor(sign * end) + 1)
        new = held_as(values, dtype)
    return new, sign * new.astype(np.float64) > sign * end


def _beyond_discrete(rng: np.random.Generator, name: str, leaf: Leaf, action: Fields) -> list[Outside]:
    """Return whole numbers one below and one above what the space has, in one place of each action."""
    inside = action[name]
    held = np.iinfo(inside.dtype) if inside.dtype.kind in "iu" else None
    single = leaf.low.size == 1
    asked = []
    for ends, step in ((leaf.low, -1), (leaf.high, 1)):
        beyond = [int(end) + step for end in ends.reshape(-1)]
        can = [n for n, one in enumerate(beyond) if held is not None and held.min <= one <= held.max]
        if not can:
            continue  # this kind of number holds no such action
        values, rows = inside.reshape(len(inside), -1).copy(), np.arange(len(inside))
        places = rng.choice(can, len(inside))
        outside = np.array([beyond[place] for place in places], inside.dtype)
        values[rows, places] = outside
        words = str(outside[0]) if single else f"one {'below' if step < 0 else 'above'} in a place"
        like = {}
        if single:
            for legal in dict.fromkeys([*ends.reshape(-1).tolist(), *leaf.high.reshape(-1).tolist()]):
                like[f"{legal}"] = {**action, name: np.full_like(inside, legal)}
        asked.append(Outside(words, {**action, name: values.reshape(inside.shape)}, like))
    return asked


def _ask(judge: Judge, cases: Cases, outside: Outside) -> Answer:
    """Step both sides with actions outside their space, and say what each does."""
    refused = {
        word: _refusal(judge, side, cases)
        for word, side in (("reference", judge.pair.reference), ("port", judge.pair.port))
    }
    mine, theirs = refused["reference"], refused["port"]
    what = f"with {outside.words}"
    if mine and theirs:
        return Answer(QUESTION, "same", f"{what} both sides refuse ({mine}, {theirs})", mine, theirs)
    if mine:
        does = _likeness(judge, cases, outside)
        text = f"{what} the reference refuses ({mine}) and the port {does}"
        return Answer(QUESTION, "note", text, mine, does)
    if theirs:
        text = f"{what} the port refuses ({theirs}) and the reference takes it"
        return Answer(QUESTION, "different", text, "takes it", theirs)
    return _compare(judge, cases, what)


def _refusal(judge: Judge, side: Side, cases: Cases) -> str:
    """Return what a side raises; nothing if it takes the actions."""
    try:
        side.transition(judge.states(cases, False), cases.action, np.arange(len(cases)))
    except Exception as error:  # whatever a foreign environment raises is its answer
        side.reset(np.arange(1))  # a step that broke off may have left something undone
        return error_in_words(error, 100)
    return ""


def _likeness(judge: Judge, cases: Cases, outside: Outside) -> str:
    """Say which legal action a port does in place of one outside its space."""
    port, state, seeds = judge.pair.port, judge.states(cases, False), np.arange(len(cases))
    done = port.transition(state, cases.action, seeds).of_the_step
    for name, action in outside.like.items():
        other = port.transition(state, action, seeds).of_the_step
        if all(equal(value, other[one]) for one, value in done.items()):
            return f"does what it does with {name}"
    return "takes it"


def _compare(judge: Judge, cases: Cases, what: str) -> Answer:
    stepped = judge.step(cases)
    wrong = [name for name in stepped.labels if stepped.wrong(name).any()]
    if not wrong:
        return Answer(QUESTION, "same", f"{what} both sides do the same in {len(cases)} cases")
    name = wrong[0]
    row = int(np.flatnonzero(stepped.wrong(name))[0])
    arm = stepped.shown([name], row)
    a, b = arm.reference.fields[name][row].tolist(), arm.port.fields[name][row].tolist()
    shown = {one: value[row].tolist() for one, value in cases.action.items()}
    text = f"{', '.join(wrong)} differ; with {shown} {name} is {a} on the reference and {b} on the port"
    return Answer(QUESTION, "different", text, str(a), str(b))
