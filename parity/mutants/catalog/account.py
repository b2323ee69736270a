"""Faults of a step's account, booking and reward: sections 6.6 to 6.8 of ``docs/environment.md``."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

FILE = "jax_port/envs/env_phase1_jax.py"
ACCOUNT_FILE = "jax_port/envs/account.py"
STATE_FILE = "jax_port/envs/state.py"


def _fault(id: str, violates: str, old: str, new: str, file: str = FILE) -> Mutant:
    return Mutant(id, file, old, new, violates)


_ENTER = "    state = enter(state, params, bar, jnp.where(was_flat & in_window, side, 0))\n"
_MANAGE = "    state, win_bonus = manage(state, params, bar, action)\n"
_MARK = """
    # 6 mark to market
    state, breached = mark_to_market(state, params, bar)
"""
_LIQUIDATE = """\
    market_exit = bar[CLOSE] - state.position * slippage
    state, liquidation_pnl = close_trade(state, params, held, market_exit)
"""
_COUNTED = """\
(closing & (pnl > 0)).astype(jnp.int32),
        losing_trades=state.losing_trades + (closing & (pnl <= 0)).astype(jnp.int32),
"""

ACCOUNT = (
    _fault(
        "breach-at-floor",
        "6.6 equity < floor; equality is not a breach",
        "return state, equity < state.trailing_dd_level",
        "return state, equity <= state.trailing_dd_level",
        ACCOUNT_FILE,
    ),
    _fault(
        "high-of-balance",
        "6.6 The high rises to equity if higher",
        "jnp.maximum(state.highest_balance, equity)",
        "jnp.maximum(state.highest_balance, state.balance)",
        ACCOUNT_FILE,
    ),
    _fault(
        "floor-never-locked",
        "6.6 floor = min(high - trailing_drawdown, initial + floor_lock)",
        "    floor = jnp.minimum(highest - params.trailing_drawdown, locked)\n",
        "    floor = highest - params.trailing_drawdown + 0 * locked\n",
        ACCOUNT_FILE,
    ),
    _fault(
        "floor-locked-at-initial",
        "4. the floor stops rising at initial balance + floor_lock",
        "    locked = params.initial_balance + params.floor_lock\n",
        "    locked = params.initial_balance\n",
        ACCOUNT_FILE,
    ),
    _fault(
        "floor-falls",
        "6.6 floor = min(high - trailing_drawdown, initial + floor_lock), never falling",
        "    floor = jnp.maximum(state.trailing_dd_level, floor)\n",
        "    floor = jnp.minimum(equity - params.trailing_drawdown, floor)\n",
        ACCOUNT_FILE,
    ),
    _fault(
        "marked-before-entry",
        "6.6 a position opened in this step is marked too",
        _ENTER + _MANAGE + _MARK,
        _MARK + _ENTER + _MANAGE,
    ),
    _fault(
        "marked-at-low",
        "6.6 equity = balance + position * (close - entry) * tick value * contracts",
        "equity_at(state, params, bar[CLOSE])",
        "equity_at(state, params, bar[LOW])",
        ACCOUNT_FILE,
    ),
    _fault(
        "flat-account-safe",
        "6.6 An account that is already flat breaches all the same",
        "violation = late | breached",
        "violation = late | liquidated",
    ),
    _fault(
        "liquidated-without-slippage",
        "6.6 an open position is liquidated at close(t) against slippage",
        _LIQUIDATE,
        _LIQUIDATE.replace(" - state.position * slippage", ""),
    ),
    _fault(
        "liquidation-moves-high",
        "6.6 Liquidation moves the balance, not the high",
        _LIQUIDATE,
        _LIQUIDATE
        + "    high = jnp.where(held, state.balance, state.highest_balance)\n"
        + "    state = replace(state, highest_balance=high)\n",
    ),
)

BOOKING = (
    _fault(
        "commission-once",
        "6.7 trade PnL = gross - both sides' commission",
        "gross - 2 * side_cost",
        "gross - side_cost",
        ACCOUNT_FILE,
    ),
    _fault(
        "commission-one-contract",
        "2. n contracts pay n commissions on each side",
        "of_market(params.market.commission, state.market) * params.contracts",
        "of_market(params.market.commission, state.market)",
        STATE_FILE,
    ),
    _fault(
        "commission-of-market-0",
        "2. commission per side, by contract",
        "of_market(params.market.commission, state.market)",
        "params.market.commission[0]",
        STATE_FILE,
    ),
    _fault(
        "tick-value-of-market-0",
        "2. tick value, by contract",
        "of_market(params.market.tick_value, state.market)",
        "params.market.tick_value[0]",
        STATE_FILE,
    ),
    _fault(
        "zero-is-a-win",
        "6.7 a win is PnL > 0, everything else a loss",
        _COUNTED,
        _COUNTED.replace("pnl > 0", "pnl >= 0").replace("pnl <= 0", "pnl < 0"),
        ACCOUNT_FILE,
    ),
    _fault(
        "win-before-commission",
        "6.7 a win is PnL > 0, and PnL is after both sides' commission",
        _COUNTED,
        _COUNTED.replace("pnl > 0", "gross > 0").replace("pnl <= 0", "gross <= 0"),
        ACCOUNT_FILE,
    ),
    _fault(
        "target-left-behind",
        "6.7 Closing clears entry, stop, target, entry index",
        "tp_price=cleared(state.tp_price)",
        "tp_price=state.tp_price",
        ACCOUNT_FILE,
    ),
    _fault(
        "entry-side-booked-twice",
        "6.7 balance gets gross - exit side (the entry side was booked on entry)",
        "jnp.where(closing, gross - side_cost, 0)",
        "pnl",
        ACCOUNT_FILE,
    ),
)

REWARD = (
    _fault(
        "reward-before-commission",
        "6.8 PnL of a trade closed in this step, after both sides' commission",
        "        trade_pnl * params.cent_reward\n",
        "        (trade_pnl + 2 * env_state.commission(state, params) * closed.astype(jnp.int32))"
        " * params.cent_reward\n",
    ),
    _fault(
        "patience-on-closing-bar",
        "6.8 + patience_reward if flat at the end and nothing closed",
        "jnp.where(is_open | closed, 0, params.patience_reward)",
        "jnp.where(is_open, 0, params.patience_reward)",
    ),
    _fault(
        "hold-penalty-while-flat",
        "6.8 + hold_penalty if open at the end of the step",
        "jnp.where(is_open, params.hold_penalty, 0)",
        "params.hold_penalty",
    ),
    _fault(
        "hold-penalty-as-of-before",
        "6.8 + hold_penalty if open at the end of the step",
        "jnp.where(is_open, params.hold_penalty, 0)",
        "jnp.where(was_flat, 0, params.hold_penalty)",
    ),
    _fault(
        "violation-twice",
        "6.6 Where 3 and 6 both happen, the penalty is taken once",
        "jnp.where(violation, params.violation_penalty, 0)",
        "(late.astype(jnp.int32) + breached.astype(jnp.int32)) * params.violation_penalty",
    ),
    _fault(
        "forbidden-for-free",
        "6.1 An action that the mask forbids costs invalid_action_penalty",
        "jnp.where(forbidden, params.invalid_action_penalty, 0)",
        "jnp.where(forbidden, 0, 0)",
    ),
    _fault(
        "liquidated-at-once-not-closed",
        "6.8 A trade that is opened and liquidated within one step counts as closed in it",
        "closed = closing | liquidated",
        "closed = closing | (liquidated & ~was_flat)",
    ),
)
