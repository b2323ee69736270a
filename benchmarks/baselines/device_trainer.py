"""The port's trainer on several devices, as a workload."""

from __future__ import annotations

import time

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.baselines.environments import forget
from benchmarks.baselines.port_agents import agents_hyper, fresh_agents
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.sharding import AXIS, agent_shardings, make_layout
from jax_port.ppo.train_ppo_jax import make_train


class DeviceTrainer:
    """The port's trainer with its environments split over several devices: one update a portion.

    Args:
        params: configuration and bars.
        settings: sizes and epochs.
        devices: how many; ``settings.n_envs`` must be a multiple.
    """

    def __init__(self, params: EnvParams, settings: TrainSettings, devices: int) -> None:
        self.name, self.envs = "training", settings.n_envs
        self._settings = settings
        self._mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,))
        self._params = params

    def prepare(self) -> float:
        """Make the agent, compile, and make one update."""
        began, settings, mesh = time.perf_counter(), self._settings, self._mesh
        whole = NamedSharding(mesh, PartitionSpec())
        self._hyper = jax.device_put(agents_hyper(settings, 1), whole)
        self._params = jax.device_put(self._params, whole)
        agent = fresh_agents(self._params, settings, 1)
        places = agent_shardings(mesh, agent)
        with jax.enable_x64(True):  # else float64 statistics would be cut to float32
            self._agent = jax.device_put(agent, places)
        self._train = make_train(settings, 1, 1, make_layout(mesh), places)
        self.run()
        return time.perf_counter() - began

    def run(self) -> int:
        """Make one update."""
        self._agent, metrics = self._train(self._agent, self._hyper, self._params)
        jax.block_until_ready(metrics)
        return self._settings.rollout_size

    def close(self) -> None:
        """Forget the agent."""
        forget(self, "_agent")
