"""New York's wall clock in C#: every change of the clocks is where the time zone database has it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

ZONE = ZoneInfo("America/New_York")
FIRST, LAST = 1990, 2059
PROGRAM = """
using System;
using RLTrader;

public static class Show
{
    // Every hour whose distance to New York's is another than that of the hour before, and how many
    // times the way back leads to the same wall time, and to another moment.
    public static void Main()
    {
        DateTime at = new DateTime(1990, 1, 1), end = new DateTime(2060, 1, 1);
        TimeSpan before = TimeSpan.Zero;
        long walls = 0, moments = 0, minutes = 0, all = 0;
        for (; at < end; at = at.AddHours(1))
        {
            DateTime local = NewYork.Local(at);
            if (local - at != before)
                Console.WriteLine("{0:yyyy-MM-dd HH:mm} {1}", at, (local - at).TotalHours);
            before = local - at;
            all++;
            if (NewYork.Minute(at) == local.Hour * 60 + local.Minute) minutes++;
            if (NewYork.Local(NewYork.Utc(local)) == local) walls++;
            if (NewYork.Utc(local) == at) moments++;
        }
        Console.WriteLine("{0} {1} {2} {3}", all, minutes, walls, all - moments);
    }
}
"""


def changes() -> list[str]:
    """Return the first and all later distances to UTC, from hour to hour, by the database."""
    found, before = [], None
    for year in range(FIRST, LAST + 1):
        at = datetime(year, 1, 1, tzinfo=UTC)
        while at.year == year:
            offset = at.astimezone(ZONE).utcoffset()
            if offset != before:
                assert offset is not None
                found.append(f"{at:%Y-%m-%d %H:%M} {int(offset.total_seconds() // 3600)}")
            before = offset
            at += timedelta(hours=1)
    return found


def test_every_change_of_the_clocks_is_where_the_database_has_it(tmp_path: Path) -> None:
    """Seventy years, in which March and November begin on every day of the week."""
    done = subprocess.run(
        ["mono", str(compiled(tmp_path, PROGRAM))], capture_output=True, text=True, check=True
    )
    *told, last = done.stdout.splitlines()
    assert told == changes()
    assert len(told) == 1 + 2 * (LAST - FIRST + 1)
    counted, minutes, walls, other = map(int, last.split())
    assert counted == minutes == walls
    assert other == LAST - FIRST + 1  # the hour that comes twice is summer's
