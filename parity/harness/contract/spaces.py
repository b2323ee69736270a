"""Questions about spaces: dtype, shape and bounds of observations and actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from parity.harness.contract.beyond import ask_beyond
from parity.harness.contract.infos import ask_info
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge
from parity.harness.spaces import Leaf, Space
from parity.harness.trees import Fields


def ask_spaces(judge: Judge, evidence: list[Evidence]) -> list[Answer]:
    """Ask about observations and actions."""
    mine, theirs = judge.pair.reference.spaces(), judge.pair.port.spaces()
    return [
        _observation(evidence[0], mine["obs"] or {}),
        _bounds("observation bounds", mine["obs"], theirs["obs"]),
        _inside(evidence, mine["obs"], theirs["obs"]),
        _bounds("action space", mine["action"], theirs["action"]),
        ask_beyond(judge, evidence[0], mine["action"]),
        *ask_info(judge, evidence),
    ]


def _kinds(fields: Fields) -> dict[str, str]:
    return {name: f"{value.dtype} of shape {value.shape[1:]}" for name, value in fields.items()}


def _observation(evidence: Evidence, space: Space) -> Answer:
    """Compare the kinds of observations; the width of a whole number of a discrete space is open."""
    mine, theirs = _kinds(evidence.native.reference.obs), _kinds(evidence.native.port.obs)
    reference = "; ".join(f"{name} {kind}" for name, kind in mine.items())
    port = "; ".join(f"{name} {kind}" for name, kind in theirs.items())
    if mine == theirs:
        return Answer("observation dtype and shape", "same", f"both: {reference}", reference, port)
    a, b = evidence.native.reference.obs, evidence.native.port.obs
    width_alone = set(mine) == set(theirs) and all(
        mine[name] == theirs[name]
        or (
            name in space
            and space[name].kind == "discrete"
            and a[name].dtype.kind == b[name].dtype.kind == "i"
            and a[name].shape == b[name].shape
        )
        for name in mine
    )
    text = f"reference: {reference}; port: {port}"
    status: Literal["note", "different"] = "note" if width_alone else "different"
    return Answer("observation dtype and shape", status, text, reference, port)


def _words(space: Space) -> str:
    return "; ".join(leaf.describe() for leaf in space.values())


def _alike(a: Leaf, b: Leaf) -> bool:
    if (a.kind, a.shape) != (b.kind, b.shape):
        return False
    if a.kind == "box" and a.dtype != b.dtype:
        return False
    ends = (a.low, b.low), (a.high, b.high)
    if np.dtype(a.dtype).kind == "f" and a.kind == "box":  # a side may hold its bounds in float32
        with np.errstate(over="ignore"):
            return all(np.array_equal(x.astype(np.float32), y.astype(np.float32)) for x, y in ends)
    return all(np.array_equal(x, y) for x, y in ends)


def _bounds(question: str, mine: Space | None, theirs: Space | None) -> Answer:
    if mine is None or theirs is None:
        side = "reference" if mine is None else "port"
        return Answer(question, "not asked", f"the {side} declares none")
    same = set(mine) == set(theirs) and all(_alike(mine[name], theirs[name]) for name in mine)
    a, b = _words(mine), _words(theirs)
    if not same and set(mine) == set(theirs):
        endless = {name: (_endless(mine[name]), _endless(theirs[name])) for name in mine}
        if all(_alike(*both) for both in endless.values()):
            text = "the same, where one side writes infinity and the other a dtype's largest number"
            return Answer(question, "note", text, a, b)
    text = f"both: {a}" if same else f"reference: {a}; port: {b}"
    return Answer(question, "same" if same else "different", text, a, b)


def _endless(leaf: Leaf) -> Leaf:
    """Return a description in which a floating dtype's largest number stands for infinity."""
    if leaf.kind != "box" or np.dtype(leaf.dtype).kind != "f":
        return leaf
    most = float(np.finfo(leaf.dtype).max)
    low, high = (
        np.where(np.abs(end) >= most, np.copysign(np.inf, end), end) for end in (leaf.low, leaf.high)
    )
    return replace(leaf, low=low, high=high)


def _inside(evidence: list[Evidence], mine: Space | None, theirs: Space | None) -> Answer:
    """Ask whether observations of visited states stay within the bounds that their side declares."""
    question = "observations stay inside their bounds"
    outside = []
    asked = 0
    for side, space in (("reference", mine), ("port", theirs)):
        for name, leaf in (space or {}).items():
            for one in evidence:
                steps = getattr(one.native, side)
                rows = (one.cases.source == "visited") & steps.final_of("obs")
                values = steps.obs.get(name)
                if values is None or not rows.any() or values.shape[1:] != leaf.shape:
                    continue
                asked += 1
                bad = int((~leaf.contains(values[rows])).sum())
                if bad:
                    outside.append(f"{bad} of the {side}'s {name} are outside")
    if not asked:
        return Answer(question, "not asked", "no side declares bounds of what it shows")
    if outside:
        return Answer(question, "different", "; ".join(outside))
    return Answer(question, "same", "all of both sides' in visited states")
