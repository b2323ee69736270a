"""What a card compiled beside what was compiled here for it: kernels and bytes of each loop's turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.gpu_model.programs import about_of

Values = Mapping[str, Any]


def compared(rows: Sequence[Values], programs: Sequence[Values]) -> list[dict[str, Any]]:
    """Return one row for each loop of each measured program.

    Args:
        rows: of a card's report, with what it compiled under ``predicted``.
        programs: compiled here, see :mod:`benchmarks.gpu_model.compiled`.

    Returns:
        The program's name and sizes, the loop, and both sides' kernels and bytes of a turn.
    """
    operations = []
    for row in rows:
        here = next((one for one in programs if one["about"] == about_of(row)), None)
        if here is None:
            continue
        for name, part in row.get("predicted", {}).get("parts", {}).items():
            ours = here["parts"].get(name)
            operations.append(
                {
                    "name": row["name"],
                    "envs": row["envs"],
                    "part": name,
                    "kernels_on_card": part["kernels"],
                    "kernels_here": ours["kernels"] if ours else None,
                    "bytes_on_card": part["bytes"],
                    "bytes_here": ours["bytes"] if ours else None,
                }
            )
    return operations
