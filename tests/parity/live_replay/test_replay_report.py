"""A report of a log made by hand: every count, and a difference in the last place of every column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jax_port.export.manifest import ACTIONS, POSITION
from markets import Bars
from markets.bars import COLUMNS, FEATURES
from parity.live_replay.decision_log import DISTANCES, HELD, LiveLog, NothingDecidedError
from parity.live_replay.replay import advice_words, replay_log, words
from tests.parity.live_replay.made_replay import BARS, agreeing, bars, policy
from tests.sentences import refuses

LAST = BARS - 1


def replayed(log: LiveLog, given: Bars | None = None, fill_ticks: float = 0.0) -> dict[str, Any]:
    return replay_log(log, given or bars(), policy(), fill_ticks)


def time_of(number: int) -> str:
    return f"{bars().frame.index[number]:%Y-%m-%dT%H:%M:%S}Z"


def test_a_log_that_agrees_is_counted_as_a_whole() -> None:
    log = agreeing()
    decisions = sum(why is None for why in log.skipped)
    orders = [fill.order for between in log.between for fill in between.fills]
    assert len(orders) == 12
    assert set(log.held[:, 0]) == {-1, 0, 1}
    found = replayed(log, fill_ticks=0.5)
    largest = found.pop("largest")
    assert list(largest) == ["bar", "feature", "observation", "logits"]
    assert all(0 <= value < 1e-12 for value in largest.values())
    made, costs, quality = (found.pop(name) for name in ("made", "fill_costs", "live_fills"))
    assert set(made["versions"]) >= {"python", "jax"}
    assert found == {
        "verdict": "same",
        "first": None,
        "first_beside_fills": None,
        "compared": {"bars": BARS, "decisions": decisions, "fills": 12},
        "fills": {"differ": 0, "price_apart": 0, "largest_ticks": 0.0, "allowed_ticks": 0.5},
        "given_up": {},
        "modes": {"live": {"bars": BARS, "decisions": decisions, "withheld": 0, "fills": 12}},
        "account_fills": found["account_fills"],
        "log": {
            "file": "log.jsonl",
            "last_line_cut_off": False,
            "bars": BARS,
            "decisions": decisions,
            "fusion": None,
            "with_advice": 0,
            "symbol": "ES",
            "phase": 2,
            "policy_sha256": "ab" * 32,
            "contracts": 2,
        },
        "data": {"source": bars().source, "sha256": bars().digest},
    }
    assert (costs["count"], costs["exact"], costs["tick_dollars"]) == (12, 12, 12.5)
    assert costs["assumed_slippage_ticks"] == 2
    assert sum(row["count"] for row in quality) == len(found["account_fills"]) == 12
    names = {"RLTrader": "entry", "Stop loss": "exit (stop)", "Profit target": "exit (target)"}
    told = [names.get(order, "exit (flat by)") for order in orders]
    assert [fill["fill"] for fill in found["account_fills"]] == told


Plant = Callable[[LiveLog], None]


def added(name: str, row: int, column: int, by: float) -> Plant:
    def plant(log: LiveLog) -> None:
        getattr(log, name)[row, column] += by

    return plant


def minute_later(log: LiveLog) -> None:
    log.minute[LAST] += 1


def turned(log: LiveLog) -> None:
    log.mask[LAST, 5] ^= True


def another_action(log: LiveLog) -> None:
    log.action[LAST] = 5


def asked_now(log: LiveLog) -> None:
    log.asked[LAST] = log.time_ns[LAST] // 60_000_000_000


def not_defined(log: LiveLog) -> None:
    log.features[LAST, 10] = np.nan


PLANTED: dict[str, tuple[Plant, str, str]] = {
    "open": (added("ohlcv", LAST, 0, 0.25), "bar", COLUMNS[0]),
    "volume": (added("ohlcv", LAST, 4, 1.0), "bar", COLUMNS[4]),
    "minute": (minute_later, "bar", "minute"),
    "first feature": (added("features", LAST, 0, 1e-4), "feature", FEATURES[0]),
    "last feature": (added("features", LAST, 10, -1e-5), "feature", FEATURES[10]),
    "a feature that live had not": (not_defined, "feature", FEATURES[10]),
    "stop distance": (added("distances", LAST, 0, 1), "feature", DISTANCES[0]),
    "trail distance": (added("distances", LAST, 2, -1), "feature", DISTANCES[2]),
    "side": (added("held", LAST, 0, 1), "observation", HELD[0]),
    "trailing": (added("held", LAST, 5, 1), "observation", HELD[5]),
    "first of what is seen": (added("observed", LAST, 0, 1e-6), "observation", POSITION[0]),
    "last of what is seen": (added("observed", LAST, 7, 1e-6), "observation", POSITION[7]),
    "mask": (turned, "mask", ACTIONS[5]),
    "first logit": (added("logits", LAST, 0, 1e-3), "logits", ACTIONS[0]),
    "last logit": (added("logits", LAST, 5, -1e-3), "logits", ACTIONS[5]),
    "advice": (asked_now, "advice", "asked before"),
    "action": (another_action, "action", "action"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_other_value_on_the_last_bar_is_named(name: str) -> None:
    plant, stage, value = PLANTED[name]
    log = agreeing()
    plant(log)
    found = replayed(log)
    first = found["first"]
    assert (found["verdict"], first["bar"], first["time"]) == ("different", LAST, time_of(LAST))
    assert (first["stage"], first["name"]) == (stage, value)
    assert found["first_beside_fills"] == first
    decisions = int((log.action[:LAST] >= 0).sum())
    assert found["compared"] == {"bars": LAST, "decisions": decisions, "fills": 12}
    assert all(one < 1e-12 for one in found["largest"].values())  # of what comes before


def test_values_of_a_difference_are_of_their_own_kind() -> None:
    def first(plant: Plant) -> dict[str, Any]:
        log = agreeing()
        plant(log)
        found: dict[str, Any] = replayed(log)["first"]
        return found

    close = float(bars().frame["close"].iloc[LAST])
    told = first(added("ohlcv", LAST, 3, 0.25))
    assert {name: told[name] for name in ("live", "offline", "apart")} == {
        "live": close + 0.25,
        "offline": close,
        "apart": 0.25,
    }
    assert told["allowed"] == pytest.approx(1e-12 * close)
    assert words(told) == (
        f"bar {time_of(LAST)}, number {LAST}: bar, close: live has {close + 0.25!r}, offline "
        f"{close!r} (0.25 apart, {1e-12 * close:.3g} allowed)"
    )
    told = first(turned)
    assert (type(told["live"]), type(told["offline"])) == (bool, bool)
    assert told["live"] is not told["offline"]
    assert "apart" not in words(told)
    told = first(added("distances", LAST, 1, 3))
    target = int(agreeing().distances[LAST, 1])
    assert (told["live"], told["offline"], told["apart"], told["allowed"]) == (target + 3, target, 3, 0)
    assert f"live has {target + 3}, offline {target} (3 apart, 0 allowed)" in words(told)
    told = first(another_action)
    assert (told["live"], told["offline"], told["apart"]) == ("trail_off", "hold", None)
    told = first(not_defined)
    assert (told["live"], told["apart"]) == (None, None)
    assert "live has no number, offline " in words(told)


def test_limits_of_prices_and_logits_are_told_from_both_sides() -> None:
    close = float(bars().frame["close"].iloc[LAST])
    for name, column, right in (("ohlcv", 3, close), ("logits", 2, float(agreeing().logits[LAST, 2]))):
        limit = 1e-12 * close if name == "ohlcv" else 1e-5 * (1 + abs(right))
        for share, same in ((0.9, True), (-0.9, True), (1.2, False), (-1.2, False)):
            log = agreeing()
            added(name, LAST, column, share * limit)(log)
            found = replayed(log)
            assert (found["verdict"] == "same") == same, (name, share)
            if same:
                stage = "bar" if name == "ohlcv" else "logits"
                assert found["largest"][stage] == pytest.approx(0.9 * limit, rel=0.2)


def test_of_two_differences_the_first_in_causal_order_is_told() -> None:
    """On one bar a bar's value comes before a feature's, and so on to the action's; an earlier bar
    comes before all."""
    log = agreeing()
    for _, (plant, stage, _) in reversed(PLANTED.items()):
        plant(log)
        assert replayed(log)["first"]["stage"] == stage
    log.action[LAST - 1] = 5
    found = replayed(log)
    assert (found["first"]["bar"], found["first"]["stage"]) == (LAST - 1, "action")


def worse(log: LiveLog, number: int, by: float) -> int:
    """Let a fill, by its number, be at another price; return the bar before whose line it is told."""
    place, at = [(t, n) for t, told in enumerate(log.between) for n in range(len(told.fills))][number]
    fills = log.between[place].fills
    fills[at] = replace(fills[at], price=fills[at].price + by)
    return place


def test_an_exit_lies_between_a_bar_s_features_and_what_is_seen_and_an_entry_after_all() -> None:
    entry = next(t for t, told in enumerate(agreeing().between) if told.fills) - 1
    for number, name, first in (
        (0, "features", "feature"),
        (0, "observed", "observation"),
        (1, "features", "feature"),
        (1, "held", "fill"),
    ):
        log = agreeing()
        leaving = worse(log, number, 0.25)
        bar = leaving if number else entry
        value = getattr(log, name)
        value[bar, 3] += 1
        found = replayed(log)
        assert (found["first"]["bar"], found["first"]["stage"]) == (bar, first)
        beside = found["first_beside_fills"]
        assert (beside["bar"], beside["stage"]) == (bar, "observation" if first == "fill" else first)
        # Of fills, those on earlier bars alone.
        assert (found["compared"]["bars"], found["compared"]["fills"]) == (bar, number)


def test_fills_that_differ_are_counted_to_the_first_other_difference() -> None:
    log = agreeing()
    last, first = worse(log, -1, -0.5), worse(log, 1, 0.75)
    found = replayed(log)
    side = [fill.side for between in log.between for fill in between.fills]
    assert found["fills"] == {
        "differ": 2,
        "price_apart": 2,
        "largest_ticks": 3.0,
        "allowed_ticks": 0.0,
    }
    assert (found["first"]["bar"], found["first"]["stage"]) == (first, "fill")
    assert (found["first"]["apart"], found["first"]["allowed"]) == (0.75, 0.0)
    assert found["first_beside_fills"] is None
    assert found["compared"]["bars"] == BARS
    costs = found["fill_costs"]
    assert costs["worse_dollars"] == 12.5 * (3.0 * side[1] - 2.0 * side[-1])
    assert (costs["count"], costs["exact"]) == (12, 10)
    some = replayed(log, fill_ticks=2.0)["fills"]
    assert some == {"differ": 1, "price_apart": 2, "largest_ticks": 3.0, "allowed_ticks": 2.0}
    # Something else before the last of them: what comes after says nothing.
    log.ohlcv[last - 3, 3] += 0.25
    found = replayed(log)
    assert found["fills"]["differ"] == 1
    assert (found["compared"]["bars"], found["compared"]["fills"]) == (last - 3, 11)
    assert found["fill_costs"]["count"] == 11


def test_a_bar_that_live_had_not_is_told_with_its_time() -> None:
    whole = agreeing()
    number = 60
    lacking = replace(
        whole,
        **{
            name: np.delete(value, number, axis=0)
            for name, value in vars(whole).items()
            if isinstance(value, np.ndarray)
        },
        **{
            name: [*getattr(whole, name)[:number], *getattr(whole, name)[number + 1 :]]
            for name in ("mode", "withheld", "skipped", "between")
        },
    )
    found = replayed(lacking)
    assert found["first_beside_fills"] == {
        "bar": number,
        "stage": "bar",
        "name": "bar",
        "live": "none",
        "offline": f"one at {time_of(number)}",
        "apart": None,
        "allowed": 0.0,
        "time": time_of(number + 1),
    }
    assert found["compared"]["bars"] == number


def test_a_file_without_a_bar_of_the_log_is_refused() -> None:
    some = np.ones(BARS, bool)
    some[[40, LAST]] = False
    with refuses():
        replayed(agreeing(), bars().select(some))


def test_a_log_in_which_nothing_is_decided_is_refused_where_nothing_else_differs() -> None:
    log = agreeing()
    log.skipped[:] = ["historical"] * BARS
    log.mode[:] = ["historical"] * BARS
    log.action[:] = -1
    log.held[:] = 0
    for between in log.between:
        between.fills.clear()
    with refuses(kind=NothingDecidedError):
        replayed(log)
    log.ohlcv[LAST, 2] -= 0.25
    found = replayed(log)
    assert (found["verdict"], found["first"]["name"]) == ("different", "low")
    assert found["compared"] == {"bars": LAST, "decisions": 0, "fills": 0}
    assert found["fill_costs"] is None


def test_advice_is_counted_where_something_is_decided() -> None:
    log = agreeing()
    log.asked[[3, LAST - 1, LAST]] = 5  # nothing is decided on the first of them
    assert replayed(log)["log"]["with_advice"] == 2
    said = {"fusion": {"rule": "gated"}, "decisions": 1_234, "with_advice": 1_000}
    assert advice_words(said) == (
        "fused with advice (rule gated): 1,000 decisions had an answer of the service, 234 had none"
    )
    assert advice_words({**said, "fusion": None}) == ""
