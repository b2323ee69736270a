import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from benchmarks.baselines.pattern_agents import SETTINGS
from benchmarks.suites.transfer_gain import compare, main


def test_the_study_runs(tmp_path: Path) -> None:
    """Tiny: 2 seeds and one rollout a phase; what is gained in earnest is in the committed report."""
    sizes = {"agents": 2, "first": 1, "second": 1, "days": 3, "starts": 40, "points": 1}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    result = CliRunner().invoke(main, [*options, "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "transfer_gain.json").read_text())
    size = SETTINGS.rollout_size
    assert report["phase_1"]["steps"] == report["transferred"]["steps"] == [size]
    assert report["scratch"]["steps"] == [size, 2 * size]
    assert np.isfinite(report["scratch"]["pnl_dollars"]).all()
    assert np.shape(report["transferred"]["pnl_dollars"]) == (1, 2)


def test_the_comparison_is_at_equal_steps() -> None:
    ours = {"steps": [10, 20], "pnl_dollars": [[100.0, 50.0], [200.0, 150.0]]}
    theirs = {"steps": [10, 20, 30], "pnl_dollars": [[0.0, 60.0], [190.0, 160.0], [300.0, 100.0]]}
    found = compare(ours, theirs, 20)
    assert found["mean_over_the_way_dollars"] == {
        "transferred": [150.0, 100.0],
        "scratch": [95.0, 110.0],
        "better_in": 1,
    }
    assert found["at_equal_phase_2_steps_dollars"]["scratch"] == [190.0, 160.0]
    assert found["at_equal_steps_in_all_dollars"]["scratch"] == [300.0, 100.0]
    assert found["at_equal_steps_in_all_dollars"]["better_in"] == 1
