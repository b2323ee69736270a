"""Options that a benchmark can't use are refused in one sentence, before anything is measured."""

from __future__ import annotations

import click
import pytest

from benchmarks.suites import (
    decision_latency,
    env_throughput,
    latency,
    memory,
    scaling,
    time_to_return,
    train_throughput,
)
from benchmarks.suites import roofline as floors
from tests.benchmarks.refused import refusal

UNUSABLE = [
    (floors.main, ("--symbol", "XX"), "unknown symbol 'XX'"),
    (floors.main, ("--days", "1"), "no episode can start in its 450 rth bars"),
    (floors.main, ("--envs", "0"), "'--envs': 0 is not in the range"),
    (floors.main, ("--workers", "0"), "'--workers': 0 is not in the range"),
    (floors.main, ("--rounds", "0"), "'--rounds': 0 is not in the range"),
    (floors.main, ("--train-envs", "0"), "n_envs is 0; it must be a whole number"),
    (floors.main, ("--batch-size", "1"), "a batch of one, whose advantages cannot be normalised"),
    (memory.main, ("--symbol", "XX"), "unknown symbol 'XX'"),
    (memory.main, ("--days", "1"), "no episode can start in its 450 rth bars"),
    (memory.main, ("--sizes", "many"), "'many': give whole numbers above zero"),
    (memory.main, ("--sizes", ""), "--sizes is empty"),
    (memory.main, ("--workers", "0"), "'0': give whole numbers above zero"),
    (memory.main, ("--workers", ""), "--workers is empty"),
    (scaling.main, ("--symbol", "XX"), "unknown symbol 'XX'"),
    (scaling.main, ("--days", "1"), "no episode can start in its 450 rth bars"),
    (scaling.main, ("--days", ""), "--days is empty"),
    (scaling.main, ("--compile-envs", ""), "--compile-envs is empty"),
    (scaling.main, ("--train-envs", "8,-1"), "'8,-1': give whole numbers above zero"),
    (scaling.main, ("--batches", "1"), "a batch of one, whose advantages cannot be normalised"),
    (scaling.main, ("--envs", "0"), "'--envs': 0 is not in the range"),
    (scaling.main, ("--rounds", "0"), "'--rounds': 0 is not in the range"),
]


@pytest.mark.parametrize(("command", "options", "message"), UNUSABLE)
def test_bad_options_are_one_sentence(
    command: click.Command,
    options: tuple[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in refusal(command, capsys, "--days", "4", *options)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (decision_latency.main, (".",)),
        (env_throughput.main, ()),
        (floors.main, ()),
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
    assert "is a directory" in refusal(command, capsys, *arguments, "--json", ".")
