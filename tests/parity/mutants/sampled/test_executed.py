"""Which tests execute a line, read from a database that pytest-cov made of two small tests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from parity.mutants.sampled.executed import ExecutedLines, read_executed_lines, statement_lines
from parity.mutants.sampled.judges import MOST_ALONE, Judges, nearest_tests, run_tests
from parity.mutants.sampled.summary import TESTS
from parity.mutants.sandbox import Sandbox
from parity.mutation.operators import Change
from parity.mutation.score import CRASHED, SURVIVED
from tests.sentences import refuses

SOURCE = b"""LIMIT = 3


def larger(
    value,
    other,
):
    if (
        value
        > other
    ):
        return value + 0
    return other


def never(value):
    return value - LIMIT
"""
FILE = "markets/larger.py"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout whose two tests were run under pytest-cov."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("markets", "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    (folder / FILE).write_bytes(SOURCE)
    first = "from markets.larger import larger\n\n\ndef test_first():\n    assert larger(2, 1) == 2\n"
    (folder / "tests/test_first.py").write_text(first)
    (folder / "tests/test_second.py").write_text(
        first.replace("2, 1", "1, 2").replace("first", "second")
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--cov=markets"]
    around = {"PATH": os.environ["PATH"], "COVERAGE_FILE": str(folder / "lines")}
    subprocess.run([*command, "--cov-context=test"], cwd=folder, env=around, check=True)
    subprocess.run(
        [*command], cwd=folder, env=around | {"COVERAGE_FILE": str(folder / "flat")}, check=True
    )
    return folder


def _change(old: bytes) -> Change:
    start = SOURCE.index(old)
    return Change(FILE, SOURCE[:start].count(b"\n") + 1, "", start, start + len(old), old.decode(), "7")


@pytest.mark.parametrize(
    ("old", "tests"),
    [
        (b"> other", {"first", "second"}),
        (b"+ 0", {"first"}),
        (b"return other", {"second"}),
        (b"- LIMIT", set()),
        (b"3", set()),
    ],
)
def test_a_change_is_shown_to_the_tests_that_execute_it(
    root: Path, old: bytes, tests: set[str]
) -> None:
    executed = read_executed_lines(root / "lines", root, [FILE])
    known = {f"tests/test_{name}.py::test_{name}" for name in tests}
    assert executed.tests_of(_change(old), SOURCE) == known
    judges = Judges(root, Sandbox(root / "none"), 1.0, executed)
    alone, files = judges.tests_for(_change(old))
    assert set(alone) == known
    # Then all that import it, for what runs at import or in tests that were not watched.
    both = {"first", "second"}
    assert sorted(files) == [f"tests/test_{name}.py" for name in sorted(both)]
    assert {name.removeprefix("tests/test_")[:-3] for name in files[: len(tests)]} == tests


def test_a_test_that_imports_the_file_only_when_it_runs_is_asked_after_the_others(
    root: Path,
) -> None:
    """A command's module is imported by its name, once the command is called."""
    lazy, left_out = "tests/test_command.py::test_called", "tests/docs/test_pages.py::test_page"
    known = frozenset({lazy, left_out, "tests/test_second.py::test_second"})
    lines = dict.fromkeys(range(9, 14), known)
    judges = Judges(root, Sandbox(root / "none"), 1.0, ExecutedLines({FILE: lines}))
    alone, files = judges.tests_for(_change(b"+ 0"))
    assert alone == ("tests/test_second.py::test_second", lazy)
    assert files == ("tests/test_second.py", "tests/test_command.py", "tests/test_first.py")


def test_every_file_is_asked_before_a_second_test_of_any(root: Path) -> None:
    first = [f"tests/test_first.py::test_first[{number:02}]" for number in range(2 * MOST_ALONE)]
    second = [f"tests/test_second.py::test_{name}" for name in "ab"]
    lines = dict.fromkeys(range(9, 14), frozenset([*first, *second]))
    judges = Judges(root, Sandbox(root / "none"), 1.0, ExecutedLines({FILE: lines}))
    alone, _ = judges.tests_for(_change(b"+ 0"))
    assert len(alone) == MOST_ALONE
    assert {*alone[:2]} == {first[0], second[0]}
    assert {*alone[2:4]} == {first[1], second[1]}
    assert alone[4:] == tuple(first[2 : MOST_ALONE - 2])


@pytest.mark.costly
def test_a_test_that_reads_what_another_made_is_asked_after_those_that_execute_the_line(
    root: Path, tmp_path: Path
) -> None:
    """A fixture of a module runs in its first test; here the second one looks at what it made."""
    for name in ("markets", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / FILE).write_bytes(SOURCE)
    (tmp_path / "tests/test_made.py").write_text(
        "import pytest\nfrom markets.larger import larger\n\n\n@pytest.fixture(scope='module')\n"
        "def made():\n    return larger(2, 1)\n\n\ndef test_one(made):\n    assert made\n\n\n"
        "def test_two(made):\n    assert made == 2\n"
    )
    once = "tests/test_made.py::test_one"
    lines = {number: frozenset({once}) for number in range(9, 14)}
    judges = Judges(tmp_path, Sandbox(tmp_path / "box"), 60.0, ExecutedLines({FILE: lines}))
    assert judges.tests_for(_change(b"+ 0")) == ((once,), ("tests/test_made.py",))
    (tmp_path / "tests/test_larger.py").write_text("from markets.larger import larger\n")
    nearest_tests.cache_clear()
    with_its_own = ("tests/test_made.py", "tests/test_larger.py")  # made after the lines were read
    assert judges.tests_for(_change(b"+ 0")) == ((once,), with_its_own)
    fate = judges.judge(replace(_change(b"+ 0"), new="+ 5"), 0)
    assert (fate.outcome, fate.by.partition(" - ")[0]) == (TESTS, "FAILED tests/test_made.py::test_two")


@pytest.mark.costly
def test_a_test_that_fails_on_the_unchanged_code_too_judges_nothing(tmp_path: Path) -> None:
    for name in ("markets", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / FILE).write_bytes(SOURCE)
    (tmp_path / "tests/test_broken.py").write_text(
        "from markets.larger import larger\n\n\ndef test_one():\n    assert larger(2, 1) == 3\n"
    )
    judges = Judges(tmp_path, Sandbox(tmp_path / "box"), 60.0)
    with refuses():
        judges.judge(replace(_change(b"+ 0"), new="+ 5"), 0)


@pytest.mark.costly
@pytest.mark.parametrize(("value", "outcome"), [(2, SURVIVED), (3, TESTS)])
def test_a_case_that_is_not_there_is_passed_over(tmp_path: Path, value: int, outcome: str) -> None:
    """Some are made of files beside the checkout, which a copy of it has not."""
    (tmp_path / "test_there.py").write_text(f"def test_one():\n    assert {value} == 2\n")
    (tmp_path / "test_files.py").write_text(
        "import pytest\n\n\n@pytest.mark.parametrize('path', [])\ndef test_file(path):\n    assert 0\n"
    )
    gone = ("test_files.py::test_file[a.bin]", "test_files.py::test_file[b.bin]")
    assert run_tests((*gone, "test_there.py::test_one"), tmp_path, tmp_path, 60.0).outcome == outcome
    assert run_tests(gone, tmp_path, tmp_path, 60.0).outcome == SURVIVED


@pytest.mark.costly
def test_a_change_with_which_nothing_can_be_imported_is_found(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("raise TypeError('non-default argument')\n")
    (tmp_path / "test_there.py").write_text("def test_one():\n    pass\n")
    fate = run_tests(("test_there.py",), tmp_path, tmp_path, 60.0)
    assert (fate.outcome, "non-default" in fate.by) == (CRASHED, True)


def test_lines_are_those_of_the_innermost_statement() -> None:
    assert statement_lines(SOURCE, 10) == range(8, 12)
    assert statement_lines(SOURCE, 5) == range(4, 8)
    assert statement_lines(SOURCE, 12) == range(12, 13)
    assert statement_lines(SOURCE, 2) == range(2, 3)


def test_a_database_that_does_not_fit_is_refused(root: Path, tmp_path: Path) -> None:
    with refuses():
        read_executed_lines(root / "none", root, [FILE])
    with refuses():
        read_executed_lines(root / "flat", root, [FILE])
    (tmp_path / "text").write_text("no database")
    os.utime(root / FILE, (0, 0))
    with refuses(r"(?<=database \().*(?=\);)"):
        read_executed_lines(tmp_path / "text", root, [FILE])
    os.utime(root / FILE)
    with refuses():
        read_executed_lines(root / "lines", root, [FILE])
