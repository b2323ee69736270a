"""How much there is to learn: a random policy and a good one on the study's market.

Both are measured on the port, which the parity gate proves to be the same environment, with the
learning curve's own number: mean raw reward per 100 steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import EnvParams, EnvState
from markets.synthetic.pattern import oracle_signals
from parity.learning_study.design import PER_STEPS, Design
from parity.learning_study.jax_arm import environment

Choose = Callable[[jax.Array, EnvState, jax.Array], jax.Array]
"""(key, state, masks) of one environment -> action, int32."""


@lru_cache(maxsize=4)
def measure(design: Design) -> dict[str, float]:
    """Return ``random``, ``good``, their ``spread``, and the ``margin``, all per 100 steps.

    The good policy is the market's oracle (``markets.synthetic.pattern.oracle_signals``): it trades
    each signal once, on the bar after it, and nothing else.
    """
    params = environment(design)
    signals = jnp.asarray(oracle_signals(design.bars()).astype(np.int32))

    def uniform(key: jax.Array, state: EnvState, masks: jax.Array) -> jax.Array:
        return jax.random.categorical(key, jnp.where(masks, 0.0, -jnp.inf)).astype(jnp.int32)

    def oracle(key: jax.Array, state: EnvState, masks: jax.Array) -> jax.Array:
        return jnp.where(masks[1], signals[state.step_idx], 0)

    low, high = (mean_reward(choose, params, design) for choose in (uniform, oracle))
    spread = high - low
    return {"random": low, "good": high, "spread": spread, "margin": design.margin_share * spread}


def mean_reward(choose: Choose, params: EnvParams, design: Design) -> float:
    """Return a policy's mean raw reward per 100 steps, over environments that restart."""
    first, then = jax.random.split(jax.random.key(design.yardstick_seed))

    def body(state: EnvState, key: jax.Array) -> tuple[EnvState, jax.Array]:
        act, restart = jax.random.split(key)
        masks = env.batch_action_masks(state, params)
        keys = jax.random.split(act, design.yardstick_envs)
        moved = env.batch_step(restart, state, jax.vmap(choose)(keys, state, masks), params)
        return moved.state, jnp.mean(moved.outcome.reward)

    def run() -> Any:
        _, state = env.batch_reset(first, params, design.yardstick_envs)
        return jax.lax.scan(body, state, jax.random.split(then, design.yardstick_steps))[1]

    rewards = np.asarray(jax.jit(run)(), np.float64)
    return float(rewards.mean()) * PER_STEPS
