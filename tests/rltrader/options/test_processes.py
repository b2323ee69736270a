"""Two processes train as one by the documented command; what is missing is named."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jax_port.ppo.policy import load_policy
from rltrader.options.processes import NO_CLUSTER, join_processes
from tests.sentences import refuses

SIZES = (
    *("--synthetic", "4", "--envs", "8", "--n-steps", "16", "--batch-size", "64", "--epochs", "1"),
    *("--steps", "256", "--pi", "8", "--vf", "8", "--ungated"),
)


def test_nothing_asked_for_joins_nothing() -> None:
    join_processes(False, None, None, None)


@pytest.mark.parametrize(
    "given",
    [
        ("127.0.0.1:1", None, None),
        (None, 2, 0),
        ("127.0.0.1:1", 2, 2),
        *((place, 2, 0) for place in ("here", ":1", "here:", "here:port", "here:0", "here:65536", "")),
    ],
)
def test_a_missing_part_is_named(given: tuple[str | None, int | None, int | None]) -> None:
    with refuses():
        join_processes(False, *given)


def test_the_others_are_joined_at_the_place_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *given: asked.append(given))
    for place in ("here:1", "[::1]:65535"):
        join_processes(False, place, 2, 1)
    join_processes(True, None, None, None)
    assert asked == [("here:1", 2, 1), ("[::1]:65535", 2, 1), (None, None, None)]


def test_others_that_cannot_be_reached_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise RuntimeError("DEADLINE_EXCEEDED: nobody there\nstack")

    monkeypatch.setattr(jax.distributed, "initialize", fail)
    with refuses():
        join_processes(False, "here:1", 2, 1)


def command(out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rltrader", "train", *SIZES, "--out", str(out), *more],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_a_cluster_it_is_one_sentence(tmp_path: Path) -> None:
    process = command(tmp_path / "run", "--distributed")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert errors.splitlines()[-1] == f"error: {NO_CLUSTER}"


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    out = tmp_path / "run"
    both = [
        command(out, "--coordinator", place, "--processes", "2", "--process-id", str(number))
        for number in (0, 1)
    ]
    ends = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert json.loads((out / "finished.json").read_text())["updates"] == 2
    assert load_policy(out / "policy-0.safetensors").about["steps"] == 256
