"""Targets are read from the rows that measure them."""

from __future__ import annotations

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import (
    SCHEMA,
    EnvReport,
    Made,
    MarketData,
    MergedReport,
    SectionResult,
)
from benchmarks.harness.rows import EnvironmentRow, Side
from benchmarks.harness.statistics import Samples
from benchmarks.report.targets import targets


def _row(name: str, side: Side, envs: int, *samples: float) -> EnvironmentRow:
    return EnvironmentRow(name=name, side=side, envs=envs, unit="steps/s", rate=Samples.of(samples))


def _merged(*rows: EnvironmentRow) -> MergedReport:
    report = EnvReport(
        schema=SCHEMA,
        machine_info=machine_info(),
        data=MarketData(source="a test", bars=1, digest=""),
        config={},
        rows=rows,
    )
    section = SectionResult(title="Environment steps", status="ok", runs=(), report=report)
    made = Made(when="", command="", seconds=0.0, quick=False, blocks=1, minutes=1.0)
    return MergedReport(
        schema=SCHEMA, machine_info=machine_info(), made=made, sections={"env": section}
    )


def test_gains_are_medians_of_the_rounds_own_ratios() -> None:
    merged = _merged(
        _row("reference, SubprocVecEnv(2)", "reference", 2, 1.0, 2.0, 4.0),
        _row("port, obs", "port", 10_000, 40.0, 10.0, 20.0),
    )
    gains = {target.metric: target.ratio for target in targets(merged)}
    assert gains["10k environments"] == 5.0  # of 40, 5 and 5; that of the medians is 10
    assert gains["Environment steps a second"] == 5.0
    assert gains["1k environments"] is None


def test_what_is_not_measured_is_not_judged() -> None:
    merged = _merged(_row("port, obs", "port", 10_000, 600_000.0))
    met = {target.metric: target.met for target in targets(merged)}
    assert met["10k environments"] is True
    assert met["Environment steps a second"] is False
    assert met["1k environments"] is None
    assert met["Memory per market"] is None
