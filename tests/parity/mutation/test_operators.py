"""Changes of the syntax tree: each is one place, parses, and leaves alone what is no behaviour."""

from __future__ import annotations

import ast

from parity.mutation.operators import ARITHMETIC, COMPARISONS, Change, changes_of, is_valid

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
    found = {(one.operator, one.old, one.new) for one in changes_of("f.py", STEP, "of a rewrite")}
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


def all_of(source: str) -> list[tuple[str, str, str]]:
    """Return all plain changes of a source in order."""
    return [(one.operator, one.old, one.new) for one in changes_of("f.py", source.encode())]


def further_of(source: str) -> list[tuple[str, str, str]]:
    """Return the changes of a source that the further operators alone make, in order."""
    every = changes_of("f.py", source.encode(), "of a rewrite")
    plain = {(one.start, one.end, one.new) for one in changes_of("f.py", source.encode())}
    left = [one for one in every if (one.start, one.end, one.new) not in plain]
    return [(one.operator, one.old, one.new) for one in left]


def test_all_that_is_changed_of_small_sources() -> None:
    assert all_of("x += 2.5\nx = -a if b else +c\ny = 0.0\n") == [
        ("arithmetic", "x += 2.5", "x -= 2.5"),
        ("constant", "2.5", "(5.0)"),
        ("sign or negation", "-a", "(a)"),
        ("branches swapped", "-a if b else +c", "(+c if b else -a)"),
        ("constant", "0.0", "(1.0)"),
    ]
    assert all_of("while a < 1:\n    g()\n") == [
        ("comparison", "a < 1", "(a <= 1)"),
        ("condition negated", "a < 1", "(not a < 1)"),
        ("constant", "1", "(2)"),
        ("constant", "1", "(0)"),
        ("statement left out", "g()", "pass"),
    ]
    assert all_of("x = k(a=1, b=0)\ny = m(a=z)\nw = n(z, b=v)\n") == [
        ("argument left out", "k(a=1, b=0)", "(k(b=0))"),
        ("argument left out", "k(a=1, b=0)", "(k(a=1))"),
        ("constant", "1", "(2)"),
        ("constant", "1", "(0)"),
        ("constant", "0", "(1)"),
        ("argument left out", "n(z, b=v)", "(n(z))"),
    ]
    assert all_of("x = jnp.where(c, a, b) + where(c)\n") == [
        ("branches swapped", "jnp.where(c, a, b)", "(jnp.where(c, b, a))"),
        ("arithmetic", "jnp.where(c, a, b) + where(c)", "(jnp.where(c, a, b) - where(c))"),
    ]
    assert all_of("x = all(a) and b.sum() or ~c\n") == [
        ("function swapped", "all(a)", "(any(a))"),
        ("and, or", "all(a) and b.sum()", "(all(a) or b.sum())"),
        ("and, or", "all(a) and b.sum() or ~c", "((all(a) and b.sum()) and ~c)"),
        ("function swapped", "b.sum()", "(b.mean())"),
        ("sign or negation", "~c", "(c)"),
    ]


def test_what_is_no_behaviour_is_left_alone() -> None:
    source = (
        "'page 1'\nimport a\n@d(1)\ndef f(x: k(2) = y) -> k(3):\n    'doc'\n    assert x < 4\n"
        "    z: k(5) = f'{x + 6}'\n    raise E(7)\n\nclass A(b(8)):\n    'doc'\n    n = 9\n"
    )
    assert [old for _, old, _ in all_of(source)] == ["9", "9"]
    assert {one.line for one in changes_of("f.py", source.encode())} == {12}


def test_lines_are_those_that_a_change_begins_in() -> None:
    source = b"a = 1\nb = f(\n    2,\n    c < d,\n) + e\n"
    found = {(one.operator, one.old): one.line for one in changes_of("f.py", source, "of a rewrite")}
    assert found["constant", "1"] == 1
    assert found["constant", "2"] == 3
    assert found["comparison", "c < d"] == 4
    assert {line for (kind, _), line in found.items() if kind == "arithmetic"} == {2}


def test_a_change_that_leaves_the_tree_as_it_is_is_none() -> None:
    source = b"x = a + b\n"
    assert not is_valid(Change("f.py", 1, "", 4, 9, "a + b", "(a + b)"), source)
    assert is_valid(Change("f.py", 1, "", 4, 9, "a + b", "(b + a)"), source)


def test_all_that_the_further_operators_change_of_small_sources() -> None:
    assert further_of("x = f(a, b, *c, d, e)\n") == [
        ("arguments swapped", "f(a, b, *c, d, e)", "(f(b, a, *c, d, e))"),
        ("arguments swapped", "f(a, b, *c, d, e)", "(f(a, b, *c, e, d))"),
    ]
    assert further_of("z = p and q and r\nw = a or b\n") == [
        ("term left out", "p and q and r", "(q and r)"),
        ("term left out", "p and q and r", "(p and r)"),
        ("term left out", "p and q and r", "(p and q)"),
        ("term left out", "a or b", "(b)"),
        ("term left out", "a or b", "(a)"),
    ]
    assert further_of("x = a - b\ny = a / b\nw = a | b\n") == [
        ("term left out", "a - b", "(a)"),
        ("term left out", "a - b", "(-b)"),
        ("term left out", "a | b", "(a)"),
        ("term left out", "a | b", "(b)"),
    ]
    assert further_of("x = 4\ny = 0\nz = True\nw = 0.5\n") == [
        ("constant by a millionth", "4", "(4.000004)"),
        ("constant by a millionth", "0.5", "(0.5000005)"),
    ]
    assert further_of("x = k(a=p, **q, b=r, c=s)\n") == [
        ("fields swapped", "k(a=p, **q, b=r, c=s)", "(k(a=p, **q, b=s, c=r))")
    ]


def test_a_clip_is_left_out_of_what_it_is_of() -> None:
    """Of a module's function the first argument; of a method, what it is a method of."""
    source = (
        "import jax\nimport jax.numpy as jnp\nfrom numpy import clip\n"
        "a = speed.clip(lo, hi)\nb = jnp.clip(speed, lo, hi)\nc = jax.numpy.clip(speed, lo)\n"
        "d = state.speed.clip(lo)\ne = (p / q).clip(max=lo)\nf = clip(speed, lo)\ng = max(*every)\n"
        "h = state.abs()\ni = min()\nj = jnp.minimum(*both)\n"
    )
    found = [(old, new) for kind, old, new in further_of(source) if kind == "clip left out"]
    assert found == [
        ("speed.clip(lo, hi)", "(speed)"),
        ("jnp.clip(speed, lo, hi)", "(speed)"),
        ("jax.numpy.clip(speed, lo)", "(speed)"),
        ("state.speed.clip(lo)", "(state.speed)"),
        ("(p / q).clip(max=lo)", "(p / q)"),
        ("clip(speed, lo)", "(speed)"),
        ("state.abs()", "(state)"),
    ]


def test_fields_are_swapped_with_the_next_of_the_same_variable_in_the_same_function() -> None:
    source = (
        "import numpy as np\nfrom other import thing as it\n"
        "def f(s, t):\n    return s.a / s.b / s.c / t.a / s.m(1) / np.pi / np.e / it.x / it.y\n"
        "def g(s):\n    def inner(s):\n        return s.d / s.e\n    return s.f / inner(s)\n"
    )
    found = [(old, new) for kind, old, new in further_of(source) if kind == "field swapped"]
    assert found == [
        *(("s.a", "(s.b)"), ("s.b", "(s.c)"), ("s.c", "(s.a)")),
        *(("s.d", "(s.e)"), ("s.e", "(s.d)"), ("s.f", "(s.d)")),
    ]


def test_an_old_value_is_kept_where_another_is_made_of_it() -> None:
    source = (
        "def f(s):\n    a = s.a + s.b / 2\n    b = s.b\n    c = d = s.c + e\n    s.e = s.e + e\n"
        "    return S(a=a, b=s.b, c=s.c + 1, d=p)\n"
    )
    found = [(old, new) for kind, old, new in further_of(source) if kind == "old value kept"]
    made = "S(a=a, b=s.b, c=s.c + 1, d=p)"
    assert found == [
        ("s.a + s.b / 2", "(s.a)"),
        (made, "(S(a=s.a, b=s.b, c=s.c + 1, d=p))"),
        (made, "(S(a=a, b=s.b, c=s.c, d=p))"),
    ]
