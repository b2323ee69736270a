from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.baselines.machine_rates import flops_per_step
from benchmarks.baselines.trainers import BASELINES
from benchmarks.harness.reports import TrainReport, read_report
from benchmarks.harness.rows import Side, TrainingRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.sections import measured_of
from benchmarks.suites.train_throughput import ahead, main
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from tests.benchmarks.refused import refused

SPANS = (", after 300 steps", ", the first 300 steps")


class Missing:
    """A baseline that can't be imported."""

    name, envs, masks, note = "missing, no masks", 16, False, "no masks"

    def __init__(self, *args: object) -> None:
        pass

    def prepare(self) -> float:
        import no_such_package

        return float(no_such_package.seconds)

    def run(self) -> int:
        raise AssertionError("it was never prepared")

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_every_baseline_trains_and_the_report_has_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BASELINES, "sbx", Missing)  # type: ignore[misc]
    out = tmp_path / "train.json"
    options = ["--quick", "--baselines", "purejaxrl,sbx", "--json", str(out)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    report = read_report(out)
    assert isinstance(report, TrainReport)
    sides = ["port", "port, phase 2", "baseline", "baseline", "reference", "port", "reference"]
    assert [row.side for row in report.rows] == sides
    assert [isinstance(row, TrainingRow) for row in report.rows] == [True] * 5 + [False] * 2
    measured = [row for row in report.rows if row.error is None]
    assert all(row.rate is not None for row in measured)
    ratios = {"1 epochs", "environment alone", "phase 2 over phase 1, 1 epochs"}
    assert set(report.ratios) == ratios
    # Who failed is a row that says why, has no ratio, and is no row to compare.
    (failed,) = (row for row in report.rows if row.error)
    assert failed.name == "missing, no masks"
    assert failed.error is not None
    assert failed.error.startswith("ModuleNotFoundError: No module named")
    assert f"missing, no masks failed: {failed.error}" in result.output
    assert list(report.ahead) == ["ahead of purejaxrl, 1 epochs"]
    assert "ahead of purejaxrl, 1 epochs: " in result.output
    assert [row.name for row in measured_of(report)] == [row.name for row in measured]


def test_flops_are_counted_product_by_product() -> None:
    settings = TrainSettings(n_epochs=4, network=NetworkSpec((5,), (7,)))
    # Forward: 2(10*5 + 5*3) + 2(10*7 + 7*1) = 284; first layers 2(10*5 + 10*7) = 240.
    assert flops_per_step(settings, 10, 3) == 284 + 4 * (3 * 284 - 240)


def test_bad_numbers_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    refused(main, capsys, "--days", "4", "--epochs", "four")


@pytest.mark.slow
def test_agents_that_have_learnt_have_rows_and_ratios_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "train.json"
    options = ["--quick", "--baselines", "none", "--no-legacy", "--trained", "300", "--json", str(out)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    report = read_report(out)
    assert isinstance(report, TrainReport)
    trainers = [row for row in report.rows if isinstance(row, TrainingRow)]
    assert [row.trained_steps for row in trainers] == [0, 0, 300, 300]
    assert trainers[2].name.endswith(", after 300 steps")
    one, after, first = (f"phase 2 over phase 1, 1 epochs{more}" for more in ("", *SPANS))
    assert set(report.ratios) == {one, after, first}
    seconds = [row.first_seconds or 0 for row in trainers[2:]]
    assert report.ratios[first] == seconds[0] / seconds[1] > 0


def _row(name: str, side: Side, epochs: int, *samples: float, baseline: str = "") -> TrainingRow:
    return TrainingRow(
        name=name,
        side=side,
        envs=1,
        unit="steps/s",
        epochs=epochs,
        baseline=baseline or None,
        rate=Samples.of(samples) if samples else None,
        error=None if samples else "RuntimeError",
    )


def test_ratios_are_paired_round_by_round() -> None:
    rows = [
        _row("ours", "port", 4, 10.0, 20.0, 40.0),
        _row("ours, slower", "port", 4, 1.0, 2.0, 4.0),
        _row("theirs", "baseline", 4, 5.0, 5.0, 5.0, baseline="rejax"),
        _row("theirs, slower", "baseline", 4, 4.0, 4.0, 6.0, baseline="rejax"),
        _row("broken", "baseline", 4, baseline="sbx"),
        _row("ours, other epochs", "port", 1, 8.0, 8.0, 8.0),
    ]
    (name, ratio), *others = ahead(rows).items()
    assert (name, others) == ("ahead of rejax, 4 epochs", [])
    assert (ratio.port, ratio.baseline) == ("ours", "theirs")
    assert (ratio.median, ratio.quartiles, ratio.rounds) == (4.0, (3.0, 6.0), (2.0, 4.0, 8.0))
