"""Risk-adjusted ratios of returns: Sharpe, Sortino, Calmar, ulcer index, and how sure they are.

Definitions are those of empyrical and skfolio, against which the tests hold every number. A series is
one number a day: a share of the account, or dollars, where the ratio has no unit. What cannot be
computed, such as the Sharpe ratio of one day, is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

DAYS_A_YEAR = 252

Series = NDArray[np.float64]


def sharpe(returns: NDArray[Any]) -> float:
    """Return mean / sample standard deviation of a day, not annualised."""
    values = np.asarray(returns, np.float64)
    spread = _spread(values)
    return float(values.mean()) / spread if spread > 0 else math.nan


def sortino(returns: NDArray[Any]) -> float:
    """Return mean / downside deviation of a day, not annualised.

    The downside deviation is the root of the mean square of all days, with winning days as 0.
    """
    values = np.asarray(returns, np.float64)
    if len(values) < 2:
        return math.nan
    downside = math.sqrt(float(np.square(np.minimum(values, 0.0)).mean()))
    return float(values.mean()) / downside if downside > 0 else math.nan


def max_drawdown(returns: Series) -> float:
    """Return the largest fall from the highest value so far, as a share, at most 0."""
    curve = np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    return float((curve / np.maximum.accumulate(curve)).min() - 1.0)


def yearly_growth(returns: Series) -> float:
    """Return the compound growth of a year of 252 days, as a share."""
    if not len(returns):
        return math.nan
    end = float(np.prod(1.0 + returns))
    return end ** (DAYS_A_YEAR / len(returns)) - 1.0 if end > 0 else math.nan


def calmar(returns: Series) -> float:
    """Return the yearly growth / the largest fall from the highest day so far."""
    fall = max_drawdown(returns)
    return yearly_growth(returns) / -fall if fall < 0 else math.nan


def ulcer_index(curve: NDArray[Any]) -> float:
    """Return the root mean square of a curve's distance below its highest value so far.

    Args:
        curve: cumulative profit; the result has its unit. The profit of nothing, 0, comes before it.
    """
    values = np.concatenate([[0.0], np.asarray(curve, np.float64)])
    below = (np.maximum.accumulate(values) - values)[1:]
    return math.sqrt(float(np.square(below).mean())) if len(below) else math.nan


def rolling_sharpe(returns: NDArray[Any], window: int) -> Series:
    """Return the yearly Sharpe ratio of every ``window`` days in a row, shape (N - window + 1,)."""
    values = np.asarray(returns, np.float64)
    if len(values) < window:
        return np.empty(0)
    views = np.lib.stride_tricks.sliding_window_view(values, window)
    spread = views.std(axis=1, ddof=1)
    # A window of equal days has a spread of rounding alone.
    flat = spread <= 1e-12 * np.maximum(np.abs(views).max(axis=1), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        rolled = views.mean(axis=1) / spread * math.sqrt(DAYS_A_YEAR)
    return np.where(flat, np.nan, rolled)


def probabilistic_sharpe(returns: NDArray[Any], benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio lies above a benchmark.

    Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012): the length of the series,
    its skewness and its fat tails are counted.

    Args:
        returns: one number a day.
        benchmark: Sharpe ratio of a day, not annualised.
    """
    values = np.asarray(returns, np.float64)
    ratio = sharpe(values)
    if len(values) < 3 or not math.isfinite(ratio):
        return math.nan
    moved = values - values.mean()
    biased = math.sqrt(float(np.square(moved).mean()))
    skew = float((moved**3).mean()) / biased**3
    kurtosis = float((moved**4).mean()) / biased**4
    variance = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    if not variance > 0:
        return math.nan
    return float(stats.norm.cdf((ratio - benchmark) * math.sqrt(len(values) - 1) / math.sqrt(variance)))


def expected_best_sharpe(trials: int, spread: float) -> float:
    """Return the Sharpe ratio that the luckiest of so many trials without any skill shows.

    Args:
        trials: how many were tried, at least 1.
        spread: standard deviation of their Sharpe ratios, of a day.
    """
    if trials <= 1:
        return 0.0
    high = stats.norm.ppf(1.0 - 1.0 / trials)
    higher = stats.norm.ppf(1.0 - 1.0 / (trials * math.e))
    return float(spread * ((1.0 - np.euler_gamma) * high + np.euler_gamma * higher))


def known_sharpes(trial_sharpes: NDArray[Any] | None) -> Series:
    """Return the Sharpe ratios that are numbers; from two on they have a spread."""
    ratios = np.asarray([] if trial_sharpes is None else trial_sharpes, np.float64)
    return ratios[np.isfinite(ratios)]


def deflated_sharpe(
    returns: NDArray[Any], trials: int, trial_sharpes: NDArray[Any] | None = None
) -> float:
    """Return the probability of a Sharpe ratio above zero, for the best of several trials.

    Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (2014): the benchmark is what the luckiest of
    the trials would show without any skill.

    Args:
        returns: of the chosen trial, one number a day.
        trials: how many were tried, the chosen one among them.
        trial_sharpes: their Sharpe ratios of a day, if known. Without two of them the spread is that
            of Sharpe ratios that differ by luck alone, 1 / root of (days - 1).
    """
    days = len(returns)
    if days < 3:
        return math.nan
    known = known_sharpes(trial_sharpes)
    spread = float(known.std(ddof=1)) if len(known) > 1 else 1.0 / math.sqrt(days - 1)
    return probabilistic_sharpe(returns, expected_best_sharpe(trials, spread))


def _spread(values: Series) -> float:
    """Return the sample standard deviation; 0 where all values are equal, though rounding differs."""
    if len(values) < 2:
        return math.nan
    spread = float(values.std(ddof=1))
    return spread if spread > 1e-12 * float(np.abs(values).max()) else 0.0
