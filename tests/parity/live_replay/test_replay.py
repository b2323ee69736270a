"""Logs that the strategy wrote, replayed: they agree, and a fault of every stage is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import Fill, read_log
from parity.live_replay.fills import _Walk
from tests.ninjatrader.hosting import host, live_bars, live_log
from tests.parity.live_replay.replayed_logs import Lines, lines_of, report, run, written

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.mark.parametrize("phase", [1, 2])
def test_live_and_offline_agree(phase: int) -> None:
    found = report(live_log(phase), 0)
    assert found["verdict"] == "same"
    assert found["compared"]["bars"] == len(live_bars().session("rth"))
    assert found["compared"]["decisions"] > 1000
    assert found["compared"]["fills"] > 100
    assert found["fills"]["largest_ticks"] == 0
    assert found["largest"]["feature"] < 1e-9
    assert found["largest"]["logits"] < 1e-12


def test_the_command_says_it_in_words() -> None:
    done = run(live_log(1))
    assert done.exit_code == 0
    assert "live and offline agree" in done.output


# One fault a stage, planted in the log


def bar(lines: Lines, number: int) -> dict[str, Any]:
    return next(line for line in lines if line.get("number") == number)


def an_open_bar(lines: Lines) -> int:
    """Return the number of a bar in the midst at which something is decided with a trade open."""
    return next(
        line["number"]
        for line in lines
        if line.get("number", 0) > 900 and line["side"] and "action" in line
    )


def a_flat_bar(lines: Lines) -> int:
    return next(
        line["number"]
        for line in lines
        if line.get("number", 0) > 900 and not line["side"] and line.get("action") == 0
    )


def changed(name: str, at: int, by: float, number: Callable[[Lines], int]) -> Callable[[Lines], int]:
    def plant(lines: Lines) -> int:
        found = number(lines)
        bar(lines, found)[name][at] += by
        return found

    return plant


def another_stop(lines: Lines) -> int:
    number = an_open_bar(lines)
    bar(lines, number)["stop"] += 1
    return number


def another_mask(lines: Lines) -> int:
    number = an_open_bar(lines)
    bar(lines, number)["mask"][1] = True
    return number


def another_action(lines: Lines) -> int:
    number = a_flat_bar(lines)
    bar(lines, number)["action"] = 1
    return number


def no_decision(lines: Lines) -> int:
    number = a_flat_bar(lines)
    bar(lines, number)["skipped"] = "the account holds another position"
    return number


def entry_line(lines: Lines) -> int:
    """Return the place of an entry's fill; the line before it is the bar it was decided on."""
    return next(
        place
        for place, line in enumerate(lines)
        if place > 900 and line.get("order") == "RLTrader" and lines[place - 1]["event"] == "bar"
    )


def another_price(lines: Lines) -> int:
    place = entry_line(lines)
    lines[place]["price"] += 0.25
    return int(lines[place - 1]["number"])


def a_lost_entry(lines: Lines) -> int:
    place = entry_line(lines)
    del lines[place]
    return int(lines[place - 1]["number"])


def another_quantity(lines: Lines) -> int:
    place = entry_line(lines)
    lines[place]["quantity"] = 2
    return int(lines[place - 1]["number"])


def a_lost_exit(lines: Lines) -> int:
    place = next(
        place for place, line in enumerate(lines) if place > 900 and line.get("order") == "Stop loss"
    )
    del lines[place]
    return int(lines[place]["number"])


def an_exit_of_ones_own(lines: Lines) -> int:
    """Someone closed the trade by hand."""
    number = an_open_bar(lines)
    place = lines.index(bar(lines, number))
    side, price = -lines[place]["side"], lines[place]["ohlcv"][3]
    fill = {"event": "fill", "time": lines[place]["time"], "side": side, "quantity": 1, "price": price}
    lines.insert(place, {**fill, "order": "Close position", "mode": "live", "latency_ms": None})
    return number


def a_bar_that_live_missed(lines: Lines) -> int:
    """The feed had a gap; the file has that bar."""
    number = 1000
    lines.remove(bar(lines, number))
    for line in lines:
        if line.get("number", 0) > number:
            line["number"] -= 1
    return number


PLANTED: dict[str, tuple[Callable[[Lines], int], str, str]] = {
    "a close": (changed("ohlcv", 3, 0.25, lambda lines: 1000), "bar", "close"),
    "a bar that live missed": (a_bar_that_live_missed, "bar", "bar"),
    "a feature": (changed("features", 5, 1e-6, lambda lines: 1000), "feature", "macd"),
    "a distance": (changed("distances", 1, 1, lambda lines: 1000), "feature", "target_ticks"),
    "what is held": (another_stop, "observation", "stop"),
    "what is seen of it": (changed("observed", 2, 1e-5, an_open_bar), "observation", "stop_distance"),
    "a mask": (another_mask, "mask", "buy"),
    "a logit": (changed("logits", 2, 1e-3, a_flat_bar), "logits", "sell"),
    "an action": (another_action, "action", "action"),
    "no decision": (no_decision, "action", "whether something is decided"),
    "a price": (another_price, "fill", "price of the entry, in points"),
    "a lost entry": (a_lost_entry, "fill", "entry"),
    "a quantity": (another_quantity, "fill", "entry"),
    "a lost exit": (a_lost_exit, "fill", "exit"),
    "an exit by hand": (an_exit_of_ones_own, "fill", "exit"),
}


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_found_at_its_bar_and_stage(name: str, tmp_path: Path) -> None:
    plant, stage, value = PLANTED[name]
    lines = lines_of(2)
    number = plant(lines)
    first = report(written(tmp_path, lines), 1)["first"]
    assert (first["bar"], first["stage"], first["name"]) == (number, stage, value)


def test_what_lies_within_the_limits_is_no_difference(tmp_path: Path) -> None:
    lines = lines_of(2)
    for line in lines:
        if "features" in line and line.get("event") == "bar":
            line["features"] = [x and x * (1 + 1e-11) for x in line["features"]]
            line["logits"] = [x + 1e-7 for x in line.get("logits", [])]
    assert report(written(tmp_path, lines), 0)["largest"]["logits"] == pytest.approx(1e-7, rel=1e-3)


def test_the_sentence_names_values_and_distance(tmp_path: Path) -> None:
    lines = lines_of(1)
    bar(lines, 1000)["ohlcv"][3] += 0.25
    done = run(written(tmp_path, lines))
    assert done.exit_code == 1
    time, close = bar(lines, 1000)["time"], bar(lines, 1000)["ohlcv"][3]
    assert (
        f"bar {time}, number 1000: bar, close: live has {close}, offline {close - 0.25}" in done.output
    )


# Faults of the strategy and of the broker, as they would be


FAULTS: dict[str, tuple[str, str, str, str, set[str]]] = {
    "the slow average is fast": (
        "FeatureStream.cs",
        "Average(slow, close, 26)",
        "Average(slow, close, 25)",
        "feature",
        {"macd"},
    ),
    "a trailing stop is a tick too near": (
        "PositionTracker.cs",
        "closeTicks - Side * trailTicks",
        "closeTicks - Side * (trailTicks - 1)",
        "observation",
        {"stop"},
    ),
    "profit counts from zero": (
        "PositionTracker.cs",
        "Side * (stream.CloseTicks - Entry) > 0",
        "Side * (stream.CloseTicks - Entry) >= 0",
        "mask",
        {"break_even", "trail_on"},
    ),
    "the window holds the bar that is traded": (
        "FeatureStream.cs",
        "rows[(Count - 1 - manifest.Window + n) % rows.Length]",
        "rows[(Count - manifest.Window + n) % rows.Length]",
        "logits",
        {"hold", "buy", "sell", "break_even", "trail_on", "trail_off"},
    ),
    "the mask is not asked": (
        "PolicyRunner.cs",
        "masked[a] = mask[a] ?",
        "masked[a] = mask.Length > a ?",
        "action",
        {"action"},
    ),
    "a stop one tick too far": (
        "RLTraderOrders.cs",
        "CalculationMode.Ticks, stopTicks, false",
        "CalculationMode.Ticks, stopTicks + 1, false",
        "observation",
        {"stop"},
    ),
}


@pytest.mark.costly
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_strategy_is_found_in_its_stage(name: str) -> None:
    file, right, wrong, stage, values = FAULTS[name]
    found = report(live_log(2, program=host((file, right, wrong))), 1)
    first = found["first"]
    if stage != "fill" and first["stage"] == "fill":  # a wrong stop may be hit before it is looked at
        first = found["first_beside_fills"]
    assert first["stage"] == stage
    assert first["name"] in values


@pytest.mark.costly
def test_slippage_is_told_apart_from_everything_else() -> None:
    log = live_log(1, "slip")
    found = report(log, 1)
    assert found["first"]["name"] == "price of the entry, in points"
    assert found["first"]["apart"] == 0.25
    assert found["first_beside_fills"] is None
    assert found["compared"]["bars"] == len(live_bars().session("rth"))
    assert found["fills"]["largest_ticks"] == 1
    assert "all else agrees" in run(log).output
    assert report(log, 0, "--fill-ticks", "1")["verdict"] == "same"


def test_a_fill_is_told_at_its_price_to_the_tick() -> None:
    fill = Fill("2025-09-02T13:30:00Z", 1, 2, 24100.25, "RLTrader")
    assert _Walk._words_of(MagicMock(), fill) == "bought 2 at 24100.25 (RLTrader)"
    walk = MagicMock(contracts=1)
    walk.offline.contract.tick_size = 0.25
    assert _Walk._words(walk, -1, 96_403) == "sold 1 at 24100.75"


def test_an_entry_in_parts_counts_at_its_average_price() -> None:
    """Two contracts, one filled a tick too high and one a tick too low."""
    log = live_log(1, "parts", contracts=2)
    fills = [fill for between in read_log(log).between for fill in between.fills]
    assert [fill.quantity for fill in fills[:3]] == [1, 1, 2]
    found = report(log, 0)
    assert found["compared"]["fills"] > 100
    assert found["fills"]["largest_ticks"] == 0


def test_a_session_close_counts_as_flat_by() -> None:
    """The platform closes in the last minute, before the strategy would."""
    found = report(live_log(1, "early"), 0, "--fill-ticks", "1")
    orders = {
        fill.order for between in read_log(live_log(1, "early")).between for fill in between.fills
    }
    assert "Exit on session close" in orders
    assert found["fills"]["price_apart"] > 0


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(("manners", "mode"), [("shadow", "virtual"), ("backtest", "backtest")])
@pytest.mark.parametrize("phase", [1, 2])
def test_lines_say_whose_fills_they_go_by(phase: int, manners: str, mode: str) -> None:
    """On paper, as in a backtest by the rules, the same is decided and filled as live by the rules."""
    found = report(live_log(phase, manners), 0)
    live = report(live_log(phase), 0)
    assert found["compared"] == live["compared"]
    assert set(found["modes"]) == {mode}
    assert found["modes"][mode] == live["modes"]["live"]
    assert found["live_fills"] == []


def test_fills_of_the_account_are_told_by_hour() -> None:
    rows = report(live_log(1, "slip"), 1)["live_fills"]
    entries = [row for row in rows if row["fill"] == "entry"]
    assert {row["hour"] for row in entries} >= {10, 11, 12, 13, 14}
    assert {row["worse_ticks_mean"] for row in entries} == {1.0}
    assert all(row["latency_ms_median"] == 0 for row in entries)  # the kindest platform fills at once
    assert "ticks against the rules" in run(live_log(1, "slip")).output


def test_bars_of_the_past_and_entries_held_back_are_not_taken_for_traded(tmp_path: Path) -> None:
    lines = lines_of(1)
    for line in lines[1:]:
        if line.get("event") == "bar" and line["number"] < 400 and "skipped" not in line:
            assert line["number"] >= 299
    past = [line for line in lines[1:] if line.get("number", 0) < 299 and line["event"] == "bar"]
    for line in past:
        line.update(mode="historical", skipped="historical")
    assert report(written(tmp_path, lines), 0)["modes"]["historical"]["bars"] == len(past) == 299
    past[5]["mode"] = "live"
    first = report(written(tmp_path, lines), 1)["first"]
    assert (first["bar"], first["live"]) == (past[5]["number"], "historical")


def test_an_entry_held_back_is_no_lost_entry(tmp_path: Path) -> None:
    lines = lines_of(1)
    number = a_flat_bar(lines)
    bar(lines, number)["mode"] = "live"
    place = entry_line(lines)
    lines[place - 1]["withheld"] = "blocked"
    first = report(written(tmp_path, lines), 1)["first"]
    assert (first["stage"], first["name"], first["offline"]) == ("fill", "entry", "nothing")


def test_rejected_orders_are_differences_in_fills() -> None:
    first = report(live_log(1, "reject"), 1)["first"]
    assert (first["stage"], first["name"], first["live"]) == ("fill", "entry", "the order was ended")
