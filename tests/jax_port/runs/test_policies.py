"""Which agent's policy a run keeps, on its way and at its end, and that all of it is that agent's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.own.module import own_network
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.ppo.train_ppo_jax import TrainState, init_agents
from jax_port.runs import run as runs
from jax_port.runs.checkpoints import FOLDER
from jax_port.runs.logs.ranking import rank
from jax_port.runs.logs.training_log import read_log
from jax_port.runs.plan import Plan
from jax_port.runs.policies import (
    BEST,
    CHOSEN,
    FINISHED,
    LAST,
    missing_policies,
    no_longer_finished,
    note_finished,
    policies_of,
    policy_file,
    read_finished,
    refuse_ended,
    updates_at_end,
    write_last_and_best,
    write_policies,
)
from jax_port.runs.training_advice import TrainingAdvice
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from tests.jax_port.ppo.own.networks import Separate
from tests.jax_port.runs import test_run

SETTINGS = TrainSettings(n_envs=4, n_steps=8, batch_size=16).override(pi=(4, 3), vf=(5,))
CONFIG = EnvConfig.phase1(max_episode_bars=8, window_size=2)
DATA = TrainingData((Source("ES", kind="synthetic", days=2, seed=0),))
AGENTS = ({"gamma": 0.9}, {"learning_rate": 1e-3, "seed": 12}, {"ent_coef": 0.2})
PLAN = Plan(SETTINGS, DATA, CONFIG, AGENTS, certificate="ungated")
USE = AdviceUse("prior", FusionSettings(), "rules", "a", "", "", "never")
ADVISED = replace(PLAN, data=replace(DATA, advice=TrainingAdvice(USE, ("table",))))


@pytest.fixture(scope="module")
def agents() -> TrainState:
    """Host arrays of three agents of which no number is another's."""
    params, _ = DATA.load(CONFIG)
    shapes = jax.eval_shape(
        lambda seeds: init_agents(seeds, params, PLAN.settings), jnp.zeros(len(AGENTS), jnp.int32)
    )
    rng = np.random.default_rng(0)

    def fill(leaf: jax.ShapeDtypeStruct) -> Any:
        return (
            rng.permutation(np.arange(1, 1 + np.prod(leaf.shape)))
            .reshape(leaf.shape)
            .astype(leaf.dtype)
        )

    made: TrainState = jax.tree.map(fill, shapes)
    return made


def _arrays(policy: Policy) -> list[Any]:
    return jax.tree.leaves((policy.params, dict(policy.statistics or {})))


def _same(one: Policy, other: Policy) -> bool:
    pairs = zip(_arrays(one), _arrays(other), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def test_a_policy_of_several_is_all_its_own_agents(agents: TrainState) -> None:
    """Each of several is what the run of that agent alone would write of the same numbers."""
    several = policies_of(PLAN, agents, {"updates": 3})
    assert len(several) == len(AGENTS)
    for number, policy in enumerate(several):
        own = {**PLAN.agents[number], "seed": PLAN.seeds[number]}
        alone = replace(PLAN, settings=PLAN.settings.override(**own), agents=({},))
        one = jax.tree.map(lambda leaf: leaf[number : number + 1], agents)  # noqa: B023
        (expected,) = policies_of(alone, one, {"updates": 3})
        assert _same(policy, expected)
        assert policy.about == expected.about
        assert (policy.spec, policy.config) == (expected.spec, expected.config)
        assert all(not _same(policy, other) for other in several if other is not policy)
        assert {name: policy.about["settings"][name] for name in RATES} == {
            name: getattr(alone.settings, name) for name in RATES
        }


def test_a_policy_says_what_network_it_is_of_and_with_what_advice_it_was_trained(
    agents: TrainState,
) -> None:
    own = own_network(Separate())
    with_own = replace(PLAN, settings=replace(SETTINGS, own=own))
    for plan, network, advice in ((PLAN, None, None), (ADVISED, None, USE), (with_own, own, None)):
        found = [(one.own, one.advice) for one in policies_of(plan, agents, {})]
        assert found == [(network, advice)] * len(AGENTS)


def test_policies_are_missing_of_the_end_alone_that_the_newest_checkpoint_is_of(tmp_path: Path) -> None:
    for number in (0, 2):
        policy_file(tmp_path, number).touch()
    assert missing_policies(PLAN, tmp_path, 2) is None
    (tmp_path / FINISHED).write_text('{"updates": 2, "policies": 3}')
    assert missing_policies(PLAN, tmp_path, 2) == [1]
    assert missing_policies(PLAN, tmp_path, 1) is None
    assert missing_policies(PLAN, tmp_path, 3) is None
    policy_file(tmp_path, 1).touch()
    assert missing_policies(PLAN, tmp_path, 2) == []


def _records(**pnl: float | None) -> list[Mapping[str, Any]]:
    """Return a record of two episodes of each agent: ``a1`` is what the second agent made."""
    return [
        {
            "update": 1,
            "agent": int(name[1:]),
            "episodes": 0 if made is None else 2,
            "episode_pnl_dollars": made,
            "episode_reward": made,
            "trades": 0,
            "win_rate": None,
        }
        for name, made in pnl.items()
    ]


def _chosen(path: Path) -> tuple[int, int, float | None]:
    found = load_policy(path, advised=True).about[CHOSEN]
    return found["agent"], found["updates"], found["pnl_dollars"]


@pytest.mark.parametrize("plan", [PLAN, ADVISED], ids=["plain", "trained with advice"])
def test_the_last_is_each_checkpoints_leader_and_the_best_the_best_of_them(
    plan: Plan, agents: TrainState, tmp_path: Path
) -> None:
    checkpoints = (
        # what the three agents made since the checkpoint before -> last, best
        (_records(a0=None, a1=None, a2=None), (0, 2, None), (0, 2, None)),
        (_records(a0=-50.0, a1=-20.0, a2=-30.0), (1, 4, -20.0), (1, 4, -20.0)),
        (_records(a0=-90.0, a1=-80.0, a2=-70.0), (2, 6, -70.0), (1, 4, -20.0)),
        (_records(a0=-20.0, a1=-40.0, a2=None), (0, 8, -20.0), (1, 4, -20.0)),
        (_records(a0=-1.0, a1=-2.0, a2=0.0), (2, 10, 0.0), (2, 10, 0.0)),
        (_records(a0=-1.0, a1=-2.0, a2=None), (0, 12, -1.0), (2, 10, 0.0)),
        (_records(a0=15.0, a1=10.0, a2=-5.0), (0, 14, 15.0), (0, 14, 15.0)),
        (_records(a0=None, a1=None, a2=None), (0, 16, None), (0, 14, 15.0)),
        (_records(a0=1.0, a1=2.0, a2=15.5), (2, 18, 15.5), (2, 18, 15.5)),
    )
    write_last_and_best(plan, tmp_path, agents, {"updates": 1}, [])
    assert not list(tmp_path.iterdir())
    for number, (records, last, best) in enumerate(checkpoints, 1):
        write_last_and_best(plan, tmp_path, agents, {"updates": 2 * number}, records)
        assert (_chosen(tmp_path / LAST), _chosen(tmp_path / BEST)) == (last, best)
        for name in (LAST, BEST):
            policy = load_policy(tmp_path / name, advised=True)
            own = policies_of(plan, agents, {})[policy.about[CHOSEN]["agent"]]
            assert _same(policy, own)
            assert policy.about["settings"] == json.loads(json.dumps(own.about["settings"]))
            assert policy.advice == own.advice


def test_a_best_policy_that_cannot_be_read_or_was_chosen_by_nothing_is_written_anew(
    agents: TrainState, tmp_path: Path
) -> None:
    """Even by one that lost; a good one that made more is kept."""
    best = tmp_path / BEST
    losing = _records(a0=-50.0, a1=-20.0, a2=-30.0)

    def leave(about: dict[str, Any]) -> None:
        (policy, *_) = policies_of(PLAN, agents, about)
        save_policy(best, policy)

    for about in ({}, {CHOSEN: None}, {CHOSEN: {}}, {CHOSEN: {"pnl_dollars": None}}):
        leave(about)
        write_last_and_best(PLAN, tmp_path, agents, {"updates": 3}, losing)
        assert _chosen(best) == (1, 3, -20.0)
    best.write_bytes(b"damaged")
    write_last_and_best(PLAN, tmp_path, agents, {"updates": 4}, losing)
    assert _chosen(best) == (1, 4, -20.0)
    leave({CHOSEN: {"agent": 2, "updates": 1, "pnl_dollars": -19.5}})
    write_last_and_best(PLAN, tmp_path, agents, {"updates": 5}, losing)
    assert (_chosen(best), _chosen(tmp_path / LAST)) == ((2, 1, -19.5), (1, 5, -20.0))


def test_policies_of_agents_are_written_each_under_its_number(
    agents: TrainState, tmp_path: Path
) -> None:
    """All of them, or those alone that are asked for; none is none."""
    several = policies_of(PLAN, agents, {"updates": 3})
    for only, written in (([], []), ([2], [2]), ([2, 0], [0, 2]), (None, [0, 1, 2])):
        folder = tmp_path / str(only)
        folder.mkdir()
        write_policies(PLAN, folder, agents, {"updates": 3}, only)
        assert sorted(folder.iterdir()) == [policy_file(folder, number) for number in written]
        for number in written:
            read = load_policy(policy_file(folder, number))
            assert _same(read, several[number])
            assert read.about["settings"]["seed"] == PLAN.seeds[number]


@pytest.mark.parametrize("name", [FINISHED, "policy-3.safetensors"])
def test_an_end_without_a_checkpoint_is_refused_and_with_one_gone_on_with(
    name: str, tmp_path: Path
) -> None:
    refuse_ended(tmp_path)
    (tmp_path / name).touch()
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "notes.txt").touch()
    with pytest.raises(InputError, match="this run has ended and its checkpoints are gone"):
        refuse_ended(tmp_path)
    (tmp_path / FOLDER / "7.safetensors").touch()
    refuse_ended(tmp_path)
    no_longer_finished(tmp_path)
    assert (tmp_path / name).exists() == (name != FINISHED)
    no_longer_finished(tmp_path)  # nothing is there any more


def test_an_account_of_the_end_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_finished(tmp_path) is None
    assert updates_at_end(tmp_path) is None
    note_finished(tmp_path, 7, 3)
    found = read_finished(tmp_path)
    assert found is not None
    assert (found.updates, found.policies, updates_at_end(tmp_path)) == (7, 3, 7)
    note_finished(tmp_path, 0, 1)
    assert updates_at_end(tmp_path) == 0


@pytest.mark.costly
def test_a_run_keeps_what_its_log_says_was_best(tmp_path: Path) -> None:
    """By the log: who led in the updates since the checkpoint before, and the best of the leaders."""
    plan = test_run.PLAN  # compiled for the tests beside these
    kept: list[tuple[int, int, float | None]] = []

    def look(updates: int, records: list[dict[str, Any]]) -> None:
        if (tmp_path / LAST).exists() and _chosen(tmp_path / LAST) not in kept:
            kept.append(_chosen(tmp_path / LAST))

    assert not runs.run(plan, tmp_path, look, lambda: len(kept) == 2, begin=True)
    assert runs.run(plan, tmp_path, look)  # gone on with
    look(0, [])
    log = read_log(tmp_path)
    expected = []
    for done in [one[1] for one in kept]:
        since = max((before for before in [0, *(one[1] for one in kept)] if before < done), default=0)
        first = rank([one for one in log if since < one["update"] <= done])[0]
        expected.append((first.agent, done, first.pnl_dollars))
    assert kept == expected
    assert len({one[0] for one in kept}) > 1  # else one agent's records would do
    known = [one for one in kept if one[2] is not None]
    assert _chosen(tmp_path / BEST) == max(known, key=lambda one: one[2] or 0.0)
