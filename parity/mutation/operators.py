"""Operators of mutation: every small change of a file's syntax tree, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from parity.mutation.further_operators import FurtherOperators, called_name
from parity.mutation.wiring_operators import WiringOperators

Slips = Literal["of one token", "of a rewrite", "of wiring"]
"""Which operators are tried: those of this module; also :mod:`parity.mutation.further_operators`; or
these with :mod:`parity.mutation.wiring_operators` alone, but for constants changed by a millionth."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Pow: ast.Mult,
}
SWAPPED = {
    "minimum": "maximum",
    "maximum": "minimum",
    "min": "max",
    "max": "min",
    "floor": "ceil",
    "ceil": "floor",
    "any": "all",
    "all": "any",
    "argmax": "argmin",
    "argmin": "argmax",
    "zeros": "ones",
    "ones": "zeros",
    "sum": "mean",
    "mean": "sum",
}
"""Names of functions, and what a tired hand writes instead."""


LEFT_ALONE = ("annotation", "returns", "decorator_list", "type_params", "bases")
"""Fields of nodes that are not changed."""


@dataclass(frozen=True)
class Change:
    """One change of a file.

    Attributes:
        file: path below the folder of the packages.
        line: of the file, from 1.
        operator: what kind of change it is.
        start, end: bytes of the file that are replaced.
        old, new: their text, and the text in its place.
    """

    file: str
    line: int
    operator: str
    start: int
    end: int
    old: str
    new: str

    def apply(self, source: bytes) -> bytes:
        """Return the file's bytes with the change made."""
        return source[: self.start] + self.new.encode() + source[self.end :]

    def shown(self, source: bytes) -> tuple[str, str]:
        """Return the lines that the change is in, as they are and as they become, in one line each."""
        head = source[: self.start].rpartition(b"\n")[2].decode()
        tail = source[self.end :].partition(b"\n")[0].decode()
        before, after = (" ".join(f"{head}{text}{tail}".split()) for text in (self.old, self.new))
        return before, after


def is_valid(change: Change, source: bytes) -> bool:
    """Say whether a change parses and changes the tree."""
    try:
        return ast.dump(ast.parse(change.apply(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def changes_of(file: str, source: bytes, slips: Slips = "of one token") -> list[Change]:
    """Return every change of a file, in the order of its text; a few may not be :func:`is_valid`.

    Docstrings, annotations, decorators, messages of errors and what only type checkers see are left as
    they are.

    Args:
        file: name, for the changes.
        source: its bytes.
        slips: which operators are tried.
    """
    tree = ast.parse(source)
    more: list[FurtherOperators | WiringOperators] = []
    if slips != "of one token":
        more.append(FurtherOperators(tree, tiny=slips == "of a rewrite"))
    if slips == "of wiring":
        more.append(WiringOperators(tree))
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    changes = []
    for node in _nodes(tree):
        variants = [] if slips == "of wiring" else [*_variants(node)]
        for operators in more:
            variants += operators.variants(node)
        for operator, place, made in variants:
            assert place.end_lineno is not None
            assert place.end_col_offset is not None
            start = starts[place.lineno - 1] + place.col_offset
            end = starts[place.end_lineno - 1] + place.end_col_offset
            new = ast.unparse(made) if isinstance(made, ast.stmt) else f"({ast.unparse(made)})"
            old = source[start:end].decode()
            changes.append(Change(file, place.lineno, operator, start, end, old, new))
    return sorted(changes, key=lambda one: (one.start, one.end, one.operator))


def _nodes(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield the expressions and statements that may be changed."""
    for name, value in ast.iter_fields(node):
        if name in LEFT_ALONE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child
            yield from _nodes(child)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # docstrings
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _variants(
    node: ast.expr | ast.stmt,
) -> Iterator[tuple[str, ast.expr | ast.stmt, ast.expr | ast.stmt]]:
    """Yield an operator's name, what it replaces (a node or its condition), and by what."""
    if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Constant):
        yield "condition negated", node.test, ast.UnaryOp(ast.Not(), node.test)
    for operator, made in _replacements(node):
        yield operator, node, made


def _replacements(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            made = copy.deepcopy(node)
            made.ops[number] = COMPARISONS[type(operator)]()
            yield "comparison", made
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield "arithmetic", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "arithmetic", ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield "sign or negation", node.operand
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and, or", ast.BoolOp(other, node.values)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.IfExp):
        yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "statement left out", ast.Pass()


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.expr]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        if value:
            yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(value * 2 if value else 1.0)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = called_name(node)
    if name == "where" and len(node.args) == 3:
        made = copy.deepcopy(node)
        made.args[1], made.args[2] = made.args[2], made.args[1]
        yield "branches swapped", made
    if name in SWAPPED:
        made = copy.deepcopy(node)
        if isinstance(made.func, ast.Attribute):
            made.func.attr = SWAPPED[name]
        elif isinstance(made.func, ast.Name):
            made.func.id = SWAPPED[name]
        yield "function swapped", made
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and len(node.keywords) + len(node.args) > 1:
            made = copy.deepcopy(node)
            del made.keywords[number]
            yield "argument left out", made
