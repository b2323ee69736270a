"""Trainers that can begin anew and be asked what they would do, and how what they do is judged.

All are judged alike: their likeliest actions, in the port's environment, from the same starts. An
action that the environment forbids does there what it does in training: it becomes hold.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from benchmarks.baselines.pattern_agents import Unseen, policy_of
from benchmarks.harness.measure import Rival
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.envs.registry import phase_of
from jax_port.export.layers import from_sb3, to_flax
from jax_port.ppo.policy import decide, make_network
from jax_port.ppo.running_statistics import RunningMoments, Scale, scale_of
from jax_port.ppo.settings import RATES, NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import Agent, init_agents, make_train
from jax_port.ppo.update import hyper_params
from legacy_torch.train import TrainConfig, make_model, make_vec_env
from markets import Bars, EnvConfig, InputError

Choose = Callable[[Any, jax.Array, jax.Array], jax.Array]
"""(weights, raw obs float32 (N, D), masks bool (N, A)) -> actions int32 (N,)."""


class Greedy(NamedTuple):
    """What a trainer has learned so far.

    Attributes:
        choose: the same function for as long as the trainer lives, so that it is compiled once.
        weights: a pytree of arrays.
    """

    choose: Choose
    weights: Any


class Learner(Rival, Protocol):
    """A rival whose learning is measured too.

    Attributes:
        masks: whether it is told which actions are allowed.
        note: what sets it apart from the port's trainer, in one sentence.
    """

    masks: bool
    note: str

    def begin(self) -> None:
        """Forget all that was learned and start again from the seed; what is compiled stays."""

    def greedy(self) -> Greedy:
        """Return the present policy."""


@contextmanager
def lenient() -> Iterator[None]:
    """Run what others wrote by JAX's own rules: the tests forbid promotion and deprecated names."""
    with (
        warnings.catch_warnings(),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        warnings.simplefilter("ignore")
        yield


def minibatches(settings: TrainSettings) -> int:
    """Return how many minibatches a rollout has, for trainers that only know whole ones.

    Raises:
        InputError: the rollout is no multiple of the minibatch.
    """
    if settings.rollout_size % settings.batch_size:
        raise InputError(
            f"a rollout of {settings.n_envs} x {settings.n_steps} steps is no multiple of a minibatch "
            f"of {settings.batch_size}; this trainer needs one, so choose another batch size"
        )
    return settings.rollout_size // settings.batch_size


def title(kind: str, settings: TrainSettings) -> str:
    """Return a rival's name: who, with how many epochs, in what portions."""
    return (
        f"{kind}, {settings.n_epochs} epochs, {settings.n_envs} x {settings.n_steps}, "
        f"batch {settings.batch_size}"
    )


def judged(greedy: Greedy, unseen: Unseen) -> float:
    """Return the mean PnL of episodes in dollars, likeliest actions, closed trades only.

    Args:
        greedy: a trainer's policy.
        unseen: bars nobody was trained on, and the starts.
    """
    starts = jnp.asarray(unseen.starts, jnp.int32)
    length = int(unseen.params.max_episode_bars)
    with jax.default_matmul_precision("highest"):
        pnl = _play(greedy.choose, greedy.weights, starts, unseen.params, length)
    return float(np.mean(np.asarray(pnl, np.float64))) / 100


@partial(jax.jit, static_argnums=(0, 4))
def _play(choose: Choose, weights: Any, starts: jax.Array, params: EnvParams, length: int) -> jax.Array:
    phase = phase_of(params)

    def body(carry: Any, _: None) -> Any:
        state, done = carry
        obs = jax.vmap(phase.observe, in_axes=(0, None))(state, params)
        masks = jax.vmap(phase.action_masks, in_axes=(0, None))(state, params)
        actions = choose(weights, obs, masks)
        moved, outcome = jax.vmap(phase.advance, in_axes=(0, 0, None))(state, actions, params)
        kept = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, moved)
        return (kept, done | outcome.terminated | outcome.truncated), None

    state = jax.vmap(phase.reset_at, in_axes=(0, None))(starts, params)
    (state, _), _ = jax.lax.scan(body, (state, jnp.zeros(len(starts), bool)), length=length)
    return state.total_pnl


def vec_scale(normalizer: VecNormalize) -> Scale:
    """Return the scale of a ``VecNormalize``'s observations."""
    seen: Any = normalizer.obs_rms  # one, since observations are no dictionaries
    with jax.enable_x64(True):
        moments = RunningMoments(
            *(jnp.asarray(x, jnp.float64) for x in (seen.mean, seen.var, seen.count))
        )
    return scale_of(moments)


def _decide_with(spec: NetworkSpec, num_actions: int) -> Choose:
    network = make_network(spec, num_actions=num_actions)

    def choose(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
        params, scale = weights
        return decide(network, params, scale, obs, masks)

    return choose


class PortLearner:
    """The port's trainer, one agent; a portion is one update.

    Args:
        params: of the environment trained in.
        config: its rules.
        settings: sizes, network, numbers and the seed.
    """

    masks, note = True, "masks, float64 statistics, truncation bootstrapped"

    def __init__(self, params: EnvParams, config: EnvConfig, settings: TrainSettings) -> None:
        self.name, self.envs = title("port", settings), settings.n_envs
        self._params, self._config, self._settings = params, config, settings
        self._choose = _decide_with(settings.network, phase_of(params).num_actions)
        self._fresh = jax.jit(init_agents, static_argnums=2)
        self._agent: Agent | None = None

    def prepare(self) -> float:
        """Make an agent, compile, and make one update."""
        began = time.perf_counter()
        settings = self._settings
        numbers = hyper_params(**{name: getattr(settings, name) for name in RATES})
        self._hyper = jax.tree.map(lambda x: x[None], numbers)
        self._train = make_train(settings, 1, 1)
        self.begin()
        self.run()
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start again from the seed."""
        seeds = jnp.array([self._settings.seed], jnp.int32)
        self._agent = jax.block_until_ready(self._fresh(seeds, self._params, self._settings))

    def run(self) -> int:
        """Make one update."""
        assert self._agent is not None
        self._agent, metrics = self._train(self._agent, self._hyper, self._params)
        jax.block_until_ready((self._agent, metrics))
        return self._settings.rollout_size

    def greedy(self) -> Greedy:
        """Return the policy."""
        assert self._agent is not None
        policy = policy_of(self._agent, 0, self._config, self._settings.network)
        return Greedy(self._choose, (policy.params, policy.scale))

    def close(self) -> None:
        """Forget the agent."""
        self._agent = None


class ReferenceLearner:
    """MaskablePPO with VecNormalize on the reference; a portion is one rollout and its update.

    Args:
        bars, config: what is traded and how.
        settings: of MaskablePPO.
    """

    masks, note = True, "masks; the reference's environments, a process each"

    def __init__(self, bars: Bars, config: EnvConfig, settings: TrainConfig) -> None:
        self.name = (
            f"MaskablePPO, {settings.n_epochs} epochs, {settings.n_envs} x {settings.n_steps}, "
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
        network: Any = self._model.policy.net_arch
        actions: Any = self._model.action_space
        self._spec = NetworkSpec(tuple(network["pi"]), tuple(network["vf"]))
        self._choose = _decide_with(self._spec, int(actions.n))
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

    def greedy(self) -> Greedy:
        """Return the policy, its weights carried over to the port's network."""
        state = {name: value.numpy() for name, value in self._model.policy.state_dict().items()}
        weights = to_flax(from_sb3(state, self._spec), self._spec)
        return Greedy(self._choose, (weights, vec_scale(self._normalizer)))

    def close(self) -> None:
        """End the workers."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
