"""A walk over bars by hand, no two of which close alike: every trade held, difference and fill."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from markets import Contract, EnvConfig, get_contract
from parity.live_replay.decision_log import Between, Fill, LiveLog
from parity.live_replay.fills import (
    ACTION,
    DECIDED,
    ENTRY,
    EXIT,
    GIVEN_UP,
    REASONS,
    Difference,
    Followed,
    Matched,
    follow,
)
from parity.live_replay.offline import Held, Offline

HOLD, BUY, SELL = 0, 1, 2
BARS, WARM, SENT = 30, 21, 23
"""Bars in all, the first on which something is decided, the one at whose close an entry is sent."""
TICK = 0.25
SLIPPAGE, STOP, TARGET = 3, 8, 13
ES = get_contract("ES")
FLAT = Held()


def close(t: int) -> int:
    return 20_000 + 7 * t * t


@dataclass
class Rules:
    """Rules on bars that close further and further up; exits are told by bar."""

    config: EnvConfig
    exits: dict[int, str] = field(default_factory=dict)
    late_from: int = BARS
    no_entry: tuple[int, ...] = ()
    contract: Contract = ES

    def __len__(self) -> int:
        return BARS

    @property
    def minute(self) -> Any:
        return np.arange(600, 600 + BARS)

    def may_enter(self, t: int) -> bool:
        return t not in self.no_entry

    def late(self, t: int) -> bool:
        return t >= self.late_from

    def market_price(self, t: int, side: int) -> int:
        return close(t) + side * SLIPPAGE

    def entered(self, t: int, side: int, fill: int) -> Held:
        return Held(side, fill, fill - side * STOP, fill + side * TARGET, entry_bar=t)

    def exit_price(self, t: int, held: Held) -> tuple[str, int] | None:
        why = self.exits.get(t)
        return None if why is None else (why, held.stop if why == "stop" else held.target)

    def managed(self, t: int, held: Held, action: int) -> Held:
        return replace(held, stop=held.stop + action, trailing=action > 3) if held.side else held


def rules(contracts: int = 2, **values: Any) -> Rules:
    config = EnvConfig.phase2(warmup_bars=WARM - 1, window_size=1)
    config = replace(config, account=replace(config.account, contracts=contracts))
    return Rules(config, **values)


def log_of(
    told: dict[int, list[Fill | str]],
    actions: dict[int, int] | None = None,
    skipped: dict[int, str] | None = None,
    **columns: Any,
) -> LiveLog:
    """Return a log: what was told before each bar, and what was decided; hold by default."""
    between = [Between() for _ in range(BARS + 1)]
    for t, events in told.items():
        between[t].fills = [one for one in events if isinstance(one, Fill)]
        between[t].ended = [one for one in events if isinstance(one, str)]
    why: list[str | None] = ["warming up"] * WARM + [None] * (BARS - WARM)
    action = np.array([-1] * WARM + [HOLD] * (BARS - WARM))
    for t, code in (actions or {}).items():
        action[t] = code
    for t, words in (skipped or {}).items():
        why[t], action[t] = words, -1
    values: dict[str, Any] = dict.fromkeys(LiveLog.__dataclass_fields__)
    values |= {"path": Path("log.jsonl"), "header": {"preload": 1}, "between": between}
    values |= {"action": action, "skipped": why, "mode": ["live"] * BARS}
    values |= {"withheld": [None] * BARS, "flat_by": np.full(BARS, 950), **columns}
    return LiveLog(**values)


def fill(side: int, ticks: float, order: str = "RLTrader", quantity: int = 2, **values: Any) -> Fill:
    return Fill("2025-01-06T15:00:00Z", side, quantity, ticks * TICK, order, **values)


def walked(log: LiveLog, fill_ticks: float = 0.0, **values: Any) -> Followed:
    return follow(log, cast(Offline, rules(**values)), fill_ticks)


@pytest.mark.parametrize("side", [1, -1])
def test_a_trade_that_reaches_its_target_is_told_as_a_whole(side: int) -> None:
    at, worse = close(SENT) + side * SLIPPAGE, 2
    entry = at + side * worse
    log = log_of(
        {
            SENT + 1: [fill(side, entry, mode="virtual", latency_ms=41.0)],
            26: [fill(-side, entry + side * (TARGET - 1), "Profit target", latency_ms=7.0)],
        },
        {SENT: BUY if side > 0 else SELL, 24: 4, 25: 3},
        {26: "closed on this bar"},
    )
    found = walked(log, fill_ticks=1.0, exits={26: "target"})
    held = Held(side, entry, entry - side * STOP, entry + side * TARGET, SENT)
    assert found.held == [
        *[FLAT] * (SENT + 1),
        held,
        replace(held, stop=held.stop + 4, trailing=True),
        *[FLAT] * 4,
    ]
    assert found.fills == [
        Matched(SENT, "entry", 2.0, "virtual", 41.0),
        Matched(26, "exit (target)", 1.0, "live", 7.0),
    ]
    assert [one.apart for one in found.fills] == [2.0, 1.0]
    name = "price of the entry, in points"
    assert found.differences == [
        Difference(SENT, ENTRY, "fill", name, entry * TICK, at * TICK, worse * TICK, TICK)
    ]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("worse", "allowed", "differs"), [(2, 2, 0), (2.5, 2, 1), (-2.5, 2, 1)])
@pytest.mark.parametrize("order", ["Stop loss", "RLTrader stop"])
def test_a_fill_may_lie_as_far_off_as_is_allowed_and_no_further(
    side: int, worse: float, allowed: float, differs: int, order: str
) -> None:
    """Whichever way; worse means bought dearer or sold cheaper, of entries and of exits."""
    entry = close(SENT) + side * SLIPPAGE
    stop = entry - side * STOP - side * worse
    log = log_of(
        {SENT + 1: [fill(side, entry)], 27: [fill(-side, stop, order)]},
        {SENT: BUY if side > 0 else SELL},
        {27: "closed on this bar"},
    )
    found = walked(log, fill_ticks=allowed, exits={27: "stop"})
    assert found.fills[1] == Matched(27, "exit (stop)", worse, "live", None)
    limits = (2.5 * TICK, allowed * TICK)
    prices = stop * TICK, (entry - side * STOP) * TICK
    name = "price of the exit (stop), in points"
    assert found.differences == [Difference(27, EXIT, "fill", name, *prices, *limits)][:differs]


def test_rounding_of_a_price_is_no_difference_and_a_hundredth_of_a_tick_is_one() -> None:
    at = close(SENT) + SLIPPAGE
    for off, differs in ((1e-7, 0), (-1e-7, 0), (1e-4, 1), (-0.01, 1)):
        log = log_of({SENT + 1: [fill(1, at + off)]}, {SENT: BUY})
        found = walked(log)
        assert len(found.differences) == differs, off
        assert found.fills[0].worse_ticks == pytest.approx(off if differs else 0.0, rel=1e-4)


@pytest.mark.parametrize("side", [1, -1])
def test_an_exit_for_lateness_is_of_the_bar_that_it_was_sent_on(side: int) -> None:
    entry, late = close(SENT) + side * SLIPPAGE, 26
    exit_ticks = close(late) - side * SLIPPAGE
    actions = {SENT: BUY if side > 0 else SELL}
    told: dict[int, list[Fill | str]] = {SENT + 1: [fill(side, entry)]}
    told[late + 1] = [fill(-side, exit_ticks, "RLTrader flat")]
    found = walked(log_of(told, actions, {late: "flat by"}), late_from=late)
    assert found.differences == []
    assert found.fills[1] == Matched(late, "exit (flat by)", 0.0, "live", None)
    assert found.held[late].side == side
    assert found.held[late + 1] == FLAT
    # The platform closes within the bar, at the market of that bar; the bar is given up for it.
    told = {SENT + 1: [fill(side, entry)], late: [fill(-side, exit_ticks, "Exit on session close")]}
    found = walked(log_of(told, actions, {late: "closed on this bar"}), late_from=late)
    assert found.differences == []
    assert found.fills[1] == Matched(late, "exit (flat by)", 0.0, "live", None)
    assert found.held[late] == FLAT
    # A bar earlier nothing of the rules closes it.
    found = walked(log_of(told, actions, {late: "closed on this bar"}), late_from=late + 1)
    words = f"{'sold' if side > 0 else 'bought'} 2 at {exit_ticks * TICK:g} (Exit on session close)"
    assert found.differences == [Difference(late, EXIT, "fill", "exit", words, "nothing")]


def test_lateness_is_the_rules_or_the_session_s_whichever_is_first() -> None:
    """A bar's own minute is late already; the last bar that is not lies before it."""
    entry, late = close(SENT) + SLIPPAGE, 27
    told: dict[int, list[Fill | str]] = {SENT + 1: [fill(1, entry)]}
    told[late + 1] = [fill(-1, close(late) - SLIPPAGE, "RLTrader flat")]
    for flat_by, late_from in ((600 + late, BARS), (950, late), (600 + late, late)):
        columns = {"flat_by": np.full(BARS, flat_by)}
        log = log_of(told, {SENT: BUY}, {late: "flat by"}, **columns)
        assert walked(log, late_from=late_from).differences == []
    columns = {"flat_by": np.full(BARS, 600 + late + 1)}
    log = log_of(told, {SENT: BUY}, {late: "flat by"}, **columns)
    early = Difference(late, ACTION, "action", DECIDED, "flat by", "it decides")
    assert walked(log).differences == [early]


def test_a_trade_closed_in_two_orders_is_one_difference_and_ends_with_the_second() -> None:
    entry = close(SENT) + SLIPPAGE
    stop = entry - STOP
    log = log_of(
        {
            SENT + 1: [fill(1, entry)],
            26: [fill(-1, stop, "Stop loss", 1), fill(-1, stop, "Close", 1)],
        },
        {SENT: BUY},
        {26: "closed on this bar"},
    )
    found = walked(log, exits={26: "stop"})
    price = f"{stop * TICK:.10g}"
    assert found.differences == [
        Difference(
            26, EXIT, "fill", "exit", f"sold 1 at {price} (Stop loss)", f"sold 2 at {price} (stop)"
        ),
        Difference(26, EXIT, "fill", "exit", f"sold 1 at {price} (Close)", f"sold 1 at {price} (stop)"),
    ]
    assert found.held[25].side == 1
    assert found.held[26] == FLAT
    # Half of it stays open, and the rules' exit is missing for that half.
    log.between[26].fills = log.between[26].fills[:1]
    found = walked(log, exits={26: "stop"})
    assert found.held[26].side == 1
    assert found.differences[1] == Difference(
        26, EXIT, "fill", "exit", "nothing", f"sold 1 at {price} (stop)"
    )


def test_an_exit_of_more_than_is_held_leaves_nothing_open() -> None:
    entry = close(SENT) + SLIPPAGE
    log = log_of(
        {SENT + 1: [fill(1, entry)], 26: [fill(-1, entry - STOP, "Stop loss", 3)]},
        {SENT: BUY},
        {26: "closed on this bar"},
    )
    found = walked(log, exits={26: "stop"})
    assert [one.name for one in found.differences] == ["exit"]
    assert found.held[26] == FLAT


def test_a_target_that_live_calls_a_stop_is_another_exit() -> None:
    entry = close(SENT) + SLIPPAGE
    for order, why in REASONS.items():
        at = entry + (TARGET if why == "target" else -STOP)
        log = log_of(
            {SENT + 1: [fill(1, entry)], 26: [fill(-1, at, order)]},
            {SENT: BUY},
            {26: "closed on this bar"},
        )
        for rule in ("stop", "target"):
            found = walked(log, exits={26: rule})
            same = why == rule
            assert len(found.differences) == (not same), (order, rule)
            assert [one.name for one in found.fills] == ["entry", f"exit ({why})"][: 1 + same]
    assert REASONS == {
        "Stop loss": "stop",
        "Profit target": "target",
        "RLTrader flat": "flat by",
        "RLTrader stop": "stop",
        "Exit on session close": "flat by",
    }


def test_an_entry_in_two_bars_is_on_its_way_until_it_is_whole() -> None:
    """What was filled of it is held, at the price so far; only a whole one is held to the rules."""
    at = close(SENT) + SLIPPAGE
    told: dict[int, list[Fill | str]] = {
        SENT + 1: [fill(1, at, quantity=1)],
        SENT + 2: [fill(1, at + 4, quantity=1)],
    }
    found = walked(log_of(told, {SENT: BUY}, {SENT + 1: "an entry is on its way"}))
    entries = [held.entry for held in found.held[SENT : SENT + 3]]
    assert entries == [0, at, at + 2]
    assert {held.entry_bar for held in found.held[SENT + 1 :]} == {SENT}
    words = f"bought 1 at {at * TICK:.10g} (RLTrader)", f"bought 2 at {at * TICK:.10g}"
    assert found.differences == [Difference(SENT, ENTRY, "fill", "entry", *words)]
    told[SENT + 1] = [fill(1, at, quantity=1), "RLTrader"]
    found = walked(log_of(told, {SENT: BUY}))
    assert [(one.bar, one.live) for one in found.differences[:2]] == [
        (SENT, words[0]),
        (SENT + 1, f"bought 1 at {(at + 4) * TICK:.10g} (RLTrader)"),
    ]
    assert found.differences[1].offline == "nothing"


def test_a_fill_that_nobody_sent_for_is_held_from_the_bar_before_it() -> None:
    for t, bar in ((25, 24), (0, 0)):
        log = log_of({t: [fill(-1, 20_100)]})
        found = walked(log)
        assert found.differences[0] == Difference(
            bar, ENTRY, "fill", "entry", "sold 2 at 5025 (RLTrader)", "nothing"
        )
        assert found.held[t] == Held(-1, 20_100, 20_108, 20_087, bar)
        assert found.held[max(t - 1, 0)] == (FLAT if t else found.held[0])


@pytest.mark.parametrize("action", [BUY, SELL, HOLD, 3])
def test_an_entry_is_sent_where_one_may_be_and_none_is_held(action: int) -> None:
    entry = action in (BUY, SELL)
    found = walked(log_of({}, {SENT: action}))
    assert bool(found.differences) == entry
    assert walked(log_of({}, {SENT: action}), no_entry=(SENT,)).differences == []
    withheld: list[str | None] = [None] * BARS
    withheld[SENT] = "too late"
    assert walked(log_of({}, {SENT: action}, withheld=withheld)).differences == []


def test_why_nothing_is_decided_is_compared_on_every_bar() -> None:
    """The past, the warm-up, an entry on its way and a trade closed on the bar: by whichever side."""
    words = "the account holds another position"
    found = walked(log_of({}, {}, {BARS - 1: words, 22: "closed on this bar"}))
    late, early = (
        Difference(BARS - 1, ACTION, "action", DECIDED, words, "it decides"),
        Difference(22, ACTION, "action", DECIDED, "closed on this bar", "it decides"),
    )
    assert found.differences == [early, late]
    assert (early.given_up, late.given_up) == (False, True)
    assert all(replace(early, live=why).given_up for why in GIVEN_UP)
    assert not replace(late, name="action").given_up
    mode = ["historical"] * 23 + ["live"] * (BARS - 23)
    found = walked(log_of({}, {}, dict.fromkeys(range(22), "historical"), mode=mode))
    assert found.differences == [Difference(22, ACTION, "action", DECIDED, "it decides", "historical")]


def test_a_trade_closed_on_one_bar_does_not_keep_the_next_from_deciding() -> None:
    entry = close(SENT) + SLIPPAGE
    told: dict[int, list[Fill | str]] = {
        SENT + 1: [fill(1, entry)],
        26: [fill(-1, entry - STOP, "Stop loss")],
    }
    closed = {26: "closed on this bar"}
    assert walked(log_of(told, {SENT: BUY}, closed), exits={26: "stop"}).differences == []
    found = walked(log_of(told, {SENT: BUY}, {**closed, 27: "closed on this bar"}), exits={26: "stop"})
    assert [(one.bar, one.offline) for one in found.differences] == [(27, "it decides")]


def test_a_missing_exit_is_told_by_its_own_reason_and_price() -> None:
    entry = close(SENT) + SLIPPAGE
    told: dict[int, list[Fill | str]] = {SENT + 1: [fill(1, entry)]}
    for why, ticks in (("stop", entry - STOP), ("target", entry + TARGET)):
        found = walked(log_of(told, {SENT: BUY}), exits={26: why})
        words = f"sold 2 at {ticks * TICK:.10g} ({why})"
        assert found.differences == [Difference(26, EXIT, "fill", "exit", "nothing", words)]
    found = walked(log_of(told, {SENT: BUY}, {26: "flat by", 27: "flat by"}), late_from=26)
    missing = [one for one in found.differences if one.stage == "fill"]
    assert [(one.bar, one.order, one.offline) for one in missing] == [
        (t, ENTRY, f"sold 2 at {(close(t) - SLIPPAGE) * TICK:.10g} (flat by)") for t in (26, 27)
    ]


def test_orders_without_a_name_and_fills_of_both_sides_are_told_apart() -> None:
    entry = close(SENT) + SLIPPAGE
    log = log_of({SENT + 1: [fill(1, entry, ""), fill(-1, entry, "")]}, {SENT: BUY})
    found = walked(log)
    assert found.fills == [Matched(SENT, "entry", 0.0, "live", None)]
    assert found.differences[0] == Difference(
        SENT + 1, EXIT, "fill", "exit", f"sold 2 at {entry * TICK:.10g} (no name)", "nothing"
    )
    # Two fills of one order and side are one fill, at the time, latency and mode of the last.
    parts = [
        fill(1, entry - 1, quantity=1, latency_ms=5.0),
        fill(1, entry + 1, quantity=1, latency_ms=9.0, mode="virtual"),
    ]
    found = walked(log_of({SENT + 1: [*parts]}, {SENT: BUY}))
    assert found.fills == [Matched(SENT, "entry", 0.0, "virtual", 9.0)]
    assert found.differences == []
