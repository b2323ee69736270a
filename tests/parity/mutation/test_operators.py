"""Changes of the syntax tree: each is one place, parses, and leaves alone what is no behaviour."""

from __future__ import annotations

from parity.mutation.operators import changes_of, is_valid

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
