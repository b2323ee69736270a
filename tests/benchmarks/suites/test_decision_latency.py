"""Every rival decides as golden.json says, and the report holds a row of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.suites.decision_latency import RIVALS, golden_cases, main, measure
from parity.export_chain.csharp import available
from tests.jax_port.export.made_bundle import bundle


@pytest.fixture(autouse=True)
def _threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_decides_as_it_must(name: str) -> None:
    obs, masks, wanted = golden_cases(bundle(2))
    times, actions = measure(RIVALS[name](bundle(2)), obs, masks, len(obs))
    assert actions == wanted
    assert len(times) == len(obs)


def test_the_report_has_every_rival(tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    asked = [str(bundle(2)), "--decisions", "10", "--rounds", "1", "--json", str(path)]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    report = json.loads(path.read_text())
    names = {row["name"] for row in report["rows"]}
    assert names == {*RIVALS, "C# under Mono"}
    missing = [row["name"] for row in report["rows"] if row.get("error")]
    assert missing == ([] if available() else ["C# under Mono"])
    ran = [row for row in report["rows"] if "error" not in row]
    assert all(0 < row["median_us"] <= row["p99_us"] for row in ran)
    assert report["surroundings"]["cores"]
