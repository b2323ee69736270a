"""What a run calls on the device: the first agents, and the next updates."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jax_port.envs.state import EnvParams
from jax_port.ppo.metrics import Metrics
from jax_port.ppo.settings import BY_NAME, RATES, HyperParams
from jax_port.ppo.sharding import agent_shardings, make_layout, spread, to_host
from jax_port.ppo.train_ppo_jax import TrainState, init_agents, make_train
from jax_port.ppo.transfer import begin_with
from jax_port.runs.checkpoints import Checkpoints
from jax_port.runs.lineage import Stretch
from jax_port.runs.logs.training_log import Record, records_of

if TYPE_CHECKING:
    from jax_port.runs.plan import Plan


Programs = dict[Any, Any]
"""Compiled programs by what they depend on. Runs of one process that differ in numbers alone, such as
the trials of a sweep, may share them, which saves their compilation."""


class Runner:
    """The compiled programs of a run, and how agents lie on devices.

    Args:
        plan: of the run.
        mesh: devices.
        params: the environment's, on all of them.
        hyper: the learner's numbers of all agents, on all of them.
        programs: of earlier runs of the same process.
    """

    def __init__(
        self,
        plan: Plan,
        mesh: Mesh,
        params: EnvParams,
        hyper: HyperParams,
        programs: Programs | None = None,
    ) -> None:
        self._plan, self._params, self._hyper, self._mesh = plan, params, hyper, mesh
        self._programs: Programs = {} if programs is None else programs
        # The numbers of the learner are arguments of a program, not part of it.
        plain = {name: BY_NAME[name].default for name in RATES}
        self._shape = plan.settings.override(**plain, seed=0), len(plan.agents), mesh

    def begin(self, checkpoints: Checkpoints) -> tuple[TrainState, int, list[Stretch]]:
        """Return the agents of the newest checkpoint, else fresh ones, their updates and lineage."""
        seeds = jnp.asarray(np.array(self._plan.seeds, np.int32))

        def fresh(seeds: jax.Array, params: EnvParams) -> TrainState:
            return init_agents(seeds, params, self._plan.settings)

        def begun(seeds: jax.Array, params: EnvParams) -> TrainState:
            policy = self._plan.initial_policy()
            agent = fresh(seeds, params)
            return agent if policy is None else begin_with(agent, policy, params)

        shape = jax.eval_shape(fresh, seeds, self._params)
        self._places = agent_shardings(self._mesh, shape)
        newest = checkpoints.latest(shape)
        if newest is None:
            return jax.jit(begun, out_shardings=self._places)(seeds, self._params), 0, []
        return spread(newest[1], self._places), newest[0], newest[2]

    def _numbers(self, done: int) -> HyperParams:
        """Return the learner's numbers after so many updates, as schedules have them."""
        now = {
            name: jnp.full_like(getattr(self._hyper, name), values[done])
            for name, values in self._plan.schedules.items()
        }
        return replace(self._hyper, **now)

    def call(self, agent: TrainState, done: int) -> tuple[TrainState, list[Record], int]:
        """Make the next updates: agents, their records, and how many updates."""
        settings = self._plan.settings
        count = min(self._plan.updates_per_call, settings.num_updates - done)
        key = count, *self._shape
        if key not in self._programs:
            self._programs[key] = make_train(
                settings, count, len(self._plan.agents), make_layout(self._mesh), self._places
            )
        began = time.perf_counter()
        agent, metrics = self._programs[key](agent, self._numbers(done), self._params)
        host: Metrics = to_host(self._mesh, metrics)
        seconds = time.perf_counter() - began
        return agent, records_of(host, done + 1, settings.rollout_size, seconds), count
