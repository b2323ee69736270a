"""C# sources taken out of the package, and what is said where they, or Mono, are missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from parity.export_chain import csharp
from rltrader.live.ninjatrader import ninjatrader
from tests.sentences import refuses


def copy(to: Path, *options: str) -> str:
    done = CliRunner().invoke(ninjatrader, ["copy", "--to", str(to), *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_what_ninjatrader_compiles_lies_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "AnotherStrategy.cs").write_text("stays")
    assert "NinjaScript Editor, F5" in copy(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"RLTraderStrategy.cs", "Custody.cs", "FeatureStream.cs", "AnotherStrategy.cs"} <= names
    assert not names & {"Simulation.cs", "Types.cs", "ParityCheck.cs"}
    assert len(names) == len(csharp.strategy_sources()) + 1


@pytest.mark.skipif(not csharp.available(), reason=csharp.MISSING)
def test_all_sources_in_folders_compile_where_they_were_copied_to(tmp_path: Path) -> None:
    copy(tmp_path, "--all")
    parts = ("policy", "live", "strategy", "host/stubs", "host")
    sources = [str(path) for part in parts for path in (tmp_path / part).glob("*.cs")]
    subprocess.run(["mcs", "-langversion:5", f"-out:{tmp_path}/host.exe", *sources], check=True)
    assert (tmp_path / "check" / "ParityCheck.cs").is_file()


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refuses():
        copy(tmp_path / "file")


def test_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert csharp.missing() == csharp.MISSING
        assert "mono-mcs" in csharp.MISSING
    monkeypatch.setattr(csharp, "SOURCES", tmp_path)
    assert csharp.missing() == csharp.NO_SOURCES
    with refuses():
        copy(tmp_path / "to")
