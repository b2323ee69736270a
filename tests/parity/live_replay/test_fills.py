"""Fills of a log, followed on bars made by hand: their average price, and what becomes of a trade."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from markets import Contract, EnvConfig, get_contract
from parity.live_replay.decision_log import Between, Fill, LiveLog
from parity.live_replay.fills import Followed, follow
from parity.live_replay.offline import Held, Offline

BUY, SELL, HOLD = 1, 2, 0
STOP, CLOSE = 8, 20_000
"""Ticks from an entry to its stop; every bar's close in ticks."""
WARM, ENTRY, BARS = 21, 22, 26
"""First bar on which something is decided, the one that is traded on, and bars in all."""
ES = get_contract("ES")


@dataclass
class Still:
    """Rules on bars that all close at one price; a trade is stopped on the last of them."""

    config: EnvConfig
    contract: Contract = ES

    def __len__(self) -> int:
        return BARS

    @property
    def minute(self) -> Any:
        return np.full(BARS, 600)

    def may_enter(self, t: int) -> bool:
        return True

    def late(self, t: int) -> bool:
        return False

    def market_price(self, t: int, side: int) -> int:
        return CLOSE

    def entered(self, t: int, side: int, fill: int) -> Held:
        return Held(side, fill, fill - side * STOP, fill + side * STOP, entry_bar=t)

    def exit_price(self, t: int, held: Held) -> tuple[str, int] | None:
        return ("stop", held.stop) if t == BARS - 1 else None

    def managed(self, t: int, held: Held, action: int) -> Held:
        return held


def log_of(action: int, entries: list[Fill], exits: list[Fill]) -> LiveLog:
    """Return a log that is filled after its entry, and closed on its last bar."""
    between = [Between() for _ in range(BARS + 1)]
    between[ENTRY + 1].fills, between[BARS - 1].fills = entries, exits
    told: dict[str, Any] = dict.fromkeys(LiveLog.__dataclass_fields__)
    skipped: list[str | None] = [*["warming up"] * WARM, *[None] * (BARS - WARM)]
    skipped[-1] = "closed on this bar"
    actions = np.array([HOLD if why is None else -1 for why in skipped])
    actions[ENTRY] = action
    told |= {"path": Path("log.jsonl"), "header": {"preload": 1}, "between": between}
    told |= {"action": actions, "skipped": skipped, "mode": ["live"] * BARS}
    told |= {"withheld": [None] * BARS, "flat_by": np.full(BARS, 950)}
    return LiveLog(**told)


def fills_of(side: int, order: str, parts: list[tuple[int, float]]) -> list[Fill]:
    """Return fills of an order: contracts, and ticks above the rules' price."""
    return [
        Fill(f"2025-01-06T15:00:0{n}Z", side, count, (CLOSE + ticks) * ES.tick_size, order)
        for n, (count, ticks) in enumerate(parts)
    ]


def walked(side: int, entries: list[tuple[int, float]], exits: list[tuple[int, float]]) -> Followed:
    """Return what becomes of an entry in parts, and of its stop in parts."""
    contracts = sum(count for count, _ in entries)
    config = EnvConfig.phase1(warmup_bars=WARM - 1, window_size=1)
    config = replace(config, account=replace(config.account, contracts=contracts))
    log = log_of(
        BUY if side > 0 else SELL,
        fills_of(side, "RLTrader", entries),
        fills_of(-side, "Stop loss", exits),
    )
    return follow(log, cast(Offline, Still(config)), fill_ticks=100)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("parts", "average"),
    [
        ([(4, 2)], 2),
        ([(2, 1), (2, 3)], 2),
        ([(3, 1), (1, 5)], 2),
        ([(1, 5), (3, 1)], 2),
        ([(1, -4), (3, 0)], -1),
        ([(2, 0), (1, 3), (3, 5)], 3),
        ([(1, 7), (1, 1), (4, 1)], 2),
        ([(3, 0), (1, 1)], 0.25),
    ],
)
def test_an_order_filled_in_parts_counts_at_the_average_of_its_contracts(
    side: int, parts: list[tuple[int, float]], average: float
) -> None:
    """Both of an entry, whose trade lies at the nearest tick, and of the stop that closes it."""
    count = sum(number for number, _ in parts)
    found = walked(side, parts, [(count, 0)])
    assert found.held[ENTRY + 1].entry == CLOSE + round(average)
    entry, _ = found.fills
    assert (entry.bar, entry.name) == (ENTRY, "entry")
    assert entry.worse_ticks == pytest.approx(side * average, abs=1e-6)
    assert found.differences == []

    found = walked(side, [(count, 0)], [(number, ticks - side * STOP) for number, ticks in parts])
    entry, stop = found.fills
    assert (stop.bar, stop.name) == (BARS - 1, "exit (stop)")
    assert (entry.worse_ticks, stop.worse_ticks) == pytest.approx((0, -side * average), abs=1e-6)
    assert found.held[-1] == Held()
    assert found.differences == []


def test_parts_that_are_no_whole_order_are_a_difference() -> None:
    whole = [(3, 0.0), (1, 0.0)]
    assert walked(1, whole, whole).held[ENTRY + 1].side == 1
    lost = walked(1, whole, [(3, -STOP)])
    first = lost.differences[0]
    assert (first.bar, first.stage, first.name) == (BARS - 1, "fill", "exit")
    assert (first.live, first.offline) == (
        "sold 3 at 4998 (Stop loss)",
        "sold 4 at 4998 (stop)",
    )
    assert [fill.name for fill in lost.fills] == ["entry"]


def followed(log: LiveLog, contracts: int = 1) -> Followed:
    config = EnvConfig.phase1(warmup_bars=WARM - 1, window_size=1)
    config = replace(config, account=replace(config.account, contracts=contracts))
    return follow(log, cast(Offline, Still(config)))


def told(found: Followed) -> list[tuple[int, str, Any, Any]]:
    return [(one.bar, one.name, one.live, one.offline) for one in found.differences]


def still(action: int = HOLD, at: int = ENTRY) -> LiveLog:
    """Return a log in which nothing is told of what was sent on one bar, decided to the end."""
    log = log_of(HOLD, [], [])
    log.skipped[-1] = None
    log.action[-1] = HOLD
    log.action[at] = action
    return log


def test_a_fill_the_other_way_is_no_answer_to_the_entry_on_its_way() -> None:
    log = still(BUY)
    log.between[ENTRY + 1].fills = fills_of(-1, "RLTrader", [(1, 0)])
    log.skipped[BARS - 1], log.action[BARS - 1] = "closed on this bar", -1
    log.between[BARS - 1].fills = fills_of(1, "Stop loss", [(1, STOP)])
    found = followed(log)
    assert found.held[ENTRY + 1].side == -1
    assert told(found)[:2] == [
        (ENTRY, "entry", "sold 1 at 5000 (RLTrader)", "bought 1"),
        (ENTRY, "entry", "nothing", "bought 1 at 5000"),
    ]


def test_nothing_is_decided_before_the_last_bar_of_the_preload() -> None:
    for preload, first in ((1, WARM), (WARM + 1, WARM), (WARM + 2, WARM + 1), (WARM + 4, WARM + 3)):
        log = still()
        log.header["preload"] = preload  # type: ignore[index]
        log.skipped[:first] = ["warming up"] * first
        log.action[:first] = -1
        assert told(followed(log)) == []
        log.skipped[first - 1], log.action[first - 1] = None, HOLD
        (early,) = told(followed(log))
        assert early == (first - 1, "whether something is decided", "it decides", "warming up")


def test_an_entry_that_nothing_was_told_of_is_on_its_way() -> None:
    found = followed(still(BUY))
    words = "whether something is decided"
    assert told(found)[0] == (ENTRY, "entry", "nothing", "bought 1 at 5000")
    assert set(told(found)[1:]) == {
        (bar, words, "it decides", "an entry is on its way") for bar in range(ENTRY + 1, BARS)
    }
    log = still(BUY)
    log.between[ENTRY + 1].ended = ["RLTrader"]
    assert told(followed(log)) == [(ENTRY, "entry", "the order was ended", "bought 1 at 5000")]
    log.withheld[ENTRY] = "blocked"
    assert told(followed(log)) == []
    # Of one that was sent at the log's last bar its end may be told, and if not, that is no difference.
    last = still(BUY, BARS - 1)
    assert told(followed(last)) == []
    last.between[BARS].ended = ["Profit target"]
    assert told(followed(last)) == []
    last.between[BARS].ended = ["RLTrader"]
    assert told(followed(last)) == [(BARS - 1, "entry", "the order was ended", "bought 1 at 5000")]


def test_an_exit_told_after_the_last_bar_is_held_to_no_bar() -> None:
    log = log_of(BUY, fills_of(1, "RLTrader", [(1, 0)]), [])
    log.skipped[-1], log.action[-1] = None, HOLD
    log.between[BARS].fills = fills_of(-1, "Stop loss", [(1, -STOP)])
    found = followed(log)
    # The stop that the rules see on the last bar is the one difference.
    assert told(found) == [(BARS - 1, "exit", "nothing", "sold 1 at 4998 (stop)")]
    assert [fill.name for fill in found.fills] == ["entry"]


def test_a_session_that_ends_early_closes_at_the_market_of_its_bar() -> None:
    late = ENTRY + 2
    for ticks, order, differs in (
        (0, "RLTrader flat", 0),
        (-1, "RLTrader flat", 1),
        (0, "Stop loss", 1),
    ):
        log = log_of(BUY, fills_of(1, "RLTrader", [(1, 0)]), [])
        log.skipped[-1], log.action[-1] = None, HOLD
        log.flat_by[late:] = 600
        log.skipped[late], log.action[late] = "flat by", -1
        log.between[late + 1].fills = fills_of(-1, order, [(1, ticks)])
        found = followed(log)
        assert len(found.differences) == differs, told(found)
        assert found.held[late].side == 1
        assert found.held[late + 1] == Held()
        names = ["entry", "exit (flat by)"][: 2 - (order != "RLTrader flat")]
        assert [(fill.bar, fill.name) for fill in found.fills] == list(
            zip((ENTRY, late), names, strict=False)
        )
    # Where the exit never comes, the rules' is missing.
    log.between[late + 1].fills = []
    assert told(followed(log))[0] == (late, "exit", "nothing", "sold 1 at 5000 (flat by)")


def test_a_trade_that_is_gone_from_the_account_is_held_no_longer() -> None:
    """Its line takes the trade away; the bars that live then gives up are no fault of its decisions."""
    log, gone = still(BUY), ENTRY + 2
    log.between[ENTRY + 1].fills = fills_of(1, "RLTrader", [(1, 0)])
    log.between[gone].fills = fills_of(-1, "gone from the account", [(1, -2)])
    log.skipped[gone:] = ["halted"] * (BARS - gone)
    log.action[gone:] = -1
    found = followed(log)
    assert [held.side for held in found.held[ENTRY:]] == [0, 1, 0, 0]
    first, *others = found.differences
    assert (first.bar, first.stage, first.offline) == (gone, "fill", "nothing")
    assert first.live == "sold 1 at 4999.5 (gone from the account)"
    assert all(one.given_up for one in others)
