"""Collect experience: thousands of environments stepped by one policy inside one ``lax.scan``.

Source: sb3-contrib's ``MaskablePPO.collect_rollouts`` and SB3's ``VecNormalize`` (2.9). What can be
rebuilt is not stored: the market part of an observation follows from the number of its bar, so a
transition takes about 75 bytes instead of 950.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import Mesh

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.phase import Transition
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState, Outcome
from jax_port.ppo.fast.bootstrap import Cut, value_of_cut
from jax_port.ppo.networks import Network, Params, log_prob, masked_log_probs, sample
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.prior import prior_at, shifted
from jax_port.ppo.running_statistics import (
    RewardNormalizer,
    RunningMoments,
    Scale,
    init_moments,
    init_rewards,
    normalize_reward,
    scale_of,
    update_moments,
)

LogitsFn = Callable[[Params, jax.Array, jax.Array], jax.Array]
"""(weights, observations (N, D), masks (N, A)) -> logits (N, A); any numbers where a mask leaves one
action, whose probability is one whatever its logit."""


@struct.dataclass
class RolloutState:
    """What goes on from one rollout to the next, for N environments.

    Attributes:
        env_state: leaves (N,).
        moments: of raw observations, leaves (D,).
        rewards: the reward normaliser.
        episode_start: bool (N,), whether the present observation is an episode's first.
        episode_reward: float32 (N,), raw reward since the episode began.
    """

    env_state: EnvState
    moments: RunningMoments
    rewards: RewardNormalizer
    episode_start: jax.Array
    episode_reward: jax.Array


class Rollout(NamedTuple):
    """T steps of N environments, leaves (T, N, ...), but ``scales`` with (T, D).

    Attributes:
        step_idx: int32, the bar of the observation; its market part is rebuilt from it.
        position: float32 (T, N, P), its position features, raw.
        masks: bool (T, N, A).
        actions: int8.
        log_probs, values: float32, when the action was taken.
        rewards: float32, normalised, with the value of what truncation cut off.
        episode_starts: bool.
        scales: what the step's observations were normalised with.
    """

    step_idx: jax.Array
    position: jax.Array
    masks: jax.Array
    actions: jax.Array
    log_probs: jax.Array
    values: jax.Array
    rewards: jax.Array
    episode_starts: jax.Array
    scales: Scale


class EpisodeStats(NamedTuple):
    """What a rollout's steps did, summed, for logs: int32 or float32 scalars.

    Attributes:
        episodes: that ended.
        reward: sum of their raw rewards.
        pnl: sum of their PnL, float32 cents.
        length: sum of their bars.
        drawdown: sum of the drop from each one's highest equity to its last balance, float32 cents.
        trades, wins: of the ended episodes.
        reasons: int32 (5,), ended episodes by done reason; the first is always 0.
        actions: int32 (A,), how often each action was taken.
    """

    episodes: jax.Array
    reward: jax.Array
    pnl: jax.Array
    length: jax.Array
    drawdown: jax.Array
    trades: jax.Array
    wins: jax.Array
    reasons: jax.Array
    actions: jax.Array


def init_rollout_state(key: jax.Array, params: EnvParams, num_envs: int) -> RolloutState:
    """Reset N environments; their first observations enter the statistics, as VecNormalize's do."""
    obs, state = env.batch_reset(key, params, num_envs, phase_of(params))
    return RolloutState(
        env_state=state,
        moments=update_moments(init_moments((obs.shape[1],)), obs),
        rewards=init_rewards(num_envs),
        episode_start=jnp.ones(num_envs, bool),
        episode_reward=jnp.zeros(num_envs, jnp.float32),
    )


def collect(
    actor: RolloutState,
    key: jax.Array,
    weights: Params,
    network: Network,
    params: EnvParams,
    num_steps: int,
    gamma: jax.Array,
    norm_reward: bool = True,
    logits_of: LogitsFn | None = None,
    mesh: Mesh | None = None,
) -> tuple[RolloutState, Rollout, jax.Array, EpisodeStats]:
    """Step N environments T times.

    Args:
        actor: where they stand.
        key: for actions and restarts.
        weights, network: the policy.
        params: of the environment.
        num_steps: T.
        gamma: float32 discount, of the reward normaliser and of truncation's value.
        norm_reward: scale rewards; static.
        logits_of: how to ask the policy; of every observation by default. Static.
        mesh: devices over which environments are split; None for one. Static.

    Returns:
        The actor after, the rollout, the values (N,) of the observations after it, and sums.
    """
    num_envs = actor.episode_start.shape[0]
    phase = phase_of(params)
    ask: LogitsFn = logits_of or (lambda weights, obs, masks: network.policy(weights, obs))

    def look(state: EnvState) -> jax.Array:
        return jax.vmap(phase.observe_position, in_axes=(0, None))(state, params)

    def body(
        actor: RolloutState, key: jax.Array
    ) -> tuple[RolloutState, tuple[Rollout, Cut, EpisodeStats]]:
        act_key, restart_key = jax.random.split(key)
        state = actor.env_state
        scale = scale_of(actor.moments)
        position = look(state)
        obs = reconstruct_obs(state.step_idx, position, scale, params)
        masks = env.batch_action_masks(state, params, phase)
        values = network.value(weights, obs)
        logits = shifted(ask(weights, obs, masks), prior_at(state.step_idx, masks.shape[1], params))
        log_probs = masked_log_probs(logits, masks)
        action = sample(act_key, log_probs)
        moved = env.batch_step(restart_key, state, action, params, phase)
        actor, reward, ends = _account(actor, moved, gamma, norm_reward)
        step = Rollout(
            step_idx=state.step_idx,
            position=position,
            masks=masks,
            actions=action.astype(jnp.int8),
            log_probs=log_prob(log_probs, action),
            values=values,
            rewards=reward,
            episode_starts=actor.episode_start,
            scales=scale,
        )
        after = look(moved.final_state)
        cut = Cut(moved.outcome.truncated, moved.final_state.step_idx, after, scale_of(actor.moments))
        return actor, (step, cut, ends._replace(actions=count_codes(action, masks.shape[1])))

    starts = actor.episode_start
    actor, (rollout, cut, ends) = jax.lax.scan(body, actor, jax.random.split(key, num_steps))
    first = jnp.concatenate([starts[None], rollout.episode_starts[:-1]])
    lost = gamma * value_of_cut(cut, weights, network, params, mesh=mesh)
    rollout = rollout._replace(
        episode_starts=first,
        rewards=rollout.rewards + jnp.where(cut.truncated, lost, 0.0),
    )
    position = look(actor.env_state)
    obs = reconstruct_obs(actor.env_state.step_idx, position, scale_of(actor.moments), params)
    last_values = network.value(weights, obs)
    assert last_values.shape == (num_envs,)
    return actor, rollout, last_values, jax.tree.map(lambda x: jnp.sum(x, axis=0), ends)


def _account(
    actor: RolloutState, moved: Transition, gamma: jax.Array, norm_reward: bool
) -> tuple[RolloutState, jax.Array, EpisodeStats]:
    """Take one step's rewards, ends and observations into account: actor, rewards (N,), sums."""
    outcome: Outcome = moved.outcome
    done = outcome.terminated | outcome.truncated
    rewards, reward = actor.rewards, outcome.reward
    if norm_reward:
        rewards, reward = normalize_reward(rewards, reward, done, gamma)
    moments = update_moments(actor.moments, moved.obs)
    total = actor.episode_reward + outcome.reward
    final = moved.final_state

    def real(x: jax.Array) -> jax.Array:
        return x.astype(jnp.float32)

    def of_ended(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(done, x, jnp.zeros_like(x)))

    ends = EpisodeStats(
        episodes=jnp.sum(done.astype(jnp.int32)),
        reward=of_ended(total),
        pnl=of_ended(real(final.total_pnl)),
        length=of_ended(final.time),
        drawdown=of_ended(real(final.highest_balance - final.balance)),
        trades=of_ended(final.num_trades),
        wins=of_ended(final.winning_trades),
        reasons=count_codes(outcome.done_reason, 5) * jnp.array([0, 1, 1, 1, 1], jnp.int32),
        actions=jnp.zeros(0, jnp.int32),
    )
    after = RolloutState(
        env_state=moved.state,
        moments=moments,
        rewards=rewards,
        episode_start=done,
        episode_reward=jnp.where(done, 0.0, total),
    )
    return after, reward, ends


def count_codes(codes: jax.Array, kinds: int) -> jax.Array:
    """Return how often each of 0 .. kinds - 1 occurs among codes (...): int32 (kinds,)."""
    hits = jnp.equal(*jnp.broadcast_arrays(codes[..., None], jnp.arange(kinds, dtype=codes.dtype)))
    return jnp.sum(hits.astype(jnp.int32), axis=tuple(range(codes.ndim)))
