"""Play one episode in the PyTorch environment and in the JAX environment, and compare every step.

Run it with ``python examples/compare_both_sides.py``. The gate (``nox -s parity``) does this in earnest.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase2_jax import advance, make_params, reset_at
from legacy_torch.env_phase2 import TradingEnvPhase2
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


def main() -> None:
    """Run the example."""
    config, bars = EnvConfig.phase2(), synthetic_bars("ES", days=10, seed=3)
    env = TradingEnvPhase2(bars, config)
    params = make_params(stack([prepare(bars, config)]), config)
    env.reset(options={"start_index": int(env.valid_starts[0])})
    state, step = reset_at(jnp.int32(0), params), jax.jit(advance)

    rng, steps, largest, done = np.random.default_rng(0), 0, 0.0, False
    while not done:
        action = int(rng.choice(np.flatnonzero(env.action_masks())))
        _, reward, terminated, truncated, _ = env.step(action)
        state, outcome = step(state, jnp.int32(action), params)
        assert round(env.balance * 100) == int(state.balance), "money differs"
        assert env.position == int(state.position), "positions differ"
        largest = max(largest, abs(reward - float(outcome.reward)))
        done, steps = terminated or truncated, steps + 1
    print(f"{steps} steps, {env.num_trades} trades, balance ${env.balance:,.2f} on both sides")
    print(f"largest difference of a reward: {largest:.1e}")


if __name__ == "__main__":
    main()
