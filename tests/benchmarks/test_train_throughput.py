import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.train_rivals import flops_per_step
from benchmarks.train_throughput import main
from jax_port.settings import NetworkSpec, TrainSettings


def test_every_rival_trains_and_the_report_says_all(tmp_path: Path) -> None:
    out = tmp_path / "train.json"
    result = CliRunner().invoke(main, ["--quick", "--rivals", "none", "--json", str(out)])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    sides = ["port", "port, phase 2", "reference", "port", "reference"]
    assert [row["side"] for row in report["rows"]] == sides
    assert all(row["steps_per_second"]["median"] > 0 for row in report["rows"])
    ratios = {"1 epochs", "environment alone", "phase 2 over phase 1, 1 epochs"}
    assert set(report["ratios"]) == ratios
    assert report["ahead"] == {}


def test_flops_are_counted_product_by_product() -> None:
    settings = TrainSettings(n_epochs=4, network=NetworkSpec((5,), (7,)))
    # Forward: 2(10*5 + 5*3) + 2(10*7 + 7*1) = 284; first layers 2(10*5 + 10*7) = 240.
    assert flops_per_step(settings, 10, 3) == 284 + 4 * (3 * 284 - 240)


def test_bad_numbers_are_named() -> None:
    result = CliRunner().invoke(main, ["--epochs", "four"])
    assert result.exit_code == 2
    assert "'four': give whole numbers" in result.output
