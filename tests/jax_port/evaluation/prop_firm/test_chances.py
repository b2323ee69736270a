"""P(pass) of random walks whose truth is known in closed form, and whether the interval holds it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from jax_port.evaluation.prop_firm import chances as module
from jax_port.evaluation.prop_firm.chances import (
    BlockDays,
    Chances,
    _between,
    _draws,
    _three,
    chances,
)
from jax_port.evaluation.prop_firm.day_paths import DayPaths, from_paths
from jax_port.evaluation.prop_firm.replay import FLOOR, PASSED, RUNNING, TIME, Outcomes
from jax_port.evaluation.prop_firm.rules import Rules, Tier
from jax_port.evaluation.resampling import percentiles
from tests.sentences import refuses

UP = 0.55
"""Probability of a day that makes $500; every other loses as much."""
RULES = Rules("a walk", "made up", date(2026, 11, 26), 50_000.0, 3000.0, 2500.0, "static")
TO_TARGET, TO_FLOOR = 6, 5
ODDS = (1 - UP) / UP
TRUTH = (1 - ODDS**TO_FLOOR) / (1 - ODDS ** (TO_TARGET + TO_FLOOR))
"""The gambler's ruin: a walk of equal steps that reaches +6 before -5."""


def walk(seed: int, days: int) -> DayPaths:
    steps = np.where(np.random.default_rng(seed).random(days) < UP, 50_000, -50_000)
    return from_paths([np.array([0, step]) for step in steps], np.ones(days, bool), "once a day")


def many(first: int, count: int, days: int) -> list[Chances]:
    return [
        chances(RULES, walk(first + at, days), 1.0, seed=at, accounts=100, block=1)
        for at in range(count)
    ]


def held(found: list[Chances]) -> int:
    return sum(one.passes_between[0] <= TRUTH <= one.passes_between[1] for one in found)


def test_a_long_history_gives_the_truth() -> None:
    steps = np.repeat([50_000, -50_000], [550, 450])
    paths = from_paths([np.array([0, step]) for step in steps], np.ones(1000, bool), "once a day")
    found = chances(RULES, paths, 1.0, accounts=20_000, draws=20, block=1)
    assert found.passes == pytest.approx(TRUTH, abs=3.5 * math.sqrt(TRUTH * (1 - TRUTH) / 20_000))
    assert found.passes + found.breaches == pytest.approx(1.0)
    assert found.ends["passed"] == found.passes
    # the walk's mean time to either end, also in closed form
    low, middle, high = found.days_to_pass
    assert 6 <= low <= middle <= high
    assert found.traces.shape[0] == 60


@pytest.mark.costly
def test_the_interval_holds_the_truth() -> None:
    # Of an interval of 95% fewer than 21 of 24 happen in about one run in 30; an interval that is half
    # as wide holds it about 16 times.
    assert held(many(5000, 24, 60)) >= 21


@pytest.mark.slow
def test_the_interval_holds_the_truth_95_times_in_100() -> None:
    for first, days in ((1000, 60), (20_000, 150)):
        # 300 of a true 95%: a standard deviation of 3.8
        assert 275 <= held(many(first, 300, days)) <= 297


def test_few_days_give_wide_intervals() -> None:
    def width(days: int) -> float:
        found = many(300, 5, days)
        return float(np.mean([one.passes_between[1] - one.passes_between[0] for one in found]))

    assert width(20) > 1.5 * width(200)


def test_the_same_days_give_the_same_numbers() -> None:
    one, other = (chances(RULES, walk(1, 30), 1.0).values() for _ in range(2))
    assert one == other
    assert one["rules"]["read"] == "2026-11-26"
    assert sum(one["ends"].values()) == pytest.approx(1.0)


def test_blocks_keep_days_in_a_row_together() -> None:
    # +$500 and -$500 in turn: kept together they lead nowhere, drawn one by one they wander off.
    paths = from_paths(
        [np.array([0, step]) for step in [50_000, -50_000] * 20], np.ones(40, bool), "once a day"
    )
    apart = chances(RULES, paths, 1.0, accounts=500, draws=20, block=1)
    together = chances(RULES, paths, 1.0, accounts=500, draws=20, block=40)
    assert together.ends["undecided"] == 1.0
    assert apart.ends["undecided"] < 0.2
    # Nor do the days that are drawn anew for the interval.
    assert together.passes_between == together.breaches_between == (0.0, 0.0)
    assert apart.breaches_between[1] > 0.2


def test_days_that_never_pass() -> None:
    paths = from_paths([np.array([0, -1])] * 8, np.ones(8, bool), "once a day")
    found = chances(RULES, paths, 1.0, accounts=50, draws=10)
    assert (found.passes, found.passes_between) == (0.0, (0.0, 0.0))
    assert all(math.isnan(days) for days in (*found.days_to_pass, *found.median_between))


def test_too_few_days_are_refused() -> None:
    with refuses():
        chances(RULES, walk(1, 4), 1.0)


def test_percentiles_are_those_that_are_promised() -> None:
    took = np.random.default_rng(0).permutation(np.arange(101))
    assert _three(took) == (5.0, 50.0, 95.0)
    assert np.isnan(_three(took[:0])).all()
    assert _between(took.astype(float), (2.5, 97.5)) == (2.5, 97.5)


def test_days_are_drawn_in_blocks_and_after_the_last_comes_the_first() -> None:
    draw = BlockDays(7, 3, 50, np.random.default_rng(1))
    all_live = np.arange(50)
    drawn = np.array([draw(day, all_live) for day in range(6)])
    assert set(drawn[0]) == set(range(7))
    for block in (drawn[:3], drawn[3:]):
        assert ((block[1:] - block[:-1]) % 7 == 1).all()
    assert ((drawn[3] - drawn[2]) % 7 != 1).any()
    own = np.array([[10, 11, 12], [20, 21, 22]])
    draw = BlockDays(3, 2, 4, np.random.default_rng(1), own)
    for day in range(4):
        assert (draw(day, np.arange(4)) // 10).tolist() == [1, 1, 2, 2]
    assert (draw(4, np.array([1, 3])) // 10).tolist() == [1, 2]


def test_a_daily_loss_that_fails_an_account_is_a_breach_like_its_floor() -> None:
    rules = replace(RULES, daily_loss=400.0, daily_loss_means="fail")
    found = chances(rules, walk(1, 60), 1.0, accounts=400, draws=20, block=1)
    lost, floor = found.ends["reached the daily loss limit"], found.ends["reached the floor"]
    assert lost > 0.2
    assert found.breaches == pytest.approx(lost + floor)
    low, high = found.breaches_between
    assert low <= found.breaches <= high


@pytest.mark.parametrize(("most", "played"), [(None, 250), (400, 250), (250, 250), (9, 9), (1, 1)])
def test_accounts_are_played_for_a_year_or_as_long_as_the_firm_lets_them(
    most: int | None, played: int
) -> None:
    still = from_paths([np.array([0, 0])] * 5, np.ones(5, bool), "once a day")
    found = chances(replace(RULES, maximum_days=most), still, 1.0, accounts=7, draws=2)
    assert found.traces.shape == (7, played + 1)
    end = "undecided" if most is None or most > 250 else "ran out of days"
    assert found.ends == {**dict.fromkeys(found.ends, 0.0), end: 1.0}


def test_few_days_stay_together_in_short_blocks() -> None:
    given = {5: 1, 9: 1, 10: 2, 14: 2, 20: 4, 24: 4, 25: 5, 100: 5}
    for days, block in given.items():
        found = chances(RULES, walk(1, days), 1.0, accounts=5, draws=2)
        assert (found.block, found.values()["block_days"]) == (block, block)
    assert chances(RULES, walk(1, 8), 1.0, accounts=5, draws=2, block=3).block == 3


def steady(step: int, days: int = 6) -> DayPaths:
    return from_paths([np.array([0, step])] * days, np.ones(days, bool), "once a day")


def test_contracts_beyond_the_allowed_ones_are_left_out_of_all_answers() -> None:
    """Of $500 a day with four contracts, half is made until $1,000 and all of it after that."""
    rules = replace(RULES, contracts=(Tier(0.0, 2.0), Tier(1000.0, 4.0)))
    for contracts, took in ((4.0, 8.0), (2.0, 6.0), (5.0, 10.0)):
        found = chances(rules, steady(50_000), contracts, accounts=9, draws=7)
        assert (found.days_to_pass, found.median_between) == ((took,) * 3, (took, took))
        assert (found.passes, found.passes_between) == (1.0, (1.0, 1.0))
        assert found.traces[0, int(took)] >= 3000.0 > found.traces[0, int(took) - 1]


def test_the_accounts_that_are_drawn_are_the_first_with_their_own_ends() -> None:
    """Which has passed stands at the target or above it, which has failed at its floor."""
    found = chances(RULES, walk(2, 40), 1.0, accounts=150, draws=3, block=1)
    assert found.traces.shape == (60, 251)
    assert found.values()["accounts"] == 150
    passed, failed = found.traces[:, -1] >= 3000.0, found.traces[:, -1] <= -2500.0
    assert (
        found.trace_ends.tolist() == np.where(passed, PASSED, np.where(failed, FLOOR, RUNNING)).tolist()
    )
    assert passed.any()
    assert failed.any()
    cents = chances(replace(RULES, maximum_days=3), steady(1_234), 1.0, accounts=2, draws=2)
    assert cents.traces.tolist() == [[0.0, 12.34, 24.68, 37.02]] * 2
    assert cents.trace_ends.tolist() == [TIME] * 2


def test_another_seed_draws_other_days_and_one_draw_has_no_width() -> None:
    paths = walk(1, 30)
    one, other = (chances(RULES, paths, 1.0, seed=seed, accounts=80, draws=9) for seed in (0, 1))
    assert (one.traces != other.traces).any()
    assert one.passes_between != other.passes_between
    alone = chances(RULES, paths, 1.0, accounts=10, draws=1)
    assert alone.passes_between[0] == alone.passes_between[1]
    assert alone.breaches_between[0] == alone.breaches_between[1]


def test_all_that_is_written_of_the_chances() -> None:
    rules = replace(RULES, maximum_days=21, contracts=(Tier(0.0, 3.0),), note="a note")
    none = np.zeros((1, 2))
    found = Chances(
        rules, 40, "once a day", 5, 0.25, 0.5, (0.125, 0.375), (0.4, 0.6), {"passed": 0.25},
        (7.0, 11.5, 20.0), (9.0, 14.0), none, none[0].astype(np.int8), 321,
    )  # fmt: skip
    assert found.values() == {
        "rules": {
            "name": "a walk", "source": "made up", "account": 50_000.0, "profit_target": 3000.0,
            "drawdown": 2500.0, "trailing": "static", "floor_stops_at": None, "daily_loss": None,
            "daily_loss_means": "fail", "best_day_share": None, "minimum_days": 1, "maximum_days": 21,
            "contracts": ({"profit": 0.0, "contracts": 3.0},), "automation": "ask the firm",
            "note": "a note", "read": "2026-11-26",
        },
        "days": 40, "looked_at": "once a day", "block_days": 5, "accounts": 321, "passes": 0.25,
        "passes_between": [0.125, 0.375], "breaches": 0.5, "breaches_between": [0.4, 0.6],
        "ends": {"passed": 0.25}, "days_to_pass": {"5%": 7.0, "50%": 11.5, "95%": 20.0},
        "median_days_between": [9.0, 14.0],
    }  # fmt: skip


@pytest.mark.parametrize("without", [0, 19, 20, 200])
def test_intervals_are_of_the_draws_and_widen_with_few_days(
    without: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A median has one where more than nine in ten of the draws have an account that passed."""
    rng = np.random.default_rng(4)
    passed, breached, medians = rng.random(200), rng.random(200), rng.integers(5, 90, 200) / 2
    medians[rng.permutation(200)[:without]] = np.nan
    monkeypatch.setattr(module, "_draws", lambda *_: (passed, breached, medians))
    found = chances(RULES, walk(1, 7), 1.0, accounts=5)
    at = percentiles(7)
    assert found.passes_between == tuple(np.percentile(passed, at))
    assert found.breaches_between == tuple(np.percentile(breached, at))
    if without < 20:
        assert found.median_between == tuple(np.percentile(medians[np.isfinite(medians)], at))
    else:
        assert np.isnan(found.median_between).all()


def test_each_draw_tells_of_its_own_accounts() -> None:
    """Of days that all gain, or all lose, the answer is known; of both, draws differ."""
    rng = np.random.default_rng(0)

    def told(steps: list[int]) -> list[list[float]]:
        paths = from_paths([np.array([0, step]) for step in steps], np.ones(len(steps), bool), "x")
        return [found.tolist() for found in _draws(RULES, paths, 1.0, 6, 1, 250, rng)]

    assert told([50_000] * 5) == [[1.0] * 6, [0.0] * 6, [6.0] * 6]
    passed, breached, medians = told([-50_000] * 5)
    assert (passed, breached) == ([0.0] * 6, [1.0] * 6)
    assert np.isnan(medians).all()
    passed, breached, medians = told([50_000, 50_000, -50_000, -50_000, 50_000])
    assert len(set(passed)) > 3
    assert [one + other for one, other in zip(passed, breached, strict=True)] == pytest.approx(
        [1.0] * 6
    )
    assert all(median >= 6 for median, share in zip(medians, passed, strict=True) if share)
    # The middle of whole days is a whole or a half one, which a mean of them seldom is.
    assert [2 * median % 1 for median in medians] == [0.0] * 6


@pytest.mark.parametrize("most", [3, 6])
def test_the_draws_behind_an_interval_last_as_long_as_the_firm_lets_accounts(most: int) -> None:
    """Six days of $500 pass; of three none can, whichever days are drawn."""
    found = chances(replace(RULES, maximum_days=most), steady(50_000), 1.0, accounts=4, draws=5)
    share = float(most == 6)
    assert (found.passes, found.passes_between) == (share, (share, share))
    assert found.ends["ran out of days"] == 1.0 - share


def test_as_many_accounts_and_draws_are_played_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 accounts, and 200 draws of 100 each, all by the same rules and contracts."""
    asked: list[tuple[Any, ...]] = []

    def played(rules: Rules, paths: DayPaths, draw: Any, accounts: int, *more: Any) -> Outcomes:
        asked.append((rules, paths, draw, accounts, *more))
        end = np.where(np.arange(accounts) % 4 == 0, PASSED, FLOOR).astype(np.int8)
        return Outcomes(end, np.arange(accounts) % 7, np.zeros(accounts, np.int64))

    monkeypatch.setattr(module, "replay", played)
    paths = walk(1, 12)
    found = chances(RULES, paths, 2.5)
    one, draws = asked
    assert one[:2] == draws[:2] == (RULES, paths)
    assert (one[3:6], draws[3:6]) == ((5_000, 250, 2.5), (20_000, 250, 2.5))
    assert (found.accounts, found.passes, found.breaches) == (5_000, 0.25, 0.75)
    assert (found.passes_between, found.breaches_between) == ((0.25, 0.25), (0.75, 0.75))
    for played_by, accounts in ((one[2], 5_000), (draws[2], 20_000)):
        live = np.arange(accounts)
        days = np.array([played_by(day, live) for day in range(4)])
        assert days.shape == (4, accounts)
        assert set(days.ravel()) == set(range(12))
    # The first are drawn two in a row; those of a draw are days of its own, which repeat in it.
    assert found.block == 2
    begun = [one[2](day, np.arange(50)) for day in range(2)]
    assert ((begun[1] - begun[0]) % 12 == 1).all()
