"""Both verdicts of evaluations that are written out: which starts differ, and what both come to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.seconds_loader import PreparedSeconds
from jax_port.evaluation import intrabar
from jax_port.evaluation.episodes import LANES
from jax_port.evaluation.evaluate import TRADE_COLUMNS, Evaluation
from jax_port.evaluation.intrabar import Verdicts, compare, evaluate_both, side_by_side
from jax_port.evaluation.metrics import summarize

EMPTY = np.zeros((1, 60), np.int32)
NOTHING = PreparedSeconds(EMPTY, EMPTY + 1, "seconds", "a digest", 0)
"""Seconds that are not looked at."""


def by_hand(changes: dict[int, dict[str, Any]]) -> Evaluation:
    """Return five starts of two days, unequal in everything, but for what is changed of some rows."""
    opens = pd.DatetimeIndex(["2025-01-02 14:30"] * 3 + ["2025-01-03 14:30"] * 2, tz="UTC")
    times = opens + pd.to_timedelta([0, 7, 9, 0, 4], unit="min")
    episodes = pd.DataFrame(
        {
            "episode": range(5), "start": [120, 127, 129, 510, 514], "start_time": times,
            "day": opens.tz_localize(None).normalize(), "daily": [True, False, False, True, False],
            "steps": [9, 8, 7, 6, 5], "pnl": [10.25, -20.5, 30.75, -40.0, 0.0],
            "open_pnl": [0.0, 0.0, -7.5, 0.0, 12.5], "reward": 0.5, "done_reason": [4, 2, 4, 3, 4],
            "trades": 1, "open_bars": 2, "max_drawdown": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )  # fmt: skip
    for row, values in changes.items():
        for name, value in values.items():
            episodes.loc[row, name] = value
    pnl = episodes["pnl"] + episodes["open_pnl"]
    daily = [0, 3]
    equity = pd.DataFrame(
        {
            "episode": np.repeat(daily, 2), "step": [0, 1] * 2, "time": times[daily].repeat(2),
            "equity": [50_000.0, 50_000.0 + pnl[0], 50_000.0, 50_000.0 + pnl[3]],
        }
    )  # fmt: skip
    codes = np.where(episodes["done_reason"] == 1, 4, 3)
    trades = pd.DataFrame(
        [
            (row, "long", 0, times[row], 1.0, 1, times[row], 1.0, codes[row], pnl[row])
            for row in (*daily, *[row for row in changes if row not in daily])
        ],
        columns=list(TRADE_COLUMNS),
    )
    return Evaluation(episodes, trades, equity, "daily")


def test_a_start_differs_where_any_of_its_four_numbers_does() -> None:
    """Each alone, in the last rows too; and both verdicts' numbers stand on their own side."""
    alone = {"done_reason": 1, "steps": 4, "pnl": 1.25, "open_pnl": -3.75}
    minute = by_hand({})
    for at, (name, value) in enumerate(alone.items(), 1):
        second = by_hand({at: {name: value}})
        table = side_by_side(Verdicts(minute, second, NOTHING, 0, 0))
        assert np.flatnonzero(table["differs"]).tolist() == [at], name
        assert table[f"{name}_second"][at] == value
        assert table[f"{name}_minute"][at] == minute.episodes[name][at]
        expected = {"pnl": 41.25, "open_pnl": -16.25}.get(name, 0.0)
        assert table["pnl_difference"].tolist() == [expected * (row == at) for row in range(5)]
    others = by_hand({at: {"trades": 3, "max_drawdown": 99.0, "open_bars": 7} for at in range(5)})
    assert not side_by_side(Verdicts(minute, others, NOTHING, 0, 0))["differs"].any()


def test_both_verdicts_are_counted_by_days_and_by_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three starts that the seconds end sooner one is a day's first, the last; one minute's too."""
    broken = {"done_reason": 1, "steps": 3, "open_pnl": 0.0}
    minute = by_hand({1: {"done_reason": 1}})
    second = by_hand(
        {1: {"done_reason": 1}, 2: {**broken, "pnl": -101.0}, 3: {**broken, "pnl": -102.5},
         4: {**broken, "pnl": -104.25}}
    )  # fmt: skip
    both = Verdicts(minute, second, NOTHING, 77, 5)
    table = side_by_side(both)
    monkeypatch.setattr(intrabar, "MOST_LISTED", 2)
    found = compare(both, table, summarize(minute))
    assert (found["source"], found["sha256"]) == ("seconds", "a digest")
    assert (found["minutes"], found["minutes_without"]) == (77, 5)
    assert found["minute"] == {
        "pnl": -29.75, "worst_day": -40.0, "max_drawdown": 40.0, "days_broken": 0,
        "mean_pnl": pytest.approx(-19.5 / 5), "episodes_broken": 1, "trades": 3, "liquidated": 1,
    }  # fmt: skip
    assert found["second"] == {
        "pnl": -92.25, "worst_day": -102.5, "max_drawdown": 102.5, "days_broken": 1,
        "mean_pnl": pytest.approx(-318.0 / 5), "episodes_broken": 4, "trades": 5, "liquidated": 4,
    }  # fmt: skip
    assert found["difference"] == {
        "pnl": -62.5, "worst_day": -62.5, "max_drawdown": 62.5, "days_broken": 1, "mean_pnl": -59.7,
        "episodes_broken": 3, "trades": 2, "liquidated": 3,
    }  # fmt: skip
    assert found["performance"]["starts"]["mean_pnl"] == found["second"]["mean_pnl"]
    assert found["performance"]["account"]["pnl"] == -92.25
    assert found["differ"] == {"starts": 3, "daily": 1}
    assert [(row["episode"], row["daily"]) for row in found["episodes"]] == [(3, True), (2, False)]
    assert found["episodes"][0] == {
        "episode": 3, "start": 510, "start_time": "2025-01-03T14:30:00+00:00", "day": "2025-01-03",
        "daily": True, "done_reason_minute": 3, "done_reason_second": 1, "steps_minute": 6,
        "steps_second": 3, "pnl_minute": -40.0, "pnl_second": -102.5, "open_pnl_minute": 0.0,
        "open_pnl_second": 0.0, "pnl_difference": -62.5,
    }  # fmt: skip


@pytest.mark.parametrize("rows", [None, [3, 9, 10]], ids=str)
def test_both_verdicts_are_asked_for_alike_and_by_the_second_once(
    rows: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thirteen bars, of which an episode from a start can trade four; four bars have seconds."""
    asked: list[tuple[Any, dict[str, Any]]] = []

    def evaluated(*given: Any, **more: Any) -> str:
        asked.append((given, more))
        return f"evaluation {len(asked)}"

    class Bars:
        starts, source = np.array([0, 2, 9], np.int32), "bars"

        def __len__(self) -> int:
            return 13

    monkeypatch.setattr(intrabar, "evaluate", evaluated)
    market: Any = Bars()
    policy: Any = SimpleNamespace(config=SimpleNamespace(max_episode_bars=4))
    high, low = np.zeros((13, 60), np.int32), np.ones((13, 60), np.int32)
    for row, second in ((3, 0), (4, 59), (8, 30), (12, 7)):
        high[row, second] = low[row, second] = 100
    seconds = PreparedSeconds(high, low, "seconds", "0", 0)
    options: Any = {"trades_of": "all", "lanes": 33, "on_batch": print, "advice": "advice"}
    both = evaluate_both(policy, market, seconds, rows=rows, **options)
    assert (both.minute, both.second, both.seconds) == ("evaluation 1", "evaluation 2", seconds)
    for (given, more), of in zip(asked, (None, seconds), strict=True):
        assert given == (policy, market)
        assert more.pop("rows").tolist() == (rows or [0, 2, 9])
        assert more == {**options, "seconds": of}
    # Bars 0 to 5 and 9 to 12, or 3 to 6 and 9 to 12; bars 3, 4 and 12 are judged by seconds.
    assert (both.minutes, both.minutes_without) == ((10, 7) if rows is None else (8, 5))
    asked.clear()
    plain = evaluate_both(policy, market, seconds)
    assert (plain.minutes, len(asked)) == (10, 2)
    assert [more["trades_of"] for _, more in asked] == ["daily"] * 2
    assert [(more["lanes"], more["on_batch"], more["advice"]) for _, more in asked] == [
        (LANES, None, None)
    ] * 2
