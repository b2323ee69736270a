"""What names a change in the lines of a run: its file, its place and its text, and nothing else."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from parity.mutation.lines import key_of, read_lines
from parity.mutation.operators import Change
from tests.sentences import refuses

CHANGE = Change("a.py", 3, "constant", 40, 41, "2", "(3)")


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("file", "b.py", False),
        ("start", 39, False),
        ("end", 42, False),
        ("old", "4", False),
        ("new", "(1)", False),
        ("line", 4, True),
        ("operator", "constant by a millionth", True),
    ],
)
def test_a_change_and_its_line_have_one_key(name: str, other: Any, same: bool) -> None:
    changed = replace(CHANGE, **{name: other})
    assert (key_of(changed) == key_of(CHANGE)) == same
    assert key_of({**asdict(changed), "outcome": "killed", "run": "x"}) == key_of(changed)
    assert len({key_of(CHANGE), key_of(changed)}) == (1 if same else 2)


def test_a_line_that_was_cut_off_is_dropped_and_one_before_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mutants.jsonl"
    assert read_lines(path) == []
    path.write_text('{"n": 1}\n{"n": 2}\n{"n":')
    assert read_lines(path) == [{"n": 1}, {"n": 2}]
    path.write_text('{"n": 1}\n{"n":\n{"n": 3}\n')
    with refuses():
        read_lines(path)
