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
