"""The clock that waits go by: it follows the computer's forwards and never goes back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        SteadyClock clock = new SteadyClock();
        DateTime begin = new DateTime(2025, 3, 9, 6, 59, 50, DateTimeKind.Utc);
        foreach (string second in args)
            Console.WriteLine((clock.At(begin.AddSeconds(int.Parse(second))) - begin).TotalSeconds);
    }
}
"""


@pytest.mark.parametrize(
    ("shown", "steady"),
    [
        ((0, 1, 5, 5, 100), (0, 1, 5, 5, 100)),
        ((7, 8, -3592, -3591, -3580), (7, 8, 8, 9, 20)),
        ((0, 10, 5, 12, 11, 13), (0, 10, 10, 17, 17, 19)),
    ],
)
def test_it_never_goes_back(tmp_path: Path, shown: tuple[int, ...], steady: tuple[int, ...]) -> None:
    command = ["mono", str(compiled(tmp_path, PROGRAM)), *map(str, shown)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.split())) == steady
