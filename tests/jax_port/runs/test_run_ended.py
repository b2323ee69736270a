"""A run that has ended: left as it is, gone on with where it ended early, and never trained anew."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jax_port.ppo.policy import load_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import lineage
from jax_port.runs import run as runs
from jax_port.runs.logs.ranking import RANKING
from jax_port.runs.logs.training_log import TrainingLog, read_log
from jax_port.runs.plan import Plan
from jax_port.runs.policies import BEST, FINISHED, LAST, refuse_ended
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.sentences import refuses

SETTINGS = TrainSettings(n_envs=4, n_steps=8, batch_size=16, n_epochs=1, total_timesteps=32 * 3)
PLAN = Plan(
    SETTINGS.override(pi=(4,), vf=(4,)),
    TrainingData((Source("ES", kind="synthetic", days=2, seed=0),)),
    EnvConfig.phase1(max_episode_bars=20),
    agents=({}, {"gamma": 0.9}),
    checkpoint_every=1,
    certificate={"verdict": "same", "sha256": "1" * 64},
)
run = partial(runs.run, programs={})
"""All of one compiled program."""
POLICIES = ("policy-0.safetensors", "policy-1.safetensors")


@pytest.fixture(scope="module")
def stopped_early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three updates that was ended after two, as a callback may end it."""
    folder = tmp_path_factory.mktemp("early")
    told: list[int] = []
    assert run(PLAN, folder, lambda n, _: told.append(n), enough=lambda: told[-1] == 2, begin=True)
    return folder


@pytest.fixture(scope="module")
def ended(stopped_early: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, gone on with to its last update."""
    folder = tmp_path_factory.mktemp("ended") / "run"
    shutil.copytree(stopped_early, folder)
    assert run(PLAN, folder, certificate=PLAN.certificate)
    return folder


def _copy(folder: Path, place: Path) -> Path:
    shutil.copytree(folder, place / "run")
    return place / "run"


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return contents and times of all files of a run but its lock."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _updates(folder: Path, name: str) -> int:
    return int(load_policy(folder / name).about["updates"])


def test_a_run_that_has_ended_is_left_as_it_is(
    ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under other code and without a proof: nothing is trained under either."""
    folder = _copy(ended, tmp_path)
    before = _files(folder)
    monkeypatch.setattr(lineage, "code_digest", lambda modules: "f" * 64)
    told: list[tuple[int, list[Any]]] = []
    assert run(PLAN, folder, lambda *now: told.append(now))
    assert told == [(3, [])]
    assert _files(folder) == before


def test_a_policy_that_was_removed_is_written_again_and_no_other(ended: Path, tmp_path: Path) -> None:
    folder = _copy(ended, tmp_path)
    (folder / POLICIES[1]).unlink()
    kept = _files(folder)
    assert run(PLAN, folder)
    now = _files(folder)
    assert now[POLICIES[0]] == kept[POLICIES[0]]
    ours, theirs = (load_policy(place / POLICIES[1]) for place in (folder, ended))
    assert (ours.about["settings"], ours.about["updates"]) == (theirs.about["settings"], 3)
    assert ours.about["lineage"] == theirs.about["lineage"]
    assert json.loads((folder / "run.json").read_text()) == json.loads((ended / "run.json").read_text())


def test_a_run_that_was_killed_at_its_end_writes_all_policies(ended: Path, tmp_path: Path) -> None:
    """With the proof of what trained it, though that which writes them has none."""
    folder = _copy(ended, tmp_path)
    for name in (FINISHED, POLICIES[1]):
        (folder / name).unlink()
    (folder / POLICIES[0]).write_text("of an earlier end")
    assert run(PLAN, folder)
    for name in POLICIES:
        ours, theirs = (load_policy(place / name).about for place in (folder, ended))
        assert (ours["lineage"], ours["certificate"]) == (theirs["lineage"], PLAN.certificate)
        assert (ours["updates"], ours["settings"]) == (3, theirs["settings"])
    assert json.loads((folder / FINISHED).read_text()) == {"updates": 3, "policies": 2}


def test_a_run_is_finished_when_nothing_is_left_to_write(
    stopped_early: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the ranking: it is written by who goes on, and is of the end that it says."""
    folder = _copy(stopped_early, tmp_path)
    former = (folder / RANKING).read_text()

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("jax_port.runs.run.write_ranking", full)
        with pytest.raises(OSError, match="no space"):
            run(PLAN, folder)
    assert not (folder / FINISHED).exists()
    assert run(PLAN, folder)
    assert json.loads((folder / FINISHED).read_text()) == {"updates": 3, "policies": 2}
    assert (folder / RANKING).read_text() != former


def test_a_run_that_is_gone_on_with_is_not_finished_meanwhile(
    stopped_early: Path, tmp_path: Path
) -> None:
    """Killed at its first word, it does not look finished."""

    class Killed(Exception):
        pass

    def kill(*_: object) -> None:
        raise Killed

    assert json.loads((stopped_early / FINISHED).read_text()) == {"updates": 2, "policies": 2}
    folder = _copy(stopped_early, tmp_path)
    with pytest.raises(Killed):
        run(PLAN, folder, kill)
    assert not (folder / FINISHED).exists()
    assert [_updates(folder, name) for name in POLICIES] == [2, 2]
    assert run(PLAN, folder)
    assert [_updates(folder, name) for name in (*POLICIES, LAST)] == [3, 3, 3]
    assert json.loads((folder / FINISHED).read_text()) == {"updates": 3, "policies": 2}
    assert [record["update"] for record in read_log(folder)] == [1, 1, 2, 2, 3, 3]


def test_a_run_that_has_ended_is_never_trained_anew(stopped_early: Path, tmp_path: Path) -> None:
    """Its checkpoints are gone, and either of what says that it has ended may be, too."""
    whole = _copy(stopped_early, tmp_path)
    shutil.rmtree(whole / "checkpoints")
    for number, gone in enumerate(([], [FINISHED], POLICIES)):
        folder = _copy(whole, tmp_path / str(number))
        for name in gone:
            (folder / name).unlink()
        before = _files(folder)
        with refuses():
            run(PLAN, folder)
        assert _files(folder) == before
    (folder / FINISHED).unlink()
    refuse_ended(folder)  # nothing says any more that it has ended


def test_whatever_breaks_a_run_off_its_logs_are_closed_and_say_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher at its second call here: after the logs were told, and before the checkpoint."""

    class Follows:
        told: ClassVar[list[str]] = []

        def write(self, records: list[Any]) -> None:
            self.told.append(f"update {records[-1]['update']}")

        def close(self) -> None:
            self.told.append("closed")

    closed: list[int] = []
    close = TrainingLog.close
    monkeypatch.setattr(TrainingLog, "close", lambda self: (closed.append(1), close(self)))
    monkeypatch.setattr(runs, "make_loggers", lambda *_: [Follows(), Follows()])

    def watch(moment: runs.Moment) -> None:
        if moment.updates == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(PLAN, tmp_path, watch=watch, begin=True)
    assert Follows.told == ["update 1", "update 1", "update 2", "update 2", "closed", "closed"]
    assert closed == [1]
    assert [record["update"] for record in read_log(tmp_path)] == [1, 1, 2, 2]
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["1.safetensors"]
    assert run(PLAN, tmp_path)
    assert [record["update"] for record in read_log(tmp_path)] == [1, 1, 2, 2, 3, 3]


def test_every_policy_says_how_many_agents_it_may_be_chosen_from(ended: Path) -> None:
    for name in (*POLICIES, LAST, BEST):
        assert load_policy(ended / name).about["agents"] == 2


@pytest.mark.parametrize("text", ["", "{}", '{"updates": -1, "policies": 2}'])
def test_a_damaged_account_of_the_end_is_named(ended: Path, tmp_path: Path, text: str) -> None:
    folder = _copy(ended, tmp_path)
    (folder / FINISHED).write_text(text)
    with refuses():
        run(PLAN, folder)
