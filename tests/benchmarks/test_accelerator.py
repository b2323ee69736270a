import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.accelerator import main


def test_every_part_runs_and_is_summed_up(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary["parts"]) == {"throughput_64", "training", "parity"}
    assert json.loads((tmp_path / "throughput_64.json").read_text())["rows"]
    assert json.loads((tmp_path / "parity" / "certificate.json").read_text())["verdict"] == "same"
