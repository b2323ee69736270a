"""Lines of the port that a run of the gate executed, so that its report can name those that it did not.

A line that only traces a program counts: what it adds to the program is compared. Lines that run as a
module is imported do not, since importing shows nothing of what they do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from coverage import Coverage

from foundation.import_closure import PACKAGES_ROOT, closure
from parity.engine.report import FileLines

PORT = "jax_port"
Executed = dict[str, set[int]]
"""Numbers of executed lines by file, relative to the packages' folder."""


_RECORDERS: list[LineRecorder] = []
"""The recorder of this process, if it has one."""


class LineRecorder:
    """Records which lines of the port this process executes, while :func:`port_at_work`."""

    def __init__(self) -> None:
        place = str(PACKAGES_ROOT / PORT / "*")
        self._coverage = Coverage(data_file=None, config_file=False, include=[place], messages=False)
        self._depth = 0
        self._began = False

    def executed(self) -> Executed:
        """Return the lines executed up to now."""
        if not self._began:
            return {}
        data = self._coverage.get_data()
        return {
            Path(name).relative_to(PACKAGES_ROOT).as_posix(): set(data.lines(name) or ())
            for name in data.measured_files()
        }

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Record while a block runs."""
        self._depth += 1
        if self._depth == 1:
            self._began = True
            self._coverage.start()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._coverage.stop()


def begin_recording() -> LineRecorder:
    """Have a recorder in this process from now on; it is returned."""
    _RECORDERS.append(LineRecorder())
    return _RECORDERS[-1]


@contextmanager
def recording() -> Iterator[LineRecorder]:
    """Have a recorder while a block runs."""
    recorder = begin_recording()
    try:
        yield recorder
    finally:
        _RECORDERS.remove(recorder)


@contextmanager
def port_at_work() -> Iterator[None]:
    """Record what a block executes of the port, where somebody records.

    The reference is driven outside such blocks: before Python 3.12 recording halves its speed.
    """
    with ExitStack() as stack:
        for recorder in _RECORDERS:
            stack.enter_context(recorder.at_work())
        yield


def add_lines(to: Executed, more: Mapping[str, Iterable[int]]) -> None:
    """Add executed lines to others."""
    for file, lines in more.items():
        to.setdefault(file, set()).update(lines)


def lines_of_port(
    modules: Iterable[str], executed: Mapping[str, Iterable[int]]
) -> dict[str, FileLines]:
    """Return each file of the port that some modules import, with its lines and those executed.

    Args:
        modules: what the verdict depends on; their imports are followed.
        executed: by :meth:`LineRecorder.executed`.

    Raises:
        InputError: a module that one of them imports is missing.
    """
    files = sorted(name for name in closure(PACKAGES_ROOT, modules) if name.startswith(f"{PORT}/"))
    found = {}
    for name in files:
        statements = function_statements((PACKAGES_ROOT / name).read_text(encoding="utf-8"))
        lines = set(executed.get(name, ()))
        ran = (first for first, all_of_it in statements.items() if not lines.isdisjoint(all_of_it))
        if statements:
            found[name] = FileLines(frozenset(statements), frozenset(ran))
    return found


@cache
def function_statements(source: str) -> dict[int, range]:
    """Return the lines of each statement inside a function by its first; of a compound one, its head.

    Left out is what compiles to nothing: docstrings, ``pass``, ``global``, bare annotations.
    """
    tree = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = (
        node
        for function in ast.walk(tree)
        if isinstance(function, functions)
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.stmt) and not _is_nothing(node)
    )
    return {node.lineno: _head(node) for node in inside}


def _head(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    return isinstance(statement, ast.Global | ast.Nonlocal | ast.Pass)
