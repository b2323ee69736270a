"""Refuse a configuration whose worst case could leave 32-bit integers.

Source: section 1 of ``docs/environment.md``. Prices are int32 ticks and money is int32 cents; this
is what makes that safe.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from foundation.errors import InputError
from markets.bars import Bars
from markets.config import EnvConfig, RewardConfig, dollars_to_cents

INT32_MAX = 2**31 - 1
EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to this are exact in float32; prices in ticks must stay below it."""
SHAPING = (
    "hold_penalty",
    "patience_reward",
    "violation_penalty",
    "invalid_action_penalty",
    "trail_win_bonus",
)
"""Terms of the reward beside PnL, in multiples of ``pnl_divisor_dollars``."""


def reward_scale(reward: RewardConfig) -> int:
    """Return the power of ten that makes every reward term a whole number.

    With PnL in cents, ``reward = (pnl * s + sum of terms) / (pnl_divisor * s)`` where each term is
    the configured penalty or bonus times ``pnl_divisor * s``: with a fitting s the numerator is an
    integer and the reward is rounded once, in the division.

    Returns:
        1, 10, 100, 1,000 or 10,000.

    Raises:
        InputError: no such power makes every term whole.
    """
    divisor = Decimal(dollars_to_cents("pnl_divisor_dollars", reward.pnl_divisor_dollars))
    terms = {name: Decimal(repr(float(getattr(reward, name)))) * divisor for name in SHAPING}
    for scale in (1, 10, 100, 1_000, 10_000):
        if all(term * scale == (term * scale).to_integral_value() for term in terms.values()):
            return scale
    name = max(terms, key=lambda key: -int(terms[key].normalize().as_tuple().exponent))
    raise InputError(
        f"{name} x pnl_divisor is {terms[name]} cents; rewards are exact to "
        f"four decimals of a cent, so give {name} fewer decimals"
    )


def check_int32(bars: Bars, config: EnvConfig) -> None:
    """Refuse bars and a configuration that could together overflow int32.

    The worst episode earns or loses every tick of true range of the most violent
    ``max_episode_bars`` bars, or the whole price range at once, whichever is more, and pays costs
    on every bar.

    Raises:
        InputError: naming contracts, ticks, tick value and the worst case in cents.
    """
    if not len(bars):
        return
    contract, account = bars.contract, config.account
    high = contract.to_ticks(bars.frame["high"])
    low = contract.to_ticks(bars.frame["low"])
    close = contract.to_ticks(bars.frame["close"])
    if high.max() >= EXACT_IN_FLOAT32:
        raise InputError(
            f"{bars.source}: a price of {int(high.max())} ticks is beyond 2^24, above which float32 "
            f"is not exact; {contract.symbol}'s tick size of {contract.tick_size} may be wrong"
        )
    previous = np.concatenate([close[:1], close[:-1]])
    true_range = np.maximum(high, previous) - np.minimum(low, previous)
    total = np.concatenate([[0], np.cumsum(true_range)])
    span = min(config.max_episode_bars, len(true_range))
    travelled = int((total[span:] - total[:-span]).max())
    ticks = max(travelled, int(high.max() - low.min()))
    per_tick = contract.tick_value_cents * account.contracts
    costs = (
        2
        * account.contracts
        * (contract.slippage_ticks * contract.tick_value_cents + contract.commission_cents)
    )
    worst = (
        ticks * per_tick
        + costs * config.max_episode_bars
        + dollars_to_cents("initial_balance_dollars", account.initial_balance_dollars)
        + dollars_to_cents("trailing_drawdown_dollars", account.trailing_drawdown_dollars)
        + abs(dollars_to_cents("floor_lock_dollars", account.floor_lock_dollars))
    )
    reward = config.reward
    divisor = dollars_to_cents("pnl_divisor_dollars", reward.pnl_divisor_dollars)
    shaping = divisor * sum(abs(getattr(reward, name)) for name in SHAPING)
    scaled = (ticks * per_tick + costs + shaping) * reward_scale(reward)
    if max(worst, scaled) > INT32_MAX:
        raise InputError(
            f"{account.contracts} contracts x {ticks} ticks x {contract.tick_value_cents} cents per "
            f"tick of {contract.symbol}, from ${account.initial_balance_dollars:.10g}, can reach "
            f"{int(max(worst, scaled))} cents, beyond the {INT32_MAX} that 32 bits hold; use fewer "
            "contracts, smaller amounts, a shorter episode, or fewer decimals in the reward"
        )
    farthest = _farthest_distance(bars, config, int(true_range.max()))
    if farthest + 2 * int(high.max()) > INT32_MAX:
        raise InputError(
            f"{bars.source}: a stop or target could lie {farthest:.0f} ticks of {contract.symbol} "
            f"away, beyond the {INT32_MAX} that 32 bits hold; use smaller sl_atr_mult, tp_sl_ratio or "
            "trail_atr_mult"
        )


def _farthest_distance(bars: Bars, config: EnvConfig, true_range: int) -> float:
    """Return the largest distance of stop, target or trail in ticks that these bars could give.

    A mean of true ranges is no larger than the largest of them; features that are used as they are
    may say anything.
    """
    atr = float(max(true_range, 1))
    if bars.precomputed is not None:
        atr = max(1.0, float(bars.precomputed["atr"].max()) / bars.contract.tick_size)
    stop = config.sl_atr_mult * atr + 1.0
    return max(stop, config.tp_sl_ratio * stop + 1.0, config.trail_atr_mult * atr + 1.0)
