"""Ratios against empyrical-reloaded and skfolio, whose numbers lie in ``library_numbers.json``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jax_port.evaluation.sheet import ratios

HERE = Path(__file__).parent
GIVEN = json.loads((HERE / "day_returns.json").read_text())
EXPECTED = json.loads((HERE / "library_numbers.json").read_text())
TRIALS = np.array(GIVEN["trial_sharpes"])
YEAR = math.sqrt(252)


@pytest.fixture(params=sorted(GIVEN["curves"]))
def curve(request: pytest.FixtureRequest) -> tuple[np.ndarray, dict[str, Any]]:
    return np.array(GIVEN["curves"][request.param]), EXPECTED["curves"][request.param]


def test_ratios_are_empyricals(curve: tuple[np.ndarray, dict[str, Any]]) -> None:
    returns, expected = curve
    found = {
        "sharpe_year": ratios.sharpe(returns) * YEAR,
        "sortino_year": ratios.sortino(returns) * YEAR,
        "calmar": ratios.calmar(returns),
        "max_drawdown": ratios.max_drawdown(returns),
        "yearly_growth": ratios.yearly_growth(returns),
    }
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-9, abs=1e-9)
    rolled = ratios.rolling_sharpe(returns, EXPECTED["window"])
    assert rolled == pytest.approx(expected["rolling_sharpe"], rel=1e-9, abs=1e-9)


def test_how_sure_is_skfolios(curve: tuple[np.ndarray, dict[str, Any]]) -> None:
    returns, expected = curve
    found = {
        "probabilistic_sharpe": ratios.probabilistic_sharpe(returns),
        "above_a_tenth": ratios.probabilistic_sharpe(returns, 0.1),
        "deflated_sharpe": ratios.deflated_sharpe(returns, len(TRIALS), TRIALS),
        "expected_best": ratios.expected_best_sharpe(len(TRIALS), float(TRIALS.std(ddof=1))),
    }
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-9, abs=1e-12)


def test_the_three_curves_differ_and_one_of_them_gains() -> None:
    signs = {expected["sharpe_year"] > 0 for expected in EXPECTED["curves"].values()}
    assert signs == {True, False}


def test_sharpe_of_dollars_is_that_of_shares() -> None:
    returns = np.array(GIVEN["curves"]["random"])
    assert ratios.sharpe(returns * 5e6) == pytest.approx(ratios.sharpe(returns), rel=1e-12)


def test_more_trials_deflate_more() -> None:
    returns = np.array(GIVEN["curves"]["against always short"])
    found = [ratios.deflated_sharpe(returns, trials) for trials in (1, 2, 10, 1000)]
    assert found == sorted(found, reverse=True)
    assert found[0] == ratios.probabilistic_sharpe(returns)
    assert len(set(found)) == 4


def test_trials_count_whose_ratios_are_not_known() -> None:
    returns, known = (
        np.array(GIVEN["curves"]["against always short"]),
        np.array([0.02, -0.01, np.nan, 0.05]),
    )
    found = [ratios.deflated_sharpe(returns, trials, known) for trials in (1, 3, 400)]
    assert found == sorted(found, reverse=True)
    spread = float(np.array([0.02, -0.01, 0.05]).std(ddof=1))
    benchmark = ratios.expected_best_sharpe(400, spread)
    assert found[2] == ratios.probabilistic_sharpe(returns, benchmark) < found[1]


def test_the_luckiest_of_trials_without_skill() -> None:
    rng = np.random.default_rng(0)
    best = rng.normal(size=(4000, 50)).max(axis=1)
    assert ratios.expected_best_sharpe(50, 1.0) == pytest.approx(best.mean(), rel=0.02)


def test_ulcer_index_by_hand() -> None:
    # profits 100, 50, 150, 0: below the highest by 0, 50, 0, 150
    assert ratios.ulcer_index(np.array([100, 50, 150, 0])) == math.sqrt((50**2 + 150**2) / 4)
    assert ratios.ulcer_index(np.array([-30])) == 30.0  # nothing, 0, was the highest before it


def test_what_cannot_be_computed_is_nan() -> None:
    one, same = np.array([0.01]), np.full(30, 0.1)
    for returns in (one, same):
        assert math.isnan(ratios.sharpe(returns))
        assert math.isnan(ratios.probabilistic_sharpe(returns))
        assert math.isnan(ratios.deflated_sharpe(returns, 5))
        assert math.isnan(ratios.sortino(returns))
        assert math.isnan(ratios.calmar(returns))
    assert math.isnan(ratios.probabilistic_sharpe(np.array([0.01, 0.02])))  # two days have no tails
    assert np.isnan(ratios.rolling_sharpe(same, 21)).all()
    assert len(ratios.rolling_sharpe(one, 21)) == 0
    assert math.isnan(ratios.calmar(np.array([0.5, -1.0, 0.1])))  # nothing is left of the account


def test_a_window_of_small_differences_has_a_ratio_and_one_of_rounding_has_none() -> None:
    values = 1.0 + 1e-6 * np.random.default_rng(0).normal(size=30)
    expected = [
        part.mean() / part.std(ddof=1) * YEAR for part in (values[at : at + 21] for at in range(10))
    ]
    assert ratios.rolling_sharpe(values, 21) == pytest.approx(expected, rel=1e-6)
    values[:21] = 0.1 + 0.2
    assert np.isnan(ratios.rolling_sharpe(values, 21)).tolist() == [True] + [False] * 9


def test_a_trial_that_never_traded_counts_and_one_without_a_number_does_not() -> None:
    given = np.array([0.3, 0.0, np.nan, -0.2, 0.0, np.inf, -np.inf])
    assert ratios.known_sharpes(given).tolist() == [0.3, 0.0, -0.2, 0.0]
    assert ratios.known_sharpes(None).tolist() == []


def test_the_first_day_can_be_the_worst_and_three_days_are_enough_by_hand() -> None:
    returns = np.array([-0.1, 0.05, 0.2])  # a mean of 0.05, and 0.15 away from it at both ends
    assert ratios.sharpe(returns) == pytest.approx(0.05 / 0.15)
    assert ratios.sortino(returns) == pytest.approx(0.05 / math.sqrt(0.01 / 3))
    assert ratios.max_drawdown(returns) == pytest.approx(-0.1)
    growth = (0.9 * 1.05 * 1.2) ** 84 - 1
    assert ratios.yearly_growth(returns) == pytest.approx(growth)
    assert ratios.calmar(returns) == pytest.approx(growth / 0.1)
    assert ratios.rolling_sharpe(returns, 3) == pytest.approx([YEAR / 3])
    assert ratios.rolling_sharpe(returns, 2) == pytest.approx(
        [-0.025 / 0.15 * math.sqrt(2) * YEAR, 0.125 / 0.15 * math.sqrt(2) * YEAR]
    )
    # The variance of a ratio of 1/3 whose days have no skewness and a kurtosis of 3/2.
    sure = (1 / 3 - 0.1) * math.sqrt(2) / math.sqrt(1 + 0.5 / 4 / 9)
    assert ratios.probabilistic_sharpe(returns, 0.1) == pytest.approx(stats.norm.cdf(sure))
    luck = ratios.probabilistic_sharpe(returns, ratios.expected_best_sharpe(7, 1 / math.sqrt(2)))
    assert ratios.deflated_sharpe(returns, 7) == luck
    two = np.array([0.4, 0.1])
    known = ratios.probabilistic_sharpe(returns, ratios.expected_best_sharpe(7, 0.3 / math.sqrt(2)))
    assert ratios.deflated_sharpe(returns, 7, two) == pytest.approx(known)
