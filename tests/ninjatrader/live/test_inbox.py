"""One thing at a time, in the order of arrival, whatever is thrown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.IO;
using RLTrader;

public static class Show
{
    public static void Main()
    {
        Inbox inbox = null;
        inbox = new Inbox(error =>
        {
            Console.WriteLine("heard " + error.Message);
            if (error.Message == "worse") throw new IOException("no log");
        });
        Action<string> say = Console.WriteLine;
        inbox.Do(() => { inbox.Do(() => say("second")); say("first"); });
        inbox.Do(() => { inbox.Do(() => say("what waited")); throw new IOException("bad"); });
        inbox.Do(() => { inbox.Do(() => say("what waited too")); throw new IOException("worse"); });
        inbox.Do(() => say("what comes later"));
    }
}
"""


def test_what_waits_is_done_also_where_the_one_that_hears_of_exceptions_throws(tmp_path: Path) -> None:
    done = subprocess.run(
        ["mono", str(compiled(tmp_path, PROGRAM))], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        *("first", "second", "heard bad", "what waited"),
        *("heard worse", "what waited too", "what comes later"),
    ]
