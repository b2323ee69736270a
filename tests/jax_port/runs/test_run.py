"""Runs end whole whatever happens to them on the way: kills, damage, foreign files."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from foundation.files import file_digest
from jax_port.data.data_loader import prepare
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import run as runs
from jax_port.runs.checkpoints import Checkpoints
from jax_port.runs.divergence import require_finite_weights
from jax_port.runs.logs.ranking import rank
from jax_port.runs.logs.training_log import Record, read_log
from jax_port.runs.plan import Plan, read_plan
from jax_port.runs.policies import FINISHED
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses
from tests.snapshots import Snapshot

SETTINGS = TrainSettings(
    n_envs=8, n_steps=8, batch_size=24, n_epochs=2, total_timesteps=64 * 40, anneal=True
).override(pi=(8,), vf=(8,))
DATA = TrainingData((Source("ES", kind="synthetic", days=3, seed=0),))
CONFIG = EnvConfig.phase1(max_episode_bars=30)
PLAN = Plan(
    SETTINGS, DATA, CONFIG, agents=({}, {"gamma": 0.9}), checkpoint_every=4, certificate="ungated"
)
TIMES = {"steps_per_second"}

CHILD = """
import sys
from pathlib import Path
from jax_port.runs import run as runs
from jax_port.runs.plan import Plan, read_plan
folder = Path(sys.argv[1])
runs.run(read_plan(folder), folder)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody touched, in a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    runs.start(PLAN, folder)
    assert _finish(folder) == 0
    return folder


def _finish(folder: Path) -> int:
    return subprocess.run([sys.executable, "-c", CHILD, str(folder)], check=False).returncode


def _timeless(folder: Path) -> list[dict[str, object]]:
    return [{k: v for k, v in record.items() if k not in TIMES} for record in read_log(folder)]


def _lines(folder: Path) -> int:
    log = folder / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


@pytest.mark.costly
def test_a_run_leaves_what_it_says(whole: Path, snapshot: Snapshot) -> None:
    records = read_log(whole)
    assert [r["update"] for r in records] == [u for u in range(1, 41) for _ in range(2)]
    assert records[-1]["steps"] == 64 * 40
    assert json.loads((whole / FINISHED).read_text())["updates"] == 40
    first, second = (load_policy(whole / f"policy-{k}.safetensors") for k in (0, 1))
    assert first.about["settings"]["seed"] == 0
    assert second.about["settings"]["gamma"] == 0.9
    assert second.about["certificate"] == "ungated"
    assert first.about["data"]["symbol"] == "ES"
    assert first.statistics["mean"].dtype == np.float64
    assert float(first.statistics["count"]) == pytest.approx(8 + 64 * 40 + 1e-4, abs=1e-9)
    assert list((whole / "tensorboard" / "agent-1").glob("events*"))
    snapshot("whole", whole, within=1e-3)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(whole: Path, tmp_path: Path) -> None:
    runs.start(PLAN, tmp_path)
    assert not runs.run(PLAN, tmp_path, stop=lambda: True)  # after one call
    assert _lines(tmp_path) == 2
    assert _finish(tmp_path) == 0
    assert _timeless(tmp_path) == _timeless(whole)


def test_a_call_that_holds_fewer_updates_makes_no_more_and_checkpoints_keep_their_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven updates, two in a call; a checkpoint where three or more were made since the last one."""
    settings = TrainSettings(n_envs=4, n_steps=8, batch_size=16, total_timesteps=32 * 7)
    few = settings.override(pi=(4,), vf=(4,))
    config = EnvConfig.phase1(max_episode_bars=20)
    plan = Plan(few, DATA, config, updates_per_call=2, checkpoint_every=3, certificate="ungated")
    saved: list[int] = []
    save = Checkpoints.save

    def note(self: Checkpoints, updates: int, *more: Any) -> None:
        saved.append(updates)
        save(self, updates, *more)

    monkeypatch.setattr(Checkpoints, "save", note)
    told: list[int] = []
    asked: Any = {"on_progress": lambda n, _: told.append(n), "begin": True, "programs": {}}
    assert runs.run(plan, tmp_path, **asked)
    assert told == [0, 2, 4, 6, 7]
    assert saved == [4, 7]
    log = read_log(tmp_path)
    assert [(record["update"], record["steps"]) for record in log] == [(n, 32 * n) for n in range(1, 8)]
    # The last policy goes by all episodes since the checkpoint before, not by those of a call.
    (since,), (newest,) = (rank([one for one in log if one["update"] > after]) for after in (4, 6))
    chosen = load_policy(tmp_path / "last.safetensors").about["chosen"]
    assert chosen == {"agent": 0, "updates": 7, "pnl_dollars": since.pnl_dollars}
    assert since.episodes > newest.episodes
    # Exactly as many as are asked for are enough, and a signal after the last update comes too late.
    saved.clear()
    told.clear()
    nearer = replace(plan, checkpoint_every=2)
    assert runs.run(nearer, tmp_path / "nearer", stop=lambda: told[-1] == 7, **asked)
    assert (saved, told) == ([2, 4, 6, 7], [0, 2, 4, 6, 7])


class Follows:
    """A logger that remembers what it was told."""

    def __init__(self) -> None:
        self.updates: list[int] = []
        self.closed = 0

    def write(self, records: Sequence[Record]) -> None:
        self.updates += [record["update"] for record in records]

    def close(self) -> None:
        self.closed += 1


@pytest.mark.costly
def test_a_run_that_goes_on_begins_where_it_was_left_and_all_that_follow_it_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes in the last update comes too late: the run is finished by then."""
    settings = TrainSettings(n_envs=4, n_steps=8, batch_size=16, total_timesteps=32 * 4)
    plan = Plan(settings.override(pi=(4,), vf=(4,)), DATA, CONFIG, certificate="ungated")
    loggers = [Follows(), Follows()]
    monkeypatch.setattr(runs, "make_loggers", lambda names, folder, plan: list(loggers))
    told: list[int] = []
    rest: list[int] = []
    stopped = runs.run(plan, tmp_path, lambda n, _: told.append(n), lambda: told[-1] == 2, begin=True)
    assert (stopped, told) == (False, [0, 1, 2])
    assert [one.closed for one in loggers] == [1, 1]
    finished = runs.run(plan, tmp_path, lambda n, _: rest.append(n), lambda: rest[-1] == 4)
    assert (finished, rest) == (True, [2, 3, 4])
    assert [one.updates for one in loggers] == [[1, 2, 3, 4]] * 2
    assert [record["update"] for record in read_log(tmp_path)] == [1, 2, 3, 4]
    assert json.loads((tmp_path / FINISHED).read_text()) == {"updates": 4, "policies": 1}


@pytest.mark.slow
def test_ten_kills_change_nothing(whole: Path, tmp_path: Path) -> None:
    """SIGKILL at ten random moments, among them while starting, saving and finishing."""
    draw = random.Random(0)
    runs.start(PLAN, tmp_path)
    targets = sorted(draw.randrange(0, 78) for _ in range(10))
    for target in targets:
        with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)]) as child:
            deadline = time.monotonic() + 120
            while _lines(tmp_path) <= target and child.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            time.sleep(draw.random() * 0.1)
            child.kill()
        assert child.returncode in (-signal.SIGKILL, 0)
    assert _finish(tmp_path) == 0
    for name in ("policy-0.safetensors", "policy-1.safetensors"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert _timeless(tmp_path) == _timeless(whole)


@pytest.mark.slow
def test_agents_side_by_side_are_what_they_are_alone(whole: Path, tmp_path: Path) -> None:
    alone = Plan(SETTINGS.override(gamma=0.9, seed=1), DATA, CONFIG, certificate="ungated")
    runs.start(alone, tmp_path)
    assert runs.run(alone, tmp_path)
    places = (tmp_path / "policy-0.safetensors", whole / "policy-1.safetensors")
    ours, theirs = (load_policy(place) for place in places)
    for layer, kinds in ours.params["params"].items():
        for kind, value in kinds.items():
            np.testing.assert_allclose(value, theirs.params["params"][layer][kind], rtol=0, atol=2e-5)


@pytest.mark.slow
def test_agent_k_of_several_is_agent_k_alone_down_to_its_file(tmp_path: Path) -> None:
    """Without a learning rate no product rounds differently, so all that is left must be the same.

    Only batches' variances are summed in another order, which is the last bits of float64.
    """
    still = SETTINGS.override(learning_rate=0.0, total_timesteps=64 * 2, anneal=False)
    own = {"gamma": 0.9, "ent_coef": 0.5, "seed": 11}
    several, alone = tmp_path / "several", tmp_path / "alone"
    assert runs.run(Plan(still, DATA, CONFIG, agents=({}, own)), several, begin=True)
    assert runs.run(Plan(still.override(**own), DATA, CONFIG), alone, begin=True)
    first, theirs, ours = (
        load_policy(path)
        for path in (*sorted(several.glob("policy-*")), alone / "policy-0.safetensors")
    )
    assert (theirs.about["agents"], ours.about["agents"]) == (2, 1)
    assert theirs.about == {**ours.about, "agents": 2}
    assert (theirs.spec, theirs.config) == (ours.spec, ours.config)
    for layer, kinds in ours.params["params"].items():
        for kind, value in kinds.items():
            np.testing.assert_array_equal(value, theirs.params["params"][layer][kind])
    for name, value in ours.statistics.items():
        np.testing.assert_allclose(value, theirs.statistics[name], rtol=1e-12, atol=1e-12)
    assert np.abs(first.statistics["mean"] - ours.statistics["mean"]).max() > 0.1
    records = {folder: _timeless(folder) for folder in (several, alone)}
    of_agent = [{**one, "agent": 0} for one in records[several] if one["agent"] == 1]
    for one, other in zip(of_agent, records[alone], strict=True):
        assert one.keys() == other.keys()
        for name in ("episodes", "trades", "ended_by", "action_share", "episode_pnl_dollars"):
            assert one[name] == other[name]


def _copy(whole: Path, place: Path) -> Path:
    shutil.copytree(whole, place, dirs_exist_ok=True)
    return place


@pytest.mark.costly
def test_damaged_checkpoints_are_named(whole: Path, tmp_path: Path) -> None:
    folder = _copy(whole, tmp_path)
    newest = folder / "checkpoints" / "40.safetensors"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 0x10
    newest.write_bytes(bytes(data))
    with refuses():
        runs.run(PLAN, folder)
    newest.unlink()
    assert runs.run(PLAN, folder)
    for name in ("policy-0.safetensors", "policy-1.safetensors"):
        assert (folder / name).exists()


@pytest.mark.costly
def test_foreign_checkpoints_are_refused(whole: Path, tmp_path: Path) -> None:
    folder = _copy(whole, tmp_path)
    other = Plan(SETTINGS.override(seed=7), DATA, CONFIG, certificate="ungated")
    with refuses():
        runs.run(other, folder)


@pytest.mark.costly
def test_a_torn_log_line_is_dropped(whole: Path, tmp_path: Path) -> None:
    folder = _copy(whole, tmp_path)
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"update": 41, "agen')
    (folder / FINISHED).unlink()  # killed at its end
    assert runs.run(PLAN, folder)
    assert _timeless(folder) == _timeless(whole)


@pytest.mark.costly
def test_a_folder_holds_one_run(whole: Path) -> None:
    with refuses():
        runs.start(PLAN, whole)


@pytest.mark.parametrize("text", ["", "[]", '{"plan": {"format": 1}}', '{"plan": {"format": 9}}'])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with refuses():
        read_plan(tmp_path)


def test_no_run_at_all(tmp_path: Path) -> None:
    with refuses():
        read_plan(tmp_path / "none")


def test_agents_may_not_differ_in_sizes() -> None:
    with refuses():
        Plan(SETTINGS, DATA, CONFIG, agents=({"n_envs": 3},))
    with refuses():
        Plan(SETTINGS, DATA, CONFIG, agents=({"gamma": 1.5},))


@pytest.mark.parametrize("phase", [1, 2])
def test_a_policy_of_another_window_is_refused_before_anything_is_written(
    tmp_path: Path, phase: int
) -> None:
    """So that the corrected command finds the folder free."""
    path, out = tmp_path / "policy.safetensors", tmp_path / "run"
    save_policy(path, make_policy(prepare(DATA.sources[0].read(), CONFIG), CONFIG))
    plan = Plan(
        SETTINGS.override(pi=(16, 16)),
        DATA,
        CONFIG.override(window_size=30, phase=phase),
        certificate="ungated",
        initial={"path": str(path), "sha256": file_digest(path)},
    )
    with refuses():
        runs.run(plan, out, begin=True)
    assert not (out / "run.json").exists()


def test_plans_go_there_and_back() -> None:
    assert Plan.from_dict(json.loads(json.dumps(PLAN.to_dict()))) == PLAN


def test_the_device_is_a_cpu_here() -> None:
    assert jax.default_backend() == "cpu"


@pytest.mark.costly
def test_a_training_whose_loss_is_no_number_stops_and_names_update_and_agent(tmp_path: Path) -> None:
    """The second of two agents learns at an absurd rate; nothing of it is saved as a policy."""
    plan = Plan(SETTINGS, DATA, CONFIG, agents=({}, {"learning_rate": 1e12}), certificate="ungated")
    runs.start(plan, tmp_path)
    with refuses():
        runs.run(plan, tmp_path)
    assert not list(tmp_path.glob("policy-*"))
    assert not (tmp_path / FINISHED).exists()


@pytest.mark.costly
def test_what_goes_on_without_a_proof_has_none(tmp_path: Path) -> None:
    """The plan's own is of the code that the run began under, so whoever goes on brings another."""
    proof = {
        "verdict": "same",
        "made": {"when": "2026-01-01T00:00:00+00:00"},
        "sha256": "1",
        "counts": {},
    }
    plan = Plan(SETTINGS.override(total_timesteps=64 * 2), DATA, CONFIG, certificate=proof)
    ended = {}
    for name, given in (("none", None), ("the same", proof)):
        folder = tmp_path / name
        assert not runs.run(plan, folder, stop=lambda: True, begin=True)
        assert runs.run(plan, folder, certificate=given)
        ended[name] = load_policy(folder / "policy-0.safetensors").about["certificate"]
    assert ended == {"none": "ungated", "the same": proof}


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    learner = SimpleNamespace(params={"a": np.ones((3, 2)), "b": np.ones((3, 1))})
    agent = SimpleNamespace(learner=learner)
    require_finite_weights(agent, 7, tmp_path, 5)
    learner.params["b"][2] = np.nan
    with refuses():
        require_finite_weights(agent, 7, tmp_path, 5)


@pytest.mark.slow
def test_a_run_names_all_its_files_and_goes_on_with_no_others(tmp_path: Path) -> None:
    """Another number in the second of two files, of the dates that are trained on, is another run."""
    files, folder = [tmp_path / f"{number}.csv" for number in (1, 2)], tmp_path / "run"
    for number, file in enumerate(files, 1):
        write_bars(synthetic_bars("ES", days=3, seed=number), file)
    sources = tuple(Source("ES", str(file)) for file in files)
    data = TrainingData(sources, last="2025-01-07")  # two of the three days
    plan = Plan(SETTINGS.override(total_timesteps=64 * 3), data, CONFIG, certificate="ungated")
    assert not runs.run(plan, folder, stop=lambda: True, begin=True)
    whole = files[1].read_text()
    rows = whole.splitlines()
    changed = [*rows[:-1], rows[-1].rpartition(",")[0] + ",77777"]  # the last day's last volume
    files[1].write_text("\n".join(changed) + "\n")
    assert not runs.run(plan, folder, stop=lambda: True)
    rows[600] = rows[600].rpartition(",")[0] + ",77777"  # of the second day
    files[1].write_text("\n".join(rows) + "\n")
    with refuses():
        runs.run(plan, folder)
    files[1].write_text(whole)
    assert runs.run(plan, folder)
    about = load_policy(folder / "policy-0.safetensors").about
    _, facts = data.prepared(CONFIG)
    assert about["data"] == facts
    assert [(one["source"], one["last"]) for one in facts] == [
        ("1.csv", "2025-01-07"),
        ("2.csv", "2025-01-07"),
    ]
    assert (about["updates"], about["steps"]) == (3, 192)
