"""Count what the same two sides are called, with one seed after another.

Each run is a line of JSON, written as soon as it is judged, so that what was cut off goes on where it
was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from foundation.files import json_digest
from foundation.json_lines import adding_lines, read_json_lines, require_same
from foundation.json_reading import Artifact
from parity.mutation.score import at_most

Line = dict[str, Any]
"""Of one run: "run" (what it is about), "seed", and what came of it."""


@dataclass(frozen=True)
class Ledger:
    """A file of runs that were judged, each line with what it is about.

    Beside it lies an account of that in plain values, which says what differs.

    Attributes:
        path: of the file.
        artifact: what a line of it is called.
        asked: what its lines are about, by name: settings, and digests of code and versions.
    """

    path: Path
    artifact: Artifact
    asked: Mapping[str, Any]

    @property
    def run(self) -> str:
        """Digest of what the lines are about."""
        return json_digest(self.asked)

    def lines(self) -> list[Line]:
        """Return the runs that were judged already; a last line that was cut off is dropped.

        Raises:
            InputError: a line is damaged, or about something else.
        """
        lines = read_json_lines(self.path, self.artifact)
        others = [number for number, line in enumerate(lines, 1) if line.get("run") != self.run]
        require_same(self.path.with_suffix(".asked.json"), self.asked, bool(others))
        if others:
            raise InputError(
                f"{self.path}, line {others[0]}: of another run than the account beside it; remove the "
                "file to begin anew"
            )
        return lines


def judge_seeds(
    ledger: Ledger,
    seeds: Collection[int],
    judge: Callable[[int], Mapping[str, Any]],
    progress: Callable[[Line, int, int], None] | None = None,
) -> list[Line]:
    """Judge every seed that is not in a ledger yet; return all lines that are in it then.

    Args:
        ledger: written to after each seed; its folder is there.
        seeds: which.
        judge: (seed) -> what comes of it.
        progress: (line, seeds judged, in all) is called after every seed.

    Raises:
        InputError: as :meth:`Ledger.lines`, and whatever ``judge`` raises.
    """
    lines = ledger.lines()
    done = {line["seed"] for line in lines}
    every = len(done | set(seeds))
    with adding_lines(ledger.path, lines) as add:
        for seed in seeds:
            if seed in done:
                continue
            line = {"run": ledger.run, "seed": seed, **judge(seed)}
            add(line)
            lines.append(line)
            if progress is not None:
                progress(line, len(lines), every)
    return lines


def counted(lines: Collection[Line], alarms: Collection[Any]) -> dict[str, Any]:
    """Return "runs", "alarms" as given, "at_most" (upper end of a one-sided 95% interval of the chance
    of an alarm) and "seconds" of lines."""
    return {
        "runs": len(lines),
        "alarms": list(alarms),
        "at_most": at_most(len(alarms), len(lines)),
        "seconds": round(sum(line["seconds"] for line in lines), 1),
    }
