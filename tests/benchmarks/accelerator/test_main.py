import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.accelerator.__main__ import main
from parity.engine.certificate import read
from tests.sentences import refuses


@pytest.mark.slow
def test_every_part_runs_and_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--quick", "--budget", "10000", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "accelerator.json").read_text())
    parts = report["parts"]
    assert list(parts) == [
        "card",
        "environment",
        "training, search of sizes",
        "training",
        "profile",
        "time to half of the oracle's return",
        "command buffers",
        "parity gate",
    ]
    assert not [name for name, part in parts.items() if "error" in part]
    assert all(row.get("seconds", 1) > 0 or row["name"] == "host read" for row in parts["card"]["rows"])
    assert len(parts["card"]["rows"]) == 9
    forms = {(row["phase"], row["form"]) for row in parts["environment"]["rows"]}
    assert forms == {(p, f) for p in (1, 2) for f in ("observations", "no observations")}
    for row in parts["environment"]["rows"] + parts["training"]["rows"]:
        assert row["steps_per_second"]["median"] > 0
        assert row["memory"]["bytes_per_env"] > 0
    assert parts["training, search of sizes"]["best"]["precision"] == "tf32"
    assert [row["precision"] for row in parts["training"]["rows"]] == ["float32"]
    assert parts["parity gate"]["rows"][0]["verdict"] == "the same"
    assert parts["profile"]["launches"] > 0
    assert "ENTRY" in (tmp_path / "training_hlo.txt").read_text()
    assert all(row["same_bits"] for row in parts["command buffers"]["rows"])
    assert read(tmp_path / "parity" / "certificate.json")["verdict"] == "same"


def test_without_time_every_part_is_left_out_and_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--quick", "--budget", "0", "--out", str(tmp_path)])
    assert result.exit_code == 1
    parts = json.loads((tmp_path / "accelerator.json").read_text())["parts"]
    assert all("left out" in part["error"] and not part["rows"] for part in parts.values())
    assert "parity gate: left out" in result.output


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with refuses():
        CliRunner().invoke(main, ["--parts", "envs"], catch_exceptions=False)
    file = tmp_path / "file"
    file.write_text("")
    with refuses():
        CliRunner().invoke(main, ["--out", str(file)], catch_exceptions=False)
