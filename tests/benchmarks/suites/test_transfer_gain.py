from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.baselines.pattern_agents import SETTINGS
from benchmarks.suites.transfer_gain import Curve, TransferReport, compare, main


@pytest.mark.slow
def test_the_study_runs(tmp_path: Path) -> None:
    """Tiny: 2 seeds and one rollout a phase; what is gained in earnest is in the committed report."""
    sizes = {"agents": 2, "first": 1, "second": 1, "days": 3, "starts": 40, "points": 1}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    result = CliRunner().invoke(main, [*options, "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = (tmp_path / "transfer_gain.json").read_bytes()
    report = msgspec.json.decode(written, type=TransferReport)
    size = SETTINGS.rollout_size
    assert report.phase_1.steps == report.transferred.steps == (size,)
    assert report.scratch.steps == (size, 2 * size)
    assert np.isfinite(report.scratch.pnl_dollars).all()
    assert np.shape(report.transferred.pnl_dollars) == (1, 2)


def test_the_comparison_is_at_equal_steps() -> None:
    ours = Curve(steps=(10, 20), pnl_dollars=((100.0, 50.0), (200.0, 150.0)))
    theirs = Curve(steps=(10, 20, 30), pnl_dollars=((0.0, 60.0), (190.0, 160.0), (300.0, 100.0)))
    on_the_way, equal_phase_2, equal_in_all = compare(ours, theirs, 20).values()
    assert on_the_way.transferred == (150.0, 100.0)
    assert on_the_way.scratch == (95.0, 110.0)
    assert on_the_way.better_in == 1
    assert equal_phase_2.scratch == (190.0, 160.0)
    assert equal_in_all.scratch == (300.0, 100.0)
    assert equal_in_all.better_in == 1
