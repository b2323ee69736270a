"""``rltrader bench compare`` tells a regression from noise, and says what it can't tell."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from scipy.stats import t as student

from benchmarks.harness.machine_info import MachineInfo, machine_info
from benchmarks.harness.output import write_report
from benchmarks.harness.reports import (
    SCHEMA,
    EnvReport,
    MarketData,
    RooflineReport,
    TrainReport,
    read_report,
)
from benchmarks.harness.rows import EnvironmentRow, MachineRow, TrainingRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.compare import Change, change_of, compare, interval_of, section_scatter
from benchmarks.report.sections import Measured
from rltrader.bench import bench
from tests.sentences import refuses

DATA = MarketData(source="a test", bars=1, digest="")


def _report(rows: dict[str, list[float]], info: MachineInfo | None = None) -> EnvReport:
    return EnvReport(
        schema=SCHEMA,
        machine_info=info or machine_info(),
        data=DATA,
        config={},
        rows=tuple(
            EnvironmentRow(name=name, side="port", envs=1, unit="steps/s", rate=Samples.of(samples))
            for name, samples in rows.items()
        ),
    )


def _noisy(level: float, seed: int, noise: float = 0.01) -> list[float]:
    return (level * (1 + noise * np.random.default_rng(seed).normal(size=7))).tolist()


def test_a_planted_regression_is_told_from_noise() -> None:
    before = _report({"a": _noisy(1e6, 0), "b": _noisy(1e6, 1), "c": _noisy(1e6, 2)})
    after = _report({"a": _noisy(0.88e6, 3), "b": _noisy(1.005e6, 4), "c": _noisy(1.2e6, 5)})
    comparison = compare(before, after)
    assert [change.verdict for change in comparison.changes] == ["slower", "same", "faster"]
    assert comparison.regressed
    assert comparison.changes[0].low < 0.88 < comparison.changes[0].high


def test_what_noise_hides_is_unclear() -> None:
    before, after = ({"a": _noisy(1e6, seed, noise=0.3)} for seed in (0, 1))
    comparison = compare(_report(before), _report(after))
    assert [change.verdict for change in comparison.changes] == ["unclear"]
    assert not comparison.regressed


def test_a_row_that_is_gone_is_a_regression() -> None:
    comparison = compare(_report({"a": [1.0], "b": [1.0]}), _report({"a": [1.0], "c": [1.0]}))
    assert (comparison.missing, comparison.new, comparison.regressed) == (["b"], ["c"], True)


def test_another_machine_is_named() -> None:
    info = replace(machine_info(), cpu="another", versions={"jax": "0"})
    comparison = compare(_report({"a": [1.0]}), _report({"a": [1.0]}, info))
    assert comparison.different["cpu"][1] == "another"
    assert comparison.different["versions jax"][1] == "0"


def test_the_command(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_report(one, _report({"a": _noisy(1e6, 0)}))
    write_report(two, _report({"a": _noisy(0.5e6, 0)}))
    result = CliRunner().invoke(bench, ["compare", str(one), str(two), "--json"])
    assert result.exit_code == 1
    (change,) = json.loads(result.output)["changes"]
    assert change["verdict"] == "slower"
    assert change["ratio"] == pytest.approx(0.5)
    same = CliRunner().invoke(bench, ["compare", str(one), str(one)])
    assert same.exit_code == 0
    assert "1 same; 0 gone, 0 new" in same.output


@pytest.mark.parametrize(
    ("before", "after"), [([1e6], [2e6]), ([1e6], [2e6, 2e6]), ([1e6, 1e6], [0.5e6])]
)
def test_a_single_timing_says_nothing_of_its_scatter(
    before: list[float], after: list[float], tmp_path: Path
) -> None:
    one, two = (
        write_report(tmp_path / f"{n}.json", _report({"a": x})) for n, x in enumerate((before, after))
    )
    result = CliRunner().invoke(bench, ["compare", str(one), str(two), "--json"])

    def refuse(constant: str) -> None:
        raise AssertionError(constant)  # Infinity, which is no JSON

    (change,) = json.loads(result.output, parse_constant=refuse)["changes"]
    assert (result.exit_code, change["verdict"], change["low"], change["high"]) == (
        0,
        "unclear",
        0.0,
        None,
    )
    assert change["ratio"] == after[0] / before[0]
    shown = CliRunner().invoke(bench, ["compare", str(one), str(two)]).output
    assert "one sample" in shown
    assert "1 unclear; 0 gone, 0 new" in shown


def test_what_is_counted_needs_no_second_sample() -> None:
    one, two = (Measured("", "a", "bytes", "less", ((x,),), exact=True) for x in (10.0, 12.0))
    assert interval_of(one, two, {}, 0.025, np.random.default_rng(0)) == (1.2, 1.2)


@pytest.mark.parametrize("text", ["{", '{"rows": [{"name": "a"}]}', "[]"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with refuses():
        read_report(path)
    with refuses():
        read_report(tmp_path / "none.json")


def test_two_benchmarks_are_not_compared() -> None:
    one = _report({"a": [1.0]})
    row = TrainingRow(name="a", side="port", envs=1, unit="steps/s", epochs=1, rate=Samples.of([1.0]))
    two = TrainReport(
        schema=SCHEMA, machine_info=machine_info(), data=DATA, matrix_flops={}, rows=(row,)
    )
    with refuses():
        compare(one, two)
    with refuses():
        compare(one, one, margin=5)


@pytest.mark.parametrize("machine", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("better", ["more", "less"])
def test_a_change_up_to_the_machine_s_own_is_the_machine_s(
    better: Any, exact: bool, machine: float
) -> None:
    """On one of half the speed rates halve and times double; what is counted does not change."""
    drift = 1.0 if exact else machine if better == "more" else 1 / machine
    words = {"more": ("slower", "faster"), "less": ("better", "worse")}[better]
    for ratio in (0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0):
        before, after = (Measured("", "a", "x", better, ((x,),), exact) for x in (10.0, 10.0 * ratio))
        change = change_of(before, after, (ratio, ratio), 0.05, machine)
        low, high = min(1.0, drift) * 0.95, max(1.0, drift) * 1.05
        expected = words[0] if ratio < low else words[1] if ratio > high else "same"
        assert (change.verdict, change.ratio) == (expected, ratio)


BLOCKS = ((100.0, 110.0), (120.0,), (90.0,))
OTHERS = ((50.0,), (60.0, 62.0, 70.0))


def _row(blocks: tuple[tuple[float, ...], ...], name: str = "a", **more: Any) -> Measured:
    return Measured("env", name, "x", "more", blocks, **more)


def test_the_interval_of_blocks_is_student_s_over_the_section_s_scatter() -> None:
    one, two = _row(BLOCKS), _row(OTHERS)
    logs = [np.log([105.0, 120.0, 90.0]), np.log([50.0, 62.0])]
    squares = sum(float(((some - some.mean()) ** 2).sum()) for some in logs)
    scatter = section_scatter([one, two, _row(((7.0,),), "single")])
    assert scatter == {"env": (pytest.approx((squares / 3) ** 0.5), 3)}
    assert section_scatter([_row(((7.0,),))]) == {}
    rng = np.random.default_rng(0)
    for sd in (scatter["env"][0], 1.0):  # a section that is noisier than the row
        found = interval_of(one, two, {"env": (sd, 3)}, 0.01, rng)
        reach = float(student.ppf(0.99, 3)) * sd * (1 / 3 + 1 / 2) ** 0.5
        ratio = 61.0 / 105.0
        assert found == pytest.approx((ratio * np.exp(-reach), ratio * np.exp(reach)))
    calm = interval_of(one, two, {"env": (1e-6, 3)}, 0.01, rng)  # three blocks can't show that
    assert calm == pytest.approx(interval_of(one, two, scatter, 0.01, rng))


def test_rows_of_a_section_give_thirty_degrees_of_freedom_at_most() -> None:
    rows = [_row(((1.0,), (2.0,), (3.0,)), str(number)) for number in range(20)]
    assert section_scatter(rows[:5])["env"][1] == 10
    assert section_scatter(rows)["env"][1] == 30


def test_one_wrong_verdict_in_twenty_is_of_all_rows_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tails: list[float] = []

    def interval(before: Any, after: Any, scatter: Any, tail: float, rng: Any) -> None:
        tails.append(tail)

    monkeypatch.setattr("benchmarks.report.compare.interval_of", interval)
    names = {str(number): [1.0, 2.0] for number in range(5)}
    compare(_report(names), _report({**names, "new": [1.0]}))
    assert tails == [pytest.approx(0.025 / 5)] * 5


def test_the_machine_s_own_change_is_measured_and_nobody_s_regression() -> None:
    def both(copy: float, port: float) -> RooflineReport:
        rows = [
            MachineRow(name=name, side="machine", envs=1, unit="bytes/s", rate=Samples.of([x] * 3))
            for name, x in (("copy", copy), ("multiply", 3 * copy), ("other", 9 * copy))
        ]
        own = EnvironmentRow(
            name="port", side="port", envs=1, unit="steps/s", rate=Samples.of([port] * 3)
        )
        return RooflineReport(
            schema=SCHEMA,
            machine_info=machine_info(),
            bytes_per_step={},
            xla_per_step={},
            rows=(*rows, own),
            shares=(),
        )

    slow = compare(both(10.0, 8.0), both(5.0, 4.0))
    assert slow.machine == 0.5
    assert [change.verdict for change in slow.changes] == ["slower"] * 3 + ["same"]
    assert [change.machine for change in slow.changes] == [True] * 3 + [False]
    assert not slow.regressed
    worse = compare(both(10.0, 8.0), both(5.0, 3.0))
    assert worse.changes[-1].verdict == "slower"
    assert worse.regressed


@pytest.mark.parametrize(
    ("verdict", "bad"),
    [("slower", True), ("worse", True)]
    + [(one, False) for one in ("faster", "better", "same", "unclear")],
)
def test_what_is_slower_and_what_takes_more_is_a_regression(verdict: Any, bad: bool) -> None:
    same = Change("a", 1.0, 1.0, 1.0, 1.0, 1.0, "same")
    for machine in (False, True):
        changes = [same, dataclasses.replace(same, name="b", verdict=verdict, machine=machine), same]
        made = dataclasses.replace(
            compare(_report({"a": [1.0, 1.0]}), _report({"a": [1.0, 1.0]})), changes=changes
        )
        assert made.regressed == (bad and not machine)
        assert made.to_dict()["regressed"] == made.regressed


def test_what_differs_of_machine_and_software_is_all_named() -> None:
    info = machine_info()
    other = replace(
        info,
        time="later",
        load_average=(9.0, 9.0, 9.0),
        python="2",
        platform="another",
        cpu="another",
        cores=info.cores + 1,
        device=replace(info.device, kind="another"),
        versions={**info.versions, "jax": "0", "new": "1"},
        flags={**info.flags, "XLA_FLAGS": "--other"},
    )
    found = compare(_report({"a": [1.0]}, info), _report({"a": [1.0]}, other)).different
    assert set(found) == {
        *("python", "platform", "cpu", "cores", "device kind"),
        *("versions jax", "versions new", "flags XLA_FLAGS"),
    }
    assert found["versions new"] == ("None", "1")
    assert found["cores"] == (str(info.cores), str(info.cores + 1))


def test_rows_that_are_gone_or_new_and_what_differs_are_shown(tmp_path: Path) -> None:
    info = machine_info()
    one = write_report(tmp_path / "1.json", _report({"a": _noisy(1e6, 0), "b": [1.0]}, info))
    other = replace(info, cpu="another")
    two = write_report(tmp_path / "2.json", _report({"a": _noisy(0.5e6, 0), "c": [1.0]}, other))
    result = CliRunner().invoke(bench, ["compare", str(one), str(two), "--margin", "0.6"])
    told = [line.split() for line in result.output.splitlines()]
    assert ["b", "gone"] in told
    assert ["c", "new"] in told
    assert f"cpu differs: {info.cpu} and another" in result.output
    assert "1 same; 1 gone, 1 new" in result.output  # within so wide a margin
    assert result.exit_code == 1
