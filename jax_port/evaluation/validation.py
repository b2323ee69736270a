"""Validation: a policy judged on days that its training leaves out, often and soon.

For choosing between policies while they are trained. What is chosen so was chosen by these days too,
and is judged by others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import EMBARGO_DAYS, starts_within
from jax_port.evaluation.evaluate import evaluate, first_of_each_day
from jax_port.evaluation.metrics import cents, daily
from jax_port.evaluation.sheet.ratios import sharpe
from jax_port.ppo.policy import Policy
from markets import EnvConfig, InputError

MOST_STARTS = 1024
"""Episodes of one validation; of more starts some are taken, evenly spread."""
SHARE = 5
"""One day in so many is left out of the training, where nothing else is said."""


class Split(NamedTuple):
    """The days of a training and those that it is judged on, New York dates, all inclusive."""

    train_first: date
    train_last: date
    judge_first: date
    judge_last: date


@dataclass(frozen=True)
class Score:
    """What a policy made on the days of a validation.

    Attributes:
        pnl: dollars of an episode, mean; a trade that is open at its end is marked there.
        sharpe_day: of the days' PnL; 0.0 where all days are equal, as of a policy that never trades.
        episodes, days: how many.
    """

    pnl: float
    sharpe_day: float
    episodes: int
    days: int


def split_days(days: Sequence[date], judged: int | None) -> Split:
    """Return the last ``judged`` days as those to judge on, and those before them, but for a gap.

    Args:
        days: trading days, rising.
        judged: how many; one in :data:`SHARE` by default.

    Raises:
        InputError: no day would be left to train on, or none is judged on.
    """
    if judged is not None and judged < 1:
        raise InputError(f"{judged} days are to be judged on; give at least 1")
    count = max(1, len(days) // SHARE) if judged is None else judged
    left = len(days) - count - EMBARGO_DAYS
    if left < 1:
        raise InputError(
            f"{len(days)} trading days, and {count} are to be judged on after a gap of {EMBARGO_DAYS}; "
            "none is left to train on, so give more days, or a smaller --validate"
        )
    return Split(days[0], days[left - 1], days[-count], days[-1])


class Validation:
    """The days of a market that policies are judged on.

    Args:
        market: prepared with the rules of the policies.
        config: these rules.
        first, last: New York dates, inclusive; None for no bound.

    Raises:
        InputError: no whole episode lies within the dates.
    """

    def __init__(
        self, market: PreparedMarket, config: EnvConfig, first: date | None, last: date | None
    ) -> None:
        self.market = market
        self.rows = thin_out(market, starts_within(market, config, first, last), MOST_STARTS)

    def score(self, policy: Policy) -> Score:
        """Return what a policy makes there, taking its likeliest action always."""
        result = evaluate(policy, self.market, rows=self.rows)
        episodes, pnl = result.episodes, cents(daily(result)["pnl"])
        ratio = sharpe(pnl)
        return Score(
            pnl=float((cents(episodes["pnl"]) + cents(episodes["open_pnl"])).mean()) / 100,
            sharpe_day=float(ratio) if np.isfinite(ratio) else 0.0,
            episodes=len(episodes),
            days=len(pnl),
        )


def thin_out(market: PreparedMarket, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the first start of each day and others, evenly spread, ``most`` or few more in all."""
    if len(rows) <= most:
        return rows
    spread = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return np.union1d(rows[first_of_each_day(market, rows)], spread)
