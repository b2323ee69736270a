"""The commands that the documentation gives to a new user, run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, SOURCES, available
from tests.jax_port.export.made_bundle import bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PAGE = SOURCES.parent / "docs" / "ninjatrader.md"


@pytest.mark.costly
def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (commands,) = [block for block in blocks if "mcs " in block]
    shutil.copytree(SOURCES, tmp_path / "ninjatrader")
    shutil.copytree(bundle(1), tmp_path / "bundle")
    (tmp_path / "out").mkdir()
    commands = commands.replace("interleavings 2000", "interleavings 100")
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert "100 interleavings, no invariant broken" in done.stdout
    assert list((tmp_path / "out" / "rltrader").glob("*.jsonl"))
