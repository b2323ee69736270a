"""Seeds that are trained to a return, and the gate that is run, as parts of the benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.accelerator import learning
from benchmarks.accelerator.recorder import Recorder
from benchmarks.accelerator.speed import Bench, Sizes
from benchmarks.harness.rows import ReturnRow


def bench_of(tmp_path: Path, clock: Any = lambda: 0.0, budget: float = 1000.0) -> Bench:
    recorder = Recorder(tmp_path / "report.json", budget, clock)
    return Bench(recorder, None, None, Sizes())  # type: ignore[arg-type]


PART = "time to half of the oracle's return"


def row(seed: int, seconds: float | None, error: str | None = None) -> ReturnRow:
    return ReturnRow(
        name="port", trainer="port", seed=seed, limit_seconds=9.0, seconds=seconds, steps=1000 * seed,
        error=error,
    )  # fmt: skip


@pytest.mark.parametrize("quick", [False, True])
def test_every_seed_is_trained_and_the_median_is_of_those_that_got_there(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    rows = [row(0, 4.0), row(1, None, "it broke"), row(2, 7.0)]
    monkeypatch.setattr(
        "benchmarks.suites.time_to_return.run_row",
        lambda *given: asked.append(given) or rows[given[2]],
    )
    bench = bench_of(tmp_path)
    learning.measure_return(bench, quick)
    plan = asked[0][1]
    assert asked == [("port", plan, seed) for seed in range(1 if quick else 3)]
    envs, batch, hidden, days = (8, 64, 16, 4) if quick else (2048, 8192, 256, 250)
    assert (plan.days, plan.settings.n_envs, plan.settings.batch_size) == (days, envs, batch)
    assert (plan.settings.network.pi, plan.settings.n_steps) == ((hidden, hidden), 16)
    part = bench.recorder.values["parts"][PART]
    assert [one["seed"] for one in part["rows"]] == list(range(1 if quick else 3))
    assert part["median_seconds"] == (4.0 if quick else 5.5)
    said = capsys.readouterr().out
    assert "seed 0: " in said
    assert ("seed 1: not reached, it broke" in said) == (not quick)
    assert ("2,000 steps" in said) == (not quick)


def test_seeds_end_where_little_time_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def run_row(name: str, plan: Any, seed: int) -> ReturnRow:
        now[0] += 45.0
        return row(seed, None)

    monkeypatch.setattr("benchmarks.suites.time_to_return.run_row", run_row)
    for budget, count in ((110.0, 3), (109.5, 2), (64.5, 1), (1000.0, 3)):
        now[0] = 0.0
        bench = bench_of(tmp_path, lambda: now[0], budget)
        learning.measure_return(bench, quick=False)
        part = bench.recorder.values["parts"][PART]
        assert (len(part["rows"]), part["median_seconds"]) == (count, None), budget


@pytest.mark.parametrize(
    ("code", "verdict"), [(0, "the same"), (1, "a difference"), (2, "failed"), (None, "stopped")]
)
@pytest.mark.parametrize("quick", [False, True])
def test_the_gate_is_run_within_what_is_left_and_its_words_are_kept(
    code: int | None, verdict: str, quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(command: list[str], **how: Any) -> Any:
        asked.append((command, how))
        how["stdout"].write("x" * 4000 + "the end")
        if code is None:
            raise subprocess.TimeoutExpired(command, 1.0)
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(learning.subprocess, "run", run)
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=1")
    bench = bench_of(tmp_path, budget=300.0)
    learning.run_gate(bench, tmp_path / "deep" / "parity", 5, quick)
    ((command, how),) = asked
    few = ["--episodes", "4", "--cases", "200", "--days", "3", "--symbols", "ES", "--workers", "0"]
    usual = [
        "--episodes",
        "20",
        "--cases",
        "2000",
        "--days",
        "3",
        "--symbols",
        "ES,MNQ",
        "--workers",
        "5",
    ]
    out = ["--out", str(tmp_path / "deep" / "parity")]
    assert command == [
        sys.executable,
        "-m",
        "rltrader",
        "parity",
        "run",
        *(few if quick else usual),
        *out,
    ]
    assert (how["timeout"], how["check"], how["stdout"] is how["stderr"]) == (300.0, False, True)
    assert how["env"]["XLA_FLAGS"] == "--xla_one=1 --xla_gpu_autotune_level=0"
    assert how["env"]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    (found,) = bench.recorder.values["parts"]["parity gate"]["rows"]
    assert 0 <= found.pop("seconds") < 60
    assert found == {
        "name": "parity run", "exit_code": -1 if code is None else code, "verdict": verdict,
        "output": "x" * 3993 + "the end",
    }  # fmt: skip
