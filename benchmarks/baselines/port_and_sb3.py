"""Who trains in the training benchmark: the port's trainer, and MaskablePPO on the reference.

Both have the plan's network, 225-(256, 256) twice with ReLU, the same bars, and the same epochs; each
has the batch sizes that suit it. A portion of work is one rollout and its update, end to end.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import torch
from stable_baselines3.common.vec_env import VecNormalize

from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.ppo.train_ppo_jax import Agent, init_agents, make_train
from jax_port.ppo.update import HyperParams, hyper_params
from legacy_torch.train import TrainConfig, make_model, make_vec_env
from markets import Bars, EnvConfig


def flops_per_step(settings: TrainSettings, obs_size: int, actions: int) -> float:
    """Return the floating-point operations of matrix products in one step of training.

    Acting takes one forward pass; each epoch one forward pass, the gradients of all weights, and the
    gradients of all inputs but the first layer's.
    """
    forward = first = 0
    for sizes, heads in ((settings.network.pi, actions), (settings.network.vf, 1)):
        wide = (obs_size, *sizes, heads)
        products = [2 * a * b for a, b in pairwise(wide)]
        forward += sum(products)
        first += products[0]
    return forward + settings.n_epochs * (3 * forward - first)


class PortTrainer:
    """The port's trainer: one update a portion.

    Args:
        params: configuration and bars.
        settings: sizes and epochs.
        agents: trained side by side.
        trained: steps of an agent before it is measured. A fresh policy is mostly in a position, where
            Phase 1 leaves no choice; one that has learnt to wait is asked more often.
    """

    def __init__(
        self, params: EnvParams, settings: TrainSettings, agents: int = 1, trained: int = 0
    ) -> None:
        several = f", {agents} agents" if agents > 1 else ""
        phase = "" if params.phase == 1 else f", phase {params.phase}"
        before = f", after {trained:,} steps" if trained else ""
        self.name = f"port{phase}, {settings.n_epochs} epochs, {settings.precision}{several}{before}"
        self._before = -(-trained // settings.rollout_size)
        self.envs = settings.n_envs * agents
        self._params, self._settings, self._agents = params, settings, agents
        self._agents_now: Agent | None = None

    def prepare(self) -> float:
        """Make the agents and compile."""
        began = time.perf_counter()
        count, settings = self._agents, self._settings
        one = hyper_params(**{name: getattr(settings, name) for name in RATES})
        self._hyper: HyperParams = jax.tree.map(lambda x: jnp.broadcast_to(x, (count,)), one)
        seeds = jnp.arange(count, dtype=jnp.int32)
        fresh = jax.jit(init_agents, static_argnums=2)
        self._agents_now = fresh(seeds, self._params, settings)
        self._train = make_train(settings, 1, count)
        self.run()
        took = time.perf_counter() - began
        for _ in range(self._before - 1):
            self.run()
        return took

    def run(self) -> int:
        """Make one update."""
        assert self._agents_now is not None
        self._agents_now, metrics = self._train(self._agents_now, self._hyper, self._params)
        jax.block_until_ready(metrics)
        return self._agents * self._settings.rollout_size

    def close(self) -> None:
        """Forget the agents."""
        self._agents_now = None


class ReferenceTrainer:
    """MaskablePPO with VecNormalize on the reference, its environments in worker processes.

    Args:
        bars, config: what is traded and how.
        settings: of MaskablePPO.
    """

    def __init__(self, bars: Bars, config: EnvConfig, settings: TrainConfig) -> None:
        self.name = (
            f"reference, {settings.n_epochs} epochs, {settings.n_envs} workers, "
            f"batch {settings.batch_size}"
        )
        self.envs = settings.n_envs
        self._bars, self._config, self._settings = bars, config, settings
        self._env: VecNormalize | None = None

    def prepare(self) -> float:
        """Start the workers."""
        began = time.perf_counter()
        settings = self._settings
        workers = make_vec_env(self._bars, self._config, settings.n_envs)
        self._env = VecNormalize(workers, gamma=settings.gamma)
        self._model = make_model(self._env, settings)
        return time.perf_counter() - began

    def run(self) -> int:
        """Collect one rollout and train on it."""
        size = self._settings.n_envs * self._settings.n_steps
        self._model.learn(size, reset_num_timesteps=False)
        return size

    def close(self) -> None:
        """End the workers."""
        if self._env is not None:
            self._env.close()
            self._env = None


def reference_settings(epochs: int, workers: int, batch_size: int, rollout: int) -> TrainConfig:
    """Return the reference's own defaults with these sizes; ``rollout`` is steps of all workers."""
    return replace(
        TrainConfig(),
        n_epochs=epochs,
        n_envs=workers,
        n_steps=max(rollout // workers, 2),
        batch_size=batch_size,
    )


def matrix_rate(size: int = 8192, repeats: int = 20) -> dict[str, float]:
    """Return the fastest rate of a (size, 256) x (256, 256) product here, in flop/s, by library."""
    left = jnp.ones((size, 256), jnp.float32)
    right = jnp.ones((256, 256), jnp.float32)
    product = jax.jit(jnp.matmul)
    theirs = (torch.ones(size, 256), torch.ones(256, 256))

    def rate(work: Any) -> float:
        best = float("inf")
        for _ in range(repeats):
            began = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - began)
        return 2.0 * size * 256 * 256 / best

    return {
        "xla": rate(lambda: product(left, right).block_until_ready()),
        "torch": rate(lambda: torch.mm(*theirs)),
    }
