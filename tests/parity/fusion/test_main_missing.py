"""The command that proves fusions says which side it left out, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from parity.export_chain import csharp
from parity.fusion.__main__ import main


@pytest.mark.parametrize("lacks", ["the sources", "Mono"])
def test_what_is_missing_of_csharp_is_told(
    lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacks == "the sources":
        monkeypatch.setattr(csharp, "SOURCES", tmp_path)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--count", "40"])
    assert result.exit_code == 0, result.output
    first, *sides = result.output.splitlines()
    assert first.startswith("C#: not checked, since ")
    expected = csharp.NO_SOURCES if lacks == "the sources" else csharp.MISSING
    assert first == f"C#: {expected}"
    assert ("the C# sources are not in" in first) == (lacks == "the sources")
    assert [line.partition(":")[0] for line in sides] == ["JAX", "PyTorch"]
    assert all(" 0 other actions" in line for line in sides)
