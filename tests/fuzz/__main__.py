"""Fuzz every reader of the product: ``python -m tests.fuzz --count 3000 --seed 0 --kind csv``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

from tests.fuzz import artifacts, bars, decision_log, received, settings_files
from tests.fuzz.fuzz import Kind, try_many

ROOMS: tuple[Callable[[], list[Kind]], ...] = (
    *(bars.kinds, artifacts.kinds, decision_log.kinds, received.kinds, settings_files.kinds),
)


def all_kinds() -> dict[str, Kind]:
    """Return every kind of input by name."""
    return {kind.name: kind for kinds in ROOMS for kind in kinds()}


@click.command()
@click.option("--count", default=1000, show_default=True, help="Inputs of each kind.")
@click.option(
    "--seed", default=0, show_default=True, help="Of the first; go on where a run was stopped."
)
@click.option("--kind", "names", multiple=True, help="Only these; a part of a name will do.")
@click.option("--show", is_flag=True, help="Print what the commands said, of each finding.")
def main(count: int, seed: int, names: tuple[str, ...], show: bool) -> None:
    """Damage COUNT inputs of each kind; exit code 1 where one breaks a promise."""
    chosen = {
        name: kind for name, kind in all_kinds().items() if not names or any(n in name for n in names)
    }
    total = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        for name, kind in chosen.items():
            began, found = time.perf_counter(), Counter[str]()
            for finding in try_many(
                kind, range(seed, seed + count), Path(place) / name.replace("/", "_")
            ):
                found[finding.what] += 1
                if found[finding.what] == 1:
                    print(f"{name} {finding.seed}: {finding.what}", flush=True)
                    if show:
                        print(finding.detail)
            total += sum(found.values())
            took = time.perf_counter() - began
            print(f"{name}: {count} inputs, {sum(found.values())} findings, {took:.0f} s", flush=True)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
