"""Operators for programs that are put together of parts: the slips of whoever hands values on.

The first of several alone, a place that is always the first, a cut or a step that is left out, a sum
that begins anew, an entry that is missing, one variable in the place of another.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from parity.mutation.further_operators import FunctionNode, Variant, by_function, called_name

CONVERSIONS = frozenset(
    {"int", "float", "bool", "str", "list", "tuple", "dict", "set", "frozenset", "iter", "cast", "Path"}
    | {"asarray", "array", "ascontiguousarray", "len", "range", "repr", "type", "super", "isinstance"}
)
"""Functions without which a program either does the same or can't run."""
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class WiringOperators:
    """The operators, with the variables of each function of a file."""

    def __init__(self, tree: ast.Module) -> None:
        self._variables = by_function(tree, _variables)

    def variants(self, node: ast.expr | ast.stmt) -> Iterator[Variant]:
        """Yield the changes of one node."""
        if isinstance(node, ast.For):
            yield from ((operator, node.iter, made) for operator, made in _fewer(node.iter))
        elif isinstance(node, Comprehension):
            yield from _comprehension(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            yield from _subscript(node)
        elif isinstance(node, ast.Assign | ast.AugAssign):
            yield from _assignment(node)
        elif isinstance(node, ast.Dict | ast.List | ast.Set):
            yield from _entries(node)
        elif isinstance(node, ast.Call):
            yield from self._call(node)

    def _call(self, node: ast.Call) -> Iterator[Variant]:
        name = called_name(node)
        plain = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
        if plain and name not in CONVERSIONS and not name[:1].isupper():
            yield "call left out", node, node.args[0]
        others = self._variables.get(id(node), [])
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        for number, value in enumerate(values):
            if isinstance(value, ast.Name) and value.id in others and len(others) > 1:
                made = copy.deepcopy(node)
                place = others.index(value.id)  # the one before is known there as well, most often
                swapped = ast.Name(others[place - 1 if place else 1], ast.Load())
                if number < len(node.args):
                    made.args[number] = swapped
                else:
                    made.keywords[number - len(node.args)].value = swapped
                yield "another variable", node, made


def _variables(function: FunctionNode) -> list[str]:
    """Return the arguments of a function, but ``self``, and what it assigns to, in their order."""
    arguments = function.args
    named = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    assigned = [
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return [name for name in dict.fromkeys([*named, *assigned]) if name not in ("self", "cls", "_")]


def _fewer(iterated: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield what gives the first alone of what is iterated, and what leaves the last out."""
    every = ast.Call(ast.Name("list", ast.Load()), [iterated], [])
    first = ast.Slice(upper=ast.Constant(1))
    yield "first alone", ast.Subscript(every, first, ast.Load())
    but_last = ast.Slice(upper=ast.UnaryOp(ast.USub(), ast.Constant(1)))
    yield "last left out", ast.Subscript(copy.deepcopy(every), but_last, ast.Load())


def _comprehension(node: Comprehension) -> Iterator[Variant]:
    for number, one in enumerate(node.generators):
        for operator, fewer in _fewer(one.iter):
            made = copy.deepcopy(node)
            made.generators[number].iter = fewer
            yield operator, node, made
        for condition in range(len(one.ifs)):
            made = copy.deepcopy(node)
            del made.generators[number].ifs[condition]
            yield "condition left out", node, made


def _subscript(node: ast.Subscript) -> Iterator[Variant]:
    if isinstance(node.slice, ast.Slice):
        yield "cut left out", node, node.value
    elif isinstance(node.slice, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp):
        yield "place of the first", node, ast.Subscript(node.value, ast.Constant(0), ast.Load())


def _assignment(node: ast.Assign | ast.AugAssign) -> Iterator[Variant]:
    """Yield nothing in the place of what changes an object, or a variable by itself."""
    if isinstance(node, ast.AugAssign):
        yield "begun anew", node, ast.Assign([node.target], node.value, lineno=node.lineno)
        yield "step left out", node, ast.Pass()
        return
    target = node.targets[0]
    of_itself = isinstance(target, ast.Name) and any(
        isinstance(one, ast.Name) and one.id == target.id for one in ast.walk(node.value)
    )
    if of_itself or isinstance(target, ast.Attribute | ast.Subscript):
        yield "step left out", node, ast.Pass()


def _entries(node: ast.Dict | ast.List | ast.Set) -> Iterator[Variant]:
    """Yield a display without one of its entries, of those that have several."""
    count = len(node.values if isinstance(node, ast.Dict) else node.elts)
    if count < 2 or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    for number in range(count):
        made = copy.deepcopy(node)
        if isinstance(made, ast.Dict):
            del made.keys[number], made.values[number]
        else:
            del made.elts[number]
        yield "entry left out", node, made
