"""Options that a benchmark can't use are refused in one sentence, before anything is measured."""

from __future__ import annotations

import click
import pytest

from benchmarks.suites import (
    decision_latency,
    env_throughput,
    latency,
    memory,
    roofline,
    scaling,
    time_to_return,
    train_throughput,
)
from tests.benchmarks.refused import refused

UNUSABLE = [
    (roofline.main, ("--symbol", "XX")),
    (roofline.main, ("--days", "1")),
    (roofline.main, ("--envs", "0")),
    (roofline.main, ("--workers", "0")),
    (roofline.main, ("--rounds", "0")),
    (roofline.main, ("--train-envs", "0")),
    (roofline.main, ("--batch-size", "1")),
    (memory.main, ("--symbol", "XX")),
    (memory.main, ("--days", "1")),
    (memory.main, ("--sizes", "many")),
    (memory.main, ("--sizes", "")),
    (memory.main, ("--workers", "0")),
    (memory.main, ("--workers", "")),
    (scaling.main, ("--symbol", "XX")),
    (scaling.main, ("--days", "1")),
    (scaling.main, ("--days", "")),
    (scaling.main, ("--compile-envs", "")),
    (scaling.main, ("--train-envs", "8,-1")),
    (scaling.main, ("--batches", "1")),
    (scaling.main, ("--envs", "0")),
    (scaling.main, ("--rounds", "0")),
]


def shown(value: click.Command | tuple[str, str]) -> str:
    """Return the id of a parameter."""
    if isinstance(value, tuple):
        return " ".join(value)
    return (value.callback or shown).__module__.rpartition(".")[2]


@pytest.mark.parametrize(("command", "options"), UNUSABLE, ids=shown)
def test_bad_options_are_one_sentence(
    command: click.Command, options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(command, capsys, "--days", "4", *options)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (decision_latency.main, (".",)),
        (env_throughput.main, ()),
        (roofline.main, ()),
        (latency.main, ()),
        (memory.main, ()),
        (scaling.main, ()),
        (time_to_return.command, ()),
        (train_throughput.main, ()),
    ],
)
def test_no_benchmark_measures_for_a_report_that_it_cannot_write(
    command: click.Command, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(command, capsys, *arguments, "--json", ".")
