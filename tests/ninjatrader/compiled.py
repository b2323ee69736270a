"""Small C# programs that run the sources that need nothing of NinjaTrader."""

from __future__ import annotations

import subprocess
from pathlib import Path

from parity.export_chain.csharp import library


def compiled(folder: Path, source: str) -> Path:
    """Return a program of one source and those sources, compiled by Mono."""
    (folder / "Show.cs").write_text(source)
    out = folder / "Show.exe"
    sources = [*map(str, library()), str(folder / "Show.cs")]
    subprocess.run(["mcs", "-langversion:5", f"-out:{out}", *sources], check=True)
    return out
