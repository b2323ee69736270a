"""Interleavings event by event: what happens, when, and what the strategy does and says of it."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.hosting import host
from tests.snapshots import Snapshot

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

ONE = "return Interleavings.Show(Scenario.Make(seed), Console.Out);"
MANY = """
                {
                    for (ulong n = 1; n < seed; n++) Interleavings.Show(Scenario.Make(n), Console.Out);
                    return Interleavings.Show(Scenario.Make(seed), Console.Out);
                }"""
WHOLE = (4, 8, 17, 23)
"""Seeds of those that are held line by line; of the others their number of lines and a sum of all."""
COUNT = 100


@pytest.fixture(scope="module")
def played() -> dict[int, list[str]]:
    """Return the lines of each seed's interleaving, the first of which says what it is."""
    program: Path = host(("Program.cs", ONE, MANY))
    command = ["mono", str(program), "play", str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("seed "):
            found[len(found) + 1] = []
        found[len(found)].append(re.sub(r"rltrader-host-\d+", "FOLDER", line.strip()))
    return found


def test_some_are_the_same_line_by_line(played: dict[int, list[str]], snapshot: Snapshot) -> None:
    assert list(played) == list(range(1, COUNT + 1))
    for seed in WHOLE:
        assert played[seed][0].startswith(f"seed {seed}, ")
        snapshot(f"seed {seed}", {f"{at:03d}": line for at, line in enumerate(played[seed])})


def test_all_of_them_are_the_same(played: dict[int, list[str]], snapshot: Snapshot) -> None:
    """A change in what the strategy or the platform does shows here, be it meant or not."""
    sums = {
        f"seed {seed}": f"{len(lines)} lines, {zlib.crc32('|'.join(lines).encode()):d}"
        for seed, lines in played.items()
    }
    snapshot("sums", sums)
