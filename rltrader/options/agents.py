"""``--agents FILE``: agents to train side by side, a CSV of names of settings, then a row an agent."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from foundation.errors import InputError

MOST_BYTES = 1 << 20


def read_agents(path: Path) -> tuple[dict[str, Any], ...]:
    """Return each row's overrides by name: a whole number for ``seed``, else floats.

    An empty cell overrides nothing; a row without a seed gets one that no other row has.

    Raises:
        InputError: there is no such file, or a cell is no number; names the line.
    """
    lines = _lines(path)
    names = [name.strip() for name in lines[0][1]]
    if len(set(names)) < len(names) or not all(names):
        raise InputError(f"{path}, line {lines[0][0]}: every column needs a name of its own")
    rows = []
    for number, cells in lines[1:]:
        if len(cells) != len(names):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells under {len(names)} names; fill in the row"
            )
        rows.append(
            {
                name: _number(f"{path}, line {number}", name, cell.strip())
                for name, cell in zip(names, cells, strict=True)
                if cell.strip()
            }
        )
    if not rows:
        raise InputError(f"{path}: there is no row under the names; give one row an agent")
    return tuple(rows)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that is not empty, with its number; the first holds the names."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES:,} bytes")
        reader = csv.reader(data.decode("utf-8-sig").splitlines(), strict=True)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; give a CSV with one row of settings an agent"
        ) from None
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{path}: not a readable CSV ({reason}); give names, then a row an agent"
        ) from None
    if not lines:
        raise InputError(f"{path}: there is nothing in it; give names, then a row an agent")
    return lines


def _number(where: str, name: str, text: str) -> int | float:
    try:
        return int(text) if name == "seed" else float(text)
    except ValueError:
        kind = "whole number" if name == "seed" else "number"
        raise InputError(f"{where}: {name} is {text[:40]!r}; give a {kind}") from None
