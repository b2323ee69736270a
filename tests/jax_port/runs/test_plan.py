"""Seeds and numbers of the agents of a plan."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.files import file_digest, write_json
from jax_port.data.data_loader import prepare
from jax_port.ppo.policy import Policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.plan import DRAWN, Plan, read_plan
from jax_port.runs.run_file import RUN
from jax_port.runs.training_advice import TrainingAdvice
from jax_port.runs.training_data import Source, TrainingData
from markets import Contract, EnvConfig, InputError
from markets.advice.by_bar import AdviceUse, Way
from markets.advice.fusion import FusionSettings
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses


def test_agents_have_seeds_and_numbers_of_their_own() -> None:
    settings = TrainSettings().override(seed=7, ent_coef=0.5)
    agents = ({}, {"ent_coef": 0.0}, {"seed": 3}, {"gamma": 0.5}, {"seed": 0})
    plan = Plan(settings, TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1(), agents)
    assert plan.seeds == [7, 8, 3, 10, 0]
    numbers = plan.hyper()
    np.testing.assert_array_equal(numbers.ent_coef, np.float32([0.5, 0.0, 0.5, 0.5, 0.5]))
    usual = settings.gamma
    np.testing.assert_array_equal(numbers.gamma, np.float32([usual, usual, usual, 0.5, usual]))


@pytest.mark.parametrize("agents", [({}, {}), ({"seed": 2**31},), ({"seed": -1},)])
def test_every_agent_has_a_seed_that_a_program_takes(agents: tuple[dict[str, int], ...]) -> None:
    """Agents without a seed count on from the settings'."""
    settings, data = TrainSettings(seed=2**31 - 1), TrainingData((Source("ES", "/a.csv"),))
    assert Plan(settings, data, EnvConfig.phase1()).seeds == [2**31 - 1]
    with refuses():
        Plan(settings, data, EnvConfig.phase1(), agents)


@pytest.mark.parametrize(
    ("agents", "seeds"),
    [
        (({"seed": 1}, {"learning_rate": 1e-3}), [1, 2]),
        (({}, {"seed": 0}, {}), [1, 0, 2]),
        (({}, {}, {"seed": 0}, {"seed": 1}), [2, 3, 0, 1]),
        (({"seed": 5, "gamma": 0.5}, {"seed": 5}), [5, 5]),
    ],
)
def test_no_agent_is_given_the_seed_of_another(
    agents: tuple[dict[str, Any], ...], seeds: list[int]
) -> None:
    """But two may be asked to share one, to compare numbers."""
    data = TrainingData((Source("ES", "/a.csv"),))
    assert Plan(TrainSettings(), data, EnvConfig.phase1(), agents).seeds == seeds


@pytest.mark.parametrize(
    "agents",
    [
        ({"seed": 5}, {"seed": 6}, {"seed": 5}),
        ({"seed": 5, "gamma": 0.5}, {"seed": 5, "gamma": 0.5}),
        ({"seed": 5}, {"seed": 5, "gamma": TrainSettings().gamma}),
        ({"seed": 5, "learning_rate": 1e-3}, {"seed": 5, "learning_rate": 1e-3 + 1e-12}),
    ],
    ids=["seeds", "numbers", "the settings' number", "numbers of 32 bits"],
)
def test_no_two_agents_are_alike(agents: tuple[dict[str, Any], ...]) -> None:
    with refuses():
        Plan(TrainSettings(), TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1(), agents)


def test_a_run_that_has_begun_with_two_agents_alike_is_gone_on_with(tmp_path: Path) -> None:
    """An earlier version let it begin; now its agents can't be given otherwise."""
    data = TrainingData((Source("ES", "/a.csv"),))
    plan = Plan(TrainSettings(), data, EnvConfig.phase1(), ({"seed": 5}, {"seed": 6}))
    values = plan.to_dict()
    values["agents"][1]["seed"] = 5
    write_json(tmp_path / RUN, {"plan": values})
    read = read_plan(tmp_path)
    assert (read.agents, read.seeds) == (({"seed": 5}, {"seed": 5}), [5, 5])
    assert read.to_dict() == values
    with refuses():
        replace(read, updates_per_call=2)


def test_a_number_of_none_is_an_agents_own() -> None:
    """Of those that may be left out: such an agent has none, whatever the settings say."""
    settings = TrainSettings(target_kl=0.25, clip_range_vf=0.5)
    agents = ({}, {"target_kl": None}, {"clip_range_vf": None}, {"target_kl": 0.125})
    data = TrainingData((Source("ES", "/a.csv"),))
    numbers = Plan(settings, data, EnvConfig.phase1(), agents).hyper()
    np.testing.assert_array_equal(numbers.target_kl, np.float32([0.25, np.inf, 0.25, 0.125]))
    np.testing.assert_array_equal(numbers.clip_range_vf, np.float32([0.5, 0.5, np.inf, 0.5]))
    alike = ({"target_kl": None, "seed": 3}, {"seed": 3})
    assert Plan(settings, data, EnvConfig.phase1(), alike).seeds == [3, 3]  # they are not the same


def test_agents_that_differ_in_what_follows_a_schedule_alone_are_alike() -> None:
    """A schedule holds for all agents, whatever they say themselves."""
    settings, data = TrainSettings(), TrainingData((Source("ES", "/a.csv"),))
    schedules = {"gamma": [0.9] * settings.num_updates}
    agents = ({"seed": 5, "gamma": 0.5}, {"seed": 5})
    with refuses():
        Plan(settings, data, EnvConfig.phase1(), agents, schedules=schedules)


@pytest.mark.parametrize(
    "schedules",
    [
        {"n_steps": [1.0] * 100},
        {"gamma": [0.9] * 3},
        {"gamma": [0.9] * 99 + [1.1]},
        {"clip_range": [0.2] * 99 + [math.nan]},
        {"clip_range": [0.2] * 99 + [-0.1]},
        {"target_kl": [0.2] * 99 + [0.0]},
    ],
)
def test_only_a_number_of_the_learner_follows_a_schedule_and_one_value_an_update(
    schedules: dict[str, list[float]],
) -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=64 * 4)
    data = TrainingData((Source("ES", "/a.csv"),))
    with refuses():
        Plan(settings, data, EnvConfig.phase1(), schedules=schedules)


def test_a_plan_that_is_read_again_is_all_of_it(tmp_path: Path) -> None:
    """With its schedules: without them a run that goes on would learn at another rate."""
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=64 * 3, seed=5)
    use = AdviceUse("columns", FusionSettings(), "rules", "a", "", "", "never")
    own = Source("X", "/c.csv", contract=Contract("X", "mine", 0.5, 1250, 2, 99, "ES"))
    plan = Plan(
        settings.override(layer_lr=(("policy_0", 0.0),)),
        TrainingData(
            (
                Source("ES", "/a.csv", reader={"snap": True}),
                Source("NQ", "/b.csv", accepted=["x"], name="mine"),
                own,
            ),
            "2025-01-02",
            "2025-01-09",
            TrainingAdvice(use, ("/one", "/two", "/three"), 0.0),
        ),
        EnvConfig.phase2(),
        agents=({"seed": 0, "ent_coef": 0.0}, {}),
        updates_per_call=2,
        checkpoint_every=3,
        certificate={"verdict": "same"},
        initial={"path": "/p", "sha256": "1"},
        schedules={"learning_rate": [0.3, 0.0, 0.1], "clip_range": [0.2, 0.1, 0.0]},
    )
    usual = Plan(TrainSettings(), TrainingData((Source("ES"),)), EnvConfig.phase1())
    for field in fields(Plan):
        assert getattr(plan, field.name) != getattr(usual, field.name)
    write_json(tmp_path / RUN, {"plan": plan.to_dict()})
    assert read_plan(tmp_path) == plan
    assert read_plan(tmp_path).data.sources[2].traded() == own.contract


def test_only_the_policy_that_a_run_began_with_is_begun_with(tmp_path: Path) -> None:
    config, data = EnvConfig.phase1(window_size=2), (Source("ES", kind="synthetic", days=2),)
    market = prepare(data[0].read(), config)
    path = tmp_path / "policy.safetensors"
    settings = TrainSettings().override(pi=(16, 16), vf=(8,))

    def plan_of(config: EnvConfig, policy: Policy) -> Plan:
        save_policy(path, policy)
        initial = {"path": str(path), "sha256": file_digest(path)}
        return Plan(settings, TrainingData(data), config, initial=initial)

    plan = plan_of(config, make_policy(market, config))
    begun = plan.initial_policy()
    assert begun is not None
    assert begun.config == config
    grown = replace(plan, config=EnvConfig.phase2(window_size=2)).initial_policy()
    assert grown is not None
    assert grown.config.phase == 2
    for other in (EnvConfig.phase1(window_size=3), EnvConfig.phase2(window_size=1)):
        with refuses():
            replace(plan, config=other).initial_policy()
    save_policy(path, make_policy(market, config, seed=1))  # another one in its place
    for ask in (plan.initial_policy, plan.grew_from):
        with refuses():
            ask()
    of_two = EnvConfig.phase2(window_size=2)
    with refuses():
        plan_of(config, make_policy(market, of_two)).initial_policy()


def test_no_policy_is_begun_with_by_a_run_that_sees_more(tmp_path: Path) -> None:
    """Columns of advice widen what is seen; a prior does not."""
    config, source = EnvConfig.phase1(window_size=2), Source("ES", kind="synthetic", days=2)
    path = tmp_path / "policy.safetensors"
    save_policy(path, make_policy(prepare(source.read(), config), config))
    initial = {"path": str(path), "sha256": file_digest(path)}
    settings = TrainSettings().override(pi=(16, 16), vf=(8,))
    ways: tuple[Way, Way] = ("prior", "columns")
    prior, columns = (
        TrainingAdvice(AdviceUse(way, FusionSettings(), "rules", "a", "", "", "never"), ("one",))
        for way in ways
    )
    plan = Plan(settings, TrainingData((source,), advice=prior), config, initial=initial)
    assert plan.initial_policy() is not None
    with pytest.raises(InputError, match="advice as columns widens what a policy sees"):
        replace(plan, data=TrainingData((source,), advice=columns)).initial_policy()


def test_a_plan_has_an_agent_and_whole_counts_of_updates() -> None:
    data = TrainingData((Source("ES", "/a.csv"),))
    with pytest.raises(InputError, match="no agent to train"):
        Plan(TrainSettings(), data, EnvConfig.phase1(), agents=())
    for name in ("updates_per_call", "checkpoint_every"):
        assert getattr(Plan(TrainSettings(), data, EnvConfig.phase1(), **{name: 1}), name) == 1
        with pytest.raises(InputError, match=f"{name} is 0"):
            Plan(TrainSettings(), data, EnvConfig.phase1(), **{name: 0})


@pytest.mark.parametrize("version", [0, -1, 2])
def test_a_run_of_another_format_is_refused_whichever_side_of_ours(
    version: int, tmp_path: Path
) -> None:
    data = TrainingData((Source("ES", "/a.csv"),))
    values = Plan(TrainSettings(), data, EnvConfig.phase1()).to_dict()
    write_json(tmp_path / RUN, {"plan": values})
    assert read_plan(tmp_path).data == data
    write_json(tmp_path / RUN, {"plan": {**values, "format": version}})
    with pytest.raises(InputError, match=f"format {version} is not 1"):
        read_plan(tmp_path)


def test_a_schedule_is_as_long_as_the_updates_or_longer() -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=64 * 4)
    data = TrainingData((Source("ES", "/a.csv"),))
    for length in (4, 5):
        schedules = {"gamma": [0.5] * 4, "ent_coef": [0.1] * length}
        plan = Plan(settings, data, EnvConfig.phase1(), schedules=schedules)
        assert plan.schedules == schedules
    with pytest.raises(InputError, match="ent_coef has 3 values; give one for each of 4 updates"):
        Plan(settings, data, EnvConfig.phase1(), schedules=schedules | {"ent_coef": [0.1] * 3})


@pytest.mark.parametrize("drawn", [False, True])
def test_weights_that_were_only_drawn_are_begun_with_and_grew_from_nothing(
    drawn: bool, tmp_path: Path
) -> None:
    config, data = EnvConfig.phase1(window_size=2), (Source("ES", kind="synthetic", days=2),)
    path = tmp_path / "policy.safetensors"
    about: dict[str, Any] = {DRAWN: True} if drawn else {}
    save_policy(path, make_policy(prepare(data[0].read(), config), config, **about))
    initial = {"path": str(path), "sha256": file_digest(path)}
    settings = TrainSettings().override(pi=(16, 16), vf=(8,))
    plan = Plan(settings, TrainingData(data), config, initial=initial)
    assert plan.initial_policy() is not None
    grown = {"sha256": initial["sha256"], "certificate": "ungated", "lineage": {}}
    assert plan.grew_from() == (None if drawn else grown)
    assert replace(plan, initial={}).grew_from() is None
