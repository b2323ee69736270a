from typing import Any

import pytest

from benchmarks.accelerator.profile import busy, kernel_events, profile, summary
from benchmarks.gpu_program.cards import H100
from benchmarks.gpu_program.model import LAUNCH_SECONDS
from benchmarks.gpu_program.prepared import prepare
from benchmarks.gpu_program.subjects import environment

TEXT = """\
ENTRY %main (a: f32[8,32]) -> f32[8,32] {
  %a = f32[8,32]{1,0} parameter(0)
  %negate.1 = f32[8,32]{1,0} negate(%a), metadata={source_file="/p/jax_port/x.py" source_line=3}
  ROOT %copy.1 = f32[8,32]{1,0} copy(%negate.1)
}
"""


def name(kind: str, pid: int, tid: int | None, text: str) -> dict[str, Any]:
    return {"ph": "M", "pid": pid, "tid": tid, "name": kind, "args": {"name": text}}


def ran(op: str, ts: float, dur: float, pid: int = 1, tid: int = 5) -> dict[str, Any]:
    return {"ph": "X", "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": {"hlo_op": op}}


NAMES = [
    name("process_name", 1, None, "/device:GPU:0"),
    name("process_name", 2, None, "/host:CPU"),
    name("thread_name", 1, 5, "Stream #13(Compute)"),
    name("thread_name", 1, 6, "XLA Ops"),
]


def test_kernels_are_those_of_the_streams() -> None:
    on_stream, above, on_host = ran("copy.1", 0, 1), ran("copy.1", 0, 1, tid=6), ran("copy.1", 0, 1, 2)
    events = [*NAMES, on_host, above, on_stream, {}]
    assert kernel_events(events) == [on_stream]
    assert kernel_events([*NAMES, on_host, above]) == [above]
    assert kernel_events([*NAMES, on_host]) == [on_host]


def test_time_by_instruction_and_the_time_in_which_one_ran() -> None:
    events = [
        *NAMES,
        ran("negate.1", 10, 5),
        ran("negate.1", 20, 5),
        ran("copy.1", 22, 8),
        ran("x", 90, 1),
    ]
    seen = summary(events, TEXT, H100)
    assert seen["launches"] == 3
    assert seen["wall_seconds"] == pytest.approx(20e-6)
    assert seen["busy_seconds"] == pytest.approx(15e-6)
    first, second = seen["kernels"]
    assert (first["name"], first["launches"]) == ("negate.1", 2)
    assert first["where"].startswith("jax_port/x.py:3")
    assert first["seconds"] == pytest.approx(10e-6)
    assert first["model_seconds"] == pytest.approx(2 * LAUNCH_SECONDS, rel=0.01)
    assert second["work_seconds"] == pytest.approx(2 * 8 * 32 * 4 / H100.copy_rate)
    assert "model_seconds" not in summary(events, TEXT, None)["kernels"][0]


def test_a_trace_without_kernels_is_empty() -> None:
    assert summary(NAMES, TEXT, H100) == {"launches": 0, "kernels": []}


def test_spans_that_overlap_count_once() -> None:
    assert busy([(0, 2), (1, 3), (5, 6), (5.5, 5.7)]) == 4.0


@pytest.mark.costly
def test_a_program_on_this_device_can_be_profiled() -> None:
    seen = profile(prepare(environment("no observations", 1, 16, 4, 8)), H100)
    assert seen["launches"] >= 8
    assert 0 < seen["busy_seconds"] <= seen["wall_seconds"]
