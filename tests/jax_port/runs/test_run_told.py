"""What a run of several agents and markets hands on: to loggers, watchers, checks and its own files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from foundation.files import file_digest
from foundation.lock import folder_lock
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import checkpoints, lineage
from jax_port.runs import run as runs
from jax_port.runs.logs.training_log import LOG, TENSORBOARD, Record, read_log
from jax_port.runs.plan import Plan
from jax_port.runs.policies import FINISHED
from jax_port.runs.run_file import RUN
from jax_port.runs.runner import Programs
from jax_port.runs.training_advice import TrainingAdvice
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from tests.jax_port.made_policy import make_policy
from tests.jax_port.runs.logs.tensorboard_events import events_in
from tests.sentences import refuses

FIRST = {"verdict": "same", "strength": "full", "sha256": "1" * 64}
SECOND = {"verdict": "same", "strength": "thorough", "sha256": "2" * 64}
BEFORE = {"verdict": "same", "strength": "standard", "sha256": "3" * 64}
"""Of the policy that the agents begin with, and the weakest."""
SHOWN = {**SECOND, "verdict": "same, minibatches by group", "strength": "standard"}
ROLLOUT = 4 * 8
SETTINGS = TrainSettings(
    n_envs=4, n_steps=8, batch_size=16, n_epochs=1, order_groups=2, total_timesteps=ROLLOUT * 5, seed=3
)
MARKETS = TrainingData(
    (Source("ES", kind="synthetic", days=2, seed=0), Source("NQ", kind="synthetic", days=3, seed=1))
)
PLAN = Plan(
    SETTINGS.override(pi=(4,), vf=(4,)),
    MARKETS,
    EnvConfig.phase1(max_episode_bars=6, window_size=2),
    agents=({"seed": 9}, {"gamma": 0.9}, {"ent_coef": 0.2}),
    updates_per_call=2,
    checkpoint_every=3,
    certificate=FIRST,
)
SEEDS = (9, 4, 5)
COUNT = 1000
"""Observations behind the statistics of the policy that agents begin with."""
Places = list[tuple[int, int]]


class Follows:
    """A logger that remembers what it was told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.calls: list[int] = []
        self.closed = 0

    def write(self, records: Sequence[Record]) -> None:
        self.records += records
        self.calls.append(len(records))

    def close(self) -> None:
        self.closed += 1


class Told(NamedTuple):
    """What was seen of a run that was left after its first call and gone on with to its end.

    Attributes:
        folder: of the run.
        plan: of the run.
        follows: two loggers of all of it.
        watched: updates and policies at each call.
        losses: (records, newest checkpoint) at each check of losses.
        weights: (updates, newest checkpoint) at each check of weights.
        programs: that were compiled.
    """

    folder: Path
    plan: Plan
    follows: tuple[Follows, Follows]
    watched: list[tuple[int, list[Record], list[Policy]]]
    losses: Places
    weights: Places
    programs: Programs


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan, of agents that begin with a policy that has a lineage of its own."""
    path = tmp_path_factory.mktemp("grown") / "first.safetensors"
    market = PLAN.data.prepared(PLAN.config)[0][0]
    own = lineage.stretch(0, BEFORE, {"device": "another"})
    about: dict[str, Any] = {"certificate": BEFORE, "lineage": lineage.lineage_of([own])}
    save_policy(path, make_policy(market, PLAN.config, spec=PLAN.settings.network, **about))
    return replace(PLAN, initial={"path": str(path), "sha256": file_digest(path)})


@pytest.fixture(scope="module")
def told(grown: Plan, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told") / "run"
    seen = Told(folder, grown, (Follows(), Follows()), [], [], [], {})
    check_losses, check_weights = runs.require_finite_losses, runs.require_finite_weights

    def losses(records: Sequence[Record], folder: Path, saved: int) -> None:
        seen.losses.append((len(records), saved))
        check_losses(records, folder, saved)

    def weights(agent: Any, update: int, folder: Path, saved: int) -> None:
        seen.weights.append((update, saved))
        check_weights(agent, update, folder, saved)

    def watch(moment: runs.Moment) -> None:
        seen.watched.append((moment.updates, moment.records, moment.policies()))

    def make(*given: Any) -> list[Follows]:
        assert given == (("wandb", "mlflow"), folder, grown)
        assert (folder / RUN).exists() == bool(seen.watched)  # before a run is begun
        return [*seen.follows]

    asked: Any = {"watch": watch, "programs": seen.programs, "loggers": ("wandb", "mlflow")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "make_loggers", make)
        patch.setattr(runs, "require_finite_losses", losses)
        patch.setattr(runs, "require_finite_weights", weights)
        assert not runs.run(
            grown, folder, stop=lambda: True, begin=True, texts={"note.txt": "as it was"}, **asked
        )
        with (folder / LOG).open("a") as log:  # of an attempt that was cut off
            log.write(json.dumps({"update": 3, "agent": 0, "loss": 0.5}) + "\n")
        assert runs.run(grown, folder, certificate=SECOND, **asked)
    return seen


def test_loggers_are_told_every_update_of_every_agent(told: Told) -> None:
    whole = [(update, agent) for update in range(1, 6) for agent in range(3)]
    log = read_log(told.folder)
    assert [(one["update"], one["agent"]) for one in log] == whole
    assert [one.records for one in told.follows] == [log, log]
    assert [one.calls for one in told.follows] == [[6, 6, 3]] * 2  # never of nothing
    assert [one.closed for one in told.follows] == [2, 2]  # once by each of the two calls
    assert [updates for updates, _, _ in told.watched] == [2, 4, 5]
    assert [one for _, records, _ in told.watched for one in records] == log


def test_losses_are_checked_at_each_call_and_weights_at_each_checkpoint(told: Told) -> None:
    """Beside the newest checkpoint before."""
    assert told.losses == [(6, 0), (6, 2), (3, 2)]
    assert told.weights == [(2, 0), (5, 2)]
    assert len(told.programs) == 2  # of two updates and of one


def test_policies_on_the_way_say_what_they_have_been_through_so_far(told: Told) -> None:
    _, facts = PLAN.data.load(PLAN.config)
    ends = [load_policy(told.folder / f"policy-{agent}.safetensors") for agent in range(3)]
    stretches: list[Any] = [[(FIRST, [0, 2])], [(FIRST, [0, 2]), (SECOND, [2, 4])]]
    stretches.append([(FIRST, [0, 2]), (SECOND, [2, 5])])
    for (updates, _, policies), through in zip(told.watched, stretches, strict=True):
        for policy, seed, own in zip(policies, SEEDS, PLAN.agents, strict=True):
            about = policy.about
            settings = {**PLAN.settings.to_dict(), **own, "seed": seed}
            assert about["settings"] == settings
            assert (about["updates"], about["steps"]) == (updates, ROLLOUT * updates)
            assert (about["agents"], about["initial"]) == (3, told.plan.initial)
            assert about["data"] == facts
            assert [one["symbol"] for one in about["data"]] == ["ES", "NQ"]
            behind = about["lineage"]
            assert [(one["certificate"], one["updates"]) for one in behind["stretches"]] == through
            assert {one["order_groups"] for one in behind["stretches"]} == {2}
            assert behind["grew_from"] == told.plan.grew_from()
            assert behind["grew_from"]["certificate"] == BEFORE
            shown = {**SHOWN, "sha256": through[-1][0]["sha256"]}
            assert behind["certificate"] == about["certificate"] == shown
            assert about["versions"].keys() >= {"flax", "jax", "jaxlib", "numpy", "optax"}
            assert behind["stretches"][0]["made"]["versions"] == about["versions"]
    for end, policy in zip(ends, told.watched[-1][2], strict=True):
        assert end.about == json.loads(json.dumps(policy.about))


def test_every_agent_begins_with_the_weights_and_statistics_of_the_policy_that_it_grew_from(
    told: Told,
) -> None:
    """Two updates at a small rate have moved them little; and of what was drawn nothing is left."""
    first = load_policy(Path(told.plan.initial["path"]))
    updates, _, policies = told.watched[0]
    for policy in policies:
        for layer, kinds in policy.params["params"].items():
            for kind, value in kinds.items():
                apart = np.abs(value - first.params["params"][layer][kind]).max()
                assert 0 < apart < 0.05, (layer, kind)
        assert policy.statistics is not None
        assert float(policy.statistics["count"]) == COUNT + 4 + updates * ROLLOUT
    kernels = [policy.params["params"]["policy_0"]["kernel"] for policy in policies]
    assert len({np.asarray(kernel).tobytes() for kernel in kernels}) == 3


def test_a_run_that_goes_on_says_where_its_logs_begin_anew(told: Told) -> None:
    """Each agent's board hides what came after the step of the checkpoint."""
    for agent in range(3):
        places = sorted((told.folder / TENSORBOARD / f"agent-{agent}").iterdir())
        marks = {event.step for event in events_in(places) if event.HasField("session_log")}
        assert marks == {1, 2 * ROLLOUT + 1}


def test_a_run_is_begun_with_its_texts_and_with_what_it_grew_from(grown: Plan, tmp_path: Path) -> None:
    runs.start(grown, tmp_path / "run", {"one.txt": "1\n", "two.json": "{}"})
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["one.txt", RUN, "two.json"]
    assert (tmp_path / "run" / "one.txt").read_text() == "1\n"
    values = json.loads((tmp_path / "run" / RUN).read_text())
    assert values.keys() == {"plan", "made", "lineage"}
    assert values["plan"] == json.loads(json.dumps(grown.to_dict()))
    assert values["made"] == json.loads(json.dumps(runs.made_with()))
    begun = values["lineage"]
    assert begun["grew_from"] == json.loads(json.dumps(grown.grew_from()))
    assert begun["certificate"] == {**FIRST, "verdict": SHOWN["verdict"], "strength": "standard"}
    (only,) = begun["stretches"]
    assert (only["updates"], only["certificate"], only["order_groups"]) == ([0, 0], FIRST, 2)
    assert only["made"] == values["made"]


def test_the_end_of_a_run_says_the_same_in_all_its_files(told: Told) -> None:
    folder = told.folder
    (behind,) = {
        json.dumps(load_policy(folder / f"policy-{agent}.safetensors").about["lineage"])
        for agent in range(3)
    }
    assert json.loads((folder / RUN).read_text())["lineage"] == json.loads(behind)
    assert json.loads((folder / FINISHED).read_text()) == {"updates": 5, "policies": 3}
    assert (folder / "note.txt").read_text() == "as it was"
    assert sorted(file.name for file in (folder / checkpoints.FOLDER).iterdir()) == [
        "2.safetensors",
        "5.safetensors",
    ]


def test_the_ranking_has_each_agent_s_own_seed_and_numbers_and_its_last_updates(told: Told) -> None:
    """A quarter of five updates is the last one."""
    rows = list(csv.DictReader((told.folder / "ranking.csv").read_text().splitlines()))
    last = {one["agent"]: one for one in read_log(told.folder) if one["update"] == 5}
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    pnl = [float(row["pnl_dollars"]) for row in rows]
    assert pnl == sorted(pnl, reverse=True)
    assert len(set(pnl)) == 3
    for row in rows:
        one = last[int(row["agent"])]
        assert float(row["pnl_dollars"]) == pytest.approx(one["episode_pnl_dollars"], rel=1e-9)
        assert int(row["episodes"]) == one["episodes"]
    own = {int(row["agent"]): (row["seed"], row["gamma"], row["ent_coef"]) for row in rows}
    assert own == {0: ("9", "", ""), 1: ("4", "0.9", ""), 2: ("5", "", "0.2")}


def test_a_policy_that_was_removed_leaves_the_count_of_all(told: Told) -> None:
    file = told.folder / "policy-1.safetensors"
    whole = load_policy(file).about
    file.unlink()
    assert runs.run(told.plan, told.folder, programs=told.programs)
    assert load_policy(file).about == whole
    assert json.loads((told.folder / FINISHED).read_text()) == {"updates": 5, "policies": 3}


def test_a_run_that_was_left_and_gone_on_with_is_the_whole_one_to_the_last_bit(
    told: Told, tmp_path: Path
) -> None:
    """In its log, its policies and its last checkpoint."""
    whole = tmp_path / "whole"
    assert runs.run(told.plan, whole, begin=True, programs=told.programs)
    logs = [
        [{**one, "steps_per_second": 0} for one in read_log(folder)] for folder in (whole, told.folder)
    ]
    assert logs[0] == logs[1]
    for place in (*(f"policy-{agent}.safetensors" for agent in range(3)), "checkpoints/5.safetensors"):
        ours, theirs = (load_file(folder / place) for folder in (whole, told.folder))
        assert ours.keys() == theirs.keys()
        for name, values in ours.items():
            assert values.dtype == theirs[name].dtype
            np.testing.assert_array_equal(values, theirs[name], f"{place} {name}")


def test_only_the_first_process_writes(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one trains as well, and is told all of it."""
    calls: list[int] = []
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    folder = tmp_path / "run"
    assert runs.run(
        told.plan, folder, lambda now, _: calls.append(now), begin=True, programs=told.programs
    )
    assert calls == [0, 2, 4, 5]
    assert not folder.exists()


@pytest.mark.parametrize("check", ["check_split", "refuse_other_numbers", "check_loggers"])
def test_a_training_that_cannot_be_made_is_refused_before_its_folder_is_made(
    check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def refuse(*given: Any) -> None:
        asked.append(given)
        raise InputError("not so")

    monkeypatch.setattr(runs, check, refuse)
    with pytest.raises(InputError, match="not so"):
        runs.run(PLAN, tmp_path / "run", begin=True, loggers=("wandb",))
    mesh = runs.make_mesh()
    wanted = {"check_split": (mesh, 4, 2), "refuse_other_numbers": (), "check_loggers": (("wandb",),)}
    assert asked == [wanted[check]]
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a logger follows it."""
    monkeypatch.setattr(runs, "make_loggers", lambda *_: pytest.fail("it was followed"))
    (tmp_path / RUN).write_text("as it was")
    for begin in (
        lambda: runs.start(PLAN, tmp_path, {"note.txt": "other"}),
        lambda: runs.run(PLAN, tmp_path, begin=True),
    ):
        with pytest.raises(InputError, match="there is a run here already"):
            begin()
    assert (tmp_path / RUN).read_text() == "as it was"
    assert not (tmp_path / "note.txt").exists()


def test_a_folder_in_which_another_trains_is_left_alone(tmp_path: Path) -> None:
    with folder_lock(tmp_path, "trains"), pytest.raises(InputError, match="trains"):
        runs.run(PLAN, tmp_path, begin=True)
    assert not (tmp_path / RUN).exists()


def test_a_loss_that_is_no_number_is_found_in_the_last_agent_s_last_update(
    told: Told, tmp_path: Path
) -> None:
    plan = replace(PLAN, agents=({}, {}, {"learning_rate": 1e12}))
    with refuses():
        runs.run(plan, tmp_path, begin=True, programs=told.programs)
    assert not list(tmp_path.glob("*.safetensors"))
    assert not (tmp_path / checkpoints.FOLDER).exists()


def test_a_lineage_that_no_checkpoint_could_hold_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_LINEAGE", 10)
    calls: list[int] = []
    with refuses():
        runs.run(PLAN, tmp_path, lambda updates, _: calls.append(updates), begin=True)
    assert calls == []


def test_memory_is_asked_for_all_agents_and_for_the_columns_of_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def refuse(*sizes: Any) -> None:
        asked.append(sizes)
        raise InputError("too large")

    monkeypatch.setattr(runs, "require_training_memory", refuse)
    use = AdviceUse("columns", FusionSettings(), "rules", "a", "", "", "never")
    advised = replace(MARKETS, advice=TrainingAdvice(use, ("one", "two")))
    for data in (MARKETS, advised):
        with pytest.raises(InputError, match="too large"):
            runs.run(replace(PLAN, data=data), tmp_path / "run", begin=True)
    usual = (PLAN.settings, PLAN.config, 3, 2)
    assert asked == [(*usual, 0), (*usual, 4)]
    assert not (tmp_path / "run").exists()
