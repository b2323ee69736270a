"""Small C# programs that show what the policy's own sources make of a bundle."""

from __future__ import annotations

import subprocess
from pathlib import Path

from parity.export_chain.csharp import library


def compiled(folder: Path, source: str) -> Path:
    """Return a program of one source and the policy's library, compiled by Mono."""
    (folder / "Show.cs").write_text(source)
    out = folder / "Show.exe"
    sources = [*map(str, library()), str(folder / "Show.cs")]
    subprocess.run(["mcs", "-langversion:5", f"-out:{out}", *sources], check=True)
    return out
