"""Small C# programs that run the sources, those that need nothing of NinjaTrader or the strategy."""

from __future__ import annotations

import subprocess
from pathlib import Path

from parity.export_chain.csharp import SOURCES, library, strategy_sources

ASKING = "AdviceClient", "AdvisedPolicy"
RESTING = """
public static class Resting
{
    public static void Main(string[] args)
    {
        Show.Main(args);
        System.Threading.Thread.Sleep(300);
    }
}
"""
"""Mono may never end where a thread of its pool ends just then, as of a program that asks a service."""


def compiled(folder: Path, source: str, *, strategy: bool = False) -> Path:
    """Return a program of one source and those sources, compiled by Mono.

    Args:
        folder: to write to.
        source: of the class that begins.
        strategy: whether it uses the strategy, on NinjaTrader's declarations without a platform.
    """
    rests = any(name in source for name in ASKING)
    (folder / "Show.cs").write_text(source + RESTING if rests else source)
    out = folder / "Show.exe"
    stubs = sorted((SOURCES / "host" / "stubs").glob("*.cs"))
    used = [*strategy_sources(), *stubs] if strategy else library()
    sources = [*map(str, used), str(folder / "Show.cs")]
    subprocess.run(
        ["mcs", "-langversion:5", *(["-main:Resting"] if rests else []), f"-out:{out}", *sources],
        check=True,
    )
    return out
