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
from collections.abc import Callable, Iterator, Sequence
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
DIGEST = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{16,}\b")
FEW = 12
"""Lines that differ and are shown."""
ALWAYS = ("*.versions.*", "*.device", "*.made.seconds", "*steps_per_second")
"""Patterns of names whose values differ wherever they are."""

Snapshot = Callable[..., None]


@pytest.fixture
def snapshot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Snapshot]:
    """Return ``snapshot(name, value, *varies)``; all of a test's are compared when it ends.

    ``varies`` are patterns of names whose values differ between machines or runs, beside
    :data:`ALWAYS`. Each has to fit some name, so that none outlives what it was for. ``within`` is the
    share of itself by which a float may differ, for what was computed in many float32 steps.
    """
    module = re.sub(r"^tests/|\.py$", "", request.node.nodeid.partition("::")[0]).replace("/test_", "/")
    test = re.sub(r"[^\w.]+", "-", request.node.name.removeprefix("test_")).strip("-")
    file = FOLDER / module / f"{test}.txt"
    folder = tmp_path_factory.getbasetemp()
    lines: list[str] = []
    shares: list[float] = []

    def take(name: str, value: Any, *varies: str, within: float = WITHIN) -> None:
        shares.append(within)
        described = [(where, same_everywhere(text, folder)) for where, text in describe(name, value)]
        for pattern in varies:
            assert any(fnmatchcase(where, f"{name}{pattern}") for where, _ in described), (
                f"nothing is named {name}{pattern}"
            )
        left_out = [*ALWAYS, *(f"{name}{pattern}" for pattern in varies)]
        for where, text in described:
            varying = any(fnmatchcase(where, pattern) for pattern in left_out)
            lines.append(f"{where} = {VARIES if varying else text}")

    yield take
    assert lines, "nothing was compared"
    if request.config.getoption("update_sentences"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", "utf-8")
        return
    if not file.is_file():
        pytest.fail(f"{file} is not there; if all is right: {how(request.node.nodeid)}")
    if changed := changes(file.read_text("utf-8").splitlines(), lines, max(shares)):
        shown = "\n".join([*changed[:FEW], *(["..."] if len(changed) > FEW else [])])
        pytest.fail(
            f"{len(changed)} lines are not those of {file}; if they should be: "
            f"{how(request.node.nodeid)}\n{shown}",
            pytrace=False,
        )


def how(node: str) -> str:
    """Return the command that writes the file of a test anew."""
    return f"pytest --update-sentences -n 0 '{node}'"


def same_everywhere(text: str, folder: Path) -> str:
    """Return a text in one line without folders of tests, digests of files, and the time of day."""
    text = re.sub(rf"{re.escape(str(folder))}/[\w.-]+", "<tmp>", text)
    text = TODAY.sub("<now>", text)
    return DIGEST.sub("<digest>", printable(text))


def _today() -> re.Pattern[str]:
    """Return a pattern of this day and its neighbours, since tests run over midnight, with any time."""
    now = datetime.now(UTC)
    days = "|".join(f"{now + timedelta(days=n):%Y-%m-%d}" for n in (-1, 0, 1))
    return re.compile(rf"\b({days})([T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00| UTC|Z)?)?")


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
