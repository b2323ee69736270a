"""Operators of mutation for C#: small changes of tokens, found without parsing the language.

Comments and literals of text are passed over. Some changes do not compile (the brackets of a generic
type look like comparisons); whoever compiles them leaves those out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from parity.mutation.operators import Change

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/                                   # comments
    |@"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\])+'   # text
    |=>|->|\+\+|--|<<|>>                                     # left alone
    |(?P<symbol><=|>=|==|!=|&&|\|\||\+=|-=|[<>+*/-])
    |(?P<number>\b\d+(?:\.\d+)?(?=[fdL]?\b))
    |(?P<word>\b(?:true|false|Min|Max|Floor|Ceiling)\b)""",
    re.DOTALL | re.VERBOSE,
)
_STATEMENT = re.compile(
    r"(?<=\n)[ \t]+(?P<statement>[A-Za-z_][\w.]*(?:\([^;{}\n]*\)| [-+]?= [^;{}\n]*);)(?=[ \t]*\n)"
)

_SWAPPED = (("<", "<="), (">", ">="), ("==", "!="), ("&&", "||"), ("+", "-"), ("*", "/"), ("+=", "-="))
SYMBOLS = dict(_SWAPPED) | {new: old for old, new in _SWAPPED}
_NAMES = (("true", "false"), ("Min", "Max"), ("Floor", "Ceiling"))
WORDS = dict(_NAMES) | {new: old for old, new in _NAMES}
_KINDS = {"&&": "and, or", "||": "and, or", "==": "comparison", "!=": "comparison"}


def changes_of_csharp(file: str, source: bytes) -> list[Change]:
    """Return every change of a C# file, in the order of its text.

    Args:
        file: its name, for the changes.
        source: its bytes, UTF-8.
    """
    text = source.decode("utf-8")
    changes = [*_tokens(file, text), *_statements(file, text)]
    return sorted(changes, key=lambda change: change.start)


def _tokens(file: str, text: str) -> Iterator[Change]:
    for match in _TOKEN.finditer(text):
        old = match.group()
        if match.lastgroup == "symbol":
            kind = _KINDS.get(old, "comparison" if old[0] in "<>" else "arithmetic")
            yield _change(file, text, match.start(), old, SYMBOLS[old], kind)
        elif match.lastgroup == "number":
            yield _change(file, text, match.start(), old, _other_number(old), "constant")
        elif match.lastgroup == "word" and old in WORDS:
            kind = "constant" if old in ("true", "false") else "function swapped"
            yield _change(file, text, match.start(), old, WORDS[old], kind)


def _other_number(number: str) -> str:
    return str(int(number) + 1) if number.isdigit() else f"{2 * float(number) or 1.0!r}"


def _statements(file: str, text: str) -> Iterator[Change]:
    """Give calls and assignments of one line, left out."""
    for match in _STATEMENT.finditer(text):
        yield _change(
            file, text, match.start("statement"), match["statement"], ";", "statement left out"
        )


def _change(file: str, text: str, start: int, old: str, new: str, kind: str) -> Change:
    begin = len(text[:start].encode())
    line = text.count("\n", 0, start) + 1
    return Change(file, line, kind, begin, begin + len(old.encode()), old, new)
