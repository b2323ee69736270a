"""Faults of what surrounds a step: observation, mask, reset, restart and the markets' tables."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

ENV = "jax_port/envs/env_phase1_jax.py"
LOADER = "jax_port/data/data_loader.py"
ROWS = "jax_port/envs/observation.py"


def _fault(id: str, violates: str, old: str, new: str, file: str = ENV) -> Mutant:
    return Mutant(id, file, old, new, violates)


_OLDEST = "oldest = step_idx - params.window_size\n"
_ROW = "    return row_at(params.market.features, oldest, position, params.window_size, params.form)\n"
_NEWEST_FIRST = (
    "    window = row_at(params.market.features, oldest, position[:0], params.window_size)\n"
    "    window = window.reshape(params.window_size, -1)[::-1]\n"
    "    return jnp.concatenate([window.reshape(-1), position])\n"
)
_BARS = "5. At index t the observation is bars t-20 .. t-1, oldest first"
_STOP = "5. |stop - close(t)| in ticks / atr_ticks(t)"
_FRESH = "6. the observation after a step is taken at the new t; environments restart by themselves"
_FRESH_ACCOUNT = (
    "4. At reset the account is flat, the balance and the equity high are the initial balance"
)
_DRAW = "4. A reset draws one uniformly"
_FOLLOWING = (
    "    following = jax.tree.map(lambda new, old: jnp.where(done, new, old), fresh, final_state)\n"
)


def _keep(name: str) -> str:
    """Return the restart with one field of the old episode left as it is."""
    return _FOLLOWING + f"    following = replace(following, {name}=final_state.{name})\n"


OBSERVATION = (
    _fault("window-with-present-bar", _BARS, _OLDEST, _OLDEST.replace("_size", "_size + 1", 1), ROWS),
    _fault("window-one-bar-old", _BARS, _OLDEST, _OLDEST.replace("_size", "_size - 1", 1), ROWS),
    _fault("window-newest-first", _BARS, _ROW, _NEWEST_FIRST, ROWS),
    _fault("window-one-number-late", _BARS, "(oldest * features)", "(oldest * features + 1)", ROWS),
    _fault(
        "position-from-the-end",
        "5. The position features in order: position, entry/close, stop, target, bars held",
        "enumerate(tails.T)",
        "enumerate(tails.T[::-1])",
        ROWS,
    ),
    _fault(
        "position-before-its-place",
        "5. The window and then the position features: none of one lies over the other",
        "(0, width + number)",
        "(0, width - 1 + number)",
        ROWS,
    ),
    _fault(
        "position-of-last-bar",
        "5. entry/close(t): position features look at the present bar",
        "    bar = bar_at(params, state.step_idx)\n    is_open",
        "    bar = bar_at(params, state.step_idx - 1)\n    is_open",
    ),
    _fault(
        "ratio-inverted",
        "5. entry/close(t), 1 when flat",
        "quotient(state.entry_price, close)",
        "quotient(close, jnp.maximum(state.entry_price, 1))",
    ),
    _fault(
        "ratio-zero-when-flat",
        "5. entry/close(t), 1 when flat",
        "quotient(state.entry_price, close), 1.0)",
        "quotient(state.entry_price, close), 0.0)",
    ),
    _fault(
        "stop-distance-signed", _STOP, "jnp.abs(state.sl_price - close)", "(state.sl_price - close)"
    ),
    _fault(
        "stop-distance-in-ticks",
        _STOP,
        "quotient(jnp.abs(state.sl_price - close), atr)",
        "jnp.abs(state.sl_price - close).astype(jnp.float32)",
    ),
    _fault(
        "atr-of-next-bar",
        "5. / atr_ticks(t), and 7. nothing depends on a bar after t",
        "bitcast_convert_type(bar[ATR]",
        "bitcast_convert_type(bar_at(params, state.step_idx + 1)[ATR]",
    ),
    _fault(
        "target-from-entry",
        "5. |target - close(t)| likewise",
        "jnp.abs(state.tp_price - close)",
        "jnp.abs(state.tp_price - state.entry_price)",
    ),
    _fault(
        "held-one-bar-more",
        "5. (t - entry index)/max_episode_bars",
        "held = state.step_idx - state.position_entry_step",
        "held = state.step_idx - state.position_entry_step + 1",
    ),
    _fault(
        "held-over-390",
        "5. (t - entry index)/max_episode_bars",
        "quotient(held, params.max_episode_bars)",
        "quotient(held, jnp.int32(390))",
    ),
    _fault(
        "mask-allows-pyramiding",
        "5. Phase 1 mask: [True, flat, flat]",
        "return jnp.stack([jnp.ones_like(flat), flat, flat])",
        "return jnp.stack([jnp.ones_like(flat), flat, state.position <= 0])",
    ),
    _fault(
        "mask-of-the-window",
        "6.1 A Phase 1 entry outside the entry window is not forbidden by its mask",
        "    del params  # the Phase 1 mask doesn't look at the clock\n"
        "    flat = state.position == 0\n",
        "    flat = state.position == 0\n"
        "    flat = flat & (bar_at(params, state.step_idx)[MINUTE] < params.entry_close)\n",
    ),
)

RESTARTS = (
    _fault("restart-keeps-high", _FRESH_ACCOUNT, _FOLLOWING, _keep("highest_balance")),
    _fault("restart-keeps-balance", _FRESH_ACCOUNT, _FOLLOWING, _keep("balance")),
    _fault(
        "restart-keeps-floor",
        "4. At reset the floor is initial - trailing_drawdown",
        _FOLLOWING,
        _keep("trailing_dd_level"),
    ),
    _fault("restart-keeps-trades", _FRESH_ACCOUNT, _FOLLOWING, _keep("num_trades")),
    _fault(
        "final-obs-of-new-episode",
        "6. restart by themselves and hand out the last observation of the old episode",
        "final_obs=phase.observe(final_state, params)",
        "final_obs=phase.observe(following, params)",
    ),
    _fault(
        "next-obs-of-old-episode",
        _FRESH,
        "        obs=phase.observe(following, params)",
        "        obs=phase.observe(final_state, params)",
    ),
    _fault(
        "no-restart-when-truncated",
        _FRESH,
        "done = outcome.terminated | outcome.truncated\n    fresh",
        "done = outcome.terminated\n    fresh",
    ),
    _fault(
        "draw-never-last",
        _DRAW,
        "return below(bits, params.market.starts.shape[0])",
        "return below(bits, params.market.starts.shape[0] - 1)",
    ),
    _fault(
        "draw-past-last",
        _DRAW,
        "return below(bits, params.market.starts.shape[0])",
        "return below(bits, params.market.starts.shape[0] + 1)",
    ),
    _fault(
        "draw-first-half",
        _DRAW,
        "return below(bits, params.market.starts.shape[0])",
        "return below(bits >> 1, params.market.starts.shape[0])",
    ),
    _fault(
        "draw-shared-by-all",
        "4. A reset draws one from its own generator",
        "    bits = spread_bits(key, action.shape[0])\n",
        "    bits = jnp.broadcast_to(jax.random.bits(key), action.shape)\n",
    ),
    _fault(
        "reset-shared-by-all",
        "4. A reset draws one from its own generator",
        "draw_start(spread_bits(key, num_envs), params)",
        "draw_start(jnp.broadcast_to(jax.random.bits(key), (num_envs,)), params)",
    ),
)

MARKETS = (
    _fault(
        "end-of-all-markets",
        "6.9 t + 1 = T - 1, T being the market's own bars",
        "last_bar=column(list(first + sizes - 1), np.int32)",
        "last_bar=column([sizes.sum() - 1] * len(sizes), np.int32)",
        LOADER,
    ),
    _fault(
        "slippage-of-market-0",
        "2. slippage in ticks per market order, by contract",
        "slippage=column([c.slippage_ticks for c in contracts], np.int32)",
        "slippage=column([contracts[0].slippage_ticks for c in contracts], np.int32)",
        LOADER,
    ),
    _fault(
        "starts-without-offset",
        "4. An episode may start at index i: of its own market",
        "np.stack([market.starts + offset,",
        "np.stack([market.starts + 0 * offset,",
        LOADER,
    ),
    _fault(
        "start-in-market-0",
        "4. An episode starts in the market its bar belongs to",
        "np.full(len(market.starts), number)",
        "np.full(len(market.starts), 0 * number)",
        LOADER,
    ),
)

EPISODE = (*OBSERVATION, *RESTARTS, *MARKETS)
"""Every fault around a step."""
