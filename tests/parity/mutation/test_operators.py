"""Changes of the syntax tree: each is one place, parses, and leaves alone what is no behaviour."""

from __future__ import annotations

import ast

from parity.mutation.operators import ARITHMETIC, COMPARISONS, changes_of, is_valid

SOURCE = b'''"""A page: 1 < 2."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    limit = 9


def f(x: int = 3, *, flag: bool = False) -> int:
    """Return 5."""
    if x < 2 and not flag:
        raise ValueError(f"{x + 1} is no good")
    show(x)
    y = max(x, 7)
    return y - g(1), g(a=1, b=where(x, 1, 2))
'''


def test_every_operator_finds_its_place() -> None:
    found = {(one.operator, one.old, one.new) for one in changes_of("f.py", SOURCE)}
    assert found >= {
        ("constant", "3", "(4)"),
        ("constant", "False", "(True)"),
        ("comparison", "x < 2", "(x <= 2)"),
        ("and, or", "x < 2 and not flag", "(x < 2 or not flag)"),
        ("sign or negation", "not flag", "(flag)"),
        ("statement left out", "show(x)", "pass"),
        ("function swapped", "max(x, 7)", "(min(x, 7))"),
        ("arithmetic", "y - g(1)", "(y + g(1))"),
        ("condition negated", "x < 2 and not flag", "(not (x < 2 and (not flag)))"),
        ("branches swapped", "where(x, 1, 2)", "(where(x, 2, 1))"),
        ("argument left out", "g(a=1, b=where(x, 1, 2))", "(g(b=where(x, 1, 2)))"),
    }
    olds = {one.old for one in changes_of("f.py", SOURCE)}
    assert not olds & {"9", "x + 1", '"""Return 5."""'}


def test_each_comparison_of_a_chain_is_changed() -> None:
    changes = changes_of("f.py", b"a = 0 < x <= 9 != y\nb = x in z is not None\n")
    assert [one.new for one in changes if one.operator == "comparison"] == [
        "(0 <= x <= 9 != y)",
        "(0 < x < 9 != y)",
        "(0 < x <= 9 == y)",
        "(x not in z is not None)",
        "(x in z is None)",
    ]


def test_every_kind_of_comparison_and_arithmetic_has_another() -> None:
    """One that had none would never be changed, or stop the list of changes."""
    compared = {
        kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.cmpop)
    }
    assert set(COMPARISONS) == compared - {ast.cmpop}
    counted = {
        kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.operator)
    }
    assert set(ARITHMETIC) == counted - {ast.operator, ast.MatMult, ast.BitXor}
    for table in (COMPARISONS, ARITHMETIC):
        assert all(other is not kind and other in table for kind, other in table.items())


def test_a_change_is_one_place_and_the_rest_is_kept() -> None:
    changes = changes_of("f.py", SOURCE)
    assert all(is_valid(change, SOURCE) for change in changes)
    for change in changes:
        made = change.apply(SOURCE)
        assert made != SOURCE
        assert made.startswith(SOURCE[: change.start])
        assert made.endswith(SOURCE[change.end :])
    assert changes == changes_of("f.py", SOURCE)


def test_places_are_bytes_where_text_is_not_ascii() -> None:
    source = 'name = "\u00e9\u00e9", 1 + 2\n'.encode()
    sums = [one for one in changes_of("f.py", source) if one.operator == "arithmetic"]
    assert [one.old for one in sums] == ["1 + 2"]
    assert sums[0].apply(source).decode() == 'name = "\u00e9\u00e9", (1 - 2)\n'


def test_what_changes_nothing_is_no_change() -> None:
    (change,) = [one for one in changes_of("f.py", b"x = -0\n") if one.operator == "constant"]
    assert is_valid(change, b"x = -0\n")
    assert not is_valid(change, b"x = (")


STEP = b"""
import jax.numpy as jnp


def step(state, params, action):
    force = jnp.clip(action, -params.top, params.top) * 0.5
    speed = state.speed + force
    return State(place=state.place + speed, speed=speed)
"""


def test_further_operators_are_the_slips_of_a_rewrite() -> None:
    found = {(one.operator, one.old, one.new) for one in changes_of("f.py", STEP, further=True)}
    made = "State(place=state.place + speed, speed=speed)"
    assert found >= {
        ("constant by a millionth", "0.5", "(0.5000005)"),
        ("clip left out", "jnp.clip(action, -params.top, params.top)", "(action)"),
        (
            "arguments swapped",
            "jnp.clip(action, -params.top, params.top)",
            "(jnp.clip(-params.top, action, params.top))",
        ),
        ("term left out", "state.speed + force", "(state.speed)"),
        ("old value kept", "state.speed + force", "(state.speed)"),
        ("old value kept", made, "(State(place=state.place, speed=speed))"),
        ("fields swapped", made, "(State(place=speed, speed=state.place + speed))"),
        ("field swapped", "state.speed", "(state.place)"),
    }
    plain = {one.operator for one in changes_of("f.py", STEP)}
    assert not plain & {"field swapped", "clip left out", "constant by a millionth"}
    assert not [new for kind, _, new in found if kind == "field swapped" and "jnp" in new]


def test_a_change_is_shown_in_the_lines_that_it_is_in() -> None:
    source = b"first = 1\nsecond = f(\n    one,\n    two,\n) + 1\nlast = 3"
    shown = {change.shown(source) for change in changes_of("a.py", source)}
    assert ("first = 1", "first = (2)") in shown
    assert ("second = f( one, two, ) + 1", "second = (f(one, two) - 1)") in shown
    assert ("last = 3", "last = (4)") in shown
