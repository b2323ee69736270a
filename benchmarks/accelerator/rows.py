"""A measured program as a row of a report: speed, memory, how busy the card was, the model's speed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import jax
import msgspec

from benchmarks.accelerator.utilisation import Monitor
from benchmarks.gpu_model.programs import block_to_dict
from benchmarks.gpu_program.cards import Card, card_of
from benchmarks.gpu_program.prepared import Prepared
from benchmarks.gpu_program.report import short
from benchmarks.harness.statistics import summarise


def card_here() -> Card | None:
    """Return the card of the default device, None where it is none that the model knows."""
    return card_of(jax.devices()[0].device_kind)


def measure(
    prepared: Prepared, seconds: float, monitor: Monitor, card: Card | None, **about: Any
) -> dict[str, Any]:
    """Time a program and return its row.

    Args:
        prepared: the program.
        seconds: to time it for.
        monitor: of the card.
        card: whose rates the model takes; None for no prediction.
        about: more values of the row.
    """
    subject = prepared.subject
    began = time.perf_counter()
    samples = prepared.timed(seconds)
    busy = monitor.between(began, time.perf_counter())
    rates = [subject.steps / sample for sample in samples]
    row: dict[str, Any] = {
        "name": subject.name,
        "envs": subject.envs,
        **about,
        "steps_per_call": subject.steps,
        "steps_per_second": {**msgspec.to_builtins(summarise(rates)), "samples": rates[:50]},
        "trace_seconds": prepared.trace_seconds,
        "compile_seconds": prepared.compile_seconds,
        "memory": {**prepared.memory(), "bytes_per_env": bytes_per_env(prepared)},
        "utilisation": busy,
    }
    if card is not None:
        report = prepared.report(card)
        row["predicted"] = {
            "steps_per_second": report.steps_per_second,
            "wall": report.whole.cost.wall,
            "parts": {part.name: part.to_dict() | {"list": []} for part in report.parts},
        }
        row["measured_over_predicted_seconds"] = median(samples) / report.whole.cost.seconds
        row["program"] = block_to_dict(report.whole.block)  # so that a later model can be asked
    return row


def bytes_per_env(prepared: Prepared) -> float | None:
    """Return the bytes that a program takes per environment, the market's among them."""
    memory: Mapping[str, int] = prepared.memory()
    if not memory:
        return None
    whole = memory["temp_bytes"] + memory["argument_bytes"] + memory["output_bytes"]
    return (whole - memory["alias_bytes"]) / prepared.subject.envs


def line_of(row: Mapping[str, Any]) -> str:
    """Return a row in one line."""
    if "error" in row:
        return f"{row['name']}: failed: {row['error']}"
    text = f"{row['name']}, {row['envs']:,} environments"
    if "batch_size" in row:
        text += f" x {row['n_steps']}, minibatch {row['batch_size']:,}, {row['n_epochs']} epochs"
    text += f": {short(row['steps_per_second']['median'])} steps/s"
    if "predicted" in row:
        text += (
            f" (model {short(row['predicted']['steps_per_second'])}, measured time is "
            f"{row['measured_over_predicted_seconds']:.2f} of the model's)"
        )
    if row["utilisation"]:
        text += f", card {row['utilisation']['gpu_percent']['median']:.0f} % busy"
    return text
