"""Would it pass? Probabilities of passing and failing an evaluation account, with intervals.

Accounts are made of the evaluated days by a block bootstrap: days in a row stay together, so that what
lasts a few days, such as a calm week, lasts in them too. The interval asks how far the answer would
move if other days of the same kind had been evaluated: the days themselves are drawn anew first, and
every such draw gives a probability of its own. Few days therefore give a wide interval, however many
accounts are played.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from jax_port.evaluation.prop_firm.day_paths import DayPaths
from jax_port.evaluation.prop_firm.replay import DAILY_LOSS, ENDS, FLOOR, PASSED, RUNNING, TIME, replay
from jax_port.evaluation.prop_firm.rules import Rules
from jax_port.evaluation.resampling import blocks, percentiles

ACCOUNTS = 5000
"""Accounts behind the probabilities."""
DRAWS, ACCOUNTS_A_DRAW = 200, 100
"""Draws of the days behind the intervals, and accounts of each."""
HORIZON = 250
"""Days after which an account that nothing has ended counts as undecided: a year."""
BLOCK = 5
"""Days in a row that stay together: a week."""
SHOWN = 60
"""Accounts whose paths are drawn."""
LEAST_DAYS = 5


@dataclass(frozen=True)
class Chances:
    """What an evaluation account comes to.

    Attributes:
        rules: of the firm.
        days: that were evaluated.
        looked_at: how each day was looked at, in words.
        block: days in a row that stayed together.
        passes, breaches: probability of passing, and of reaching the floor or a daily loss that fails.
        passes_between, breaches_between: their 95% intervals.
        ends: share of accounts by the words of :data:`.replay.ENDS`.
        days_to_pass: 5th, 50th and 95th percentile of the days that a pass took; NaN where none passed.
        median_between: 95% interval of the median days to pass; NaN where too few draws passed.
        traces: profit in dollars at each day's end of :data:`SHOWN` accounts, shape (accounts, days
            + 1).
        trace_ends: how each of those ended.
        accounts: behind the probabilities.
    """

    rules: Rules
    days: int
    looked_at: str
    block: int
    passes: float
    breaches: float
    passes_between: tuple[float, float]
    breaches_between: tuple[float, float]
    ends: Mapping[str, float]
    days_to_pass: tuple[float, float, float]
    median_between: tuple[float, float]
    traces: NDArray[np.float64]
    trace_ends: NDArray[np.int8]
    accounts: int = ACCOUNTS

    def values(self) -> dict[str, Any]:
        """Return all of it as plain values, without the paths."""
        rules = {name: value for name, value in asdict(self.rules).items() if name != "read"}
        return {
            "rules": {**rules, "read": self.rules.read.isoformat()},
            "days": self.days,
            "looked_at": self.looked_at,
            "block_days": self.block,
            "accounts": self.accounts,
            "passes": self.passes,
            "passes_between": list(self.passes_between),
            "breaches": self.breaches,
            "breaches_between": list(self.breaches_between),
            "ends": dict(self.ends),
            "days_to_pass": dict(zip(("5%", "50%", "95%"), self.days_to_pass, strict=True)),
            "median_days_between": list(self.median_between),
        }


def chances(
    rules: Rules,
    paths: DayPaths,
    contracts: float,
    *,
    seed: int = 0,
    accounts: int = ACCOUNTS,
    draws: int = DRAWS,
    block: int | None = None,
) -> Chances:
    """Return the probabilities of an evaluation account; the same input gives the same numbers.

    Args:
        rules: of the firm.
        paths: the evaluated days, at least :data:`LEAST_DAYS`.
        contracts: of full size that they were traded with.
        seed: of the bootstrap.
        accounts: behind the probabilities.
        draws: of the days, behind the intervals.
        block: days in a row that stay together; :data:`BLOCK`, or a fifth of the days if they are
            fewer than 25, by default.

    Raises:
        InputError: there are too few days.
    """
    days = len(paths)
    check_days(days)
    block = max(1, min(BLOCK, days // 5)) if block is None else block
    horizon = min(rules.maximum_days or HORIZON, HORIZON)
    rng = np.random.default_rng(seed)
    traces = np.zeros((min(SHOWN, accounts), horizon + 1), np.int64)
    draw = BlockDays(days, block, accounts, rng)
    outcomes = replay(rules, paths, draw, accounts, horizon, contracts, traces)
    took = outcomes.days[outcomes.end == PASSED]
    passed, breached, medians = _draws(rules, paths, contracts, draws, block, horizon, rng)
    at = percentiles(days)
    enough = np.isfinite(medians).mean() > 0.9
    return Chances(
        rules=rules,
        days=days,
        looked_at=paths.looked_at,
        block=block,
        passes=float((outcomes.end == PASSED).mean()),
        breaches=float(np.isin(outcomes.end, (FLOOR, DAILY_LOSS)).mean()),
        passes_between=_between(passed, at),
        breaches_between=_between(breached, at),
        ends={
            ENDS[code]: float((outcomes.end == code).mean())
            for code in (PASSED, FLOOR, DAILY_LOSS, TIME, RUNNING)
        },
        days_to_pass=_three(took),
        median_between=_between(medians[np.isfinite(medians)], at) if enough else (math.nan, math.nan),
        traces=traces / 100,
        trace_ends=outcomes.end[: len(traces)],
        accounts=accounts,
    )


def check_days(days: int) -> None:
    """Refuse fewer evaluated days than :data:`LEAST_DAYS`.

    Raises:
        InputError: naming both numbers.
    """
    if days < LEAST_DAYS:
        raise InputError(
            f"{days} days cannot tell whether an account would pass; give at least {LEAST_DAYS} of them"
        )


class BlockDays:
    """Draws days for many accounts, blocks in a row at a time (a :data:`DrawDay`).

    Args:
        days: that there are; after the last comes the first.
        block: days in a row.
        accounts: how many.
        rng: called in the order of the days.
        own: numbers of days that stand in for those that are drawn, shape (draws, days); each of the
            draws has as many accounts.
    """

    def __init__(
        self,
        days: int,
        block: int,
        accounts: int,
        rng: np.random.Generator,
        own: NDArray[np.int64] | None = None,
    ) -> None:
        self._days, self._block, self._rng, self._own = days, block, rng, own
        self._begins = np.zeros(accounts, np.int64)
        self._each = accounts if own is None else accounts // len(own)

    def __call__(self, day: int, live: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the day that each running account meets, shape (len(live),)."""
        if day % self._block == 0:
            self._begins[live] = self._rng.integers(self._days, size=len(live))
        number = (self._begins[live] + day % self._block) % self._days
        return number if self._own is None else self._own[live // self._each, number]


def _draws(
    rules: Rules,
    paths: DayPaths,
    contracts: float,
    draws: int,
    block: int,
    horizon: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return P(pass), P(breach) and the median days to pass of every draw of the days."""
    days = len(paths)
    # Each draw is days of its own, of which accounts are then made as of the true ones.
    own = blocks(days, days, block, draws, rng)
    draw = BlockDays(days, block, draws * ACCOUNTS_A_DRAW, rng, own)
    outcomes = replay(rules, paths, draw, draws * ACCOUNTS_A_DRAW, horizon, contracts)
    end = outcomes.end.reshape(draws, -1)
    took = np.where(end == PASSED, outcomes.days.reshape(draws, -1), np.nan)
    medians = np.full(draws, np.nan)
    some = (end == PASSED).any(axis=1)
    medians[some] = np.nanmedian(took[some], axis=1)
    return (end == PASSED).mean(1), np.isin(end, (FLOOR, DAILY_LOSS)).mean(1), medians


def _between(sample: NDArray[np.float64], at: tuple[float, float]) -> tuple[float, float]:
    low, high = np.percentile(sample, at)
    return float(low), float(high)


def _three(took: NDArray[np.int64]) -> tuple[float, float, float]:
    if not len(took):
        return math.nan, math.nan, math.nan
    low, middle, high = np.percentile(took, (5, 50, 95))
    return float(low), float(middle), float(high)
