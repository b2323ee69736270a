"""Faults of a step: section 6 of ``docs/environment.md``, in its order."""

from __future__ import annotations

from parity.mutants.catalog.account import ACCOUNT, BOOKING, REWARD
from parity.mutants.mutant import Mutant

FILE = "jax_port/envs/env_phase1_jax.py"
ACCOUNT_FILE = "jax_port/envs/account.py"


def _fault(id: str, violates: str, old: str, new: str, file: str = FILE) -> Mutant:
    return Mutant(id, file, old, new, violates)


_LEGALITY = """\
    forbidden = is_forbidden(action, masks(state, params))
    action = jnp.where(forbidden, HOLD, action)
    was_flat = state.position == 0
"""
_EXITING = """\
    gone = jnp.logical_or(*find_exit(state, bar))
    later = replace(state, position=jnp.where(gone, 0, state.position))
    forbidden = is_forbidden(action, masks(later, params))
    action = jnp.where(forbidden, HOLD, action)
"""
_LATE = "late = ~was_flat & ~broken & ~stopped & ~reached & (bar[MINUTE] >= params.flat_by)"
_ENTER = "    state = enter(state, params, bar, jnp.where(was_flat & in_window, side, 0))\n"
_ENDS = """\
        terminated=violation,
        truncated=~violation & (at_end | at_limit),
"""
_OUTSIDE = "A Phase 1 entry outside the entry window is not forbidden by its mask"
_EXITS = "6.2 Long: low <= stop, else high >= target; short mirrored"
_WINDOW = "4. entry window: 570 <= m < 960"
_CODES = "6.6 Where 3 and 6 both happen, the penalty is taken once, the exit code stays 3"

LEGALITY = (
    _fault(
        "mask-after-exit",
        "6.1 The mask looked at is the one of the state before the step",
        _LEGALITY,
        _EXITING + "    was_flat = state.position == 0\n",
    ),
    _fault(
        "reentry-after-stop",
        "6.4 A position closed in 2 or 3 is not replaced in the same step",
        _LEGALITY,
        _EXITING + "    was_flat = (state.position == 0) | gone\n",
    ),
    _fault(
        "odd-action-clipped",
        "6.1 A number that is no action at all counts as forbidden",
        _LEGALITY,
        "    action = jnp.clip(action, 0, NUM_ACTIONS - 1)\n" + _LEGALITY,
    ),
    _fault(
        "odd-action-allowed",
        "6.1 A number that is no action at all counts as forbidden",
        "return ~jnp.any(masks & (number == action))",
        "return jnp.any(~masks & (number == action))",
    ),
    _fault(
        "outside-window-forbidden",
        f"6.1 {_OUTSIDE}; it does nothing and costs nothing",
        "    side = (action == BUY)",
        "    forbidden = forbidden | ((action != HOLD) & ~in_window)\n    side = (action == BUY)",
    ),
)

EXITS = (
    _fault(
        "target-first",
        "6.2 The stop is looked at first, so a bar that touches both is a loss",
        "return stopped, reached & ~stopped",
        "return stopped & ~reached, reached",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-long-strict",
        _EXITS,
        "(bar[LOW] <= state.sl_price)",
        "(bar[LOW] < state.sl_price)",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-short-strict",
        _EXITS,
        "(bar[HIGH] >= state.sl_price)",
        "(bar[HIGH] > state.sl_price)",
        ACCOUNT_FILE,
    ),
    _fault(
        "target-long-strict",
        _EXITS,
        "(bar[HIGH] >= state.tp_price)",
        "(bar[HIGH] > state.tp_price)",
        ACCOUNT_FILE,
    ),
    _fault(
        "target-short-strict",
        _EXITS,
        "(bar[LOW] <= state.tp_price)",
        "(bar[LOW] < state.tp_price)",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-slips",
        "6.2 Fill at the stop or target price",
        "jnp.where(stopped, state.sl_price, jnp.where",
        "jnp.where(stopped, state.sl_price - state.position * slippage, jnp.where",
    ),
    _fault(
        "target-at-close",
        "6.2 Fill at the stop or target price",
        "jnp.where(reached, state.tp_price, market_exit)",
        "jnp.where(reached, market_exit, market_exit)",
    ),
    _fault(
        "stop-on-entry-bar",
        "6.2 Stop and target, for a position opened on an earlier bar",
        "earlier = state.position_entry_step < state.step_idx",
        "earlier = state.position_entry_step <= state.step_idx",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-after-entry",
        "6.2 Stop and target, for a position opened on an earlier bar",
        _ENTER,
        _ENTER
        + "    at_once, _ = find_exit(replace(state, position_entry_step=state.step_idx - 1), bar)\n"
        + "    state, early = close_trade(state, params, at_once & was_flat, state.sl_price)\n"
        + "    exit_pnl = exit_pnl + early\n",
    ),
    _fault(
        "flat-by-1020",
        "6.3 Still open and m(t) >= flat_by: closed",
        "(bar[MINUTE] >= params.flat_by)",
        "(bar[MINUTE] > params.flat_by)",
    ),
    _fault(
        "flat-by-1018",
        "6.3 Still open and m(t) >= flat_by: closed",
        "(bar[MINUTE] >= params.flat_by)",
        "(bar[MINUTE] + 1 >= params.flat_by)",
    ),
    _fault(
        "late-though-stopped",
        "6.3 Still open and m(t) >= flat_by",
        _LATE,
        "late = ~was_flat & ~broken & (bar[MINUTE] >= params.flat_by)",
    ),
    _fault(
        "late-goes-on",
        "6.3 closed at close(t) against slippage, exit code 3, a violation, terminates",
        "terminated=violation,",
        "terminated=breached,",
    ),
    _fault(
        "late-unpunished",
        "6.8 + violation_penalty on a violation",
        "jnp.where(violation, params.violation_penalty, 0)",
        "jnp.where(breached, params.violation_penalty, 0)",
    ),
    _fault(
        "late-slips-in-favour",
        "6.3 closed at close(t) against slippage",
        "    market_exit = bar[CLOSE] - state.position * slippage\n    price =",
        "    market_exit = bar[CLOSE] + state.position * slippage\n    price =",
    ),
)

ENTRIES = (
    _fault(
        "entry-slips-in-favour",
        "6.4 buy fills at close + slippage, sell at close - slippage",
        "fill = bar[CLOSE] + side *",
        "fill = bar[CLOSE] - side *",
        ACCOUNT_FILE,
    ),
    _fault(
        "entry-end-inclusive",
        _WINDOW,
        "(minute < params.entry_close)",
        "(minute <= params.entry_close)",
    ),
    _fault(
        "entry-open-exclusive", _WINDOW, "(minute >= params.entry_open)", "(minute > params.entry_open)"
    ),
    _fault(
        "entry-window-utc",
        "3. every rule about the clock uses America/New_York wall time",
        "    minute = bar[MINUTE]\n",
        "    minute = (bar[MINUTE] + 300) % 1440\n",
    ),
    _fault(
        "target-from-close",
        "6.4 stop and target from stop_ticks(t), target_ticks(t) off the fill",
        "opened(fill + side * bar[TARGET]",
        "opened(bar[CLOSE] + side * bar[TARGET]",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-of-next-bar",
        "6.4 stop and target from stop_ticks(t)",
        "opened(fill - side * bar[STOP]",
        "opened(fill - side * params.market.bars[state.step_idx + 1, STOP]",
        ACCOUNT_FILE,
    ),
    _fault(
        "stop-of-last-bar",
        "6.4 stop and target from stop_ticks(t)",
        "opened(fill - side * bar[STOP]",
        "opened(fill - side * params.market.bars[state.step_idx - 1, STOP]",
        ACCOUNT_FILE,
    ),
    _fault(
        "entry-step-next",
        "5. t - entry index: the entry index is the bar t of the entry",
        "opened(state.step_idx, state.position_entry_step)",
        "opened(state.step_idx + 1, state.position_entry_step)",
        ACCOUNT_FILE,
    ),
    _fault(
        "entry-side-unbooked",
        "6.4 one side of commission is booked",
        "balance=state.balance - jnp.where(opening, commission(state, params), 0)",
        "balance=state.balance",
        ACCOUNT_FILE,
    ),
)

TIME = (
    _fault(
        "end-of-data-early",
        "6.9 Truncated when t + 1 = T - 1",
        "at_end = state.step_idx >= of",
        "at_end = state.step_idx + 1 >= of",
    ),
    _fault(
        "end-of-data-late",
        "6.9 Truncated when t + 1 = T - 1",
        "at_end = state.step_idx >= of",
        "at_end = state.step_idx > of",
    ),
    _fault(
        "bar-limit-late",
        "6.9 bars since the start reach max_episode_bars",
        "at_limit = state.time >= params",
        "at_limit = state.time > params",
    ),
    _fault(
        "both-ends-at-once",
        "6.9 A step that terminates is never also truncated",
        "truncated=~violation & (at_end | at_limit)",
        "truncated=at_end | at_limit",
    ),
    _fault(
        "truncation-terminates",
        "6.9 Truncated, unless terminated, when t + 1 = T - 1 or bars since the start reach the limit",
        _ENDS,
        _ENDS.replace("=violation", "=violation | at_end | at_limit").replace(
            "~violation", "late & ~late"
        ),
    ),
    _fault(
        "termination-truncates",
        "6.3, 6.6 a violation, terminates",
        _ENDS,
        _ENDS.replace("=violation", "=late & ~late").replace("~violation & (", "violation | ("),
    ),
    _fault(
        "late-before-drawdown",
        "6.6 the exit code stays 3 and the done reason is drawdown",
        "        (breached, DONE_DRAWDOWN),\n        (late, DONE_LATE),\n",
        "        (late, DONE_LATE),\n        (breached, DONE_DRAWDOWN),\n",
    ),
    _fault(
        "limit-before-end",
        "6.9 Where the end of data and the bar limit fall together the reason is end of data",
        "        (at_end, DONE_END_OF_DATA),\n        (at_limit, DONE_BAR_LIMIT),\n",
        "        (at_limit, DONE_BAR_LIMIT),\n        (at_end, DONE_END_OF_DATA),\n",
    ),
    _fault(
        "code-4-over-3",
        _CODES,
        "        (stopped, EXIT_STOP), (reached, EXIT_TARGET), (late, EXIT_LATE),",
        "        (breached & late, EXIT_DRAWDOWN), (stopped, EXIT_STOP), (reached, EXIT_TARGET),"
        " (late, EXIT_LATE),",
    ),
    _fault(
        "code-4-while-flat",
        "6.6 an account that is already flat breaches: the exit code stays that of the close",
        "(liquidated, EXIT_DRAWDOWN)",
        "(breached, EXIT_DRAWDOWN)",
    ),
)

STEP = (*LEGALITY, *EXITS, *ENTRIES, *ACCOUNT, *BOOKING, *REWARD, *TIME)
"""Every fault of a step."""
