"""A network and a trainer loop of your own on gymnax's interface, several seeds under one ``vmap``.

Run it with ``python examples/several_seeds.py``; it makes its own bars. What is to be seen is the
initialiser: Flax's orthogonal one, under ``vmap`` on two cores, can wait for ever.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.envs.gymnax_api import TradingPhase1
from jax_port.ppo.networks import orthogonal
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

SEEDS, STEPS = 8, 100


class Policy(nn.Module):
    """One hidden layer and a logit for each of three actions."""

    @nn.compact
    def __call__(self, obs: jax.Array) -> jax.Array:
        """Return logits (3,) of an observation."""
        hidden = nn.tanh(nn.Dense(64, kernel_init=orthogonal(2**0.5))(obs))
        logits: jax.Array = nn.Dense(3, kernel_init=orthogonal(0.01))(hidden)
        return logits


def main() -> None:
    """Run the example."""
    config = EnvConfig.phase1()
    params = make_params(stack([prepare(synthetic_bars("ES", days=5, seed=0), config)]), config)
    env, policy = TradingPhase1(params), Policy()

    def one(key: jax.Array) -> jax.Array:
        """Draw weights, play some steps with them and return the summed reward."""
        for_weights, for_reset, for_steps = jax.random.split(key, 3)
        obs, state = env.reset(for_reset, params)
        weights = policy.init(for_weights, obs)

        def step(carry, key):
            obs, state = carry
            act, move = jax.random.split(key)
            logits = jnp.where(env.action_masks(state, params), policy.apply(weights, obs), -1e8)
            action = jax.random.categorical(act, logits)
            obs, state, reward, *_ = env.step(move, state, action, params)
            return (obs, state), reward

        _, rewards = jax.lax.scan(step, (obs, state), jax.random.split(for_steps, STEPS))
        return jnp.sum(rewards)

    totals = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), SEEDS))
    print(f"{SEEDS} seeds, {STEPS} steps each; summed rewards", [round(float(x), 2) for x in totals])


if __name__ == "__main__":
    main()
