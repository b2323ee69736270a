"""Commands that a signal, a full disk or a read-only place stops: the old whole or the new whole."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from foundation.files import WriteError, write_json
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.runs.checkpoints import Checkpoints
from jax_port.runs.logs.training_log import TrainingLog
from jax_port.runs.plan import read_plan
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader import export_verify
from tests.fuzz.forked import GONE_WITHIN, processes_of
from tests.jax_port.export.made_bundle import made_policy
from tests.sentences import refuses

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")

MOMENTS = 15
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONGEST = 1200.0
"""Seconds that a whole command may take on a busy machine."""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rltrader", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


def stopped(delay: float, number: signal.Signals, *arguments: str) -> tuple[int, str]:
    """Run a command, signal it after a while, see it gone; return its exit code and what it said."""
    process = start(*arguments)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, errors = process.communicate(timeout=LONGEST)
    end = time.monotonic() + GONE_WITHIN
    while (left := processes_of(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left, f"{left} still run after {number.name} and {delay:.1f} s"
    assert "Traceback" not in errors, errors
    return process.returncode, errors


def to_the_end(*arguments: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it said."""
    process = start(*arguments)
    try:
        _, errors = process.communicate(timeout=LONGEST)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, errors


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def moments(most: float, count: int, seed: int) -> Iterator[tuple[float, signal.Signals]]:
    draw = random.Random(seed)
    for number in range(count):
        yield draw.random() * most, SIGNALS[number % len(SIGNALS)]


def whole_at_every_moment(place: Path, count: int, *arguments: str) -> None:
    """Stop a command that writes a folder at random moments; the folder is the old one or a new one."""
    began = time.monotonic()
    code, errors = to_the_end(*arguments)
    assert code in (0, 1), errors
    took = time.monotonic() - began
    names = set(contents(place))
    for delay, number in moments(1.1 * took, count, seed=1):
        before, inode = contents(place), place.stat().st_ino
        stopped(delay, number, *arguments)
        after = contents(place)
        assert after == before or (place.stat().st_ino != inode and set(after) == names)
    left = [path.name for path in place.parent.iterdir() if path.name.endswith(".tmp")]
    assert len(left) <= 1  # of the last one that was killed; each removes those before it


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.safetensors"
    save_policy(path, made_policy(1))
    return path


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(
        synthetic_bars("ES", days=4, seed=7), tmp_path_factory.mktemp("bars") / "bars.parquet"
    )


@pytest.mark.costly
def test_bars_are_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    days = ("data", "synthetic", "--symbol", "ES", "--out", str(path), "--days", "30", "--seed")
    stopped(100.0, signal.SIGTERM, *days, "1")
    old = path.read_bytes()
    for delay, number in moments(3.0, 3, seed=5):
        stopped(delay, number, *days, "2")
        assert path.read_bytes() == old or path.read_bytes().count(b"\n") == old.count(b"\n")


@pytest.mark.slow
def test_an_evaluation_is_the_old_one_or_the_new_one(policy: Path, bars: Path, tmp_path: Path) -> None:
    options = ("--data", str(bars), "--symbol", "ES", "--allow-overlap", "--from", "2025-01-06")
    place = tmp_path / "evaluation"
    whole_at_every_moment(place, MOMENTS, "evaluate", str(policy), *options, "--out", str(place))


@pytest.mark.slow
def test_a_parity_report_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    place = tmp_path / "parity"
    small = ("--episodes", "4", "--cases", "200", "--days", "2", "--symbols", "ES")
    whole_at_every_moment(place, MOMENTS // 3, "parity", "run", *small, "--out", str(place))


@pytest.mark.slow
def test_a_training_can_be_gone_on_with_after_every_moment(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sizes = ["--synthetic", "5", "--steps", "30720", "--envs", "32", "--n-steps", "32", "--ungated"]
    sizes += ["--batch-size", "256", "--epochs", "1", "--pi", "16", "--vf", "16"]
    sizes += ["--checkpoint-every", "2"]
    begin = ("train", *sizes, "--out", str(folder))
    resume = ("train", "--out", str(folder), "--resume")
    for delay, number in moments(40.0, MOMENTS, seed=3):
        code, errors = stopped(delay, number, *(resume if (folder / "run.json").exists() else begin))
        assert code in (0, -number, 128 + number), errors
        if (folder / "run.json").exists():
            read_plan(folder)
    code, errors = to_the_end(*(resume if (folder / "run.json").exists() else begin))
    assert code == 0, errors
    load_policy(folder / "policy-0.safetensors")
    assert not list(folder.rglob("*.tmp"))


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


TREE = {"weights": np.arange(50_000, dtype=np.float32)}


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "identity")
    checkpoints.save(1, TREE, [])
    with (
        files_at_most(10_000),
        refuses(kind=WriteError),
    ):
        checkpoints.save(2, TREE, [])
    found = checkpoints.latest(TREE)
    assert found is not None
    assert found[0] == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1.safetensors"]


def test_a_log_that_finds_no_room_says_so_and_is_mended(tmp_path: Path) -> None:
    record = {"update": 1, "agent": 0, "steps": 64, "loss": 0.5}
    log = TrainingLog(tmp_path, 0, 1, 8)
    with files_at_most(500), refuses(kind=WriteError):
        log.write([{**record, "update": update} for update in range(1, 100)])
    log.close()
    TrainingLog(tmp_path, 3, 1, 8).close()
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3


def test_a_place_that_is_no_folder_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refuses(kind=WriteError):
        TrainingLog(tmp_path / "file" / "run", 0, 1, 8)
    with refuses(kind=WriteError):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_proof_that_runs_out_of_time_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --trust a process of limited time runs it; one that a signal has ended has no exit code."""
    words = ["rltrader", "export", "verify", str(tmp_path), "--trust", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    assert export_verify._in_limited_process() == 2  # there is no bundle
    monkeypatch.setattr(export_verify, "MOST_SECONDS", 1)  # less than its imports take
    with refuses():
        export_verify._in_limited_process()
