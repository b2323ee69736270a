"""Bare policy, advisor alone and every fusion side by side, with the nulls that a finding must beat.

Each arm plays one episode a day from the day's first start, for every policy given. What an arm brings
is its PnL of a day less the bare policy's, averaged over the policies; its interval comes from a
bootstrap over blocks of consecutive days, and its p-value is corrected by Holm's method for all arms
that are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jax_port.data.advised_market import with_advice, without_answers
from jax_port.data.data_loader import PreparedMarket
from jax_port.evaluation.advice.advised import Advised
from jax_port.evaluation.evaluate import Evaluation, evaluate, first_of_each_day
from jax_port.evaluation.metrics import daily
from jax_port.evaluation.resampling import blocks
from jax_port.ppo.policy import Policy
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import MOST_AGE, MOST_WEIGHT, RULES, FusionSettings
from markets.advice.schedule import AdviceOnBars

BARE, ALONE, FUSED, SETTING, NULL = "bare", "alone", "fusion", "setting", "null"
OWN = "trained with advice"
"""Name of the arm in which a policy has the advice that it was trained with."""
BLOCK_DAYS = 5
RESAMPLES = 4000
LEAST_SEEDS = 5

SAME = 1e-12
"""Share of the largest value up to which a spread is rounding alone."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Arm:
    """One way to decide.

    Attributes:
        name: in words.
        kind: "bare", "alone", "fusion", "setting" (a fusion with one setting changed) or "null".
        settings: of a fusion; None for none.
        null: "shuffled" or "random" advice; "" for the table's own.
        seed: of the null.
    """

    name: str
    kind: str
    settings: FusionSettings | None = None
    null: str = ""
    seed: int = 0

    def answers(self, bars: AdviceOnBars) -> AdviceOnBars:
        """Return what this arm's advisor says: the table's answers, or a null's."""
        if not self.null:
            return bars
        return bars.shuffled(self.seed) if self.null == "shuffled" else bars.random(self.seed)

    def advised(self, bars: AdviceOnBars) -> Advised | None:
        """Return what this arm's policy is fused with."""
        return None if self.settings is None else Advised(self.answers(bars), self.settings)

    def told(self, market: PreparedMarket, bars: AdviceOnBars, use: AdviceUse | None) -> PreparedMarket:
        """Return the bars as this arm's policy sees them, which was trained with advice or without."""
        if use is None:
            return market
        if self.kind == BARE:
            return without_answers(market, use.way)
        return with_advice(market, self.answers(bars), use)


@dataclass(frozen=True)
class Played:
    """What an arm did: P policies, D days.

    Attributes:
        pnl: float64 (P, D), dollars of each day, an open trade marked at its end.
        trades: int64 (P, D), opened.
        steps: int64 (P, D), decisions.
        questions, advised, changed: int64 (P, D), as in ``advised.AdviceState``; None of a policy
            that was trained with advice and sees it on every bar, which none of them is asked for.
    """

    pnl: Floats
    trades: Counts
    steps: Counts
    questions: Counts | None
    advised: Counts | None
    changed: Counts | None


def make_arms(settings: FusionSettings, null_seeds: int = LEAST_SEEDS) -> list[Arm]:
    """Return all arms: the bare policy, each rule, each setting changed, and the nulls.

    Args:
        settings: the fusion that is judged; other rules take its other settings.
        null_seeds: of each kind of null.
    """
    alone = replace(settings, rule="alone", weight=settings.weight or 1.0)
    arms = [Arm("bare policy", BARE), Arm("advisor alone", ALONE, alone)]
    arms += [Arm(rule, FUSED, replace(settings, rule=rule)) for rule in RULES if rule != "alone"]
    arms += [
        Arm(f"{settings.rule}, {words}", SETTING, replace(settings, **change))
        for words, change in _changes(settings).items()
    ]
    # Whatever the judged rule, each of the veto's two reasons is judged on its own.
    veto = replace(settings, rule="veto")
    arms += [
        Arm("veto, after losses alone", SETTING, replace(veto, least_left=0.0)),
        Arm("veto, near the floor alone", SETTING, replace(veto, most_losses=MOST_AGE)),
    ]
    for null in ("shuffled", "random"):
        arms += [
            Arm(f"{null} advice, seed {seed}", NULL, settings, null, seed) for seed in range(null_seeds)
        ]
    return arms


def make_own_arms(use: AdviceUse, null_seeds: int = LEAST_SEEDS) -> list[Arm]:
    """Return the arms of a policy that was trained with advice, which is what is judged.

    Its bare policy is itself with an advisor that never answers; the advisor alone is asked every bar.
    """
    alone = FusionSettings(
        "alone", 1.0, every=1, cooldown=0, fade=use.settings.fade, most_age=use.settings.most_age
    )
    arms = [Arm("bare policy", BARE), Arm("advisor alone", ALONE, alone), Arm(OWN, FUSED)]
    for null in ("shuffled", "random"):
        arms += [
            Arm(f"{null} advice, seed {seed}", NULL, None, null, seed) for seed in range(null_seeds)
        ]
    return arms


def _changes(settings: FusionSettings) -> dict[str, dict[str, Any]]:
    """Return what is changed of the settings, one at a time, by what it is called."""
    changes: dict[str, dict[str, Any]] = {
        "a third of the weight": {"weight": settings.weight / 3},
        "three times the weight": {"weight": min(settings.weight * 3, MOST_WEIGHT)},
        "ten times the weight": {"weight": min(settings.weight * 10, MOST_WEIGHT)},
        "asked every bar": {"every": 1, "cooldown": 0},
        "not asked at entries": {"at_entries": False},
        "no cooldown": {"cooldown": 0},
        "no fading": {"fade": 0.0},
        "dropped after a bar": {"most_age": 0},
    }
    if settings.rule == "gated":
        changes["no threshold"] = {"threshold": 0.0}
    return changes


def play_arms(
    arms: Sequence[Arm],
    policies: Sequence[Policy],
    market: PreparedMarket,
    bars: AdviceOnBars,
    rows: NDArray[np.integer[Any]],
    on_arm: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Played], list[date]]:
    """Play every arm for every policy, one episode a day; return them by name, and the days.

    Args:
        arms: from :func:`make_arms`.
        policies: of one configuration, and trained with advice in the same way or without.
        market: prepared with it.
        bars: answers, laid on the market.
        rows: bars to start at; the first of each day is taken.
        on_arm: called after each.
    """
    starts = np.asarray(rows)[first_of_each_day(market, np.asarray(rows))]
    made: dict[str, Played] = {}
    days: list[date] = []
    for arm in arms:
        use = policies[0].advice
        advised, seen = arm.advised(bars), arm.told(market, bars, use)
        results = [evaluate(policy, seen, rows=starts, advice=advised) for policy in policies]
        days = [stamp.date() for stamp in pd.DatetimeIndex(daily(results[0])["day"])]
        made[arm.name] = _played(results, counted=use is None or arm.kind in (BARE, ALONE))
        on_arm()
    return made, days


def _played(results: Sequence[Evaluation], counted: bool) -> Played:
    def of_days(tables: Sequence[pd.DataFrame | None], name: str) -> Counts:
        none = np.zeros(len(results[0].episodes), np.int64)
        return np.stack([none if one is None else one[name].to_numpy(np.int64) for one in tables])

    episodes, advised = [one.episodes for one in results], [one.advised for one in results]

    def asked(name: str) -> Counts | None:
        return of_days(advised, name) if counted else None

    return Played(
        np.stack([daily(result)["pnl"].to_numpy(np.float64) for result in results]),
        trades=of_days(episodes, "trades"),
        steps=of_days(episodes, "steps"),
        questions=asked("questions"),
        advised=asked("advised"),
        changed=asked("changed"),
    )


@dataclass(frozen=True)
class Gain:
    """What an arm brings over the bare policy, dollars a day.

    Attributes:
        mean: over days and policies.
        low, high: a 95% interval of Student's t on the bootstrap's standard error; NaN with fewer
            than two blocks of days.
        p: two-sided, of a mean of zero; NaN likewise.
    """

    mean: float
    low: float
    high: float
    p: float


def gain(played: Played, bare: Played, chosen: NDArray[np.bool_]) -> Gain:
    """Return what an arm brings on some of the days."""
    difference = (played.pnl - bare.pnl).mean(axis=0)[chosen]
    if not len(difference):
        return Gain(np.nan, np.nan, np.nan, np.nan)
    mean = float(difference.mean())
    if len(difference) < 2 * BLOCK_DAYS:
        return Gain(mean, np.nan, np.nan, np.nan)
    if not difference.any():
        return Gain(mean, 0.0, 0.0, 1.0)
    # Few blocks scatter too little, and say too surely what they say: Student's t, and its correction.
    count = len(difference) / BLOCK_DAYS
    error = float(block_means(difference).std()) * math.sqrt(count / (count - 1))
    largest = max(float(np.abs(one.pnl[:, chosen]).max()) for one in (played, bare))
    if error <= SAME * largest:  # the same gain on every day
        return Gain(mean, mean, mean, np.nan)
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, count - 1))
    return Gain(mean, mean - reach, mean + reach, p)


def block_means(values: Floats, block: int = BLOCK_DAYS, seed: int = 0) -> Floats:
    """Return means of resamples of a series by circular blocks of neighbours: (RESAMPLES,)."""
    count = len(values)
    drawn = blocks(count, count, block, RESAMPLES, np.random.default_rng(seed))
    return np.asarray(values[drawn].mean(axis=1))


def holm(p: Sequence[float], others: int = 0) -> list[float]:
    """Return p-values corrected by Holm's method; NaN stays NaN, and counts as an arm that was tried.

    Args:
        p: of each arm.
        others: more arms that were tried elsewhere, and count too.
    """
    values = np.asarray(p, np.float64)
    order = [int(place) for place in np.argsort(values) if np.isfinite(values[place])]
    made = np.full(len(values), np.nan)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, values[place] * (len(values) + others - rank)))
        made[place] = largest
    return [float(x) for x in made]


def after_cutoff(days: Sequence[date], cutoff: str) -> NDArray[np.bool_]:
    """Return which days a model cannot have seen in training: those after its cutoff date, (D,).

    Args:
        days: of the episodes.
        cutoff: of the table; "never" for an advisor that was trained on nothing, "" where unknown.
    """
    if cutoff == "never":
        return np.ones(len(days), bool)
    if not cutoff:
        return np.zeros(len(days), bool)
    last = date.fromisoformat(cutoff)
    return np.array([day > last for day in days], bool)
