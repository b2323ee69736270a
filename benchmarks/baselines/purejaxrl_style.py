"""A PPO in PureJaxRL's style: one file, the environments stepped inside the program, all of it jitted.

Source: Lu et al. 2022, "Discovered Policy Optimisation", whose PureJaxRL this follows step by step: its
two towers, its normalising wrappers, its loss with both clips, its shuffling of the whole rollout.
Written anew over the port's gymnax interface. It has no action masks, and a truncated episode counts as
a lost one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training.train_state import TrainState

from benchmarks.baselines.learners import Greedy, lenient, minibatches, title
from jax_port.envs.env_phase1_jax import EnvParams, EnvState
from jax_port.envs.gymnax_api import FiveValueStep, TradingPhase1
from jax_port.ppo.settings import TrainSettings

ADAM_EPSILON = 1e-5
GAE_UNROLL = 16


class ActorCritic(nn.Module):
    """Two towers with ReLU: logits (N, num_actions) and values (N,) of observations (N, D)."""

    num_actions: int
    pi: tuple[int, ...]
    vf: tuple[int, ...]

    @nn.compact
    def __call__(self, obs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return logits and values."""

        def tower(sizes: tuple[int, ...], head: int, gain: float) -> jax.Array:
            x = obs
            for size in sizes:
                x = nn.relu(nn.Dense(size, kernel_init=nn.initializers.orthogonal(2**0.5))(x))
            return nn.Dense(head, kernel_init=nn.initializers.orthogonal(gain))(x)

        return tower(self.pi, self.num_actions, 0.01), tower(self.vf, 1, 1.0)[:, 0]


@struct.dataclass
class Moments:
    """Running mean and variance, float32, as PureJaxRL's wrappers keep them; count begins at 1e-4."""

    mean: jax.Array
    var: jax.Array
    count: jax.Array

    @classmethod
    def new(cls, shape: tuple[int, ...]) -> Moments:
        """Return moments of nothing."""
        return cls(jnp.zeros(shape), jnp.ones(shape), jnp.array(1e-4, jnp.float32))

    def seen(self, batch: jax.Array) -> Moments:
        """Return the moments with a batch (N, ...) merged into them."""
        size = jnp.float32(batch.shape[0])
        delta = jnp.mean(batch, axis=0) - self.mean
        total = self.count + size
        spread = self.var * self.count + jnp.var(batch, axis=0) * size
        spread = spread + jnp.square(delta) * (self.count * size / total)
        return Moments(self.mean + delta * (size / total), spread / total, total)

    def scaled(self, obs: jax.Array) -> jax.Array:
        """Return observations (N, D), centred and divided; not clipped, as PureJaxRL has it."""
        return (obs - self.mean[None]) / jnp.sqrt(self.var + 1e-8)[None]


class Transition(NamedTuple):
    """One step of N environments, or a minibatch of steps."""

    obs: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array
    done: jax.Array


class Runner(NamedTuple):
    """All that goes on from one update to the next."""

    train: TrainState
    env_state: EnvState
    obs: jax.Array
    obs_moments: Moments
    reward_moments: Moments
    returns: jax.Array
    key: jax.Array


Programs = tuple[
    Callable[[jax.Array, EnvParams], Runner],
    Callable[[Runner, EnvParams], tuple[Runner, jax.Array]],
]


def make_programs(network: ActorCritic, env: FiveValueStep, settings: TrainSettings) -> Programs:
    """Return (key, parameters) -> runner, and (runner, parameters) -> (runner, mean loss)."""
    batches = minibatches(settings)
    reset = jax.vmap(env.reset, in_axes=(0, None))
    step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
    adam = optax.adam(settings.learning_rate, eps=ADAM_EPSILON)
    optimiser = optax.chain(optax.clip_by_global_norm(settings.max_grad_norm), adam)
    clip = settings.clip_range

    def both(weights: Any, obs: jax.Array) -> tuple[jax.Array, jax.Array]:
        out: Any = network.apply(weights, obs)
        return out

    def begin(key: jax.Array, params: EnvParams) -> Runner:
        weights_key, reset_key, key = jax.random.split(key, 3)
        obs, state = reset(jax.random.split(reset_key, settings.n_envs), params)
        moments = Moments.new((obs.shape[1],)).seen(obs)
        weights = network.init(weights_key, obs)
        train = TrainState.create(apply_fn=network.apply, params=weights, tx=optimiser)
        train = train.replace(step=jnp.zeros((), jnp.int32))
        quiet = jnp.zeros(settings.n_envs)
        return Runner(train, state, moments.scaled(obs), moments, Moments.new(()), quiet, key)

    def act(runner: Runner, params: EnvParams) -> tuple[Runner, Transition]:
        key, action_key, step_key = jax.random.split(runner.key, 3)
        logits, value = both(runner.train.params, runner.obs)
        action = jax.random.categorical(action_key, logits).astype(jnp.int32)
        keys = jax.random.split(step_key, settings.n_envs)
        obs, state, reward, done, _ = step(keys, runner.env_state, action, params)
        moments = runner.obs_moments.seen(obs)
        # Its wrapper forgets the return before an episode's last reward, unlike VecNormalize.
        returns = jnp.where(done, 0.0, runner.returns * settings.gamma) + reward
        spread = runner.reward_moments.seen(returns)
        if settings.norm_reward:
            reward = reward / jnp.sqrt(spread.var + 1e-8)
        taken = Transition(runner.obs, action, _log_prob(logits, action), value, reward, done)
        seen = moments.scaled(obs)
        return Runner(runner.train, state, seen, moments, spread, returns, key), taken

    def advantages(steps: Transition, last_value: jax.Array) -> jax.Array:
        def back(carry: tuple[jax.Array, jax.Array], at: Transition) -> Any:
            advantage, following = carry
            goes_on = settings.gamma * (1.0 - at.done.astype(jnp.float32))
            delta = at.reward + goes_on * following - at.value
            advantage = delta + goes_on * settings.gae_lambda * advantage
            return (advantage, at.value), advantage

        start = (jnp.zeros_like(last_value), last_value)
        return jax.lax.scan(back, start, steps, reverse=True, unroll=GAE_UNROLL)[1]

    def loss_of(weights: Any, batch: tuple[Transition, jax.Array, jax.Array]) -> jax.Array:
        steps, advantage, target = batch
        logits, value = both(weights, steps.obs)
        log_probs = jax.nn.log_softmax(logits)
        near = steps.value + jnp.clip(value - steps.value, -clip, clip)
        worse = jnp.maximum(jnp.square(value - target), jnp.square(near - target))
        ratio = jnp.exp(_log_prob(logits, steps.action) - steps.log_prob)
        normal = (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)
        gain = jnp.minimum(ratio * normal, jnp.clip(ratio, 1.0 - clip, 1.0 + clip) * normal)
        entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
        critic = settings.vf_coef * 0.5 * jnp.mean(worse)
        return critic - jnp.mean(gain) - settings.ent_coef * jnp.mean(entropy)

    def learn(train: TrainState, batch: Any) -> tuple[TrainState, jax.Array]:
        loss, gradients = jax.value_and_grad(loss_of)(train.params, batch)
        return train.apply_gradients(grads=gradients), loss

    def update(runner: Runner, params: EnvParams) -> tuple[Runner, jax.Array]:
        runner, steps = jax.lax.scan(lambda r, _: act(r, params), runner, length=settings.n_steps)
        _, last_value = both(runner.train.params, runner.obs)
        gained = advantages(steps, last_value)
        whole = jax.tree.map(
            lambda x: x.reshape(settings.rollout_size, *x.shape[2:]),
            (steps, gained, gained + steps.value),
        )

        def epoch(train: TrainState, key: jax.Array) -> tuple[TrainState, jax.Array]:
            order = jax.random.permutation(key, settings.rollout_size)
            shuffled = jax.tree.map(
                lambda x: jnp.take(x, order, axis=0).reshape(batches, -1, *x.shape[1:]), whole
            )
            return jax.lax.scan(learn, train, shuffled)

        key, epochs_key = jax.random.split(runner.key)
        keys = jax.random.split(epochs_key, settings.n_epochs)
        train, losses = jax.lax.scan(epoch, runner.train, keys)
        return runner._replace(train=train, key=key), jnp.mean(losses)

    return begin, update


def _log_prob(logits: jax.Array, action: jax.Array) -> jax.Array:
    log_probs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(log_probs, action[:, None], axis=-1)[:, 0]


class PureJaxRlRival:
    """The program above as a rival; a portion is one update.

    Args:
        params: of the environment.
        settings: sizes, towers, numbers and the seed.

    Attributes:
        loss: mean loss of the last update's minibatches.
    """

    masks = False
    note = "no masks, float32 statistics, no bootstrap at truncation, value clipped"

    def __init__(self, params: EnvParams, settings: TrainSettings) -> None:
        self.name, self.envs = title("PureJaxRL style, no masks", settings), settings.n_envs
        self.loss = float("nan")
        self._params, self._settings = params, settings
        self._runner: Runner | None = None

    def prepare(self) -> float:
        """Compile; return the seconds it took."""
        began = time.perf_counter()
        settings = self._settings
        trading = TradingPhase1(self._params)
        network = ActorCritic(trading.num_actions, settings.network.pi, settings.network.vf)
        first, update = make_programs(network, FiveValueStep(trading), settings)
        self._first, self._choose = jax.jit(first), partial(_choose, network)
        self.begin()
        program = jax.jit(update, donate_argnums=0)
        with lenient():  # optax promotes
            self._update = program.lower(self._runner, self._params).compile()
        return time.perf_counter() - began

    def begin(self) -> None:
        """Start again from the seed."""
        fresh = self._first(jax.random.key(self._settings.seed), self._params)
        self._runner = jax.block_until_ready(fresh)

    def run(self) -> int:
        """Make one update."""
        self._runner, loss = self._update(self._runner, self._params)
        self.loss = float(jax.block_until_ready((self._runner, loss))[1])
        return self._settings.rollout_size

    def greedy(self) -> Greedy:
        """Return the policy."""
        assert self._runner is not None
        # Copies: the next update is given the runner's own arrays.
        kept = (self._runner.train.params, self._runner.obs_moments)
        return Greedy(self._choose, jax.tree.map(jnp.copy, kept))

    def close(self) -> None:
        """Forget the device arrays."""
        self._runner = None


def _choose(network: ActorCritic, weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
    del masks
    params, moments = weights
    logits, _ = network.apply(params, moments.scaled(obs))
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)
