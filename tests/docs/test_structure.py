"""No folder holds more modules, and no module more lines, than a reader can take in."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.docs.pages import ROOT

ROOMS = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
MODULES, LINES = 15, 400


@pytest.mark.parametrize("room", ROOMS)
def test_folders_and_modules_are_small(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    modules = Counter(file.parent for file in files if file.name != "__init__.py")
    assert {str(folder): count for folder, count in modules.items() if count > MODULES} == {}
    lines = {str(file): file.read_text("utf-8").count("\n") for file in files}
    assert {name: count for name, count in lines.items() if count > LINES} == {}
