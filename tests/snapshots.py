"""Holds everything that a command or a function returns or writes to ``tests/snapshots``.

A test hands whole results to the fixture ``snapshot``: numbers, tables, or a folder of files. Each is
written in lines of ``name = value``, one file for each test, and compared with the file that somebody
read and committed: what nobody thought of asking about is held too. Floats may differ by rounding,
everything else is equal. After a change that is meant, ``pytest --update-sentences -n 0`` writes the
files anew; read what it changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import printable
from tests.described import describe

FOLDER = Path(__file__).parent / "snapshots"
VARIES = "<...>"
"""What stands for a value that differs between machines or runs."""
WITHIN = 1e-6
"""Share of itself by which a float may differ."""
LEAST = 1e-9
"""Difference of two floats that is nothing, however small they are."""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")
ADDRESS = re.compile(r"\b0x[0-9a-f]{8,}\b")
TOOK = re.compile(r"· [\d.]+ (s|min)$")
DIGEST = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{16,}\b")
FEW = 12
"""Lines that differ and are shown."""
ALWAYS = ("*.versions.*", "*.device", "*.made.seconds", "*steps_per_second")
"""Patterns of names whose values differ wherever they are."""


class Snapshot:
    """What a test hands over, to be compared with its file when the test has passed.

    Args:
        node: name of the test, as pytest gives it.
        folder: of all tests' temporary files.
        updates: whether files are written anew.
    """

    def __init__(self, node: str, folder: Path, *, updates: bool) -> None:
        module, _, test = node.partition("::")
        place = re.sub(r"^tests/|\.py$", "", module).replace("/test_", "/")
        name = re.sub(r"[^\w.]+", "-", test.removeprefix("test_")).strip("-")
        self.file = FOLDER / place / f"{name}.txt"
        self._node, self._folder, self._updates = node, folder, updates
        self._lines: list[str] = []
        self._within = WITHIN

    def __call__(self, name: str, value: Any, *varies: str, within: float = WITHIN) -> None:
        """Hold a value, a table or a file or folder.

        Args:
            name: of it.
            value: see :func:`tests.described.describe`.
            varies: patterns of names, after this one, whose values differ between machines or runs,
                beside :data:`ALWAYS`. Each has to fit some name, so that none outlives its reason.
            within: share of itself by which a float may differ, of what was computed in many steps.
        """
        described = list(describe(name, value))
        for pattern in varies:
            if not any(fnmatchcase(where, f"{name}{pattern}") for where, _ in described):
                pytest.fail(f"nothing is named {name}{pattern}")
        left_out = [*ALWAYS, *(f"{name}{pattern}" for pattern in varies)]
        for where, text in described:
            varying = any(fnmatchcase(where, pattern) for pattern in left_out)
            shown = VARIES if varying else same_everywhere(text, self._folder)
            self._lines.append(f"{where} = {shown}")
        self._within = max(self._within, within)

    def compare(self) -> None:
        """Compare all of it with the file, or write the file anew."""
        __tracebackhide__ = True
        if not self._lines:
            pytest.fail("nothing was handed to the snapshot")
        if self._updates:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text("\n".join(self._lines) + "\n", "utf-8")
            return
        if not self.file.is_file():
            pytest.fail(f"{self.file} is not there; if all is right: {how(self._node)}")
        held = self.file.read_text("utf-8").splitlines()
        if changed := changes(held, self._lines, self._within):
            shown = "\n".join([*changed[:FEW], *(["..."] if len(changed) > FEW else [])])
            pytest.fail(
                f"{len(changed)} lines are not those of {self.file}; if they should be: "
                f"{how(self._node)}\n{shown}",
                pytrace=False,
            )


@pytest.fixture
def snapshot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Return what a test hands its results to."""
    updates = bool(request.config.getoption("update_sentences"))
    return Snapshot(request.node.nodeid, tmp_path_factory.getbasetemp(), updates=updates)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Compare what a test that has passed has handed over."""
    result = yield
    taken = getattr(item, "funcargs", {}).get("snapshot")
    if isinstance(taken, Snapshot):
        taken.compare()
    return result


def how(node: str) -> str:
    """Return the command that writes the file of a test anew."""
    return f"pytest --update-sentences -n 0 '{node}'"


def same_everywhere(text: str, folder: Path) -> str:
    """Return a text in one line without folders of tests, digests of files, and the time of day."""
    text = re.sub(rf"{re.escape(str(folder))}/[\w.-]+", "<tmp>", text)
    text = ADDRESS.sub("<address>", TOOK.sub("· <time>", TODAY.sub("<now>", text)))
    return DIGEST.sub("<digest>", printable(text))


def _today() -> re.Pattern[str]:
    """Return a pattern of this day and its neighbours, since tests run over midnight, with any time."""
    now = datetime.now(UTC)
    days = "|".join(f"{now + timedelta(days=n):%Y-%m-%d}" for n in (-1, 0, 1))
    long = rf"({days})([T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00| UTC|Z)?)?"
    return re.compile(rf"\b({long}|({days.replace('-', '')})-\d{{6}})")


def changes(before: Sequence[str], after: Sequence[str], within: float = WITHIN) -> list[str]:
    """Return lines of a file that are gone, that are new, and that hold another value."""
    shapes = [[NUMBER.sub("#", line) for line in lines] for lines in (before, after)]
    changed = []
    matched = [("equal", 0, len(before), 0, len(after))]
    if shapes[0] != shapes[1]:
        matched = SequenceMatcher(None, *shapes, autojunk=False).get_opcodes()
    for kind, a, b, c, d in matched:
        old, new = before[a:b], after[c:d]
        if kind == "equal":
            pairs = [pair for pair in zip(old, new, strict=True) if not same(*pair, within)]
            old, new = [one for one, _ in pairs], [other for _, other in pairs]
        changed += [f"- {line}" for line in old] + [f"+ {line}" for line in new]
    return changed


def same(old: str, new: str, within: float = WITHIN) -> bool:
    """Say whether two texts agree: floats but for rounding, all else to the letter."""
    if old == new:
        return True
    if NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(_close(one, other, within) for one, other in pairs)


def _close(old: str, new: str, within: float) -> bool:
    whole = not any(mark in number for number in (old, new) for mark in ".e")
    if whole:
        return old == new
    return math.isclose(float(old), float(new), rel_tol=within, abs_tol=LEAST)


TODAY = _today()
