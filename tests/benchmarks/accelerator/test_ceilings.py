"""What a card is measured by: copies, launches, values that the host reads, and products."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accelerator import ceilings
from benchmarks.accelerator.recorder import Recorder
from benchmarks.accelerator.speed import Bench, Sizes
from benchmarks.gpu_program.model import LAUNCH_SECONDS, READ_SECONDS


class Program:
    """A program that takes so many seconds, of which the middle one counts."""

    def __init__(self, subject: Any, seconds: float) -> None:
        self.subject, self.seconds, self.arguments = subject, seconds, ["kept"]

    def timed(self, seconds: float) -> list[float]:
        assert seconds == 0.25
        return [9 * self.seconds, self.seconds, self.seconds / 9]


@pytest.mark.parametrize("without", [None, "launch", "copy", "host read"])
@pytest.mark.parametrize("quick", [True, False])
def test_rates_are_of_what_each_program_moves(
    quick: bool, without: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"copy": 0.5, "launch": 6.0, "host read": 10.0}
    programs: list[Program] = []

    def prepare_all(subjects: Any) -> list[Any]:
        ready: list[Any] = []
        for number, subject in enumerate(subjects):
            took = seconds.get(subject.name, 0.125 * number)
            programs.append(Program(subject, took))
            ready.append("no memory" if subject.name == without else programs[-1])
        return ready

    monkeypatch.setattr(ceilings, "prepare_all", prepare_all)
    monkeypatch.setattr(
        ceilings, "_kernels", lambda program: {"launch": 3, "host read": 2}[program.subject.name]
    )
    sizes = Sizes(row_seconds=1.0)
    bench = Bench(Recorder(tmp_path / "report.json", 1e6), None, None, sizes)  # type: ignore[arg-type]
    ceilings.measure_card(bench, quick)
    rows = {row["name"]: row for row in bench.recorder.values["parts"]["card"]["rows"]}
    large, high, square = (2**12, 256, 64) if quick else (2**28, 131_072, 8192)
    shapes = [(high, 256), (square, square)] * 3
    products = [
        (f"({tall}, {wide}) x ({wide}, {wide}), {precision}", 2 * tall * wide * wide * 16)
        for (tall, wide), precision in zip(
            shapes, ("bf16", "bf16", "tf32", "tf32", "float32", "float32"), strict=True
        )
    ]
    # Eight times read and written, of four bytes; 2,000 turns of three kernels; of two kernels a turn.
    launch = LAUNCH_SECONDS if without == "launch" else 6.0 / 6000
    wanted: dict[str, dict[str, Any]] = {
        "copy": {"bytes_per_second": 2 * 4 * large * 8 / 0.5},
        "launch": {"seconds": pytest.approx(6.0 / 6000), "model_seconds": LAUNCH_SECONDS},
        "host read": {
            "seconds": pytest.approx(10.0 / 2000 - 2 * launch),
            "model_seconds": READ_SECONDS,
        },
        **{
            name: {"flops_per_second": pytest.approx(flops / (0.125 * number))}
            for number, (name, flops) in enumerate(products, 3)
        },
    }
    if without is not None:
        wanted[without] = {"error": "no memory"}
    assert rows == {name: {"name": name, **row} for name, row in wanted.items()}
    assert all(program.arguments == [] for program in programs[3:])


def test_each_program_does_what_its_rate_is_counted_by() -> None:
    (x,) = ceilings._copy(5).arguments()
    copied = ceilings._copy(5).function(x)
    np.testing.assert_allclose(copied, np.asarray(x) * 1.0001**8, rtol=1e-6)
    assert ceilings._host_reads().function(np.int32(7)) == 7
    subject = ceilings._product(6, 3, "float32")
    ((left, right),) = subject.arguments()
    power = np.linalg.matrix_power(np.asarray(right, np.float64), 16)
    np.testing.assert_allclose(subject.function((left, right)), np.asarray(left) @ power, rtol=1e-3)
    assert (subject.steps, left.shape, right.shape) == (2 * 6 * 9 * 16, (6, 3), (3, 3))
    ((left, _),) = ceilings._product(6, 3, "bf16").arguments()
    assert str(left.dtype) == "bfloat16"


@pytest.mark.parametrize(("kernels", "count"), [([3, 5, 2], 5), ([], 1), ([0], 1)])
def test_kernels_of_a_turn_are_those_of_the_longest_loop(
    kernels: list[int], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [SimpleNamespace(kernels=list(range(number))) for number in kernels]
    monkeypatch.setattr(ceilings.hlo, "parse", lambda text: f"parsed {text}")
    monkeypatch.setattr(
        ceilings,
        "program_of",
        lambda given: SimpleNamespace(inside=blocks if given == "parsed x" else 0),
    )
    program: Any = SimpleNamespace(compiled=SimpleNamespace(as_text=lambda: "x"))
    assert ceilings._kernels(program) == count
