"""The contracts of imports in ``pyproject.toml`` hold, and an arrow that runs back is found."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.project.test_structure import ROOMS

PLANTED = {
    "rooms of jax_port": ("jax_port/envs/account.py", "import jax_port.ppo.gae"),
    "rooms of jax_port.evaluation": (
        "jax_port/evaluation/prop_firm/chances.py",
        "import jax_port.evaluation.sheet.ratios",
    ),
    "rooms of parity": ("parity/suites/worlds.py", "import parity.gate.covered"),
    "rooms of benchmarks": ("benchmarks/harness/rows.py", "import benchmarks.accelerator.rows"),
    "rooms of rltrader": ("rltrader/options/bars.py", "import rltrader.advice.options"),
    "rooms of markets": ("markets/bars.py", "import markets.readers.columns"),
    "no circle": ("foundation/errors.py", "import foundation.files"),
}
"""By the beginning of a contract's name: a module, and an import that breaks the contract there."""


def broken(folder: Path) -> set[str]:
    """Return the contracts that the packages in a folder break, each name up to its colon."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    return set(re.findall(r"^(.+?)(?::.*| between.*)? BROKEN", done.stdout, re.M))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("importlinter", reason="the extra lint is not installed")
    folder = tmp_path_factory.mktemp("packages")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_every_contract_holds_and_finds_what_breaks_it(copy: Path) -> None:
    assert broken(copy) == set()
    for name, line in PLANTED.values():
        with (copy / name).open("a") as file:
            file.write(f"\n{line}\n")
    assert broken(copy) == set(PLANTED)


def test_a_room_that_no_contract_names_is_found(copy: Path) -> None:
    for name, _ in PLANTED.values():
        shutil.copy(ROOT / name, copy / name)
    (copy / "parity" / "attic").mkdir()
    (copy / "parity" / "attic" / "__init__.py").write_text("")
    assert broken(copy) == {"rooms of parity"}


ONLY_UNIX = frozenset(
    {
        "crypt",
        "curses",
        "fcntl",
        "grp",
        "pty",
        "pwd",
        "readline",
        "resource",
        "syslog",
        "termios",
        "tty",
    }
)
"""Modules of Python that Windows lacks."""


def imported_for_all(code: str) -> set[str]:
    """Return the modules that a file imports on every system as soon as it is imported itself."""
    names = set[str]()
    for node in ast.parse(code).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os, resource", {"os", "resource"}),
        ("from fcntl import flock", {"fcntl"}),
        ("if os.name == 'posix':\n    import fcntl", set()),
        ("def f():\n    import resource", set()),
    ],
)
def test_what_every_system_imports_is_told_from_what_one_does(code: str, found: set[str]) -> None:
    assert imported_for_all(code) == found


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_asks_windows_for_what_it_lacks(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    asked = {str(file): imported_for_all(file.read_text("utf-8")) & ONLY_UNIX for file in files}
    assert {name: modules for name, modules in asked.items() if modules} == {}
