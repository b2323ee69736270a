"""What a check costs: a small run is measured, and a bad pair is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.any_port import cost_of, main
from tests.parity.harness.lander import mutable, pair
from tests.sentences import refuses


@pytest.mark.costly
def test_both_runs_are_measured_and_the_report_says_of_what() -> None:
    values = cost_of(pair(mutable()), 64)
    assert values["verdict"] == "same"
    assert values["double"] is True
    assert values["cases"]["visited"] == 32
    for name in ("with compiling", "compiled"):
        assert values[name]["processor"] > 0
        assert values[name]["wall"] > 0
    assert json.loads(json.dumps(values))["machine"]["versions"]["numpy"]


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    with refuses():
        main(
            ["--pair", "no_such_module:pair", "--out", str(tmp_path / "x.json")], standalone_mode=False
        )
    result = CliRunner().invoke(main, ["--transitions", "3"])
    assert result.exit_code == 2
