"""A state in points and dollars, as people read it; nothing here takes part in a step."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jax_port.envs.state import EnvParams, EnvState


def view(state: EnvState, params: EnvParams) -> dict[str, jax.Array]:
    """Return a state in points and dollars, in JAX's float: float64 where it is allowed, else float32.

    ``step_idx``, ``position_entry_step`` and ``episode_start`` are counted from the market's own
    first bar. Works on one state or on a batch.

    Args:
        state: of either phase, leaves of any one shape.
        params: configuration and bars.

    Returns:
        Every field of the state by name; flags as they are.
    """
    fraction = params.market.tick_size[state.market].astype(float)
    numerator, denominator = fraction[..., 0], fraction[..., 1]
    first = params.market.first_bar[state.market]
    ticks = {name: getattr(state, name) for name in ("entry_price", "sl_price", "tp_price")}
    cents = {
        name: getattr(state, name)
        for name in ("balance", "highest_balance", "trailing_dd_level", "total_pnl")
    }
    counts = ("position", "num_trades", "winning_trades", "losing_trades", "market")
    return {
        "step_idx": state.step_idx - first,
        "episode_start": state.episode_start - first,
        "position_entry_step": jnp.where(state.position != 0, state.position_entry_step - first, 0),
        **{name: getattr(state, name) for name in counts},
        **{name: value.astype(float) * numerator / denominator for name, value in ticks.items()},
        **{name: value.astype(float) / 100 for name, value in cents.items()},
        **{name: getattr(state, name) for name in sorted(state.flags)},
    }
