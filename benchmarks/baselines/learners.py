"""Interface of trainers whose learning is measured, and the judgement of their policies.

All are judged alike: their likeliest actions, in the port's environment, from the same starts. An
action that the environment forbids does there what it does in training: it becomes hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from stable_baselines3.common.vec_env import VecNormalize

from benchmarks.baselines.pattern_agents import HeldOutMarket
from benchmarks.harness.measure import Workload
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import decide, make_network
from jax_port.ppo.running_statistics import RunningMoments, Scale, scale_of
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from legacy_torch.train import TrainConfig
from markets import InputError

Choose = Callable[[Any, jax.Array, jax.Array], jax.Array]
"""(weights, raw obs float32 (N, D), masks bool (N, A)) -> actions int32 (N,)."""


class Greedy(NamedTuple):
    """The likeliest action of a policy, as a function and its weights.

    Attributes:
        choose: the same function for as long as the trainer lives, so that it is compiled once.
        weights: a pytree of arrays.
    """

    choose: Choose
    weights: Any


class Learner(Workload, Protocol):
    """A trainer that can begin anew and hand out its policy.

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
def default_promotion() -> Iterator[None]:
    """Allow JAX's default type promotion and silence warnings, for code of other libraries.

    The tests forbid promotion and deprecated names.
    """
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


def title(trainer: str, settings: TrainSettings | TrainConfig) -> str:
    """Return a row's name: the trainer, its epochs, and its sizes."""
    return (
        f"{trainer}, {settings.n_epochs} epochs, {settings.n_envs} x {settings.n_steps}, "
        f"batch {settings.batch_size}"
    )


class BaselineTrainer:
    """What trainers of other projects have in common.

    Args:
        params: of the environment.
        settings: sizes, network, numbers and the seed.
    """

    label = ""
    masks = False
    note = ""

    def __init__(self, params: EnvParams, settings: TrainSettings) -> None:
        self.name, self.envs = title(self.label, settings), settings.n_envs
        self._params, self._settings = params, settings


def greedy_return(greedy: Greedy, held_out: HeldOutMarket) -> float:
    """Return the mean PnL of episodes in dollars, likeliest actions, closed trades only.

    Args:
        greedy: a trainer's policy.
        held_out: bars that nobody was trained on, and the starts.
    """
    starts = jnp.asarray(held_out.starts, jnp.int32)
    length = int(held_out.params.max_episode_bars)
    with jax.default_matmul_precision("highest"):
        pnl = _play(greedy.choose, greedy.weights, starts, held_out.params, length)
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
        state = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, moved)
        return (state, done | outcome.terminated | outcome.truncated), None

    state = jax.vmap(phase.reset_at, in_axes=(0, None))(starts, params)
    (state, _), _ = jax.lax.scan(body, (state, jnp.zeros(len(starts), bool)), length=length)
    return state.total_pnl


def vec_scale(normalizer: VecNormalize) -> Scale:
    """Return the scale of a ``VecNormalize``'s observations."""
    statistics: Any = normalizer.obs_rms  # one, since observations are no dictionaries
    values = (statistics.mean, statistics.var, statistics.count)
    with jax.enable_x64(True):
        moments = RunningMoments(*(jnp.asarray(value, jnp.float64) for value in values))
    return scale_of(moments)


def chooser_of(spec: NetworkSpec, num_actions: int) -> Choose:
    """Return the likeliest allowed action of weights and scale, for the port's network."""
    network = make_network(spec, num_actions=num_actions)

    def choose(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
        params, scale = weights
        return decide(network, params, scale, obs, masks)

    return choose
