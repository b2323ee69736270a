"""Numbers, choices and tables that are written out are those that a reviewer has read."""

from __future__ import annotations

import ast
from difflib import unified_diff

import pytest

from tests.project.values import FILE, collect, values_of

SOURCE = """
LIMIT = 64 << 20
NAMES = ("a", "b")
UNITS: dict = {"float32": 2.0**-24}
BOTH = (*LIMITS, 7)
ROWS = {"a": Row(1, to=2.5), "b": Row(2)}
NAMED = Row("a")
COMPUTED = [3 * x for x in LIMITS if x > 4]
TURNS = frozenset(f"{name}: {value}" for name, some in ROWS.items() for value in some)
CALLED = measure(("a", "b"))
TOLD = {"a": "what is told of this takes more than forty characters"}
WORD = "a"

@dataclass
class Settings:
    rate: float = 3e-4
    name: str = "relu"
    both: tuple = (256, 256)

    def change(self, by=None, *, most=-1, quiet=False):
        local = 3
        return local + by

@click.option("--count", default=500, help="How many.")
@click.option("--out", default="here")
def command(count, out):
    parser.add_argument("--envs", "-e", default=256)
"""


def test_all_are_as_reviewed() -> None:
    differ = "\n".join(unified_diff(FILE.read_text("utf-8").splitlines(), collect().splitlines(), n=0))
    assert not differ, f"{differ}\nif that is meant, run python -m tests.project.values"


def test_what_counts_as_a_value() -> None:
    assert list(values_of(ast.parse(SOURCE))) == [
        "LIMIT = 64 << 20",
        "NAMES = ('a', 'b')",
        "UNITS = {'float32': 2.0 ** (-24)}",
        "BOTH = (*LIMITS, 7)",
        "ROWS = {'a': Row(1, to=2.5), 'b': Row(2)}",
        "TURNS = frozenset((f'{name}: {value}' for name, some in ROWS.items() for value in some))",
        "TOLD = {'a': '...'}",
        "Settings.rate = 0.0003",
        "Settings.name = 'relu'",
        "Settings.both = (256, 256)",
        "Settings.change(most=-1)",
        "Settings.change(quiet=False)",
        "command: '--envs' '-e' = 256",
        "command: '--count' = 500",
        "command: '--out' = 'here'",
    ]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        *(("64", "63"), ("(256, ", "(255, "), ("-1", "1"), ("500", "501")),
        *(('= ("a", "b")', '= ("a",)'), ("}: {", "}, {"), ('"relu"', '"tanh"'), ('"here"', '"there"')),
    ],
)
def test_another_value_is_seen(right: str, wrong: str) -> None:
    assert SOURCE.count(right) == 1
    changed = SOURCE.replace(right, wrong)
    assert list(values_of(ast.parse(changed))) != list(values_of(ast.parse(SOURCE)))
