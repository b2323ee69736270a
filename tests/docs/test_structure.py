"""No folder holds more modules, and no module more lines, than a reader can take in."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ROOMS = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
MODULES, LINES = 15, 400


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_folders_and_modules_are_small(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    modules = Counter(file.parent for file in files if file.name != "__init__.py")
    assert {str(folder): count for folder, count in modules.items() if count > MODULES} == {}
    lines = {str(file): file.read_text("utf-8").count("\n") for file in files}
    assert {name: count for name, count in lines.items() if count > LINES} == {}


def lent_names(code: str) -> set[str]:
    """Return the names of other modules that a module hands on as its own."""
    tree = ast.parse(code)
    imported = {
        (alias.asname or alias.name)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    twice = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    public = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return twice | (imported & {str(name) for value in public for name in ast.literal_eval(value)})


@pytest.mark.parametrize("room", ROOMS)
def test_a_module_exports_its_own_names_alone(room: str) -> None:
    files = [path for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"]
    lent = {str(Path(file)): lent_names(file.read_text("utf-8")) for file in files}
    assert {name: names for name, names in lent.items() if names} == {}


def test_a_lent_name_is_found() -> None:
    assert lent_names("from a import b, c\n__all__ = ['c', 'd']\nd = b") == {"c"}
    assert lent_names("from a import b as b\nimport c") == {"b"}
