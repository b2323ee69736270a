"""The C# reader of bars: every spelling of a time, columns in any order, and lines that are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        foreach (string path in args)
            try
            {
                string all = "";
                foreach (Bar bar in BarFile.Read(path))
                    all += string.Format(CultureInfo.InvariantCulture, "{0} {1:o} {2} {3} {4} {5} {6}|",
                        bar.Time, bar.Open, bar.First, bar.High, bar.Low, bar.Close, bar.Volume);
                Console.WriteLine(all);
            }
            catch (BundleException error) { Console.WriteLine(error.Message); }
    }
}
"""
HEAD = "timestamp,open,high,low,close,volume\n"
FIRST, SECOND = "2025-03-10 13:30:00,1,4,0.5,2.25,7\n", "2025-03-10 13:31:00,2,5,1.5,3,8\n"
TOLD = "1741613400 2025-03-10T13:30:00.0000000Z 1 4 0.5 2.25 7|"
TOLD_BOTH = TOLD + "1741613460 2025-03-10T13:31:00.0000000Z 2 5 1.5 3 8|"
NO_HEAD = (
    "its first line is not timestamp,open,high,low,close,volume; give bars as a CSV with that header"
)


def no_bar(number: int, line: str) -> str:
    return f"line {number} is no bar: {line}; mend it, or write the file again"


CASES = {
    "two": (HEAD + FIRST + SECOND, TOLD_BOTH),
    "no end of line, and empty lines": (HEAD + "\n" + FIRST + "\n" + SECOND.strip(), TOLD_BOTH),
    "windows": ((HEAD + FIRST + SECOND).replace("\n", "\r\n"), TOLD_BOTH),
    "columns in another order": (
        "volume,close,low,symbol,high,open,timestamp\n7,2.25,0.5,ES,4,1,2025-03-10T13:30:00\n",
        TOLD,
    ),
    "UTC by letter": (HEAD + "2025-03-10T13:30:00Z,1,4,0.5,2.25,7\n", TOLD),
    "UTC by hours": (HEAD + "2025-03-10 13:30:00+00:00,1,4,0.5,2.25,7\n", TOLD),
    "another zone": (HEAD + "2025-03-10T09:30:00-04:00,1,4,0.5,2.25,7\n", TOLD),
    "no column of volume": (HEAD.replace(",volume", "") + FIRST, NO_HEAD),
    "no header": (FIRST + SECOND, NO_HEAD),
    "nothing": ("", NO_HEAD),
    "no bar": (HEAD, "no bar in it; give a file of one-minute bars"),
    "a time twice": (
        HEAD + FIRST + FIRST,
        "line 3 is not later than the one before it; sort the bars by time",
    ),
    "a time that goes back, after an empty line": (
        HEAD + SECOND + "\n" + FIRST,
        "line 4 is not later than the one before it; sort the bars by time",
    ),
    "too few columns": (HEAD + FIRST + SECOND[:-3] + "\n", no_bar(3, SECOND[:-3])),
    "too many columns": (HEAD + FIRST[:-1] + ",1\n", no_bar(2, FIRST[:-1] + ",1")),
    "no number": (HEAD + FIRST.replace("0.5", "NaN"), no_bar(2, FIRST[:-1].replace("0.5", "NaN"))),
    "no end": (
        HEAD + FIRST + SECOND.replace(",8", ",Infinity"),
        no_bar(3, SECOND[:-1].replace(",8", ",Infinity")),
    ),
    "no open": (HEAD + FIRST.replace(",1,", ",,"), no_bar(2, FIRST[:-1].replace(",1,", ",,"))),
    "a day alone": (HEAD + "2025-03-10,1,4,0.5,2.25,7\n", no_bar(2, "2025-03-10,1,4,0.5,2.25,7")),
}


def test_bars_are_read_as_they_are_and_other_lines_are_named(tmp_path: Path) -> None:
    paths = []
    for number, (text, _) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_bytes(text.encode())
    command = ["mono", str(compiled(tmp_path, PROGRAM)), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wanted = {
        name: said if said.endswith("|") else f"{path}: {said}"
        for path, (name, (_, said)) in zip(paths, CASES.items(), strict=True)
    }
    assert dict(zip(CASES, done.stdout.splitlines(), strict=True)) == wanted
