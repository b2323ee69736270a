"""A millionth more of any one constant of a shipped pair's port is found and called logic.

Every constant is tried that a reset or a step depends on; those that none depends on are listed. All of
them take long and run every night; a few run always.
"""

from __future__ import annotations

import ast
import importlib

import pytest

from parity import Pair, Report, verify
from parity.mutation.operators import Change, changes_of
from tests.parity.harness.faults.planted import made_anew, source

NOT_ASKED = frozenset({"state_space", "num_actions", "name"})
"""Functions of gymnax's environments that neither a reset, a step nor a trainer's space depends on."""
TRIED = ("cartpole", "mountain_car", "mountain_car_continuous", "pendulum", "acrobot")
"""Modules of ``examples.pairs`` whose ports' constants are tried."""
IDLE = {"masscart", "link_length_2", "default_factory=lambda"}
"""Parameters that no sum uses: gymnax's CartPole has total_mass beside it, Acrobot's torques are given
where its parameters are made."""
EQUAL = ("params.l**", "(l1**", "/ diff + ")
"""What stands before constants that change nothing: powers of lengths of 1, and a count of turns that
is rounded down, of angles that never come that far."""
SHAPES = ("jnp.int32(", "obs_shape", "spaces.Discrete(", "shape=(", "(2,)", "(3,)", "(4,)", "(6,)")
"""Lines whose whole numbers are cut to whole numbers again: shapes, steps, and how many actions."""
QUESTIONS = frozenset(
    {
        "reset from the same draws",
        "actions beyond the bounds",
        "action space",
        "observation bounds",
        "restart after an end",
    }
)
"""Questions that may be answered otherwise where no field of a step differs."""


def constants(which: str) -> list[Change]:
    text = source(which)
    spans = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name in NOT_ASKED
    ]
    lines = text.splitlines()
    return [
        change
        for change in changes_of(which, text.encode(), slips="of a rewrite")
        if change.operator == "constant by a millionth"
        and not any(first <= change.line <= (last or first) for first, last in spans)
        and lines[change.line - 1].strip().partition(":")[0] not in IDLE
        and not text[: change.start].endswith(EQUAL)
        and not ("." not in change.old and any(word in lines[change.line - 1] for word in SHAPES))
    ]


def label(which: str, change: Change) -> str:
    """Return what a verification calls the port with a change, or how it fails to run."""
    pair: Pair = importlib.import_module(f"examples.pairs.{which}").pair
    text = change.apply(source(which).encode()).decode()
    try:
        report: Report = verify(made_anew(pair, which, text), transitions=600, stop_early=True)
    except TypeError as error:  # such as a shape or an index with a fraction
        return f"raises: {error}"
    logic = [one.name for one in report.fields if one.verdict in ("logic", "contract")]
    asked = [one.question for one in report.answers if one.status == "different"]
    assert not [one for one in report.fields if one.beyond]
    return "logic" if logic else ", ".join(set(asked) & QUESTIONS)


ALL = [(which, change) for which in TRIED for change in constants(which)]


def _name(one: object) -> str:
    return f"{one.line}-{one.old}" if isinstance(one, Change) else str(one)


def test_every_module_has_constants_to_change() -> None:
    for which, least in (("cartpole", 20), ("mountain_car_continuous", 15), ("pendulum", 15)):
        assert len(constants(which)) >= least


@pytest.mark.slow
@pytest.mark.parametrize(("which", "change"), ALL, ids=_name)
def test_a_millionth_of_a_constant_is_logic(which: str, change: Change) -> None:
    assert label(which, change)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("place", "old", "expected"),
    [("minval", "0.6", "reset from the same draws"), ("gravity: float", "0.0025", "logic")],
)
def test_a_millionth_of_some_constants_is_logic(place: str, old: str, expected: str) -> None:
    which = "mountain_car_continuous"
    lines = source(which).splitlines()
    change = next(o for o in constants(which) if o.old == old and place in lines[o.line - 1])
    assert label(which, change) == expected
