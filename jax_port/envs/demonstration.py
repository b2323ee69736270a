"""``python -m jax_port.envs.env_phase1_jax``: reset environments, step them, show masks and rewards."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import (
    batch_action_masks,
    batch_reset,
    batch_step,
    make_params,
    reset,
    step,
)
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

ENVIRONMENTS = 8
STEPS = 5
ACTIONS = ("hold", "buy", "sell")


def show_steps() -> None:
    """Step one environment, then eight together with random allowed actions, and print what happens."""
    config = EnvConfig.phase1()
    params = make_params(stack([prepare(synthetic_bars("ES", days=5, seed=0), config)]), config)
    obs, state = jax.jit(reset)(jax.random.key(0), params)
    print(
        f"device {jax.devices()[0]}; an observation is {obs.dtype} {obs.shape}, finite throughout: ",
        end="",
    )
    print(bool(jnp.isfinite(obs).all()))
    moved = jax.jit(step)(jax.random.key(1), state, jnp.int32(1), params)
    reward, position = float(moved.outcome.reward), int(moved.state.position)
    print(f"one step, buy: reward {reward:+.4f}, position {position}")

    step_all = jax.jit(batch_step)
    _, states = jax.jit(partial(batch_reset, num_envs=ENVIRONMENTS))(jax.random.key(2), params)
    print(f"\n{ENVIRONMENTS} environments, random allowed actions; masks of {', '.join(ACTIONS)}:")
    for number in range(STEPS):
        masks = batch_action_masks(states, params)
        draw, restart = jax.random.split(jax.random.key(3 + number))
        actions = jax.random.categorical(draw, jnp.where(masks, 0.0, -jnp.inf)).astype(jnp.int32)
        batch = step_all(restart, states, actions, params)
        print(f"step {number + 1}")
        print("  masks  ", " ".join("".join(map(str, row.astype(int))) for row in np.asarray(masks)))
        print("  actions", " ".join(f"{ACTIONS[action]:>7}" for action in np.asarray(actions)))
        print("  rewards", " ".join(f"{reward:+7.3f}" for reward in np.asarray(batch.outcome.reward)))
        states = batch.state
