from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace as replace_fields
from rich.console import Console

from benchmarks.baselines.machine_rates import flops_per_step
from benchmarks.baselines.reference_trainer import reference_settings
from benchmarks.baselines.trainers import BASELINES, batch_layouts
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import BaselineRatio, MarketData, TrainReport, read_report
from benchmarks.harness.rows import EnvironmentRow, Side, TrainingRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.sections import measured_of
from benchmarks.suites import train_throughput
from benchmarks.suites.train_throughput import ahead, first_steps_ratios, main, ratios
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


def test_the_best_of_each_side_is_compared_at_the_same_epochs_and_training() -> None:
    def of(name: str, side: Side, epochs: int, rate: float, trained: int = 0, **more: Any) -> Any:
        return replace_fields(_row(name, side, epochs, rate, **more), trained_steps=trained)

    alone = [
        EnvironmentRow(name="e", side=side, envs=1, unit="steps/s", rate=Samples.of([rate]))
        for side, rate in (("port", 30.0), ("port", 90.0), ("reference", 9.0), ("reference", 3.0))
    ]
    rows = [
        of("a", "port", 4, 20.0), of("b", "port", 4, 50.0), of("c", "port", 1, 80.0),
        of("d", "port, phase 2", 4, 25.0), of("e", "reference", 4, 2.0), of("f", "reference", 4, 5.0),
        of("g", "port", 4, 10.0, trained=300), of("h", "port, phase 2", 4, 15.0, trained=300),
        of("i", "baseline", 4, 7.0, baseline="sbx"), _row("j", "reference", 1), *alone,
    ]  # fmt: skip
    assert ratios(rows) == {
        "4 epochs": 10.0, "phase 2 over phase 1, 4 epochs": 0.5,
        "4 epochs, after 300 steps": 2.0, "phase 2 over phase 1, 4 epochs, after 300 steps": 1.5,
        "environment alone": 10.0,
    }  # fmt: skip


def test_the_first_steps_are_compared_by_the_fewest_seconds_of_each_side() -> None:
    def of(side: Side, epochs: int, trained: int, seconds: float | None) -> TrainingRow:
        row = _row("x", side, epochs, 1.0)
        return replace_fields(row, trained_steps=trained, first_seconds=seconds)

    rows = [
        of("port", 4, 300, 9.0), of("port", 4, 300, 6.0), of("port, phase 2", 4, 300, 8.0),
        of("port, phase 2", 4, 300, 12.0), of("port", 1, 300, 5.0), of("port", 4, 0, None),
        of("port", 4, 2000, 3.0), of("port, phase 2", 4, 2000, 2.0),
    ]  # fmt: skip
    assert first_steps_ratios(rows) == {
        "phase 2 over phase 1, 4 epochs, the first 300 steps": 0.75,
        "phase 2 over phase 1, 4 epochs, the first 2,000 steps": 1.5,
    }


class Made:
    """Stands for a workload; knows what it was made of."""

    masks, note, first_seconds = True, "a note", 2.5

    def __init__(self, *given: Any, **named: Any) -> None:
        self.name, self.envs, self.given = "made", 16, (*given, *named.items())


OPTIONS: dict[str, Any] = {
    "epochs": "4,1", "precisions": "bf16,float32", "envs": 32, "n_steps": 8, "batch_size": 64,
    "trained": 300, "baselines": "rejax,sbx", "baseline_layouts": "16x4x32", "legacy": True,
    "workers": "2,3", "batches": "32,16", "rollout": 64, "rounds": 5, "seconds_per_row": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("legacy", [True, False])
def test_every_trainer_is_measured_in_every_layout_that_was_asked_for(
    legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(train_throughput, "PortTrainer", Made)
    monkeypatch.setattr(train_throughput, "ReferenceTrainer", Made)
    monkeypatch.setattr(train_throughput, "PortWorkload", Made)
    monkeypatch.setattr(train_throughput, "VecEnvWorkload", Made)
    monkeypatch.setattr(train_throughput, "BASELINES", {"rejax": Made, "sbx": Made})
    monkeypatch.setattr(train_throughput, "_flops", lambda market, of: (market.params, of.n_envs))
    monkeypatch.setattr(train_throughput, "product_rates", lambda: {"xla": 1e9, "torch": 2e9})

    def market(bars: Any, config: Any = None) -> Any:
        phase = "phase 1" if config is None else f"phase {config.phase}"
        data = MarketData(source="x", symbol="ES", bars=9, starts=3, digest="0", device_bytes=1)
        return SimpleNamespace(params=phase, bars=bars, config=f"rules of {phase}", data=data)

    def measured(entries: Any, rounds: int, seconds: float) -> Any:
        told.update(entries=list(entries), rounds=rounds, seconds=seconds)
        return [replace_fields(entry.row, rate=Samples.of([2.0])) for entry in entries]

    monkeypatch.setattr(train_throughput, "make_market", market)
    monkeypatch.setattr(train_throughput, "measure_entries", measured)
    report = train_throughput.measure("bars", {**OPTIONS, "legacy": legacy})  # type: ignore[arg-type]
    assert (told["rounds"], told["seconds"]) == (5, 0.5)

    def settings(
        epochs: int, precision: str = "float32", sizes: tuple[int, int, int] = (32, 8, 64)
    ) -> Any:
        envs, steps, batch = sizes
        return TrainSettings(
            n_envs=envs, n_steps=steps, batch_size=batch, n_epochs=epochs, precision=precision
        )

    wanted: list[Any] = []
    for epochs in (4, 1):
        for precision in ("bf16", "float32"):
            wanted += [
                (side, (params, settings(epochs, precision), ("trained", trained)))
                for trained in (0, 300)
                for side, params in (("port", "phase 1"), ("port, phase 2", "phase 2"))
            ]
        layouts = batch_layouts("16x4x32", settings(epochs))
        assert len(layouts) == 2
        wanted += [("baseline", ("phase 1", of)) for _ in ("rejax", "sbx") for of in layouts]
        wanted += [
            (
                "reference",
                ("bars", "rules of phase 1", reference_settings(epochs, workers, batch, 64)),
            )
            for workers in (2, 3) * legacy
            for batch in (32, 16)
        ]
    wanted += [("port", ("phase 1", "obs", ("envs", 32), ("steps", 8), ("seed", 0)))]
    wanted += [
        (
            "reference",
            (
                *("bars", "rules of phase 1", ("workers", workers), ("in_process", False)),
                *(("steps", 400), ("seed", 0)),
            ),
        )
        for workers in (2, 3) * legacy
    ]
    assert [(one.row.side, one.workload.given) for one in told["entries"]] == wanted
    trainers = [one for one in told["entries"] if isinstance(one.row, TrainingRow)]
    assert [one.may_fail for one in trainers] == [one.row.side == "baseline" for one in trainers]
    baselines = [one.row for one in trainers if one.may_fail]
    assert [row.baseline for row in baselines] == ["rejax", "rejax", "sbx", "sbx"] * 2
    assert {(row.masks, row.note) for row in baselines} == {(True, "a note")}
    ports = [one.row for one in trainers if one.row.side in ("port", "port, phase 2")]
    assert [(row.epochs, row.trained_steps) for row in ports] == [
        (epochs, trained) for epochs in (4, 4, 1, 1) for trained in (0, 0, 300, 300)
    ]
    assert {row.flops_per_step for row in ports} == {("phase 1", 32), ("phase 2", 32)}
    first = [row.first_seconds for row in report.rows if isinstance(row, TrainingRow)]
    assert [one for one in first if one] == [2.5] * 8
    assert report.matrix_flops == {"xla": 1e9, "torch": 2e9}
    assert report.ratios["phase 2 over phase 1, 4 epochs"] == 1.0
    assert list(report.ahead) == [
        f"ahead of {name}, {epochs} epochs" for epochs in (4, 1) for name in ("rejax", "sbx")
    ]


def test_a_report_is_shown_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    fast = replace_fields(
        _row("ours", "port", 4, 4_000_000.0, 1_000_000.0, 2_000_000.0), envs=2048, flops_per_step=3e6
    )
    alone = EnvironmentRow(name="alone", side="port", envs=7, unit="s", rate=Samples.of([500.0]))
    failed = replace_fields(_row("theirs", "baseline", 4), envs=3)
    ratio = BaselineRatio(port="a", baseline="b", median=2.5, quartiles=(1.25, 3.75), rounds=(1.0,))
    report = TrainReport(
        schema=1, machine_info=machine_info(), settings={}, matrix_flops={"xla": 5e9, "torch": 7e12},
        data=MarketData(
            source="made", symbol="ES", bars=1234, starts=5, digest="0", device_bytes=1
        ), rows=(fast, alone, failed),
        ratios={"4 epochs": 1234.5, "phase 2 over phase 1, 4 epochs": 0.5}, ahead={"ahead of b": ratio},
    )  # fmt: skip
    train_throughput.show(report, Console(width=200))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("1,234 bars (made); ")
    assert lines[0].endswith("matrix products: XLA 5, torch 7,000 GFLOP/s")
    assert lines[1:9] == [
        "trainer envs steps/s quartiles dense GFLOP/s 2M steps in",
        "ours 2,048 2M 1.5M - 3M 6,000 1.0 s",
        "alone 7 500 500 - 500",
        "theirs 3 failed",
        "theirs failed: RuntimeError",
        "port over reference, 4 epochs: 1,234.50x",
        "phase 2 over phase 1, 4 epochs: 0.50x",
        "ahead of b: 2.50x (1.25 - 3.75)",
    ]


def test_options_reach_what_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        train_throughput, "read_or_generate", lambda *given: asked.append(given) or "bars"
    )
    monkeypatch.setattr(train_throughput, "measure", lambda *given: asked.append(given) or "report")
    monkeypatch.setattr(train_throughput, "publish", lambda *given: asked.append(given))
    given: dict[str, Any] = {name: value for name, value in OPTIONS.items() if name != "legacy"}
    given |= {"symbol": "NQ", "days": 9}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    words += ["--data", "a.csv", "--no-legacy", "--json", "o.json"]
    for more in ([], ["--quick"]):
        assert CliRunner().invoke(main, [*words, *more]).exit_code == 0
    options = {**given, "data": Path("a.csv"), "legacy": False}
    few = {"days": 4, "epochs": "1", "envs": 16, "n_steps": 8, "batch_size": 64, "workers": "2"}
    few |= {
        "batches": "32",
        "rollout": 64,
        "rounds": 2,
        "seconds_per_row": 0.02,
        "baseline_layouts": "",
    }
    published = ("report", train_throughput.show, Path("o.json"))
    assert asked == [
        (Path("a.csv"), "NQ", 9), ("bars", options), published,
        (Path("a.csv"), "NQ", 4), ("bars", {**options, **few}), published,
    ]  # fmt: skip
