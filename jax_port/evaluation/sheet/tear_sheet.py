"""All numbers of the tear sheet of an evaluation, beside those of :mod:`jax_port.evaluation.metrics`.

They are of the daily episodes, an account's life: ratios, months and weekdays, how far trades went,
the platform's own statistics, intervals, what trading without skill makes, and how sure the Sharpe
ratio is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.report.format import count, dollars
from jax_port.data.data_loader import PreparedMarket
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.metrics import cents, chain, daily
from jax_port.evaluation.resampling import DayShapes, day_intervals, day_shapes, too_few
from jax_port.evaluation.sheet import baselines as without_skill
from jax_port.evaluation.sheet import ratios
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.calendar import by_month, by_weekday, years_table
from jax_port.evaluation.sheet.excursions import Excursions, excursions
from jax_port.evaluation.sheet.platform import statistics
from jax_port.ppo.policy import Policy

FEW_DAYS = 60
"""Days below which the page says that they are few, whatever they made."""
WINDOWS = (126, 63, 21)
"""Days of the rolling Sharpe ratio: the longest of which the days hold two."""


@dataclass(frozen=True)
class TearSheet:
    """What the page and the JSON are made of.

    Attributes:
        values: all numbers, plain; NaN where there is none.
        days: as ``metrics.daily``.
        pnl: int64 cents of each day, an open trade marked at its end.
        trades: closed trades of the daily episodes, in the order of their entries.
        reach: MAE, MFE and ETD of ``trades``.
        baselines: what trading without skill made.
    """

    values: dict[str, Any]
    days: pd.DataFrame
    pnl: NDArray[np.int64]
    trades: pd.DataFrame
    reach: Excursions
    baselines: Sequence[Baseline]


def tear_sheet(
    result: Evaluation,
    policy: Policy,
    market: PreparedMarket,
    baselines: Sequence[Baseline],
    trials: int = 1,
    trial_sharpes: NDArray[Any] | None = None,
) -> TearSheet:
    """Compute the tear sheet.

    Args:
        result: of the policy on the market.
        policy: for its account and its contracts.
        market: the bars.
        baselines: from :func:`jax_port.evaluation.sheet.baselines.play_baselines`.
        trials: policies that this one was chosen from, itself among them.
        trial_sharpes: their Sharpe ratios of a day, if known.

    Returns:
        The sheet. Keys of its ``values``: ratios, rolling, years, by_weekday, platform, intervals,
        baselines, luck.
    """
    days = daily(result)
    pnl = cents(days["pnl"])
    account, contract = policy.config.account, market.contract
    returns = daily_returns(pnl, round(account.initial_balance_dollars * 100))
    trades = of_daily(result)
    reach = excursions(trades, market, account.contracts)
    months = by_month(days["day"], pnl)
    window = rolling_window(len(pnl))
    year = math.sqrt(ratios.DAYS_A_YEAR)
    both_sides = 2 * contract.commission_cents * account.contracts
    values = {
        "ratios": {
            "sharpe_day": ratios.sharpe(pnl),
            "sharpe_year": ratios.sharpe(pnl) * year,
            "sortino_day": ratios.sortino(pnl),
            "sortino_year": ratios.sortino(pnl) * year,
            "yearly_growth": ratios.yearly_growth(returns),
            "max_drawdown_share": -ratios.max_drawdown(returns),
            "calmar": ratios.calmar(returns),
        },
        "rolling": {"window": window, "sharpe_year": ratios.rolling_sharpe(pnl, window).tolist()},
        "years": years_table(months),
        "by_weekday": by_weekday(days["day"], pnl),
        "platform": statistics(trades, reach, both_sides, len(days)),
        "intervals": {name: list(ends) for name, ends in day_intervals(shapes_of(result)).items()},
        "baselines": without_skill.summary(list(baselines), int(pnl.sum())),
        "luck": {
            "days": len(pnl),
            "probabilistic_sharpe": ratios.probabilistic_sharpe(pnl),
            "trials": trials,
            "trials_known": len(ratios.known_sharpes(trial_sharpes)) > 1,
            "deflated_sharpe": ratios.deflated_sharpe(pnl, trials, trial_sharpes),
        },
    }
    return TearSheet(values, days, pnl, trades, reach, baselines)


def daily_returns(pnl: NDArray[np.int64], initial: int) -> NDArray[np.float64]:
    """Return each day's share of the account at its start, shape (days,).

    Args:
        pnl: cents of each day.
        initial: cents of the account before the first.
    """
    ends = initial + np.cumsum(pnl)
    begins = ends - pnl
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(begins > 0, pnl / begins, np.nan)


def of_daily(result: Evaluation) -> pd.DataFrame:
    """Return the closed trades of the daily episodes, in the order of their entries."""
    numbers = result.episodes.loc[result.episodes["daily"], "episode"]
    own = result.trades[result.trades["episode"].isin(numbers)]
    return own.sort_values(["entry_step", "exit_step"], kind="stable", ignore_index=True)


def shapes_of(result: Evaluation) -> DayShapes:
    """Return what each day did to the account's curve."""
    return day_shapes(chain(result.equity), np.flatnonzero(result.equity["step"].to_numpy() == 0))


def rolling_window(days: int) -> int:
    """Return how many days a rolling Sharpe ratio looks back over."""
    return next((window for window in WINDOWS if 2 * window <= days), WINDOWS[-1])


def evidence(values: dict[str, Any], pnl: float) -> str:
    """Return in plain words what so many days can say about the next ones.

    Args:
        values: of a tear sheet.
        pnl: dollars that the account made.
    """
    days = values["luck"]["days"]
    low, high = values["intervals"]["pnl"]
    if low is None or not math.isfinite(low):
        return too_few(days)
    span = (
        f"Days like these, drawn anew, make {dollars(low, 0)} to {dollars(high, 0)} in 95 of 100 cases"
    )
    if low <= 0 <= high:
        return (
            f"{count(days, 'day')} say nothing about an edge. {span}: a loss and a gain are both "
            f"within reach of luck, so {dollars(pnl)} is no evidence of either."
        )
    side = "a gain" if low > 0 else "a loss"
    few = (
        f" Still, {count(days, 'day')} are few, and all of one stretch of the market: other months may "
        "differ more than these days do among themselves."
        if days < FEW_DAYS
        else ""
    )
    return f"{span}, so chance alone hardly explains {side}.{few}"
