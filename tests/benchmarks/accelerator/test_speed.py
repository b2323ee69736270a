"""What the parts of the accelerator's benchmark measure, in which order, and what a failure leaves."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accelerator import speed
from benchmarks.accelerator.recorder import Recorder
from benchmarks.accelerator.speed import Bench, Layout, Sizes

SIZES = Sizes(
    days=7,
    environments=(8, 16, 64, 4096),
    transitions=4096,
    layouts=((32, 4, 64, "gpu"), (64, 4, 128, "cpu"), (16, 4, 32, "gpu")),
    epochs=(4, 1),
    precisions=("bf16", "float32"),
    row_seconds=0.75,
    command_buffers=("none", "loops too"),
)


class Program:
    """A prepared program that runs nothing; its weights are those of a turn."""

    def __init__(self, subject: Any, weights: float = 1.0) -> None:
        self.subject, self.arguments, self.done, self.weights = subject, ["kept"], [], weights  # type: ignore[var-annotated]
        self.compiled = SimpleNamespace(as_text=lambda: "the program's text")

    def begin(self) -> None:
        self.done.append("begun")

    def run(self) -> Any:
        self.done.append("run")
        return [SimpleNamespace(learner={"w": np.array([self.weights])})]

    def timed(self, seconds: float) -> list[float]:
        self.done.append(f"timed {seconds:g}")
        return [0.5, 0.125, 0.25]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    recorder = Recorder(tmp_path / "report.json", 1e6)
    return Bench(recorder, "monitor", "card", SIZES)  # type: ignore[arg-type]


def rows_of(bench: Bench, part: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = bench.recorder.values["parts"][part]["rows"]
    return rows


def stand_in(monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...] = ()) -> list[Any]:
    """Let subjects be names, and programs be prepared but for some; return what was measured."""
    measured: list[Any] = []

    def prepare_all(subjects: Any, options: Any = None) -> list[Any]:
        measured.append(("prepared", [one.name for one in subjects], options))
        return ["no memory" if f"unprepared {one.name}" in broken else Program(one) for one in subjects]

    def measure(program: Any, seconds: float, monitor: str, card: str, **about: Any) -> dict[str, Any]:
        name = program.subject.name
        if name in broken:
            raise RuntimeError("out of memory\nthere")
        measured.append((name, seconds, monitor, card, about))
        rate = {"median": program.subject.rate}
        return {"name": name, "steps_per_second": rate, **about}

    monkeypatch.setattr(speed, "prepare_all", prepare_all)
    monkeypatch.setattr(speed, "measure", measure)
    monkeypatch.setattr(speed, "line_of", lambda row: f"line of {row['name']}")
    monkeypatch.setattr(speed, "_device_memory", lambda: {"bytes_in_use": 3})
    return measured


def test_the_environment_is_stepped_in_both_forms_and_in_the_other_phase_at_one_size(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def environment(form: str, phase: int, envs: int, days: int, steps: int) -> Any:
        asked.append((form, phase, envs, days, steps))
        return SimpleNamespace(name=f"{form} {phase} {envs}", rate=1.0)

    broken = ("unprepared observations 1 16", "no observations 1 64")
    measured = stand_in(monkeypatch, broken)
    monkeypatch.setattr(speed, "environment", environment)
    speed.measure_environment(bench)
    forms = ("observations", "no observations")
    sizes = {8: 512, 16: 256, 64: 64, 4096: 16}
    assert asked == [
        *((form, 1, envs, 7, steps) for envs, steps in sizes.items() for form in forms),
        *((form, 2, 16, 7, 256) for form in forms),
    ]
    names = [f"{form} {phase} {envs}" for form, phase, envs, *_ in asked]
    assert measured[0] == ("prepared", names, None)
    good = [one for one in asked if f"{one[0]} {one[1]} {one[2]}" not in {broken[0][11:], broken[1]}]
    assert measured[1:] == [
        (f"{form} {phase} {envs}", 0.25, "monitor", "card", {"phase": phase, "form": form})
        for form, phase, envs, *_ in good
    ]
    rows = rows_of(bench, "environment")
    failed = {row["name"]: row for row in rows if "error" in row}
    assert failed == {
        "observations 1 16": {"name": "observations 1 16", "error": "no memory"},
        broken[1]: {
            "name": broken[1], "phase": 1, "form": "no observations",
            "error": "RuntimeError: out of memory",
        },
    }  # fmt: skip
    assert [row["name"] for row in rows if "error" not in row] == [one[0] for one in measured[1:]]
    said = capsys.readouterr().out
    assert "observations 1 16: failed: no memory" in said
    assert f"{broken[1]}: failed: RuntimeError: out of memory" in said
    assert "line of no observations 2 16" in said


RATES = {32: 5.0, 64: 9.0, 16: 7.0}
SEARCHED = ("32 4 64 gpu 4 bf16", "64 4 128 cpu 4 bf16", "16 4 32 gpu 4 bf16")


def train(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...] = (), steps: int = 100
) -> tuple[dict[Layout, Any], list[Any]]:
    """Return the programs that training keeps, and what was measured."""

    def program(layout: Layout, days: int) -> Any:
        assert days == 7
        name = " ".join(str(value) for value in layout.__dict__.values())
        return SimpleNamespace(name=name, rate=RATES[layout.n_envs], steps=steps)

    measured = stand_in(monkeypatch, broken)
    monkeypatch.setattr(Layout, "program", program)
    programs: Any = speed.measure_training(bench)
    return programs, [one for one in measured if one[0] != "prepared"]


def test_the_fastest_sizes_are_trained_in_all_precisions_epochs_and_forms(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, measured = train(bench, monkeypatch)
    searched = [
        f"{envs} 4 {2 * envs} {form} 4 bf16" for envs, form in ((32, "gpu"), (64, "cpu"), (16, "gpu"))
    ]
    others = [
        "64 4 128 cpu 1 bf16",
        "64 4 128 cpu 4 float32",
        "64 4 128 cpu 1 float32",
        "64 4 128 gpu 4 bf16",
    ]
    assert [one[0] for one in measured][:3] == searched
    assert {one[1] for one in measured} == {0.75}
    trained = [row["name"] for row in rows_of(bench, "training")]
    assert trained == others
    best = Layout(64, 4, 128, "cpu", 4, "bf16")
    assert bench.recorder.values["parts"]["training, search of sizes"]["best"] == best.__dict__
    assert next(iter(programs)) == best
    assert len(programs) == 1 + len(trained)
    row = rows_of(bench, "training, search of sizes")[1]
    assert row == {
        "name": searched[1], "steps_per_second": {"median": 9.0}, **best.__dict__,
        "samples_per_second": 36.0, "device": {"bytes_in_use": 3},
    }  # fmt: skip
    assert all(program.arguments == [] for program in programs.values())


def test_where_no_size_can_be_trained_the_first_is_tried_in_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tuple(
        f"{envs} 4 {2 * envs} {form} 4 bf16" for envs, form in ((32, "gpu"), (64, "cpu"), (16, "gpu"))
    )
    programs, _ = train(bench, monkeypatch, broken)
    assert bench.recorder.values["parts"]["training, search of sizes"]["best"] is None
    assert list(programs) == [
        Layout(32, 4, 64, "gpu", epochs, precision)
        for precision, epochs in (("bf16", 1), ("float32", 4), ("float32", 1))
    ]
    assert speed._searched(bench, programs) is None


def test_two_million_steps_are_timed_where_they_take_few_calls(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(second) for second in range(0, 1000, 5))
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    programs, _ = train(bench, monkeypatch, steps=600_000)
    assert [row["two_million_seconds"] for row in rows_of(bench, "training")] == [5.0] * (
        len(programs) - 1
    )
    for program in programs.values():
        assert program.done == ["begun", *["run"] * 4]
    programs, _ = train(bench, monkeypatch, steps=19_999)
    assert all("two_million_seconds" not in row for row in rows_of(bench, "training"))
    assert all(program.done == [] for program in programs.values())


def test_other_command_buffers_are_tried_with_the_program_of_the_search(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of(precision: str, epochs: int) -> Layout:
        return Layout(64, 4, 128, "gpu", epochs, precision)

    prepared: list[Any] = []
    subjects = [SimpleNamespace(name=str(number), steps=1000 * number) for number in (1, 2, 3)]
    layouts = (of("float32", 4), of("bf16", 1), of("bf16", 4))
    programs: Any = {
        layout: Program(subject) for layout, subject in zip(layouts, subjects, strict=True)
    }
    others = [Program(subjects[2]), Program(subjects[2], weights=1.5)]

    def prepare_all(given: Any, options: Any) -> Any:
        prepared.append((given, options))
        return list(others)

    monkeypatch.setattr(speed, "prepare_all", prepare_all)
    speed.try_command_buffers(bench, programs)
    names = ("none", "loops too")
    options = [speed.COMMAND_BUFFERS[name] for name in names]
    assert prepared == [([subjects[2]] * 2, options)]
    assert rows_of(bench, "command buffers") == [
        {"name": "the compiler's own", "speed": 12_000.0, "same_bits": True},
        *(
            {"name": name, "speed": 12_000.0, "same_bits": same, "options": words}
            for name, same, words in zip(names, (True, False), options, strict=True)
        ),
    ]
    for program in (programs[layouts[2]], *others):
        assert program.done == ["begun", "run", "timed 0.375"]
    assert all(program.arguments == [] for program in others)
    said = capsys.readouterr().out
    assert "none: " in said
    assert [line.rsplit(", ", 1)[1] for line in said.splitlines()[-2:]] == [
        "the same bits",
        "OTHER bits",
    ]


def test_a_profile_keeps_all_kernels_and_shows_some(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernels = [
        {"seconds": 0.5 / (n + 1), "launches": 1000 * n, "where": f"place {n}", "kind": "loop"}
        for n in range(14)
    ]
    kernels[0]["model_seconds"] = 0.25
    seen = {"kernels": kernels, "launches": 5000, "busy_seconds": 3.0, "wall_seconds": 4.0}
    program = Program(SimpleNamespace(name="x", steps=1))
    monkeypatch.setattr(speed, "profile", lambda given, card: {**seen, "of": (given is program, card)})
    programs: Any = {Layout(64, 4, 128, "gpu", 4, "bf16"): program}
    speed.profile_training(bench, programs, tmp_path)
    assert (tmp_path / "training_hlo.txt").read_text() == "the program's text"
    part = bench.recorder.values["parts"]["profile"]
    assert part["rows"] == kernels
    assert (part["launches"], part["wall_seconds"], part["of"]) == (5000, 4.0, (True, "card"))
    assert "kernels" not in part
    said = [line.split(" s    ", 1)[-1] for line in capsys.readouterr().out.splitlines()]
    assert "5,000 kernels in" in said[1]
    assert said[1].endswith("one running 75 % of it")
    assert len(said) == 2 + 12
    assert ", model " in said[2]
    assert said[13].endswith("11,000 launches: place 11 (loop)")
    assert (program.done, program.arguments) == (["begun"], [])


def test_a_part_for_which_there_is_no_time_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "prepare_all", lambda *_: 1 / 0)
    bench = Bench(Recorder(tmp_path / "report.json", 19.0), None, None, SIZES)  # type: ignore[arg-type]
    speed.measure_environment(bench)
    assert speed.measure_training(bench) == {}
    speed.try_command_buffers(bench, {})
    speed.profile_training(bench, {}, tmp_path)
    parts = json.loads((tmp_path / "report.json").read_text())["parts"]
    needs = {"environment": 30, "training, search of sizes": 60, "training": 60, "command buffers": 60}
    assert {name: part["error"].rsplit("takes ", 1)[1] for name, part in parts.items()} == {
        name: f"{seconds} s" for name, seconds in {**needs, "profile": 20}.items()
    }


def test_a_layout_s_program_is_one_update_at_its_sizes_in_its_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "training_settings", lambda values: ("settings", values))
    monkeypatch.setattr(speed, "update", lambda *given: given)
    sizes = {"n_envs": 64, "n_steps": 4, "batch_size": 128, "n_epochs": 3, "precision": "tf32"}
    layout = Layout(form="cpu", **sizes)  # type: ignore[arg-type]
    assert layout.program(9) == (("settings", sizes), 1, 9, "cpu")


def test_the_device_s_own_count_is_kept_where_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stats: list[Any] = [{"bytes_limit": 9.0, "peak_bytes_in_use": 7, "other": 1}, None]
    device = SimpleNamespace(memory_stats=lambda: stats.pop(0))
    monkeypatch.setattr(speed.jax, "devices", lambda: [device, None])
    assert speed._device_memory() == {"peak_bytes_in_use": 7, "bytes_limit": 9}
    assert speed._device_memory() == {}
