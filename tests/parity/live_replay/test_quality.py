"""How an account filled, measured on fills made by hand: groups, hours, signs, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.live_replay.decision_log import MODES, Between, Fill
from parity.live_replay.fills import Matched
from parity.live_replay.quality import (
    account_fills,
    assumed_words,
    fill_costs,
    fill_quality,
    modes_of,
)


class Log:
    """A log of four bars: two of history, one virtual, one live; fills lie between them."""

    mode = ("historical", "historical", "virtual", "live")
    action = np.array([-1, 0, 0, 2])
    withheld = (None, None, "too late", None)
    between = tuple(
        Between([Fill("", 1, 1, 1.0, "RLTrader", mode) for mode in modes])
        for modes in ((), (), ("virtual",), ("live", "live"), ("backtest",))
    )


def test_every_mode_that_a_log_has_is_counted_by_itself() -> None:
    counts: Any = modes_of(Log())  # type: ignore[arg-type]
    assert counts == {
        "historical": {"bars": 2, "decisions": 1, "withheld": 0, "fills": 0},
        "backtest": {"bars": 0, "decisions": 0, "withheld": 0, "fills": 1},
        "virtual": {"bars": 1, "decisions": 1, "withheld": 1, "fills": 1},
        "live": {"bars": 1, "decisions": 1, "withheld": 0, "fills": 2},
    }
    assert list(counts) == list(MODES)


MATCHED = [
    Matched(0, "entry", 1.0, "live", 40.0),
    Matched(1, "exit (stop)", -3.0, "live", None),
    Matched(2, "entry", 0.0, "live", 10.0),
    Matched(3, "entry", 9.0, "virtual", 1.0),
    Matched(3, "entry", 9.0, "backtest", 1.0),
    Matched(3, "entry", 9.0, "historical", 1.0),
    Matched(3, "entry", 2.5, "live", 100.0),
    Matched(4, "exit (stop)", 0.0, "live", None),
]
MINUTE = np.array([9 * 60 + 59, 600, 9 * 60, 659, 600])


def test_an_account_s_fills_are_those_that_went_through_one() -> None:
    found = account_fills(MATCHED, MINUTE)
    assert [tuple(one.values()) for one in found] == [
        ("entry", 9, 1.0, 40.0),
        ("exit (stop)", 10, -3.0, None),
        ("entry", 9, 0.0, 10.0),
        ("entry", 10, 2.5, 100.0),
        ("exit (stop)", 10, 0.0, None),
    ]


def measured(*values: Any) -> dict[str, Any]:
    names = ("count", "worse_ticks_mean", "worse_ticks_most", "latency_ms_median", "latency_ms_most")
    return dict(zip(names, values, strict=True))


def test_fills_are_measured_by_kind_and_hour() -> None:
    assert fill_quality(account_fills(MATCHED, MINUTE)) == [
        {"fill": "entry", "hour": 9, **measured(2, 0.5, 1.0, 25.0, 40.0)},
        {"fill": "entry", "hour": 10, **measured(1, 2.5, 2.5, 100.0, 100.0)},
        {"fill": "exit (stop)", "hour": 10, **measured(2, -1.5, 0.0, None, None)},
    ]
    assert fill_quality([]) == []


def test_fills_cost_what_is_worse_less_what_is_better() -> None:
    assert fill_costs([], 12.5, 1) is None
    assert fill_costs(account_fills(MATCHED, MINUTE), 12.5, 2) == {
        **measured(5, pytest.approx(0.1), 2.5, 40.0, 100.0),
        "exact": 2,
        "worse_dollars": pytest.approx(0.5 * 12.5),
        "tick_dollars": 12.5,
        "assumed_slippage_ticks": 2,
        "by_hour": [
            {"hour": 9, **measured(2, 0.5, 1.0, 25.0, 40.0)},
            {"hour": 10, **measured(3, pytest.approx(-0.5 / 3), 2.5, 100.0, 100.0)},
        ],
    }


@pytest.mark.parametrize(
    ("assumed", "said"),
    [
        (0, "0 ticks"),
        (1, "1 tick"),
        (2, "2 ticks"),
        ([0, 1], "0 or 1 ticks"),
        ([1, 3, 1000], "1 or 3 or 1,000 ticks"),
    ],
)
def test_assumed_slippage_is_told_in_ticks(assumed: int | list[int], said: str) -> None:
    assert assumed_words({"assumed_slippage_ticks": assumed}) == said


def test_a_fill_that_came_at_once_took_no_time_and_one_that_waited_is_none() -> None:
    """Nothing is a number of milliseconds; of an even number of fills the median lies between two."""
    fills: list[dict[str, Any]] = [
        {"fill": "entry", "hour": hour, "worse_ticks": worse, "latency_ms": latency}
        for hour, worse, latency in ((9, -1.0, 0.0), (9, -2.0, None), (9, -0.5, 7.0), (10, 3.0, 0.0))
    ]
    assert fill_quality(fills) == [
        {"fill": "entry", "hour": 9, **measured(3, pytest.approx(-3.5 / 3), -0.5, 3.5, 7.0)},
        {"fill": "entry", "hour": 10, **measured(1, 3.0, 3.0, 0.0, 0.0)},
    ]
    costs = fill_costs(fills, 5.0, 0)
    assert costs is not None
    assert (costs["latency_ms_median"], costs["latency_ms_most"]) == (0.0, 7.0)
    assert (costs["exact"], costs["worse_dollars"]) == (0, -2.5)
