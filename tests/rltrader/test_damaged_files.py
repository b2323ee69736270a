"""Damaged files and absurd options given to the commands: one sentence and code 2, never a traceback.

The files of ``../shared/cases/hostile`` were found by fuzzing; where that folder is missing, the tests
of each room with damaged files of their own remain.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save

from benchmarks.harness.reports import read_report
from foundation.errors import InputError
from jax_port.export.golden_file import read_golden
from jax_port.export.manifest import MANIFEST, read_manifest
from jax_port.export.sb3 import make_sb3
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.runs.checkpoints import FOLDER, Checkpoints
from jax_port.runs.logs.training_log import LOG, TrainingLog, read_log
from jax_port.runs.plan import read_plan
from jax_port.runs.run_file import RUN
from markets.readers import read_frame
from parity.engine.certificate import misfits, read
from parity.live_replay.decision_log import read_log as read_decisions
from rltrader.__main__ import app
from rltrader.options.agents import read_agents
from rltrader.options.environment import environment
from rltrader.parity import parity
from tests.damage import refusal
from tests.jax_port.export.made_bundle import made_policy
from tests.sentences import check_error

HOSTILE = Path(__file__).parents[2].parent / "shared" / "cases" / "hostile"


def as_file(name: str, read_one: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """Return a reader of a folder in which the damaged file has its usual name."""

    def read_in(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read_one(folder / name)

    return read_in


def check_log(path: Path) -> object:
    TrainingLog(path.parent, after=10**6, agents=1, rollout_size=8).close()
    return read_log(path.parent)


def latest(path: Path) -> object:
    place = path.parent / FOLDER / path.name
    place.parent.mkdir()
    path.rename(place)
    return Checkpoints(path.parent, "identity").latest({})


def case(text: str) -> object:
    done = CliRunner().invoke(parity, ["case", "--state", text, "--action", "1"])
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code in (0, 1), done.output
    return None


def read_rows(data: bytes, folder: Path) -> object:
    """Read a file of bars; where that succeeds, no line of it is lost."""
    parquet = data[:4] == b"PAR1"
    path = folder / ("bars.parquet" if parquet else "bars.txt")
    path.write_bytes(data)
    frame = read_frame(path)
    if not parquet:
        assert len(frame) == sum(line[:1].isdigit() for line in data.split(b"\n"))
    return frame


READERS: dict[str, Callable[[bytes, Path], object]] = {
    "bench": as_file("benchmarks.json", read_report),
    "cert": as_file("certificate.json", lambda path: misfits(read(path), {})),
    "certificate": as_file("certificate.json", lambda path: misfits(read(path), {})),
    "deep": as_file("certificate.json", read),
    "golden": as_file("golden.json", lambda path: read_golden(path.parent, made_policy(1))),
    "logjsonl": as_file(LOG, check_log),
    "manifest": as_file(MANIFEST, lambda path: read_manifest(path.parent)),
    "policy": as_file("policy.safetensors", load_policy),
    "settings": lambda data, folder: environment("1", [data.decode().removeprefix("--set ").strip()]),
    "runjson": as_file(RUN, lambda path: read_plan(path.parent)),
    "sweep": as_file("agents.csv", read_agents),
    "log": as_file("log.jsonl", read_decisions),
    "replay": as_file("log.jsonl", read_decisions),
    "checkpoint": as_file("3.safetensors", latest),
    "case": lambda data, folder: case(data.decode("utf-8", "replace")),
    "bars": lambda data, folder: read_rows(data, folder),
    "pandas": as_file("bars.parquet", read_frame),
    "row": as_file("bars.csv", lambda path: read_rows(path.read_bytes(), path.parent)),
}


def load_with_header(data: bytes, folder: Path) -> object:
    """Load a policy whose file says this of itself, under a checksum that is right, for SB3."""
    path = folder / "policy.safetensors"
    save_policy(path, made_policy(1))
    about = {**json.loads(data), "format": 1}
    path.write_bytes(save(load_file(path), metadata={"rltrader": json.dumps(about)}))
    return make_sb3(load_policy(path))


def hostile() -> list[Path]:
    if not HOSTILE.is_dir():
        return []
    return sorted(path for path in HOSTILE.iterdir() if path.stem.partition("-")[0] in READERS)


@pytest.mark.skipif(not hostile(), reason="no damaged files at ../shared/cases/hostile")
@pytest.mark.parametrize("path", hostile(), ids=lambda path: path.name)
def test_a_damaged_file_is_read_or_refused_by_one_sentence(path: Path, tmp_path: Path) -> None:
    kind, data = path.stem.partition("-")[0], path.read_bytes()
    read_one = load_with_header if path.name.startswith("policy-used") else READERS[kind]
    sentence = refusal(lambda: read_one(data, tmp_path))
    if sentence is not None:
        assert sentence.count("\n") == 0
        assert len(sentence) < 1000


STATE = {
    **dict.fromkeys(("position", "num_trades", "winning_trades", "losing_trades"), 0),
    **dict.fromkeys(("position_entry_step", "entry_price", "sl_price", "tp_price", "total_pnl"), 0),
    "step_idx": 120,
    "episode_start": 120,
    "balance": 5_000_000,
    "highest_balance": 5_000_000,
    "trailing_dd_level": 3_500_000,
}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        *((value, True) for value in ("x", [1], {"a": 1}, 2**31, 1.5, None)),
        *((value, False) for value in (10**30, float("nan"))),  # of which no place is known
    ],
)
def test_a_state_that_is_no_whole_number_is_refused_by_name(value: object, named: bool) -> None:
    for field in ("position", "balance"):
        text = json.dumps({**STATE, field: value})
        done = CliRunner().invoke(parity, ["case", "--state", text, "--action", "0"])
        check_error(done.exception)
        assert str(done.exception).startswith("--state")
        assert named is (f"--state, field {field}: " in str(done.exception))


@pytest.mark.parametrize(
    "options",
    [
        ["--state", "[" * 100_000, "--action", "0"],
        ["--state", "{}", "--action", "0", "--config", "[]"],
        ["--state", "{}", "--action", "0", "--config", '{"window_size": 1e65}'],
    ],
)
def test_cases_that_cannot_be_read(options: list[str]) -> None:
    done = CliRunner().invoke(parity, ["case", *options])
    check_error(done.exception)


@pytest.mark.parametrize("action", ["2147483648", "-2147483649", "x"])
def test_an_action_beyond_32_bits_is_refused(action: str) -> None:
    done = CliRunner().invoke(app, ["parity", "case", "--state", "{}", "--action", action])
    assert done.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "sl_atr_mult=" + "9" * 400,
        "sl_atr_mult=1e999",
        "sl_atr_mult=NaN",
        "window_size=" + "9" * 30,
        "max_episode_bars=2147483648",
        "initial_balance_dollars=1e308",
        "hold_penalty=" + "[" * 100_000,
        "session=\x1b[31m",
        "window_size=true",
        "account={}",
        "=1",
        "x",
    ],
)
@pytest.mark.parametrize("phase", ["1", "2"])
def test_absurd_settings_are_refused_by_name(text: str, phase: str) -> None:
    sentence = refusal(lambda: environment(phase, [text]))
    assert sentence is not None
    assert len(sentence) < 1000
