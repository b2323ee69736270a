"""Faults of Phase 2: its mask, its flags, break-even, trailing and the bonus."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

PHASE1 = "jax_port/envs/env_phase1_jax.py"
STATE = "jax_port/envs/state.py"
FILE = "jax_port/envs/env_phase2_jax.py"


def _fault(id: str, violates: str, old: str, new: str, file: str = FILE) -> Mutant:
    return Mutant(id, file, old, new, violates, phase=2)


_CAN_ENTER = "    return (state.position == 0) & phase1.in_entry_window(params, bar)\n"
_PROFIT = "profit = state.position * (bar[CLOSE] - state.entry_price) > 0"
_FLAGS = "[can_enter(state, params, bar), at_break_even(state), state.trailing]"
_BE_MASK = "is_open & profit & ~at_be,"
_ON_MASK = "is_open & profit & at_be & ~state.trailing,"
_SWITCH = "    switched = (state.trailing | (action == TRAIL_ON)) & (action != TRAIL_OFF)\n"
_ENTRY_PLUS = "entry_plus = state.entry_price + state.position"
_CANDIDATE = "candidate = bar[CLOSE] - state.position * bar[TRAIL]"
_FOLLOW = "    stop = jnp.where(is_open & trailing & better, candidate, stop)\n"
_BONUS = "    bonus = jnp.where(trailing, params.trail_win_bonus, 0)\n"
_MANAGED = "    return replace(state, sl_price=stop, trailing=trailing), bonus\n"
_ADVANCE = (
    "    after, outcome = phase1.advance(state, action, params, action_masks, manage, intrabar)\n"
)
_PARAMS = "    return env_state.make_params(market, config, EnvParams)\n"
_WON = "(trade_pnl > 0).astype(jnp.int32) * win_bonus"

_MASK = (
    "5. Phase 2 mask: [True, flat & in entry window, flat & in entry window, open & profit & not at_be,"
)
_MASK_ON = "5. Phase 2 mask: open & profit & at_be & not trailing, for trailing on"
_AT_BE = "5. at_be = position * (stop - entry) >= 0"
_THREE = "5. Phase 2 appends three flags: can enter now; stop at or past break-even; trailing on"
_BREAK_EVEN = "6.4 break-even sets the stop to entry + 1 tick in the position's favour"
_TRAIL = "6.5 candidate = close(t) - position * trail_ticks(t)"
_FAVOUR = "6.5 the stop moves to it only in the position's favour"
_NEXT = "6.5 It first acts on bar t+1"
_WIN = "6.8 + trail_win_bonus if a winner closed with trailing on"

MASKS = (
    _fault("p2-enter-any-time", _MASK, _CAN_ENTER, "    return state.position == 0\n"),
    _fault(
        "p2-enter-while-open", _MASK, _CAN_ENTER, "    return phase1.in_entry_window(params, bar)\n"
    ),
    _fault("p2-break-even-at-a-loss", _MASK, _BE_MASK, "is_open & ~at_be,"),
    _fault("p2-break-even-again", _MASK, _BE_MASK, "is_open & profit,"),
    _fault("p2-trail-at-a-loss", _MASK_ON, _ON_MASK, "is_open & at_be & ~state.trailing,"),
    _fault("p2-trail-before-break-even", _MASK_ON, _ON_MASK, "is_open & profit & ~state.trailing,"),
    _fault("p2-trail-on-twice", _MASK_ON, _ON_MASK, "is_open & profit & at_be,"),
    _fault(
        "p2-trail-off-always",
        "5. Phase 2 mask: open & trailing, for trailing off",
        "            is_open & state.trailing,\n",
        "            is_open,\n",
    ),
    _fault(
        "p2-no-profit-is-profit",
        "5. profit = position * (close(t) - entry) > 0",
        _PROFIT,
        _PROFIT.replace("> 0", ">= 0"),
    ),
    _fault(
        "p2-profit-of-longs",
        "5. profit = position * (close(t) - entry) > 0",
        _PROFIT,
        _PROFIT.replace("state.position * ", ""),
    ),
    _fault(
        "p2-profit-at-high",
        "5. profit = position * (close(t) - entry) > 0",
        _PROFIT,
        _PROFIT.replace("CLOSE", "0"),
    ),
    _fault("p2-break-even-strict", _AT_BE, "(locked_in >= 0)", "(locked_in > 0)"),
    _fault(
        "p2-break-even-of-longs",
        _AT_BE,
        "state.position * (state.sl_price - state.entry_price)",
        "(state.sl_price - state.entry_price)",
    ),
)

FLAGS = (
    _fault(
        "p2-flags-swapped",
        _THREE,
        _FLAGS,
        "[can_enter(state, params, bar), state.trailing, at_break_even(state)]",
    ),
    _fault(
        "p2-flag-of-the-clock",
        "5. Can enter now is what the mask says of buy and sell",
        _FLAGS,
        _FLAGS.replace("can_enter(state, params, bar)", "phase1.in_entry_window(params, bar)"),
    ),
    _fault(
        "p2-flag-of-flat",
        "5. Can enter now is what the mask says of buy and sell",
        _FLAGS,
        _FLAGS.replace("can_enter(state, params, bar)", "state.position == 0"),
    ),
    _fault(
        "p2-flat-at-break-even",
        "5. the other two are 0 when flat",
        "return (state.position != 0) & (locked_in >= 0)",
        "return locked_in >= 0",
    ),
    _fault(
        "p2-flags-first",
        _THREE,
        "[phase1.observe_position(state, params), flags.astype(jnp.float32)]",
        "[flags.astype(jnp.float32), phase1.observe_position(state, params)]",
    ),
    _fault(
        "p2-flags-of-last-bar",
        _THREE,
        "    bar = bar_at(params, state.step_idx)\n    flags",
        "    bar = bar_at(params, state.step_idx - 1)\n    flags",
    ),
)

STOPS = (
    _fault("p2-break-even-at-entry", _BREAK_EVEN, _ENTRY_PLUS, "entry_plus = state.entry_price"),
    _fault("p2-break-even-wrong-side", _BREAK_EVEN, _ENTRY_PLUS, _ENTRY_PLUS.replace("+", "-")),
    _fault("p2-break-even-two-ticks", _BREAK_EVEN, _ENTRY_PLUS, _ENTRY_PLUS.replace("+", "+ 2 *")),
    _fault("p2-break-even-always-up", _BREAK_EVEN, _ENTRY_PLUS, "entry_plus = state.entry_price + 1"),
    _fault(
        "p2-break-even-trails",
        "6.4 break-even sets the stop; trailing on is an action of its own",
        _SWITCH,
        _SWITCH.replace("(action == TRAIL_ON)", "(action >= BREAK_EVEN)"),
    ),
    _fault(
        "p2-switches-swapped",
        "5. the fifth action is trailing on, the sixth trailing off",
        "BREAK_EVEN, TRAIL_ON, TRAIL_OFF = 3, 4, 5",
        "BREAK_EVEN, TRAIL_ON, TRAIL_OFF = 3, 5, 4",
    ),
    _fault("p2-trail-up-only", _TRAIL, _CANDIDATE, _CANDIDATE.replace("state.position * ", "")),
    _fault("p2-trail-beyond-close", _TRAIL, _CANDIDATE, _CANDIDATE.replace(" - ", " + ")),
    _fault("p2-trail-by-stop", _TRAIL, _CANDIDATE, _CANDIDATE.replace("TRAIL", "3")),
    _fault("p2-trail-from-high", _TRAIL, _CANDIDATE, _CANDIDATE.replace("CLOSE", "0")),
    _fault(
        "p2-trail-of-next-bar",
        "6.5 trail_ticks(t), and 7. nothing depends on a bar after t",
        _CANDIDATE,
        _CANDIDATE.replace("bar[TRAIL]", "bar_at(params, state.step_idx + 1)[TRAIL]"),
    ),
    _fault("p2-trail-both-ways", _FAVOUR, _FOLLOW, _FOLLOW.replace(" & better", "")),
    _fault("p2-trail-backwards", _FAVOUR, "(candidate - stop) > 0", "(candidate - stop) < 0"),
    _fault(
        "p2-trail-though-off",
        "6.4 trailing off, and 6.5 on and open",
        _FOLLOW,
        _FOLLOW.replace("trailing &", "(trailing | state.trailing) &"),
    ),
    _fault(
        "p2-trail-a-bar-late",
        "6.4, 6.5 trailing is switched on before the stop is moved",
        _FOLLOW,
        _FOLLOW.replace("trailing &", "trailing & state.trailing &"),
    ),
    _fault(
        "p2-trail-before-exit",
        _NEXT,
        _ADVANCE,
        "    bar = bar_at(params, state.step_idx)\n"
        "    state, _ = manage(state, params, bar, jnp.int32(HOLD))\n" + _ADVANCE,
    ),
    _fault(
        "p2-trail-hit-on-its-bar",
        _NEXT,
        _MANAGED,
        "    moved = replace(state, sl_price=stop, trailing=trailing)\n"
        "    hit, _ = phase1.find_exit(moved, bar)\n"
        "    return phase1.close_trade(moved, params, hit & trailing, stop)[0], bonus\n",
    ),
    _fault(
        "p2-trailing-left-behind",
        "6.7 Closing clears trailing",
        "trailing=after.trailing & (after.position != 0)",
        "trailing=after.trailing",
    ),
    _fault(
        "p2-reset-trails",
        "4. At reset the account is flat",
        "jnp.zeros_like(start, bool)",
        "jnp.ones_like(start, bool)",
    ),
)

REWARDS = (
    _fault("p2-bonus-without-trailing", _WIN, _BONUS, "    bonus = params.trail_win_bonus\n"),
    _fault("p2-bonus-if-still-open", _WIN, _BONUS, _BONUS.replace("(trailing", "(trailing & is_open")),
    _fault(
        "p2-bonus-as-of-before",
        "6.8 Trailing counts as it stands when the trade closes",
        _BONUS,
        _BONUS.replace("(trailing", "(state.trailing"),
    ),
    _fault(
        "p2-switch-of-a-closed-trade",
        "6.4 Phase 2, still open: trailing on; trailing off",
        "trailing = jnp.where(is_open, switched, state.trailing)",
        "trailing = switched",
    ),
    _fault("p2-bonus-for-losers", _WIN, _WON, "closed.astype(jnp.int32) * win_bonus", PHASE1),
    _fault("p2-bonus-every-bar", _WIN, _WON, _WON.replace("> 0", ">= 0"), PHASE1),
    _fault(
        "p2-bonus-in-cents",
        _WIN,
        "trail_win_bonus=term(reward.trail_win_bonus)",
        "trail_win_bonus=jnp.int32(100 * reward.trail_win_bonus)",
        STATE,
    ),
)

ACCOUNT = (
    _fault(
        "p2-lock-off",
        "4. the floor stops rising at initial balance + floor_lock",
        _PARAMS,
        _PARAMS.rstrip("\n") + ".replace(floor_lock=jnp.int32(10**8))\n",
    ),
    _fault(
        "p2-drawdown-of-phase-1",
        "4. trailing_drawdown $2,500 in Phase 2",
        _PARAMS,
        _PARAMS.rstrip("\n") + ".replace(trailing_drawdown=jnp.int32(1_500_000))\n",
    ),
    _fault(
        "p2-forbidden-for-free",
        "4. invalid_action_penalty -1 in Phase 2",
        _PARAMS,
        _PARAMS.rstrip("\n") + ".replace(invalid_action_penalty=jnp.int32(0))\n",
    ),
)

PHASE2 = (*MASKS, *FLAGS, *STOPS, *REWARDS, *ACCOUNT)
"""Every fault of Phase 2."""
