"""The port's trainer as a workload: for one agent or several, on one device or several."""

from __future__ import annotations

import time

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.baselines.environments import forget
from benchmarks.baselines.learners import Greedy, chooser_of, title
from benchmarks.baselines.port_agents import agents_hyper, fresh_agents, policy_of
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.sharding import agent_shardings, make_layout
from jax_port.ppo.train_ppo_jax import TrainState, make_train
from markets import EnvConfig


class PortTrainer:
    """The port's trainer: one update a portion.

    Args:
        params: configuration and bars.
        settings: sizes and epochs; the first agent has its seed.
        agents: trained side by side.
        trained: steps of an agent before it is measured. A fresh policy is mostly in a position, where
            Phase 1 leaves no choice; one that has learnt to wait is asked more often.

    Attributes:
        first_seconds: what the updates before it is measured took, but for the first, which compiles.
    """

    def __init__(
        self, params: EnvParams, settings: TrainSettings, agents: int = 1, trained: int = 0
    ) -> None:
        several = f", {agents} agents" if agents > 1 else ""
        phase = "" if params.phase == 1 else f", phase {params.phase}"
        before = f", after {trained:,} steps" if trained else ""
        self.name = f"port{phase}, {settings.n_epochs} epochs, {settings.precision}{several}{before}"
        self.envs = settings.n_envs * agents
        self.first_seconds = 0.0
        self._updates_before = -(-trained // settings.rollout_size)
        self._params, self._settings, self._count = params, settings, agents
        self._agents: TrainState | None = None

    def prepare(self) -> float:
        """Make the agents, compile, and make one update; return the seconds of these."""
        began = time.perf_counter()
        self._hyper = agents_hyper(self._settings, self._count)
        self._train = make_train(self._settings, 1, self._count)
        self.begin()
        self.run()
        prepared = time.perf_counter()
        for _ in range(self._updates_before - 1):
            self.run()
        self.first_seconds = time.perf_counter() - prepared
        return prepared - began

    def begin(self) -> None:
        """Start again from the seed."""
        fresh = fresh_agents(self._params, self._settings, self._count, self._settings.seed)
        self._agents = jax.block_until_ready(fresh)

    def run(self) -> int:
        """Make one update."""
        assert self._agents is not None
        self._agents, metrics = self._train(self._agents, self._hyper, self._params)
        jax.block_until_ready((self._agents, metrics))
        return self._count * self._settings.rollout_size

    def close(self) -> None:
        """Forget the agents."""
        self._agents = None


class PortLearner(PortTrainer):
    """The port's trainer, whose learning is measured too.

    Args:
        params: of the environment trained in.
        config: its rules.
        settings: sizes, network, numbers and the seed.
    """

    masks, note = True, "masks, float64 statistics, truncation bootstrapped"

    def __init__(self, params: EnvParams, config: EnvConfig, settings: TrainSettings) -> None:
        super().__init__(params, settings)
        self.name = title("port", settings)
        self._config = config
        self._choose = chooser_of(settings.network, phase_of(params).num_actions)

    def greedy(self) -> Greedy:
        """Return the policy."""
        assert self._agents is not None
        policy = policy_of(self._agents, 0, self._config, self._settings.network)
        return Greedy(self._choose, (policy.params, policy.scale))


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
