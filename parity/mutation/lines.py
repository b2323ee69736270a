"""Lines of JSON in which mutants are written down as they are judged, so that a run can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foundation.json_lines import read_json_lines
from foundation.json_reading import Artifact
from parity.mutation.operators import Change
from parity.mutation.score import UNJUDGED

LINES = "mutants.jsonl"
LINE = Artifact("line of a mutation run", "remove the file to begin anew")


def key_of(change: Change | Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what names a change: file, place and text."""
    values = asdict(change) if isinstance(change, Change) else change
    return tuple(values[name] for name in ("file", "start", "end", "old", "new"))


def is_settled(line: Mapping[str, Any], patience: float) -> bool:
    """Say whether a mutant need not be judged again: all but those that took too long, where they are
    given more seconds now."""
    return line["outcome"] != UNJUDGED or float(line.get("patience", 0.0)) >= patience


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the mutants that were judged already; a line that was cut off is dropped.

    Raises:
        InputError: a line before the last is damaged.
    """
    return read_json_lines(path, LINE)
