from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from benchmarks.suites.it_learns import LearningReport, main


@pytest.mark.slow
def test_the_study_runs_and_the_oracle_is_best(tmp_path: Path) -> None:
    """Tiny: 3 days and one rollout; what is learned in earnest is in the committed report."""
    options = [
        "--agents",
        "1",
        "--steps",
        "100",
        "--days",
        "3",
        "--starts",
        "40",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = (tmp_path / "it_learns.json").read_bytes()
    rows = msgspec.json.decode(written, type=LearningReport).rows
    assert [(row.strength, row.precision) for row in rows] == [
        (1.0, "float32"),
        (1.0, "bf16"),
        (0.0, "float32"),
    ]
    others = rows[0].baselines_pnl_dollars
    assert others["never trades"] == 0.0
    assert others["oracle"] == max(others.values()) > 300
    assert rows[2].baselines_pnl_dollars["oracle"] < 0
