"""The port's trainer as a workload: one compiled update a portion, for one agent or several."""

from __future__ import annotations

import time

import jax

from benchmarks.baselines.learners import Greedy, chooser_of, title
from benchmarks.baselines.port_agents import agents_hyper, fresh_agents, policy_of
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import Agent, make_train
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
        self._agents: Agent | None = None

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
