"""Every number, choice and table that is written out: ``python -m tests.project.values``.

A limit that was loosened, a default that became another one, a name that a table lacks: such a change
breaks no rule, and few tests can see it. So all of them stand in ``values.txt``, and a change is made
there too, where whoever reviews it reads it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from foundation.files import write_text
from foundation.import_closure import PACKAGES

ROOT = Path(__file__).parents[2]  # as it is named: in a tree of links a changed package is a copy
FILE = ROOT / "tests/project/values.txt"
MEASURING = "benchmarks"
"""Its numbers are sizes of measurements, and decide nothing."""
FAULTS = "parity/mutants/catalog"
"""Its numbers are the faults that are planted."""
PARTS = (
    *(ast.Constant, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator, ast.Load),
    *(ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred),
)
"""What a default may be made of; where a name or a call is in it, it is computed, and tests see it."""
TABLE = (
    *(*PARTS, ast.Name, ast.Attribute, ast.Call, ast.keyword, ast.Store, ast.comprehension),
    *(ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.JoinedStr, ast.FormattedValue),
    *(ast.Subscript, ast.Slice),
)
"""What a constant may be made of: also of other constants, of rows that have a name each, in turn."""
COLLECTIONS = (ast.Tuple, ast.List, ast.Set, ast.Dict)
MAKERS = ("frozenset", "set", "tuple", "dict", "MappingProxyType")
LONGEST = 40
"""Characters of a text in a table; longer ones are for users to read, and stand elsewhere."""


class _Short(ast.NodeTransformer):
    """Leaves out long texts."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        is_long = isinstance(node.value, str) and len(node.value) > LONGEST
        return ast.Constant("...") if is_long else node


def written(value: ast.expr) -> str:
    """Return a value as it is written, long texts left out."""
    return ast.unparse(_Short().visit(ast.parse(ast.unparse(value), mode="eval")))


def is_table(value: ast.expr | None) -> bool:
    """Say whether a value is a collection, such as of names, that is written out."""
    if isinstance(value, ast.Call):
        made = isinstance(value.func, ast.Name) and value.func.id in MAKERS and bool(value.args)
    else:
        made = isinstance(value, COLLECTIONS)
    return made and value is not None and all(isinstance(part, TABLE) for part in ast.walk(value))


def is_choice(value: ast.expr | None) -> bool:
    """Say whether a default is a number, or one of several names."""
    named = isinstance(value, ast.Constant) and isinstance(value.value, str) and bool(value.value)
    return named or is_number(value)


def is_number(value: ast.expr | None, parts: tuple[type[ast.AST], ...] = PARTS) -> bool:
    """Say whether a value is written out and has a number, or a choice of yes or no, in it."""
    if value is None or not all(isinstance(part, parts) for part in ast.walk(value)):
        return False
    constants = [part.value for part in ast.walk(value) if isinstance(part, ast.Constant)]
    return any(isinstance(constant, (bool, int, float)) for constant in constants)


def values_of(tree: ast.AST, within: str = "") -> Iterator[str]:
    """Yield a line for each value of a module, a class or a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _defaults(node.args, f"{within}{node.name}")
            yield from values_of(node, f"{within}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from values_of(node, f"{within}{node.name}.")
        elif isinstance(node, (ast.expr, ast.stmt)):
            own = isinstance(tree, (ast.Module, ast.ClassDef))
            named = list(_assigned(node, within)) if own else []
            yield from named or _options(node, within.removesuffix("."))


def _assigned(node: ast.AST, within: str) -> Iterator[str]:
    """Yield what a module or a class says that a name is."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return
    # A field's text is its default, which decides something; a module's is a name like any other.
    if is_number(node.value, TABLE) or is_table(node.value) or (within and is_choice(node.value)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = ", ".join(ast.unparse(target) for target in targets)
        yield f"{within}{names} = {written(node.value)}"


def _defaults(given: ast.arguments, name: str) -> Iterator[str]:
    """Yield a function's defaults."""
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(given.defaults) :]
    pairs = [
        *zip(with_default, given.defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    for argument, value in pairs:
        if is_choice(value):
            assert value is not None
            yield f"{name}({argument.arg}={written(value)})"


def _options(node: ast.AST, within: str) -> Iterator[str]:
    """Yield the defaults of options, ``option("--count", default=500)``, and of fields."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            for keyword in call.keywords:
                if keyword.arg == "default" and is_choice(keyword.value):
                    names = " ".join(ast.unparse(argument) for argument in call.args)
                    yield f"{within}: {names or ast.unparse(call.func)} = {written(keyword.value)}"


def collect(root: Path = ROOT) -> str:
    """Return the text of the file: each module with its values, sorted."""
    lines = ["# Numbers, choices and tables that are written out; see tests/project/values.py."]
    for package in (name for name in PACKAGES if name != MEASURING):
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name.startswith(FAULTS):
                continue
            found = list(values_of(ast.parse(path.read_text("utf-8"))))
            if found:
                lines += ["", name, *(f"  {line}" for line in found)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_text(FILE, collect())
