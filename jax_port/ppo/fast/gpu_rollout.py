"""A rollout in few kernels a step: :func:`jax_port.ppo.rollout.collect` for a GPU.

A step there is some twenty kernels and asks nothing of the host. The policy is asked for every
environment. What a step leaves is one row of 32-bit words, written at once; rewards are normalised, and
the log's sums taken, when the rollout is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.fast_rng import spread_words
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState
from jax_port.ppo.fast.bootstrap import Cut, value_of_cut
from jax_port.ppo.fast.columns import columns_of, log_prob, masked_log_probs, sample
from jax_port.ppo.fast.gpu_network import GpuNetwork, Packed
from jax_port.ppo.fast.gpu_statistics import normalize_rewards, update_moments_in_one_pass
from jax_port.ppo.fast.row_losses import MASK, as_real, as_word
from jax_port.ppo.networks import Network
from jax_port.ppo.rollout import EpisodeStats, Rollout, RolloutState, count_codes
from jax_port.ppo.running_statistics import RunningMoments, Scale, normalize, scale_of

BOOTSTRAP_ROWS = 32_768
"""Truncated transitions that are valued at a time; a rollout seldom has more."""

REASON, TRUNCATED, DONE = 16, 24, 25
"""First bits of what a step's word of flags holds beside the action and the mask."""


class Sums(NamedTuple):
    """What the ended episodes of each environment came to, (N,); names as in :class:`EpisodeStats`."""

    reward: jax.Array
    pnl: jax.Array
    length: jax.Array
    drawdown: jax.Array
    trades: jax.Array
    wins: jax.Array


class Account(NamedTuple):
    """What goes on from one step to the next in every environment, leaves (N,)."""

    state: EnvState
    episode_reward: jax.Array
    sums: Sums


def raw_observations(step_idx: jax.Array, position: jax.Array, params: EnvParams) -> jax.Array:
    """Return observations before normalising, float32 (B, D), of bars (B,) and features (B, P)."""
    features = params.market.features
    width = params.window_size * features.shape[1]
    first = (step_idx - params.window_size) * features.shape[1]
    where = first[:, None] + jnp.arange(width, dtype=jnp.int32)[None, :]
    window = features.reshape(-1).at[where].get(mode="promise_in_bounds")
    return jnp.concatenate([window, position], axis=1)


def collect(
    actor: RolloutState,
    key: jax.Array,
    packed: Packed,
    network: GpuNetwork,
    params: EnvParams,
    num_steps: int,
    gamma: jax.Array,
    norm_reward: bool = True,
    mesh: Mesh | None = None,
) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
    """Step N environments T times; arguments and results as of :func:`jax_port.ppo.rollout.collect`.

    Args:
        actor: where the environments stand.
        key: for actions and restarts.
        packed, network: the policy.
        params: of the environment.
        num_steps: T.
        gamma: discount.
        norm_reward: scale rewards; static.
        mesh: devices over which environments are split; None for one. Static.
    """
    num_envs = actor.episode_start.shape[0]
    phase = phase_of(params)
    weights = network.rounded(packed)
    observe = jax.vmap(phase.observe_position, in_axes=(0, None))
    act_and_restart = jax.vmap(partial(env.step_or_restart, phase=phase), in_axes=(0, 0, 0, None))

    start = Account(actor.env_state, actor.episode_reward, _no_sums(num_envs))
    packed_start, unpack = as_rows(start)

    def body(
        carry: tuple[jax.Array, RunningMoments], words: jax.Array
    ) -> tuple[tuple[jax.Array, RunningMoments], tuple[jax.Array, jax.Array]]:
        account, moments = unpack(carry[0]), carry[1]
        state, scale = account.state, scale_of(moments)
        position = observe(state, params)
        obs = normalize(scale, raw_observations(state.step_idx, position, params))
        out = network.infer(weights, network.inputs(obs))
        *logits, values = columns_of(out)
        masks = columns_of(env.batch_action_masks(state, params, phase))
        log_probs = masked_log_probs(logits, masks)
        action = sample(words[:2], log_probs)
        moved = act_and_restart(spread_words(words[2:], num_envs), state, action, params)
        outcome, final = moved.outcome, moved.final_state
        done = outcome.terminated | outcome.truncated
        total = account.episode_reward + outcome.reward
        after = observe(moved.state, params)
        # The barrier keeps the compiler from making the observations once, for both sums, in memory.
        bars = (moved.state.step_idx, jax.lax.optimization_barrier(moved.state.step_idx))
        seen = (raw_observations(bar, after, params) for bar in bars)
        flags = action | outcome.done_reason << REASON
        flags |= outcome.truncated.astype(jnp.int32) << TRUNCATED | done.astype(jnp.int32) << DONE
        for number, mask in enumerate(masks):
            flags |= mask.astype(jnp.int32) << (MASK + number)
        reals = [log_prob(log_probs, action), values, outcome.reward]
        reals += columns_of(position) + columns_of(observe(final, params))
        account = Account(
            state=moved.state,
            episode_reward=jnp.where(done, 0.0, total),
            sums=_added(account.sums, done, total, final),
        )
        step = [state.step_idx, flags, *(as_word(x) for x in reals)]
        both = jnp.concatenate([as_rows(account)[0], jnp.stack(step)])  # written by one kernel
        both = jax.lax.optimization_barrier(both)
        rows, row = both[: packed_start.shape[0]], both[packed_start.shape[0] :]
        moments = update_moments_in_one_pass(moments, *seen)
        return (rows, moments), (row, jnp.stack(scale))

    words = jax.random.bits(key, (num_steps, 4))
    (last, moments), (rows, stacked_scales) = jax.lax.scan(body, (packed_start, actor.moments), words)
    account, scales = unpack(last), Scale(*(stacked_scales[:, n] for n in range(len(Scale._fields))))
    step_idx, flags = rows[:, 0], rows[:, 1]
    log_probs, values, rewards, *features = (as_real(rows[:, n]) for n in range(2, rows.shape[1]))
    dones = (flags >> DONE & 1).astype(bool)
    returns = actor.rewards
    if norm_reward:
        returns, rewards = normalize_rewards(returns, rewards, dones, gamma)
    after = scale_of(moments)
    cut = Cut(
        truncated=(flags >> TRUNCATED & 1).astype(bool),
        step_idx=step_idx + 1,
        position=jnp.stack(features[phase.position_features :], axis=-1),
        scale=jax.tree.map(lambda x, last: jnp.concatenate([x[1:], last[None]]), scales, after),
    )
    value = Network(  # of observations, as the definition has it
        policy=lambda w, obs: network.infer(w, network.inputs(obs))[:, :-1],
        value=lambda w, obs: network.infer(w, network.inputs(obs))[:, -1],
    )
    lost = gamma * value_of_cut(cut, weights, value, params, BOOTSTRAP_ROWS, mesh)
    rollout = Rollout(
        step_idx=step_idx,
        position=jnp.stack(features[: phase.position_features], axis=-1),
        masks=jnp.stack(
            [(flags >> (MASK + n) & 1).astype(bool) for n in range(phase.num_actions)], axis=-1
        ),
        actions=(flags & 0xFF).astype(jnp.int8),
        log_probs=log_probs,
        values=values,
        rewards=rewards + jnp.where(cut.truncated, lost, 0.0),
        episode_starts=jnp.concatenate([actor.episode_start[None], dones[:-1]]),
        scales=scales,
    )
    actor = RolloutState(account.state, moments, returns, dones[-1], account.episode_reward)
    position = observe(actor.env_state, params)
    raw = raw_observations(actor.env_state.step_idx, position, params)
    last_values = value.value(weights, normalize(after, raw))
    reasons = count_codes(flags >> REASON & 0xFF, 5)
    reasons = reasons * jnp.array([0, 1, 1, 1, 1], jnp.int32)
    ends = EpisodeStats(
        episodes=jnp.sum(reasons),
        reasons=reasons,
        actions=count_codes(rollout.actions, phase.num_actions),
        **{name: jnp.sum(x) for name, x in account.sums._asdict().items()},
    )
    return actor, rollout, last_values, ends


def as_rows(tree: Any) -> tuple[jax.Array, Callable[[jax.Array], Any]]:
    """Return a tree of arrays (N,) of at most 32 bits as words (leaves, N), and what undoes it."""
    leaves, structure = jax.tree.leaves(tree), jax.tree.structure(tree)
    dtypes = [leaf.dtype for leaf in leaves]

    def back(rows: jax.Array) -> Any:
        restored = [
            as_real(row) if dtype == jnp.float32 else row.astype(dtype)
            for row, dtype in zip(rows, dtypes, strict=True)
        ]
        return jax.tree.unflatten(structure, restored)

    words = [as_word(x) if x.dtype == jnp.float32 else x.astype(jnp.int32) for x in leaves]
    return jnp.stack(words), back


def _no_sums(num_envs: int) -> Sums:
    real, whole = jnp.zeros(num_envs, jnp.float32), jnp.zeros(num_envs, jnp.int32)
    return Sums(real, real, whole, real, whole, whole)


def _added(sums: Sums, done: jax.Array, total: jax.Array, final: EnvState) -> Sums:
    """Add the episodes that ended in a step."""
    drop = (final.highest_balance - final.balance).astype(jnp.float32)
    ended = Sums(
        reward=total,
        pnl=final.total_pnl.astype(jnp.float32),
        length=final.time,
        drawdown=drop,
        trades=final.num_trades,
        wins=final.winning_trades,
    )
    return jax.tree.map(lambda x, y: x + jnp.where(done, y, 0), sums, ended)
