import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.baselines.port_and_sb3 import flops_per_step
from benchmarks.baselines.trainers import RIVALS
from benchmarks.report.compare import read_report
from benchmarks.report.sections import measured_of
from benchmarks.suites.train_throughput import main
from jax_port.ppo.settings import NetworkSpec, TrainSettings

SPANS = (", after 300 steps", ", the first 300 steps")


class Missing:
    """A rival that can't be imported."""

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


def test_every_rival_trains_and_the_report_says_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RIVALS, "sbx", Missing)  # type: ignore[misc]
    out = tmp_path / "train.json"
    options = ["--quick", "--rivals", "purejaxrl,sbx", "--json", str(out)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    sides = ["port", "port, phase 2", "rival", "rival", "reference", "port", "reference"]
    assert [row["side"] for row in report["rows"]] == sides
    sound = [row for row in report["rows"] if "error" not in row]
    assert all(row["steps_per_second"]["median"] > 0 for row in sound)
    ratios = {"1 epochs", "environment alone", "phase 2 over phase 1, 1 epochs"}
    assert set(report["ratios"]) == ratios
    # Who failed is a row that says why, has no ratio, and is no row to compare.
    (failed,) = (row for row in report["rows"] if "error" in row)
    assert failed["name"] == "missing, no masks"
    assert failed["error"].startswith("ModuleNotFoundError: No module named")
    assert f"missing, no masks failed: {failed['error']}" in result.output
    assert list(report["ahead"]) == ["ahead of purejaxrl, 1 epochs"]
    assert "ahead of purejaxrl, 1 epochs: " in result.output
    assert [row.name for row in measured_of(read_report(out))] == [row["name"] for row in sound]


def test_flops_are_counted_product_by_product() -> None:
    settings = TrainSettings(n_epochs=4, network=NetworkSpec((5,), (7,)))
    # Forward: 2(10*5 + 5*3) + 2(10*7 + 7*1) = 284; first layers 2(10*5 + 10*7) = 240.
    assert flops_per_step(settings, 10, 3) == 284 + 4 * (3 * 284 - 240)


def test_bad_numbers_are_named() -> None:
    result = CliRunner().invoke(main, ["--epochs", "four"])
    assert result.exit_code == 2
    assert "'four': give whole numbers" in result.output


def test_agents_that_have_learnt_have_rows_and_ratios_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "train.json"
    options = ["--quick", "--rivals", "none", "--no-legacy", "--trained", "300", "--json", str(out)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert [row.get("trained") for row in report["rows"]] == [0, 0, 300, 300, None]
    assert report["rows"][2]["name"].endswith(", after 300 steps")
    one, after, first = (f"phase 2 over phase 1, 1 epochs{more}" for more in ("", *SPANS))
    assert set(report["ratios"]) == {one, after, first}
    seconds = [row["first_seconds"] for row in report["rows"] if row.get("trained")]
    assert report["ratios"][first] == seconds[0] / seconds[1] > 0
