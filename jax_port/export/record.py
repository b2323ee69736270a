"""Play episodes and write down all that a policy saw and what became of it, step by step."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket, stack
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs.account import enter
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState, bar_at
from jax_port.ppo.networks import ActorCritic, Params
from jax_port.ppo.policy import Policy, decide
from jax_port.ppo.running_statistics import Scale


class Recording(NamedTuple):
    """Every step of N episodes of up to T steps.

    Attributes:
        alive: bool (T, N), the episode had not ended before this step.
        row: int32 (T, N), the bar.
        obs: float32 (T, N, D), raw.
        masks: bool (T, N, A).
        wanted: int32 (T, N), the policy's likeliest allowed action.
        taken: int32 (T, N), what was done; not always the same where the recording explores.
        entered: int8 (T, N), 1 or -1 where a trade was opened, else 0.
        exited: bool (T, N), a trade was closed.
        entry, stop, target: int32 ticks (T, N), of a trade opened in this step, else 0.
    """

    alive: Any
    row: Any
    obs: Any
    masks: Any
    wanted: Any
    taken: Any
    entered: Any
    exited: Any
    entry: Any
    stop: Any
    target: Any


def record(
    policy: Policy,
    market: PreparedMarket,
    starts: NDArray[np.int64],
    *,
    explore: float = 0.0,
    seed: int = 0,
) -> Recording:
    """Play an episode from each start.

    Args:
        policy: decides.
        market: prepared with the policy's configuration.
        starts: numbers of starts in ``market.starts``.
        explore: share of steps at which any allowed action is taken instead, so that positions of all
            kinds are seen.
        seed: of exploring.

    Returns:
        Host arrays.
    """
    params = phase_of(policy.config).make_params(stack([market]), policy.config)
    weights = jax.tree.map(jnp.asarray, policy.params)
    played = _play(
        policy.network,
        weights,
        policy.scale,
        jnp.asarray(starts.astype(np.int32)),
        jax.random.key(seed),
        jnp.float32(explore),
        params,
        policy.config.max_episode_bars,
    )
    return Recording(*(np.asarray(leaf) for leaf in played))


def _enter(params: EnvParams, state: EnvState, side: jax.Array) -> EnvState:
    """Return a state with the trade that is opened at its bar; side 0 opens none."""
    return enter(state, params, bar_at(params, state.step_idx), side)


@partial(jax.jit, static_argnums=(0, 7))
def _play(
    network: ActorCritic,
    weights: Params,
    scale: Scale | None,
    starts: jax.Array,
    key: jax.Array,
    explore: jax.Array,
    params: EnvParams,
    length: int,
) -> Recording:
    phase = phase_of(params)
    Carry = tuple[EnvState, jax.Array]

    def one_step(carry: Carry, key: jax.Array) -> tuple[Carry, Recording]:
        state, done = carry
        obs = jax.vmap(phase.observe, in_axes=(0, None))(state, params)
        masks = jax.vmap(phase.action_masks, in_axes=(0, None))(state, params)
        wanted = decide(network, weights, scale, obs, masks)
        for_whether, for_what = jax.random.split(key)
        any_allowed = jax.random.categorical(for_what, jnp.where(masks, 0.0, -1e9)).astype(jnp.int32)
        taken = jnp.where(jax.random.uniform(for_whether, wanted.shape) < explore, any_allowed, wanted)
        after, outcome = jax.vmap(phase.advance, in_axes=(0, 0, None))(state, taken, params)
        opened = ~done & (after.num_trades > state.num_trades)
        side = jnp.where(opened, jnp.where(taken == phase1.BUY, 1, -1), 0)
        # A trade that is opened and liquidated within one step leaves no trace in the state after it.
        trade = jax.vmap(partial(_enter, params))(state, side)
        moved = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, after)

        def of_opened(value: jax.Array) -> jax.Array:
            return jnp.where(opened, value, 0)

        seen = Recording(
            alive=~done,
            row=state.step_idx,
            obs=obs,
            masks=masks,
            wanted=wanted,
            taken=taken,
            entered=side.astype(jnp.int8),
            exited=~done & (outcome.exit_code > 0),
            entry=of_opened(trade.entry_price),
            stop=of_opened(trade.sl_price),
            target=of_opened(trade.tp_price),
        )
        return (moved, done | outcome.terminated | outcome.truncated), seen

    state = jax.vmap(phase.reset_at, in_axes=(0, None))(starts, params)
    keys = jax.random.split(key, length)
    _, seen = jax.lax.scan(one_step, (state, jnp.zeros(starts.shape, bool)), keys)
    return seen
