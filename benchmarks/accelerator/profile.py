"""One call of a program under the profiler: what each kernel took, beside the model's time."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from benchmarks.gpu_program import hlo
from benchmarks.gpu_program.analysis import where
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import Block, OwnKernels, program_of
from benchmarks.gpu_program.model import kernel_seconds, work_seconds
from benchmarks.gpu_program.prepared import Prepared

HEAVIEST = 40
DEVICE, STREAM = "/device:", "Stream"
Event = Mapping[str, Any]


def profile(program: Prepared, card: Card | None) -> dict[str, Any]:
    """Profile one call of a program that has run before.

    Args:
        program: goes on by two calls.
        card: whose rates the model takes; None for no prediction.

    Returns:
        ``wall_seconds`` from the first kernel's begin to the last one's end, ``busy_seconds`` in which
        a kernel ran, ``launches``, and by instruction, the longest first, how often it ran, its seconds
        in all and the model's, its kind and its source line.
    """
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    options.host_tracer_level = 1
    program.run()
    with tempfile.TemporaryDirectory() as folder:
        jax.profiler.start_trace(folder, profiler_options=options)
        try:
            program.run()
        finally:
            jax.profiler.stop_trace()
        (file,) = Path(folder).rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    return summary(events, program.compiled.as_text(), card, program.own_kernels)


def summary(
    events: Iterable[Event], text: str, card: Card | None, own: OwnKernels | None = None
) -> dict[str, Any]:
    """Return what :func:`profile` returns, of a trace's events and the program's HLO."""
    program = program_of(hlo.parse(text), own)
    kernels = {one.name: one for one in program.all_kernels()}
    model = seconds_by_name(program, card) if card is not None else {}
    ran = [event for event in kernel_events(list(events)) if event["args"]["hlo_op"] in kernels]
    if not ran:
        return {"launches": 0, "kernels": []}
    sums: dict[str, list[float]] = {}
    for event in ran:
        row = sums.setdefault(event["args"]["hlo_op"], [0.0, 0.0])
        row[0] += 1
        row[1] += event["dur"] * 1e-6
    rows = []
    for name, (count, seconds) in sums.items():
        kernel = kernels[name]
        row_values: dict[str, Any] = {
            "name": name,
            "where": where(kernel),
            "kind": kernel.kind,
            "launches": int(count),
            "seconds": seconds,
        }
        if card is not None:
            row_values["work_seconds"] = count * work_seconds(kernel, card)
            row_values["model_seconds"] = count * model[name]
        rows.append(row_values)
    rows.sort(key=lambda row: -row["seconds"])
    began = min(event["ts"] for event in ran)
    ended = max(event["ts"] + event["dur"] for event in ran)
    return {
        "wall_seconds": (ended - began) * 1e-6,
        "busy_seconds": busy((event["ts"], event["ts"] + event["dur"]) for event in ran) * 1e-6,
        "launches": len(ran),
        "instructions": len(rows),
        "kernels": rows[:HEAVIEST],
    }


def seconds_by_name(program: Block, card: Card) -> dict[str, float]:
    """Return the model's seconds of one launch of each kernel."""
    return {
        kernel.name: seconds
        for block in program.walk()
        for kernel, seconds in zip(block.kernels, kernel_seconds(block, card), strict=True)
    }


def kernel_events(events: list[Event]) -> list[Event]:
    """Return the events of kernels: on a device those of its streams, on a CPU all of instructions."""
    names: dict[tuple[Any, Any], str] = {}
    for event in events:
        if event.get("ph") == "M" and event.get("name") in ("process_name", "thread_name"):
            key = (event["pid"], event.get("tid") if event["name"] == "thread_name" else None)
            names[key] = event["args"]["name"]
    ran = [event for event in events if event.get("ph") == "X" and "hlo_op" in event.get("args", {})]
    on_device = [event for event in ran if DEVICE in names.get((event["pid"], None), "")]
    on_streams = [event for event in on_device if STREAM in names.get((event["pid"], event["tid"]), "")]
    return on_streams or on_device or ran


def busy(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of the spans (begin, end) lasts, in their unit."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
