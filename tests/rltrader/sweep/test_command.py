"""A sweep as it is called: bad input, and a worker that is killed while another takes part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pandas as pd
import pytest
from click.testing import CliRunner
from optuna.trial import FrozenTrial

from jax_port.evaluation.tasks import choice_of
from jax_port.ppo.policy import load_policy
from rltrader.sweep.attempts import GOOD, attempts
from rltrader.sweep.command import sweep
from rltrader.sweep.storage import open_storage
from tests.rltrader.options.plans import assert_made_again
from tests.sentences import check_error
from tests.snapshots import Snapshot

CONFIG = """
pattern = 8
validate = 2
envs = 8
n_steps = 32
batch_size = 64
epochs = 1
steps = 10240
pi = [8]
vf = [8]
updates_per_call = 1
checkpoint_every = 1
judgements = 2
pruner = "none"
[search]
learning_rate = { low = 1e-4, high = 1e-2, log = true }
gamma = [0.97, 0.99]
"""
TRIALS = 4


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "es.toml"
    path.write_text(CONFIG)
    return path


def refused(*arguments: str) -> None:
    check_error(CliRunner().invoke(sweep, [*arguments, "--ungated"]).exception)


def test_bad_input_is_one_sentence(config: Path, tmp_path: Path) -> None:
    out = ("--trials", "2", "--out", str(tmp_path / "out"))
    refused("--pattern", "5", *out)
    given = ("--config", str(config), *out)
    refused(*given, "--validate", "7")
    refused(*given, "--symbol", "ES", "--symbol", "NQ")
    refused(*given, "--storage", "grpc://nowhere")
    journal = tmp_path / "damaged.journal"
    journal.write_text("this is no journal\nat all\n")
    refused(*given, "--storage", str(journal))
    refused(*given, "--storage", "nosuch://u:secret@h/x")
    assert not (tmp_path / "out" / "trials").exists()


def test_without_a_certificate_nothing_is_begun(config: Path, tmp_path: Path) -> None:
    options = ["--config", str(config), "--trials", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(sweep, [*options, "--certificate", str(tmp_path / "none.json")])
    check_error(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_study_of_other_options_is_refused(config: Path, tmp_path: Path) -> None:
    storage = open_storage(None, tmp_path / "out")
    study = optuna.create_study(storage=storage, study_name="out")
    study.set_user_attr("asked", {"seeds": 3})
    refused("--config", str(config), "--trials", "2", "--out", str(tmp_path / "out"))


@pytest.mark.costly
def test_a_trial_is_trained_again_by_its_own_file(
    config: Path, tmp_path: Path, snapshot: Snapshot
) -> None:
    words = ["--config", str(config), "--trials", "1", "--seeds", "2", "--steps", "512", "--ungated"]
    done = CliRunner().invoke(sweep, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.exception
    assert_made_again(tmp_path / "out" / "trials" / "0000")
    for name, varies in (("trials.csv", ".seconds"), ("sweep.json", "*.seconds"), ("best", "")):
        snapshot(name, tmp_path / "out" / name, *filter(None, [varies]), within=1e-3)


def start(config: Path, out: Path, place: str) -> subprocess.Popen[bytes]:
    options = ["--config", str(config), "--trials", str(TRIALS), "--seeds", "2", "--ungated"]
    where = ["--out", str(out), "--storage", place, "--lease", "4"]
    command = [sys.executable, "-m", "rltrader", "sweep", *options, *where]
    with (out.parent / f"{out.name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def wait_for(ready: object, seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def values_alone(
    config: Path, tmp_path: Path, trials: dict[int, FrozenTrial]
) -> dict[int, float | None]:
    """Return what the same settings are worth to a single worker that nobody stops."""
    out, place = tmp_path / "alone", str(tmp_path / "alone.journal")
    study = optuna.create_study(
        storage=open_storage(place, out), study_name="alone", direction="maximize"
    )
    for trial in trials:
        study.enqueue_trial(trial.params)
    assert start(config, out, place).wait(timeout=540) == 0, (tmp_path / "alone.log").read_text()
    return [trial.value for trial in study.get_trials()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_two_workers_and_one_is_killed(config: Path, tmp_path: Path, place: str) -> None:
    out = tmp_path / "out"
    killed = start(config, out, place)
    wait_for(lambda: list(out.glob("trials/*/checkpoints/*.safetensors")))
    other = start(config, out, place)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    begun = next(out.glob("trials/*/checkpoints")).parent
    assert other.wait(timeout=540) == 0, (tmp_path / "out.log").read_text()
    trials = optuna.load_study(storage=open_storage(place, out), study_name="out").get_trials()
    ended = attempts(trials)
    assert len(ended) == TRIALS
    assert [sum(one.state in GOOD for one in tries) for tries in ended.values()] == [1] * TRIALS
    lost = [tries for tries in ended.values() if len(tries) > 1]
    assert len(lost) == 1
    assert lost[0][0].params == lost[0][1].params
    # Each update was made once, those before the kill included: no line twice, none missing.
    log = [json.loads(line) for line in (begun / "log.jsonl").read_text().splitlines()]
    assert Counter((one["update"], one["agent"]) for one in log) == Counter(
        (update, agent) for update in range(1, 41) for agent in (0, 1)
    )
    table = pd.read_csv(out / "trials.csv")
    assert list(table["rank"]) == [1, 2, 3, 4]
    assert table["value"].is_monotonic_decreasing
    best = out / "best" / "policy-0.safetensors"
    assert load_policy(best).about["certificate"] == "ungated"
    choice = choice_of(best, load_policy(best).about)
    assert (choice.trials, len(choice.sharpes)) == (2 * TRIALS, 2 * TRIALS)
    shared = [tries[-1] for tries in ended.values()]
    assert values_alone(config, tmp_path, shared) == [trial.value for trial in shared]
