"""Programs that runs share, and the agents that a run begins with."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.state import EnvParams
from jax_port.ppo.metrics import Metrics
from jax_port.ppo.minibatches import ONE_DEVICE
from jax_port.ppo.own.module import own_network
from jax_port.ppo.rollout import EpisodeStats
from jax_port.ppo.settings import RATES, NetworkSpec, TrainSettings, hyper_params
from jax_port.ppo.sharding import everywhere, make_mesh
from jax_port.ppo.train_ppo_jax import init_agent
from jax_port.runs import runner as runners
from jax_port.runs.checkpoints import Checkpoints
from jax_port.runs.plan import Plan
from jax_port.runs.runner import Runner
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.jax_port.ppo.own.networks import Separate

SETTINGS = TrainSettings(n_envs=4, n_steps=8, batch_size=16).override(pi=(4,), vf=(4,))
DATA = TrainingData((Source("ES", kind="synthetic", days=2, seed=0),))
CONFIG = EnvConfig.phase1(max_episode_bars=8, window_size=2)
PLAN = Plan(SETTINGS, DATA, CONFIG, certificate="ungated")
OTHER: dict[str, Any] = {
    "n_envs": 8,
    "n_steps": 16,
    "batch_size": 32,
    "n_epochs": 2,
    "total_timesteps": 64,
    "order_groups": 2,
    "anneal": True,
    "norm_reward": False,
    "network": NetworkSpec((4,), (5,)),
    "precision": "bf16",
    "layer_lr": (("policy_0", 0.5),),
    "own": own_network(Separate()),
}
"""Another value of every setting that is part of the compiled program."""
ARGUMENTS = {**dict.fromkeys(RATES, 0.125), "seed": 5}
"""Another value of those that are handed to it."""


@pytest.fixture(scope="module")
def params() -> EnvParams:
    return DATA.load(CONFIG)[0]


def runner(plan: Plan, params: EnvParams) -> Runner:
    mesh = make_mesh()
    return Runner(plan, mesh, everywhere(mesh, params), everywhere(mesh, plan.hyper()))


def test_runs_share_a_program_only_where_it_takes_what_differs_as_arguments(params: EnvParams) -> None:
    assert {field.name for field in fields(TrainSettings)} == {*OTHER, *ARGUMENTS}
    key = runner(PLAN, params)._shape
    for name, value in OTHER.items():
        plan = replace(PLAN, settings=replace(SETTINGS, **{name: value}))
        assert getattr(plan.settings, name) != getattr(SETTINGS, name)
        assert runner(plan, params)._shape != key, name
    assert runner(replace(PLAN, agents=({}, {})), params)._shape != key
    for name, value in ARGUMENTS.items():
        plan = replace(PLAN, settings=replace(SETTINGS, **{name: value}))
        assert runner(plan, params)._shape == key, name
        assert hash(runner(plan, params)._shape) == hash(key)


def test_each_agent_begins_with_all_of_its_seed(params: EnvParams, tmp_path: Path) -> None:
    """Also of seeds that agree in their lower bits; each is what it is alone."""
    seeds = (1, 1 + 2**16, 1 + 2**30, 2**31 - 1)
    plan = replace(PLAN, agents=tuple({"seed": seed} for seed in seeds))
    agents, done, stretches = runner(plan, params).begin(Checkpoints(tmp_path, "this"))
    assert (done, stretches) == (0, [])
    of_all = [np.asarray(leaf) for leaf in jax.tree.leaves(agents)]
    alone = jax.jit(lambda seed: init_agent(seed, params, SETTINGS))
    for number, seed in enumerate(seeds):
        expected = [np.asarray(leaf) for leaf in jax.tree.leaves(alone(jnp.int32(seed)))]
        for ours, theirs in zip(of_all, expected, strict=True):
            np.testing.assert_allclose(ours[number], theirs, rtol=1e-6, atol=1e-6)
    keys = np.asarray(agents.key)
    assert len({tuple(key) for key in keys.tolist()}) == len(seeds)
    kernels = np.asarray(agents.learner.params["params"]["policy_0"]["kernel"])
    assert len({kernel.tobytes() for kernel in kernels}) == len(seeds)


def test_a_schedule_s_value_is_that_of_the_update_and_the_others_stay(params: EnvParams) -> None:
    settings = SETTINGS.override(total_timesteps=32 * 3)
    schedules = {"learning_rate": [0.3, 0.2, 0.1], "clip_range": [0.5, 0.25, 0.125, 9.0]}
    plan = replace(PLAN, settings=settings, agents=({}, {"gamma": 0.5}), schedules=schedules)
    made = runner(plan, params)
    usual = plan.hyper()
    for done in range(3):
        numbers = made._numbers(done)
        for name in RATES:
            expected = schedules[name][done] if name in schedules else getattr(usual, name)
            np.testing.assert_array_equal(
                getattr(numbers, name), np.broadcast_to(np.float32(expected), 2), name
            )


@pytest.mark.parametrize(("done", "count"), [(0, 3), (3, 3), (6, 1)])
def test_a_call_is_of_as_many_updates_as_are_left_and_told_by_its_own_time(
    done: int, count: int, params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the schedule's value of its first update; a program that is there is taken."""
    clock = [100.0]
    settings = SETTINGS.override(total_timesteps=32 * 7)
    schedules = {"ent_coef": [0.5 - 0.0625 * n for n in range(7)]}
    plan = replace(
        PLAN, settings=settings, agents=({}, {"gamma": 0.5}), updates_per_call=3, schedules=schedules
    )
    made = runner(plan, params)
    made._places = None  # type: ignore[assignment]
    shape = (count, 2)
    whole, real = jnp.ones(shape, jnp.int32), jnp.full(shape, 0.25)
    ends = EpisodeStats(
        real, *(real,) * 6, reasons=jnp.ones((*shape, 5)), actions=jnp.ones((*shape, 3))
    )
    metrics = Metrics(ends, *(real,) * 7, minibatches=whole, learning_rate=real)

    def program(agent: Any, hyper: Any, world: Any) -> Any:
        assert (agent, world) == ("before", made._params)
        assert hyper.ent_coef.tolist() == [schedules["ent_coef"][done]] * 2
        assert hyper.gamma.tolist() == [np.float32(0.99), 0.5]
        clock[0] += 4.0
        return "after", metrics

    asked: list[Any] = []
    monkeypatch.setattr(runners, "make_train", lambda *given: asked.append(given) or program)
    monkeypatch.setattr(runners.time, "perf_counter", lambda: clock[0])
    agent: Any = "before"
    for _ in range(2):
        after, records, number = made.call(agent, done)
        assert (after, number) == ("after", count)
        told = [(one["update"], one["agent"], one["steps"]) for one in records]
        assert told == [
            (update, of, 32 * update) for update in range(done + 1, done + count + 1) for of in (0, 1)
        ]
        assert {one["steps_per_second"] for one in records} == {count * 2 * 32 / 4}
    assert asked == [(settings, count, 2, ONE_DEVICE, None)]


@pytest.mark.parametrize("together", [1, 4])
def test_schedules_are_read_at_the_updates_that_were_made(together: int) -> None:
    plan = SimpleNamespace(
        schedules={"ent_coef": [0.1 * n for n in range(12)]}, updates_per_call=together
    )
    hyper = jax.tree.map(lambda number: jnp.full(2, number), hyper_params(gamma=0.5))
    for done in (0, 4, 8, 11):
        runner: Any = SimpleNamespace(_plan=plan, _hyper=hyper)
        now = Runner._numbers(runner, done)
        assert now.ent_coef.tolist() == [np.float32(0.1 * done)] * 2
        assert now.gamma.tolist() == [0.5, 0.5]
