"""Slips of whoever puts parts together: each is one place, parses, and nothing else is changed."""

from __future__ import annotations

from parity.mutation.operators import changes_of, is_valid

SHARED = {
    "arguments swapped",
    "fields swapped",
    "field swapped",
    "term left out",
    "clip left out",
    "old value kept",
}
"""Operators that the slips of a rewrite have as well."""


def slips(source: str) -> list[tuple[str, str, str]]:
    """Return the changes of a source that the slips of wiring alone make, in order."""
    changes = changes_of("f.py", source.encode(), "of wiring")
    return [(one.operator, one.old, one.new) for one in changes if one.operator not in SHARED]


def test_of_several_the_first_alone_and_all_but_the_last() -> None:
    assert slips("for x in xs:\n    pass\n") == [
        ("first alone", "xs", "(list(xs)[:1])"),
        ("last left out", "xs", "(list(xs)[:-1])"),
    ]
    assert slips("y = [x for x in xs if x if z]\n") == [
        ("condition left out", "[x for x in xs if x if z]", "([x for x in xs if z])"),
        ("condition left out", "[x for x in xs if x if z]", "([x for x in xs if x])"),
        ("first alone", "[x for x in xs if x if z]", "([x for x in list(xs)[:1] if x if z])"),
        ("last left out", "[x for x in xs if x if z]", "([x for x in list(xs)[:-1] if x if z])"),
    ]
    both = "{a: b for a in p for b in q}"
    assert [new for kind, _, new in slips(f"y = {both}\n") if kind == "first alone"] == [
        "({a: b for a in list(p)[:1] for b in q})",
        "({a: b for a in p for b in list(q)[:1]})",
    ]


def test_a_place_becomes_the_first_and_a_cut_is_left_out() -> None:
    assert slips("y = a[n], b[1], c[1:], d[n.k], e[n + 1], f[n[0]]\n") == [
        ("place of the first", "a[n]", "(a[0])"),
        ("cut left out", "c[1:]", "(c)"),
        ("place of the first", "d[n.k]", "(d[0])"),
        ("place of the first", "e[n + 1]", "(e[0])"),
        ("place of the first", "f[n[0]]", "(f[0])"),
    ]
    assert slips("def f(x: dict[str, int]) -> list[int]:\n    pass\n") == []
    assert slips("del a[n], b[1:]\n") == []


def test_a_step_is_left_out_or_begun_anew() -> None:
    assert slips("x += a\nself.y = a\nz[n] = a\nx = f(x, a)\ny = a\n") == [
        ("begun anew", "x += a", "x = a"),
        ("step left out", "x += a", "pass"),
        ("step left out", "self.y = a", "pass"),
        ("step left out", "z[n] = a", "pass"),
        ("step left out", "x = f(x, a)", "pass"),
    ]


def test_an_entry_of_several_is_left_out() -> None:
    assert slips("y = {1: a, **b}\n") == [
        ("entry left out", "{1: a, **b}", "({**b})"),
        ("entry left out", "{1: a, **b}", "({1: a})"),
    ]
    assert [new for _, _, new in slips("y = [a, b, c]\n")] == ["([b, c])", "([a, c])", "([a, b])"]
    assert [new for _, _, new in slips("y = {a, b}\n")] == ["({b})", "({a})"]
    for one in ("y = {1: a}\n", "y = [a]\n", "y = []\n", "[a, b] = y\n"):
        assert slips(one) == []


def test_a_call_of_one_argument_is_left_out_but_for_conversions() -> None:
    assert slips("y = sorted(x)\nz = a.copy(b)\n") == [
        ("call left out", "sorted(x)", "(x)"),
        ("call left out", "a.copy(b)", "(b)"),
    ]
    for one in (
        "y = int(x)",
        "y = np.asarray(x)",
        "y = Frame(x)",
        "y = f(x, a)",
        "y = f(x, k=1)",
        "y = f(*x)",
    ):
        assert slips(f"{one}\n") == []


def test_one_variable_of_a_function_stands_in_the_place_of_another() -> None:
    source = "def f(self, a, *, b):\n    c = g(a, b, n, k=b)\n    return h(1, j=c)\nd = g(a, b)\n"
    assert [one for one in slips(source) if one[0] == "another variable"] == [
        ("another variable", "g(a, b, n, k=b)", "(g(b, b, n, k=b))"),
        ("another variable", "g(a, b, n, k=b)", "(g(a, a, n, k=b))"),
        ("another variable", "g(a, b, n, k=b)", "(g(a, b, n, k=a))"),
        ("another variable", "h(1, j=c)", "(h(1, j=b))"),
    ]
    alone = "def f(self, a):\n    return g(a, 1)\n"
    assert slips(alone) == []
    within = "def f(a, b):\n    def g(c, d):\n        return h(c, a)\n    return h(b, a)\n"
    assert [new for kind, _, new in slips(within) if kind == "another variable"] == [
        "(h(d, a))",
        "(h(a, a))",
        "(h(b, b))",
    ]


def test_the_sets_of_operators_are_apart_and_whole() -> None:
    """Slips of wiring hold no token changed, and no constant changed by a millionth."""
    loop = "    for x in a[b:]:\n        y = max(x - b, 0.5)\n"
    source = f"def f(a, b):\n{loop}    return g(y, a=y, b=a.c, c=a.d)\n".encode()
    wiring, rewrite, token = (
        changes_of("f.py", source, kind) for kind in ("of wiring", "of a rewrite", "of one token")
    )
    assert all(is_valid(one, source) for one in (*wiring, *rewrite, *token))
    kinds = [{one.operator for one in some} for some in (wiring, rewrite, token)]
    assert {
        "first alone",
        "cut left out",
        "another variable",
        "clip left out",
        "term left out",
    } <= kinds[0]
    assert "constant by a millionth" in kinds[1]
    assert not kinds[0] & (kinds[2] | {"constant by a millionth"})
    assert kinds[2] < kinds[1]
