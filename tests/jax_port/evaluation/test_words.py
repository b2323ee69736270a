"""The words of an evaluation's pages, whole, for made-up numbers: each sentence stands in a file."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from itertools import product
from typing import Any

import pytest

from foundation.report.parts import Verdict
from jax_port.evaluation import comparison, page, verdicts
from jax_port.evaluation.advice_comparison import report as advice_report
from jax_port.evaluation.advice_comparison.comparison import ALONE, FUSED, LEAST_SEEDS
from jax_port.evaluation.prop_firm.rules import Rules, Tier
from tests.sentences import check_sentence

RANGES = [(5.0, 9.0), (-9.0, -5.0), (-9.0, 5.0), (0.0, 5.0), (None, None)]


def check(told: Verdict) -> None:
    check_sentence(f"{told.tone}: {told.headline} | {told.reason}")


def test_the_numbers_at_the_head_of_a_page() -> None:
    account = {
        "pnl": 150.0, "closed_pnl": 120.0, "open_pnl": 30.0, "days": 3, "max_drawdown": 400.0,
        "sharpe_day": 1 / 3, "sharpe_year": 5.29, "winning_days": 2 / 3, "worst_day": -100.0,
        "best_day": 200.0, "exposure": 0.5,
    }  # fmt: skip
    starts = {"mean_pnl": 12.5, "mean_low": -3.0, "mean_high": 28.0, "episodes": 900, "days": 3}
    trades = {
        "of": "daily", "trades": 1_234, "win_rate": 0.45, "profit_factor": 1.25, "expectancy": 2.5,
        "mean_bars": 12.34,
    }  # fmt: skip
    closed = {**account, "open_pnl": 0.0}
    losing = {**account, "pnl": 90.0, "open_pnl": -30.0}
    one_day = {**starts, "mean_low": None, "mean_high": None}
    every = {**trades, "of": "starts"}
    for performance in (
        {"account": account, "starts": starts, "trades": trades},
        {"account": closed, "starts": one_day, "trades": every},
        {"account": losing, "starts": starts, "trades": trades},
    ):
        for tile in page.tiles(performance):
            check_sentence(" | ".join(f"{value}" for value in asdict(tile).values()))


def test_what_tells_policies_apart() -> None:
    for (low, high), pnl, count in product(RANGES, (100.0, -100.0), (2, 3)):
        rows = [
            {"name": name, "pnl": pnl, "behind": 7.0, "behind_between": [low, high]}
            for name in ("a", "b", "c")[:count]
        ]
        check(comparison.verdict({"days": 40 if low is not None else 4, "policies": rows}))
    check(comparison.verdict({"days": 0, "policies": []}))


def fusion(**changes: Any) -> dict[str, Any]:
    row = {
        "name": "gated", "kind": FUSED, "gain": 10.0, "low": 5.0, "high": 15.0, "p_corrected": 0.01,
        "over_advisor": {"gain": 1.0},
    }  # fmt: skip
    values = {
        "judged": "gated",
        "trained_with": None,
        "data": {"after_cutoff": 30, "days": 40},
        "advice": {"about": {"cutoff": "2025-01-31"}},
        "nulls": [{"not_beaten": 0, "seeds": 5}, {"not_beaten": 0, "seeds": 5}],
        "tried": 12,
        "policies": ["p"] * LEAST_SEEDS,
    }
    values |= {name: value for name, value in changes.items() if name in values}
    row |= {name: value for name, value in changes.items() if name in row}
    return {**values, "arms": [{"name": "bare policy", "kind": "bare"}, row]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gain": -10.0},
        {"gain": 0.0},
        {"p_corrected": 0.05},
        {"p_corrected": 0.2, "gain": -10.0},
        {"policies": ["p"] * (LEAST_SEEDS - 1)},
        {"nulls": [{"not_beaten": 1, "seeds": 5}, {"not_beaten": 2, "seeds": 5}]},
        {"over_advisor": {"gain": 0.0}},
        {"kind": ALONE, "over_advisor": None},
        {"low": None},
        {"data": {"after_cutoff": 0, "days": 1}},
        {"data": {"after_cutoff": 0, "days": 40}, "advice": {"about": {"cutoff": ""}}},
        {"trained_with": {"as": "columns"}},
    ],
    ids=str,
)
def test_what_advice_brings(changes: dict[str, Any]) -> None:
    check(advice_report.verdict(fusion(**changes)))


def test_what_every_second_changes() -> None:
    performance = {"starts": {"episodes": 9_000}, "account": {"days": 3}}
    for starts in (0, 1_200):
        seconds = {"differ": {"starts": starts, "daily": starts // 600}}
        tone, words = verdicts.verdict_pill({"seconds": seconds, "performance": performance})
        check_sentence(f"{tone}: {words}")
    for without in (0, 1_200):
        check_sentence(verdicts.coverage({"minutes": 10_000, "minutes_without": without}))


def test_what_rules_ask() -> None:
    plain = Rules("a firm", "its page", date(2026, 1, 1), 50_000, 3_000, 2_000.5, "static")
    tiers = (Tier(0, 5), Tier(1_500, 7.5))
    full = replace(
        plain, trailing="end of day", floor_stops_at=100.0, daily_loss=1_000.0, best_day_share=0.4,
        minimum_days=5, maximum_days=30, contracts=tiers, automation="allowed",
    )  # fmt: skip
    for rules in (plain, full, replace(full, trailing="intraday", daily_loss_means="stop for the day")):
        for what, told in rules.sentences():
            check_sentence(f"{what}: {told}")
    unused = replace(plain, floor_stops_at=100.0)  # of a floor that never rises
    assert unused.sentences() == plain.sentences()
