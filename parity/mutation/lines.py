"""Lines of JSON in which mutants are written down as they are judged, so that a run can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from foundation.json_reading import Artifact, decode_json
from parity.mutation.operators import Change

LINES = "mutants.jsonl"
LINE = Artifact("line of a mutation run", "remove the file to begin anew")


def key_of(change: Change | Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what names a change: file, place and text."""
    values = asdict(change) if isinstance(change, Change) else change
    return tuple(values[name] for name in ("file", "start", "end", "old", "new"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the mutants that were judged already; a line that was cut off is dropped.

    Raises:
        InputError: a line before the last is damaged.
    """
    if not path.exists():
        return []
    texts = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(decode_json(text, dict[str, Any], LINE, where=f"{path}, line {number}"))
        except InputError:
            if number < len(texts):
                raise
    return found
