"""Days that a training leaves out, and what a policy makes on them by its account alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.envs.env_phase1_jax import BUY, HOLD
from jax_port.evaluation import validation as module
from jax_port.evaluation.evaluate import Evaluation, evaluate
from jax_port.evaluation.validation import MOST_STARTS, Score, Validation, split_days, thin_out
from jax_port.ppo.policy import Policy
from markets import EnvConfig
from markets.clock import new_york_dates
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import make_policy, one_action_policy
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)
DAYS = [date(2025, 1, 6) + timedelta(days=n) for n in range(30) if n % 7 < 5]


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    """Five synthetic days, Thursday 2 to Wednesday 8 January 2025."""
    return prepare(synthetic_bars("ES", days=5, seed=5, start="2025-01-02"), CONFIG)


@pytest.mark.parametrize("judged", [1, 4, 20, None])
def test_a_trading_day_lies_between_training_and_judging(judged: int | None) -> None:
    split = split_days(DAYS, judged)
    places = [DAYS.index(day) for day in split]
    count = len(DAYS) // 5 if judged is None else judged
    last = len(DAYS) - 1
    assert places == [0, last - count - 1, last - count + 1, last]


@pytest.mark.parametrize(
    ("days", "count"), [(3, 1), (4, 1), (9, 1), (10, 2), (14, 2), (19, 3), (20, 4)]
)
def test_one_day_of_five_is_judged_and_no_part_of_one(days: int, count: int) -> None:
    split = split_days(DAYS[:days], None)
    assert (split.judge_first, split.judge_last) == (DAYS[days - count], DAYS[days - 1])
    assert (split.train_first, split.train_last) == (DAYS[0], DAYS[days - count - 2])


def test_days_that_leave_none_to_train_on_are_refused() -> None:
    assert split_days(DAYS, len(DAYS) - 2).train_last == DAYS[0]
    with refuses():
        split_days(DAYS, len(DAYS) - 1)
    with refuses():
        split_days(DAYS[:2], None)
    for none in (0, -1):  # would be judged on what was trained on
        with refuses():
            split_days(DAYS, none)


def test_every_day_keeps_its_first_start_and_the_others_are_spread(market: PreparedMarket) -> None:
    rows = market.starts.astype(np.int64)
    assert len(rows) > MOST_STARTS
    assert thin_out(market, rows, len(rows)) is rows
    some = thin_out(market, rows, 100)
    assert (np.diff(some) > 0).all()
    assert set(some) <= set(rows)
    assert 100 <= len(some) <= 100 + 5
    days = new_york_dates(market.timestamps_ns)
    first = [rows[days[rows] == day][0] for day in np.unique(days[rows])]
    assert set(first) <= set(some)
    spread = {rows[number * (len(rows) - 1) // 99] for number in range(100)}
    assert set(some) == {*first, *spread}


def test_a_validation_plays_some_starts_of_its_own_dates(market: PreparedMarket) -> None:
    """Of all days about a thousand starts, of two days every one whose whole episode lies in them."""
    whole = Validation(market, CONFIG, None, None).rows
    assert MOST_STARTS <= len(whole) <= MOST_STARTS + 5 < len(market.starts)
    assert (whole[0], whole[-1]) == (market.starts[0], market.starts[-1])
    days = new_york_dates(market.timestamps_ns).astype("datetime64[D]")
    bounds: list[tuple[date | None, date | None, str, str]] = [
        (date(2025, 1, 3), date(2025, 1, 6), "2025-01-03", "2025-01-06"),
        (date(2025, 1, 7), None, "2025-01-07", "2025-01-08"),
        (None, date(2025, 1, 3), "2025-01-02", "2025-01-03"),
    ]
    for first, last, begins, ends in bounds:
        own = [
            row
            for row in market.starts.tolist()
            if days[row] >= np.datetime64(begins)
            and row + 59 < len(days)
            and days[row + 59] <= np.datetime64(ends)
        ]
        assert Validation(market, CONFIG, first, last).rows.tolist() == own
        assert len(own) > 600


@pytest.mark.parametrize(
    ("pnl", "open_pnl", "score"),
    [
        # Days of $19.75, -$40.20 and $31.50: a mean of $3.6833; seven episodes that made $54.91 in all.
        (
            [12.25, 30.0, -40.5, 0.1, 31.5, -0.19, 0.0],
            [7.5, 0.0, 0.3, -0.05, 0.0, 5.0, 9.0],
            (54.91 / 7, [19.75, -40.2, 31.5]),
        ),
        ([0.0] * 7, [0.0] * 7, (0.0, None)),
        # The same on every day, and more from the other starts.
        ([25.0, 1.0, 20.0, 2.0, 25.0, 3.0, 4.0], [0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0], (85 / 7, None)),
    ],
    ids=["trades", "never trades", "the same every day"],
)
def test_a_score_is_of_all_episodes_and_its_ratio_of_the_days(
    market: PreparedMarket,
    pnl: list[float],
    open_pnl: list[float],
    score: tuple[float, list[float] | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is open at an end counts in both; days that are all alike have a ratio of zero."""
    given: list[Any] = []
    days = ["2025-01-03"] * 2 + ["2025-01-06"] * 2 + ["2025-01-07"] * 3
    episodes = pd.DataFrame(
        {
            "episode": range(7), "day": pd.to_datetime(days), "pnl": pnl, "open_pnl": open_pnl,
            "daily": [True, False, True, False, True, False, False], "trades": 1, "steps": 60,
            "done_reason": 4,
        }
    )  # fmt: skip
    result = Evaluation(episodes, pd.DataFrame(), pd.DataFrame(), "daily")
    monkeypatch.setattr(module, "evaluate", lambda *told, **more: given.append((told, more)) or result)
    validation = Validation(market, CONFIG, date(2025, 1, 3), date(2025, 1, 7))
    policy: Any = "a policy"
    found = validation.score(policy)
    mean, each = score
    ratio = 0.0 if each is None else np.mean(each) / np.std(each, ddof=1)
    assert found == Score(pytest.approx(mean), pytest.approx(ratio), 7, 3)  # type: ignore[arg-type]
    assert given == [(("a policy", market), {"rows": validation.rows})]


def _read_alone(policy: Policy, market: PreparedMarket, rows: np.ndarray) -> tuple[float, float]:
    """Return the mean of an episode and the Sharpe ratio of the days from the equity's curve alone."""
    result = evaluate(policy, market, rows=rows)
    each = evaluate(policy, market, rows=rows).episodes
    made = result.equity.groupby("episode")["equity"].agg(["first", "last"])
    of_days = (made["last"] - made["first"]).to_numpy()
    spread = of_days.std(ddof=1)
    return float((each["pnl"] + each["open_pnl"]).mean()), float(of_days.mean() / spread)


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["trades", "buys and holds"])
def test_a_score_counts_what_is_open_at_the_end(market: PreparedMarket, kind: str) -> None:
    policy = (
        make_policy(market, CONFIG, seed=1)
        if kind == "trades"
        else one_action_policy(market, CONFIG, BUY)
    )
    validation = Validation(market, CONFIG, date(2025, 1, 3), date(2025, 1, 7))
    dates = new_york_dates(market.timestamps_ns)
    ends = validation.rows + CONFIG.max_episode_bars - 1
    span = np.unique([dates[validation.rows], dates[ends]]).astype("datetime64[D]").astype(str)
    assert (span[0], span[-1]) == ("2025-01-03", "2025-01-07")
    score = validation.score(policy)
    pnl, sharpe = _read_alone(policy, market, validation.rows)
    assert score.pnl == pytest.approx(pnl, abs=1e-9)
    assert score.sharpe_day == pytest.approx(sharpe, rel=1e-9)
    assert (score.episodes, score.days) == (len(validation.rows), 3)
    closed = evaluate(policy, market, rows=validation.rows).episodes["pnl"].mean()
    assert abs(score.pnl - closed) > 0.5  # dollars that are open at the end


@pytest.mark.costly
def test_a_policy_that_never_trades_has_a_score_of_zero(market: PreparedMarket) -> None:
    score = Validation(market, CONFIG, None, None).score(one_action_policy(market, CONFIG, HOLD))
    assert (score.pnl, score.sharpe_day, score.days) == (0.0, 0.0, 5)
