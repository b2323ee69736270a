"""How an account filled, measured on fills made by hand: groups, hours, signs, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.live_replay.decision_log import MODES, Between, Fill
from parity.live_replay.fills import Matched
from parity.live_replay.quality import account_fills, fill_costs, fill_quality, modes_of
from parity.live_replay.together import join_reports


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


def report(name: str, **changes: Any) -> dict[str, Any]:
    """Return a report of one log, as far as several are joined."""
    fills = changes.pop("account_fills", [])
    log = {
        "file": name,
        "last_line_cut_off": False,
        "bars": 10,
        "decisions": 0,
        "with_advice": 0,
        "fusion": None,
        "symbol": "ES",
        "phase": 1,
        "policy_sha256": "aa",
        "contracts": 1,
        **changes.pop("log", {}),
    }
    return {
        "verdict": "same",
        "first": None,
        "first_beside_fills": None,
        "compared": {"bars": 10, "decisions": 0, "fills": 0},
        "largest": {"bar": 0.0},
        "fills": {"differ": 0, "price_apart": 0, "largest_ticks": 0.0, "allowed_ticks": 1.0},
        "given_up": {},
        "modes": {},
        "account_fills": fills,
        "live_fills": fill_quality(fills),
        "fill_costs": fill_costs(fills, 12.5, 2),
        "log": log,
        "data": {"source": "bars", "sha256": "bb"},
        "made": {"when": name},
        **changes,
    }


def test_of_several_logs_the_last_counts_as_much_as_the_first() -> None:
    """Whatever the first log lacks, the others may have, and it must not be lost."""
    fills = account_fills(MATCHED, MINUTE)
    wrong, beside = {"bar": 3, "stage": "fill"}, {"bar": 7, "stage": "mask"}
    empty = report("a.jsonl")
    full = report(
        "b.jsonl",
        verdict="different",
        first=wrong,
        first_beside_fills=beside,
        compared={"bars": 7, "decisions": 4, "fills": 3},
        largest={"bar": 0.5, "logits": 1e-7},
        fills={"differ": 2, "price_apart": 1, "largest_ticks": 3.0, "allowed_ticks": 1.0},
        given_up={"halted": 2},
        modes={"live": {"bars": 7, "decisions": 4, "withheld": 1, "fills": 3}},
        account_fills=fills,
        log={"last_line_cut_off": True, "decisions": 4, "with_advice": 2, "policy_sha256": "cc"},
        data={"source": "bars", "sha256": "dd"},
    )
    for reports in ([empty, full], [full, empty], [empty, full, empty]):
        names = [one["log"]["file"] for one in reports]
        others = len(reports) - 1
        found = join_reports(reports)
        digests = ["bb", "dd"] if names[0] == "a.jsonl" else ["dd", "bb"]
        policies = ["aa", "cc"] if names[0] == "a.jsonl" else ["cc", "aa"]
        assert found == {
            "verdict": "different",
            "first": {**wrong, "log": "b.jsonl"},
            "first_beside_fills": {**beside, "log": "b.jsonl"},
            "compared": {"bars": 7 + 10 * others, "decisions": 4, "fills": 3},
            "largest": {"bar": 0.5, "logits": 1e-7},
            "fills": {"differ": 2, "price_apart": 1, "largest_ticks": 3.0, "allowed_ticks": 1.0},
            "given_up": {"halted": 2},
            "modes": full["modes"],
            "account_fills": fills,
            "live_fills": fill_quality(fills),
            "fill_costs": fill_costs(fills, 12.5, 2),
            "logs": found["logs"],
            "log": {
                **empty["log"],
                "bars": 10 * len(reports),
                "decisions": 4,
                "with_advice": 2,
                "file": f"{len(reports)} logs",
                "last_line_cut_off": True,
                "policy_sha256": ", ".join(policies),
            },
            "data": {"source": "bars", "sha256": ", ".join(digests)},
            "made": {"when": names[0]},
        }
        brief = {
            "a.jsonl": ("same", None, 10, 0, 0, None, None),
            "b.jsonl": ("different", wrong, 7, 4, 3, pytest.approx(0.1), 6.25),
        }
        assert [tuple(one.values()) for one in found["logs"]] == [
            (name, *brief[name]) for name in names
        ]


def test_counts_and_fills_of_two_logs_are_added() -> None:
    fills = account_fills(MATCHED, MINUTE)
    modes = {"live": {"bars": 7, "decisions": 4, "withheld": 1, "fills": 3}}
    given_up = {"an exit is on its way": 1, "halted": 2}
    one = report("a.jsonl", modes=modes, account_fills=fills[:2], given_up={"halted": 5})
    other = report(
        "b.jsonl",
        modes={**modes, "virtual": {"bars": 1, "decisions": 0, "withheld": 0, "fills": 0}},
        account_fills=fills[2:],
        given_up=given_up,
    )
    found = join_reports([one, other])
    assert found["account_fills"] == fills
    assert found["fill_costs"] == fill_costs(fills, 12.5, 2)
    assert found["modes"] == {
        "live": {"bars": 14, "decisions": 8, "withheld": 2, "fills": 6},
        "virtual": {"bars": 1, "decisions": 0, "withheld": 0, "fills": 0},
    }
    assert found["given_up"] == {"an exit is on its way": 1, "halted": 7}
    assert (found["verdict"], found["first"], found["first_beside_fills"]) == ("same", None, None)
    assert join_reports([one]) == one
