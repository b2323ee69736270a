"""What the export chain showed is written whole, and nothing of an earlier proof stays beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.files import WriteError
from parity.export_chain import report as module
from parity.export_chain.day import BARS, DAY, to_csv
from parity.export_chain.report import ATTESTATION, NUMBERS, PAGE, write_day, write_report
from tests.jax_port.export.made_bundle import bars


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that says which report it is of."""
    monkeypatch.setattr(module, "render", lambda report: f"page of {report['verdict']}")


def written(folder: Path) -> dict[str, Any]:
    """Return what lies in a folder by name, JSON as values."""
    return {
        path.name: json.loads(path.read_text()) if path.suffix == ".json" else path.read_text()
        for path in folder.iterdir()
    }


@pytest.mark.usefixtures("page")
def test_numbers_page_and_attestation_are_of_one_proof(tmp_path: Path) -> None:
    out = tmp_path / "made" / "out"
    first, second = {"verdict": "same", "hops": [1]}, {"verdict": "different", "hops": []}
    write_report(out, first, {"payload": "x"})
    expected = {NUMBERS: first, PAGE: "page of same", ATTESTATION: {"payload": "x"}}
    assert written(out) == expected
    (out / "notes.txt").write_text("mine")
    write_report(out, second)  # of which no attestation was asked
    assert written(out) == {NUMBERS: second, PAGE: "page of different", "notes.txt": "mine"}
    write_report(out, first, {"payload": "y"})
    assert written(out) == {**expected, ATTESTATION: {"payload": "y"}, "notes.txt": "mine"}


@pytest.mark.usefixtures("page")
def test_a_report_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, {"verdict": "same"}, {"payload": "x"})
    before = written(tmp_path)

    def fail(report: Any) -> str:
        raise OSError(28, "no space left")

    monkeypatch.setattr(module, "render", fail)
    with pytest.raises((OSError, WriteError)):
        write_report(tmp_path, {"verdict": "different"})
    assert written(tmp_path) == before


def test_a_day_is_written_with_the_bars_up_to_its_last_one(tmp_path: Path) -> None:
    few = bars().select(np.arange(len(bars())) < 9)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    day = {"day": "2025-01-06", "features": [{"time": seconds[at]} for at in (2, 3, 6)]}
    (tmp_path / DAY).write_text("of before")
    write_day(tmp_path, few, day)
    assert set(written(tmp_path)) == {BARS, DAY}
    assert (tmp_path / BARS).read_text() == to_csv(few, seconds[6])
    assert (tmp_path / BARS).read_text().count("\n") == 1 + 7
    text = (tmp_path / DAY).read_text()
    assert json.loads(text) == day
    assert text.count("\n") == 1  # as small as it can be
