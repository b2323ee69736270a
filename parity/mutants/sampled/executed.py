"""Which tests execute a line of the code, read from a coverage database with contexts.

A mutant need be shown only to the tests that execute what it changes. The database is made by
pytest-cov, ``pytest --cov --cov-context=test``, in one run of all tests.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from foundation.errors import InputError
from parity.mutation.operators import Change

MAKE_IT = (
    "make it with `nox -s mutation_sample`, or with `pytest --cov=PACKAGE --cov-context=test` for "
    "every package that is mutated, COVERAGE_FILE naming the file"
)


@dataclass(frozen=True)
class ExecutedLines:
    """Tests by the lines that they execute.

    What runs as a module is imported has no test of its own, and a program that is compiled once and
    used by a second test file counts for the first alone. So fewer tests are known than there are: a
    mutant that lives may yet be killed by another test, never the other way round.

    Attributes:
        by_file: for each file of ours, relative to the packages' folder, the tests of each line, as
            pytest names them (``tests/test_a.py::test_b``).
    """

    by_file: dict[str, dict[int, frozenset[str]]]

    def tests_of(self, change: Change, source: bytes) -> frozenset[str]:
        """Return the tests known to execute the statement that a change is in."""
        lines = self.by_file.get(change.file, {})
        chosen = [lines.get(line, frozenset()) for line in statement_lines(source, change.line)]
        return frozenset().union(*chosen)


def read_executed_lines(path: Path, root: Path, files: list[str]) -> ExecutedLines:
    """Return the tests that execute each line of some files.

    Args:
        path: the coverage database.
        root: the folder of the packages.
        files: relative to ``root``.

    Raises:
        InputError: there is no such database, it has no contexts, or a file is newer than it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; {MAKE_IT}")
    made = path.stat().st_mtime
    for name in files:
        if (root / name).stat().st_mtime > made:
            raise InputError(f"{path}: older than {name}; {MAKE_IT}")
    data = CoverageData(str(path))
    try:
        data.read()
        measured = {Path(name).as_posix(): name for name in data.measured_files()}
        by_file = {}
        for file in files:
            place = next((real for name, real in measured.items() if name.endswith(f"/{file}")), None)
            if place is not None:
                by_file[file] = _tests_of_lines(data, place)
    except CoverageException as error:
        raise InputError(f"{path}: not a readable coverage database ({error}); {MAKE_IT}") from None
    if not any(tests for lines in by_file.values() for tests in lines.values()):
        raise InputError(f"{path}: says of no line which test executed it; {MAKE_IT}")
    return ExecutedLines(by_file)


def _tests_of_lines(data: CoverageData, place: str) -> dict[int, frozenset[str]]:
    """Return the tests of each line; a context is ``tests/test_a.py::test_b|run``."""
    return {
        line: frozenset(name.rpartition("|")[0] for name in contexts if "::" in name)
        for line, contexts in data.contexts_by_lineno(place).items()
    }


def statement_lines(source: bytes, line: int) -> range:
    """Return the lines of the innermost statement around a line; of a compound one, its head alone."""
    around = [range(line, line + 1)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            around.append(range(node.lineno, last + 1))
    inside = [lines for lines in around[1:] if line in lines]
    return min(inside, key=len, default=around[0])
