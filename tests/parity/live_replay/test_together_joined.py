"""Reports of several logs, made by hand, as one: what is added, what differs, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from parity.live_replay.page import tiles
from parity.live_replay.quality import account_fills, fill_costs, fill_quality
from parity.live_replay.together import join_reports
from tests.parity.live_replay.test_quality import MATCHED, MINUTE
from tests.sentences import refuses


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


def measured(fills: list[dict[str, Any]], slippage: int, tick_dollars: float = 12.5) -> dict[str, Any]:
    """Return what a report tells of fills on an account under rules that assume a slippage."""
    return {"account_fills": fills, "fill_costs": fill_costs(fills, tick_dollars, slippage)}


def test_a_difference_beside_the_fills_is_told_though_another_log_differs_first() -> None:
    wrong, beside = {"bar": 3, "stage": "fill"}, {"bar": 7, "stage": "mask"}
    fills_alone = report("a.jsonl", verdict="different", first=wrong)
    both = report("b.jsonl", verdict="different", first=beside, first_beside_fills=beside)
    for reports in ([fills_alone, both], [report("c.jsonl"), fills_alone, both, report("d.jsonl")]):
        found = join_reports(reports)
        assert found["first"] == {**wrong, "log": "a.jsonl"}
        assert found["first_beside_fills"] == {**beside, "log": "b.jsonl"}


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
            "a.jsonl": ("same", None, 10, 0, 0, None, None, None),
            "b.jsonl": ("different", wrong, 7, 4, 3, pytest.approx(0.1), 6.25, 2),
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


def test_every_slippage_that_logs_assume_is_told() -> None:
    """Of one symbol, whose contract assumed another one from the third log on."""
    fills = account_fills(MATCHED, MINUTE)
    reports = [
        report("a.jsonl"),  # without a fill on an account, so nothing is held to its assumption
        report("b.jsonl", **measured(fills[:2], 2)),
        report("c.jsonl", **measured(fills[2:4], 1)),
        report("d.jsonl", **measured(fills[4:], 2)),
    ]
    found = join_reports(reports)
    assert found["fill_costs"] == {**fill_costs(fills, 12.5, 1), "assumed_slippage_ticks": [1, 2]}
    assert found["fill_costs"]["worse_dollars"] == 6.25
    assert [one["assumed_slippage_ticks"] for one in found["logs"]] == [None, 2, 1, 2]
    (tile,) = (tile for tile in tiles(found) if tile.label == "Worse than assumed, a fill")
    assert "mean of 5; the environment assumes 1 or 2 ticks of slippage for market" in tile.below
    one = join_reports([reports[0], reports[3], reports[1]])
    assert one["fill_costs"]["assumed_slippage_ticks"] == 2
    assert join_reports([reports[0], reports[0]])["fill_costs"] is None


def test_ticks_of_two_worths_are_not_added() -> None:
    fills = account_fills(MATCHED, MINUTE)
    costs = [measured(fills[:2], 1), measured(fills[2:3], 1), measured(fills[3:], 1, 1.25)]
    reports = [report(f"{name}.jsonl", **one) for name, one in zip("abc", costs, strict=True)]
    with refuses():
        join_reports(reports)


def test_what_logs_do_not_have_alike_is_told_once_each_in_their_order() -> None:
    """The last differs in all of it; the first and the second are alike but for what decides."""
    gated, weighted = {"rule": "gated"}, {"rule": "weighted"}
    reports = [
        report("a.jsonl", log={"contracts": 3, "phase": 2, "fusion": gated}),
        report("b.jsonl", log={"contracts": 3, "phase": 2, "fusion": None}),
        report("c.jsonl", log={"contracts": 1, "phase": 1, "fusion": gated}),
        report(
            "d.jsonl",
            log={"contracts": 3, "phase": 2, "policy_sha256": "cc", "fusion": weighted},
            data={"source": "other bars", "sha256": "bb"},
        ),
    ]
    found = join_reports(reports)
    names = ("contracts", "phase", "policy_sha256", "fusion")
    assert [found["log"][name] for name in names] == ["3, 1", "2, 1", "aa, cc", [gated, None, weighted]]
    assert found["data"] == {"source": "bars, other bars", "sha256": "bb"}
    few = join_reports(reports[:2])["log"]
    assert [few[name] for name in names] == [3, 2, "aa", [gated, None]]
    assert join_reports([reports[0], reports[2]])["log"]["fusion"] == gated


def test_the_largest_of_all_logs_is_told_wherever_it_is() -> None:
    """Also of a stage that only some logs have, and of more than two."""
    largest: list[dict[str, float]] = [{"bar": 2.0}, {"bar": 1.0, "logits": 0.5}, {"logits": 0.25}]
    largest += [{"bar": 3.0, "logits": 0.75, "advice": 1.0}]
    for turn in range(4):
        found = join_reports([report("x", largest=one) for one in largest[turn:] + largest[:turn]])
        assert found["largest"] == {"bar": 3.0, "logits": 0.75, "advice": 1.0}
