"""MaskablePPO with VecNormalize on the reference's environments, as a workload."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from benchmarks.baselines.learners import Greedy, chooser_of, title, vec_scale
from jax_port.export.layers import from_sb3, to_flax
from jax_port.ppo.settings import NetworkSpec
from legacy_torch.train import TrainConfig, make_model, make_vec_env
from markets import Bars, EnvConfig


class ReferenceTrainer:
    """MaskablePPO, its environments in worker processes; a portion is one rollout and its update.

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
        self._workers: VecEnv | None = None

    def prepare(self) -> float:
        """Start the workers."""
        began = time.perf_counter()
        self._workers = make_vec_env(self._bars, self._config, self._settings.n_envs)
        self.begin()
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start again with fresh weights and statistics in the same workers."""
        assert self._workers is not None
        self._normalizer = VecNormalize(self._workers, gamma=self._settings.gamma)
        self._model = make_model(self._normalizer, self._settings)

    def run(self) -> int:
        """Collect one rollout and train on it."""
        size = self._settings.n_envs * self._settings.n_steps
        self._model.learn(size, reset_num_timesteps=False)
        return size

    def close(self) -> None:
        """End the workers."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None


class ReferenceLearner(ReferenceTrainer):
    """MaskablePPO, whose learning is measured too."""

    masks, note = True, "masks; the reference's environments, a process each"

    def __init__(self, bars: Bars, config: EnvConfig, settings: TrainConfig) -> None:
        super().__init__(bars, config, settings)
        self.name = title("MaskablePPO", settings)

    def prepare(self) -> float:
        """Start the workers and note the shape of the network."""
        seconds = super().prepare()
        network: Any = self._model.policy.net_arch
        actions: Any = self._model.action_space
        self._spec = NetworkSpec(tuple(network["pi"]), tuple(network["vf"]))
        self._choose = chooser_of(self._spec, int(actions.n))
        return seconds

    def greedy(self) -> Greedy:
        """Return the policy, its weights carried over to the port's network."""
        state = {name: value.numpy() for name, value in self._model.policy.state_dict().items()}
        weights = to_flax(from_sb3(state, self._spec), self._spec)
        return Greedy(self._choose, (weights, vec_scale(self._normalizer)))


def reference_settings(epochs: int, workers: int, batch_size: int, rollout: int) -> TrainConfig:
    """Return the reference's own defaults with these sizes; ``rollout`` is steps of all workers."""
    return replace(
        TrainConfig(),
        n_epochs=epochs,
        n_envs=workers,
        n_steps=max(rollout // workers, 2),
        batch_size=batch_size,
    )
