"""What a check costs: a small run is measured, and a bad pair is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import any_port
from benchmarks.any_port import cost_of, main
from tests.parity.harness.lander import mutable, pair
from tests.sentences import refuses


@pytest.mark.costly
def test_both_runs_are_measured_and_the_report_says_of_what() -> None:
    values = cost_of(pair(mutable()), 64)
    assert values["verdict"] == "same"
    assert values["double"] is True
    assert values["cases"]["visited"] == 32
    for name in ("with compiling", "compiled"):
        assert values[name]["processor"] > 0
        assert values[name]["wall"] > 0
    assert json.loads(json.dumps(values))["machine"]["versions"]["numpy"]


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    with refuses():
        main(
            ["--pair", "no_such_module:pair", "--out", str(tmp_path / "x.json")], standalone_mode=False
        )
    result = CliRunner().invoke(main, ["--transitions", "3"])
    assert result.exit_code == 2


@pytest.mark.parametrize(("processor", "code"), [(30.0, 0), (30.01, 1)])
def test_a_check_may_cost_half_a_minute_of_processor_time(
    processor: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    values = {
        "pair": "cartpole", "verdict": "same", "double": code == 0,
        "cases": {"visited": 1000, "drawn": 234},
        "compiled": {"processor": processor, "wall": 12.5}, "with compiling": {"processor": 99.0},
    }  # fmt: skip
    monkeypatch.setattr(any_port, "load_pair", lambda place: f"pair at {place}")
    monkeypatch.setattr(any_port, "cost_of", lambda *given: asked.append(given) or values)
    out = tmp_path / "cost.json"
    done = CliRunner().invoke(main, ["--pair", "a:b", "--transitions", "77", "--out", str(out)])
    assert (done.exit_code, asked) == (code, [("pair at a:b", 77)])
    assert json.loads(out.read_text()) == values
    double = "included" if code == 0 else "left out"
    assert done.output == (
        f"cartpole: same; 1,234 cases, double precision {double}: {processor} processor seconds, 12.5 "
        "on the clock; with compiling 99.0\n"
    )


def test_the_second_verification_is_the_one_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [
        SimpleNamespace(pair="first", verdict="?", cases={}, unchecked=[]),
        SimpleNamespace(
            pair="second",
            verdict="same",
            cases={"drawn": 5},
            unchecked=["x", "no double precision here"],
        ),
    ]
    asked: list[Any] = []
    wall, processor = iter([0.0, 9.0, 20.0, 21.234]), iter([0.0, 7.0, 10.0, 10.456])
    clocks = {"perf_counter": lambda: next(wall), "process_time": lambda: next(processor)}
    monkeypatch.setattr(any_port, "time", SimpleNamespace(**clocks))
    monkeypatch.setattr(
        any_port,
        "verify",
        lambda pair, transitions: asked.append((pair, transitions)) or reports.pop(0),
    )
    given: Any = "pair"
    values = cost_of(given, 64)
    assert asked == [("pair", 64)] * 2
    assert values.pop("machine")["versions"]
    assert values == {
        "format": 1, "pair": "second", "verdict": "same", "transitions": 64, "cases": {"drawn": 5},
        "double": False, "with compiling": {"processor": 7.0, "wall": 9.0},
        "compiled": {"processor": 0.46, "wall": 1.23},
    }  # fmt: skip
