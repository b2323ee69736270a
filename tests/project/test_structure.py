"""What stands at the top is known, and folders and modules are small enough to take in."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ROOMS = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
MODULES, LINES = 15, 400
BESIDE = {
    *("docs", "docker", "examples", "ninjatrader", "reports", "tests", ".ci", ".github"),
    *("README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE"),
    *("pyproject.toml", "noxfile.py", "constraints.txt", "mkdocs.yml"),
    *(".codespell-words", ".dockerignore", ".gitignore", ".pre-commit-config.yaml"),
}
"""What else stands at the top."""
OF_SEVERAL = {
    "benchmarks/gpu_program/test_limits.py": "what the project's programs may cost on a card",
    "foundation/report/test_layout.py": "every page of the project in a browser",
    "jax_port/evaluation/test_drawings.py": "what the plots of an evaluation draw",
    "jax_port/evaluation/test_words.py": "what the pages of an evaluation say",
    "jax_port/test_demonstrations.py": "the plan's modules run as programs",
    "jax_port/test_public_names.py": "what a user imports",
    "jax_port/ppo/test_contracts.py": "arrays that the functions of a learner refuse",
    "markets/advice/chat/test_real_server.py": "the client and a server with a model",
    "markets/readers/test_formats.py": "every reader of files",
    "parity/export_chain/test_both_phases.py": "a policy of each phase trained, exported and verified",
    "parity/harness/faults/test_constants.py": "the harness against constants of the shipped pairs",
    "parity/harness/faults/test_planted.py": "the harness against planted faults",
    "parity/pairs/test_evaluation.py": "evaluation on both sides",
    "rltrader/test_damaged_files.py": "every command on damaged files",
    "rltrader/test_interrupted.py": "every command that writes, stopped",
}
"""Test modules that mirror no single module, and what they are about."""


def test_nothing_else_stands_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout of git")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} == {*ROOMS, *BESIDE}


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


def mirrored(test: Path) -> bool:
    """Return whether a test module is named after a module or a folder, or after a part of one."""
    folder = ROOT / test.parent.relative_to(ROOT / "tests")
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    if test.name == "test_main.py":
        names.append("__main__")
    return any((folder / f"{name}.py").is_file() or (folder / name).is_dir() for name in names)


@pytest.mark.parametrize("room", ROOMS)
def test_test_modules_mirror_the_modules_that_they_test(room: str) -> None:
    tests = sorted((ROOT / "tests" / room).rglob("test_*.py"))
    alone = {str(test.relative_to(ROOT / "tests")) for test in tests if not mirrored(test)}
    assert alone == {name for name in OF_SEVERAL if name.startswith(f"{room}/")}


def test_a_test_module_without_a_module_is_found() -> None:
    folder = ROOT / "tests" / "markets"
    assert mirrored(folder / "test_bars.py")
    assert mirrored(folder / "test_bars_of_a_day.py")
    assert not mirrored(folder / "test_bar.py")
    assert not mirrored(folder / "test_main.py")


def test_every_drawing_is_of_a_test_that_is_there() -> None:
    for file in (ROOT / "tests/drawings").iterdir():
        module, _, name = file.stem.partition("-")
        tests = (ROOT / "tests").rglob(f"test_{module}.py")
        assert any(f"def test_{name}(" in test.read_text("utf-8") for test in tests), file.name
