"""Step a thousand JAX environments with random allowed actions, and print how fast and how they end.

Run it with ``python examples/step_environments.py``; it makes its own bars.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import batch_action_masks, batch_reset, batch_step, make_params
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

ENVIRONMENTS, STEPS = 1_000, 400


def main() -> None:
    """Run the example."""
    config = EnvConfig.phase1()
    market = stack([prepare(synthetic_bars("ES", days=30, seed=0), config)])
    params = make_params(market, config)

    @jax.jit
    def run(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Step all environments STEPS times; return summed rewards (N,) and episodes that ended."""
        first, key = jax.random.split(key)
        _, state = batch_reset(first, params, ENVIRONMENTS)

        def step(carry, key):
            state, rewards, ended = carry
            act, restart = jax.random.split(key)
            masks = batch_action_masks(state, params)
            actions = jax.random.categorical(act, jnp.where(masks, 0.0, -jnp.inf)).astype(jnp.int32)
            moved = batch_step(restart, state, actions, params)
            done = moved.outcome.terminated | moved.outcome.truncated
            return (moved.state, rewards + moved.outcome.reward, ended + jnp.sum(done)), None

        start = (state, jnp.zeros(ENVIRONMENTS), jnp.int32(0))
        (_, rewards, ended), _ = jax.lax.scan(step, start, jax.random.split(key, STEPS))
        return rewards, ended

    jax.block_until_ready(run(jax.random.key(0)))  # compiles
    began = time.perf_counter()
    rewards, ended = jax.block_until_ready(run(jax.random.key(1)))
    seconds = time.perf_counter() - began
    print(f"{ENVIRONMENTS * STEPS / seconds:,.0f} steps a second on {jax.devices()[0]}")
    print(f"mean reward {float(rewards.mean()):+.2f} an environment; {int(ended)} episodes ended")


if __name__ == "__main__":
    main()
