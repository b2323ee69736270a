"""Operators for ports of environments: the slips of whoever rewrites a step by hand.

A constant in the seventh digit, arguments in another order, a clip or a term that is left out, a field
that keeps its old value, fields that are swapped.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import TypeVar

TINY = 1e-6
"""Share by which a constant is changed."""
CLIPS = frozenset({"clip", "minimum", "maximum", "min", "max", "abs", "fmin", "fmax", "mod", "fmod"})
"""Functions of which the first argument alone is kept."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
T = TypeVar("T")
Variant = tuple[str, ast.expr | ast.stmt, ast.expr | ast.stmt]
"""Name of the operator, what is replaced, and by what."""


def by_function(tree: ast.Module, of: Callable[[FunctionNode], T]) -> dict[int, T]:
    """Return what is made of the innermost function around each node of a file, by the node's id.

    Args:
        tree: of the file.
        of: (function) -> what is kept of it.
    """
    made: dict[int, T] = {}
    for function in ast.walk(tree):
        if isinstance(function, FunctionNode):
            value = of(function)
            for node in ast.walk(function):  # a function within comes later, and has its own
                made[id(node)] = value
    return made


def called_name(node: ast.Call) -> str:
    """Return the name of a function or method that is called; empty where it has none."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


class FurtherOperators:
    """The operators, with what each function of a file reads of its objects.

    Args:
        tree: of the file.
        tiny: whether constants are changed by a millionth.
    """

    def __init__(self, tree: ast.Module, tiny: bool = True) -> None:
        self._tiny = tiny
        imported = self._imported = {
            (name.asname or name.name).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        self._fields = by_function(tree, lambda function: _fields_read(function, imported))

    def variants(self, node: ast.expr | ast.stmt) -> Iterator[Variant]:
        """Yield the changes of one node."""
        fields = self._fields.get(id(node), {})
        if isinstance(node, ast.Constant):
            yield from _tiny(node) if self._tiny else ()
        elif isinstance(node, ast.Call):
            yield from _arguments(node)
            yield from _without_clip(node, self._imported)
            yield from _keywords(node, fields)
        elif isinstance(node, ast.BinOp):
            yield from _without_term(node)
        elif isinstance(node, ast.BoolOp):
            for number in range(len(node.values)):
                left = node.values[:number] + node.values[number + 1 :]
                made = left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
                yield "term left out", node, made
        elif isinstance(node, ast.Assign):
            yield from _not_updated(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            others = fields.get(node.value.id, [])
            if node.attr in others and len(others) > 1:
                other = others[(others.index(node.attr) + 1) % len(others)]
                yield "field swapped", node, ast.Attribute(node.value, other, node.ctx)


def _fields_read(function: ast.AST, imported: set[str]) -> dict[str, list[str]]:
    """Return the attributes that are read of each variable of a function, but called methods."""
    called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    fields: dict[str, list[str]] = {}
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and id(node) not in called
            and node.value.id not in imported
        ):
            names = fields.setdefault(node.value.id, [])
            if node.attr not in names:
                names.append(node.attr)
    return fields


def _tiny(node: ast.Constant) -> Iterator[Variant]:
    value = node.value
    if isinstance(value, int | float) and not isinstance(value, bool) and value:
        yield "constant by a millionth", node, ast.Constant(value * (1 + TINY))


def _arguments(node: ast.Call) -> Iterator[Variant]:
    for number in range(len(node.args) - 1):
        pair = node.args[number : number + 2]
        if not any(isinstance(one, ast.Starred) for one in pair):
            made = copy.deepcopy(node)
            made.args[number], made.args[number + 1] = made.args[number + 1], made.args[number]
            yield "arguments swapped", node, made


def _without_clip(node: ast.Call, imported: set[str]) -> Iterator[Variant]:
    """Yield ``x`` for ``jnp.clip(x, 0, 1)``, of an imported module, and for ``x.clip(0, 1)``."""
    name = called_name(node)
    if name not in CLIPS:
        return
    if isinstance(node.func, ast.Attribute) and _root(node.func.value) not in imported:
        yield "clip left out", node, node.func.value
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield "clip left out", node, node.args[0]


def _root(node: ast.expr) -> str:
    """Return the name that a chain of attributes begins with; empty if it begins otherwise."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _without_term(node: ast.BinOp) -> Iterator[Variant]:
    if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitAnd | ast.BitOr):
        return
    yield "term left out", node, node.left
    if isinstance(node.op, ast.Sub):
        yield "term left out", node, ast.UnaryOp(ast.USub(), node.right)
    else:
        yield "term left out", node, node.right


def _keywords(node: ast.Call, fields: dict[str, list[str]]) -> Iterator[Variant]:
    for number, (one, two) in enumerate(zip(node.keywords, node.keywords[1:], strict=False)):
        if one.arg is not None and two.arg is not None:
            made = copy.deepcopy(node)
            made.keywords[number].value, made.keywords[number + 1].value = two.value, one.value
            yield "fields swapped", node, made
    for number, keyword in enumerate(node.keywords):
        for variable, names in fields.items():
            old = ast.Attribute(ast.Name(variable, ast.Load()), keyword.arg or "", ast.Load())
            if keyword.arg in names and ast.dump(keyword.value) != ast.dump(old):
                made = copy.deepcopy(node)
                made.keywords[number].value = old
                yield "old value kept", node, made


def _not_updated(node: ast.Assign) -> Iterator[Variant]:
    """Yield ``x = state.x`` for ``x = state.x + ...``."""
    if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return
    name = node.targets[0].id
    for inner in ast.walk(node.value):
        if isinstance(inner, ast.Attribute) and inner.attr == name and inner is not node.value:
            yield "old value kept", node.value, inner
            return
