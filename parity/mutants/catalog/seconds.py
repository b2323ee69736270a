"""Faults of evaluation at one-second resolution: section 8 of ``docs/environment.md``."""

from __future__ import annotations

from parity.mutants.mutant import Mutant

FILE = "jax_port/envs/intrabar.py"
LOADER = "jax_port/data/seconds_loader.py"
ENV = "jax_port/envs/env_phase1_jax.py"

_WORST = "8. the worst price of each second is held against the floor first"
_BEST = "8. the best price raises the high second"
_PRICE = "8. a breach liquidates at that worst price"
_LEFT = "8. beyond the exit that its minute gives it, the price is no longer the trade's own"
_ORDER = "8. within each minute, in order"
_SIDES = "worst, best = jnp.where(is_long, low, high), jnp.where(is_long, high, low)"
_AT_STOP = "at_stop = stopped & (state.position * (worst - state.sl_price) <= 0)"
_AT_TARGET = "at_target = reached & (state.position * (best - state.tp_price) >= 0)"
_BROKEN = "broken = here & (equity_at(state, params, worst) < minute.floor)"
_GONE = "gone=minute.gone | (here & (broken | at_stop | at_target)),"
_RISING = "rising = here & ~broken & ~at_stop"
_KEPT = "highest_balance=minute.highest, trailing_dd_level=minute.floor)\n    after"
_RISK = "(state.position != 0) & (state.position_entry_step < state.step_idx)"


def _fault(id: str, violates: str, old: str, new: str, file: str = FILE) -> Mutant:
    return Mutant(f"sec-{id}", file, old, new, violates, phase=2)


SECONDS: tuple[Mutant, ...] = (
    _fault("sides-swapped", _WORST, _SIDES, _SIDES.replace("is_long, low", "~is_long, low", 1)),
    _fault("low-for-both-sides", _WORST, _SIDES, "worst, best = low, high"),
    _fault("breach-at-floor", "6.6 equality is not a breach", _BROKEN, _BROKEN.replace("<", "<=")),
    _fault(
        "floor-of-the-minute",
        _ORDER,
        _BROKEN,
        _BROKEN.replace("minute.floor", "state.trailing_dd_level"),
    ),
    _fault(
        "high-first",
        _WORST,
        _BROKEN,
        "so_far = replace(state, highest_balance=minute.highest, trailing_dd_level=minute.floor)\n"
        "        so_far = raise_high(so_far, params, equity_at(state, params, best))\n"
        "        " + _BROKEN.replace("minute.floor", "so_far.trailing_dd_level"),
    ),
    _fault(
        "stop-not-looked-at",
        _LEFT,
        "        worst = jnp.where(at_stop, state.sl_price, worst)\n",
        "",
    ),
    _fault(
        "target-not-looked-at",
        _LEFT,
        "        best = jnp.where(at_target, state.tp_price, best)\n",
        "",
    ),
    _fault("stays-after-stop", _LEFT, _GONE, _GONE.replace(" | at_stop", "")),
    _fault("stays-after-target", _LEFT, _GONE, _GONE.replace(" | at_target", "")),
    _fault("last-breach-counts", _PRICE, _GONE, _GONE.replace("broken | ", "")),
    _fault("best-of-stop-second", _LEFT, _RISING, "rising = here & ~broken"),
    _fault("best-of-breach-second", _BEST, _RISING, "rising = here & ~at_stop"),
    _fault("stop-beyond", _LEFT, _AT_STOP, _AT_STOP.replace("<= 0", "< 0")),
    _fault("target-beyond", _LEFT, _AT_TARGET, _AT_TARGET.replace(">= 0", "> 0")),
    _fault(
        "stop-decided-by-seconds",
        "8. exits stay the minute's",
        _AT_TARGET,
        _AT_TARGET.replace("reached & ", "(reached | stopped) & "),
    ),
    _fault(
        "entry-bar-too",
        "6.4 a trade is opened at the close, after the bar's seconds",
        _RISK,
        "state.position != 0",
    ),
    _fault("high-not-kept", _BEST, _KEPT, "trailing_dd_level=minute.floor)\n    after"),
    _fault(
        "padding-counts",
        "8. a second without a trade has no bar",
        "here = (high >= low) & ~minute.gone",
        "here = ~minute.gone",
    ),
    _fault(
        "liquidated-with-slippage",
        _PRICE,
        "price=jnp.where(broken, worst, minute.price),",
        "price=jnp.where(broken, worst - state.position, minute.price),",
    ),
    _fault(
        "liquidated-at-close",
        _PRICE,
        "close_trade(state, params, minute.broken, minute.price)",
        "close_trade(state, params, minute.broken, bar[2])",
    ),
    _fault(
        "seconds-backwards",
        _ORDER,
        "(seconds.high, seconds.low))",
        "(seconds.high[::-1], seconds.low[::-1]))",
    ),
    _fault(
        "seconds-of-next-minute",
        _ORDER,
        "dynamic_index_in_dim(table, state.step_idx,",
        "dynamic_index_in_dim(table, state.step_idx + 1,",
    ),
    _fault(
        "highs-out-of-order",
        _ORDER,
        "high[minute, place] = bars.contract.to_ticks(within_minutes.high)",
        "high[minute, place[::-1]] = bars.contract.to_ticks(within_minutes.high)",
        LOADER,
    ),
    _fault(
        "exit-code-none",
        "6.6 exit code 4",
        "liquidated = held | broken",
        "liquidated = held",
        ENV,
    ),
    _fault(
        "pnl-forgotten",
        "6.8 trade_pnl / pnl_divisor",
        "trade_pnl = broken_pnl + exit_pnl + liquidation_pnl",
        "trade_pnl = exit_pnl + liquidation_pnl",
        ENV,
    ),
    _fault(
        "late-after-breach",
        "8. a breach liquidates at that worst price",
        "late = ~was_flat & ~broken &",
        "late = ~was_flat &",
        ENV,
    ),
)
