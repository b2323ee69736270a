"""Fills of a live log, followed bar by bar: what was held, and which fills break the rules.

The position always follows what the host filled, so that one tick of slippage does not make every later
bar differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parity.live_replay.decision_log import ENTRY_ORDER, Fill, LiveLog
from parity.live_replay.offline import Held, Offline

LATE = "flat by"
REASONS = {
    "Stop loss": "stop",
    "Profit target": "target",
    "RLTrader flat": LATE,
    "RLTrader stop": "stop",  # the stop would have stood at the market
    "Exit on session close": LATE,
}
"""Why a trade was closed, by the name that NinjaTrader or the strategy gives the order."""

GIVEN_UP = ("an exit is on its way", "the account holds another position", "halted")
"""Why live left bars without a decision that the rules know nothing of: its account's doing."""
DECIDED = "whether something is decided"

BAR, FEATURE, EXIT, OBSERVATION, MASK, LOGITS, ADVICE, ACTION, ENTRY = range(9)
"""Causal order within a bar: an exit comes before what is seen at its close, an order's fill after."""


@dataclass(frozen=True)
class Difference:
    """One value in which live and offline disagree.

    Attributes:
        bar: number of the bar.
        order: place in the causal order within it.
        stage: bar, feature, observation, mask, logits, advice, action or fill.
        name: of the value.
        live, offline: both values.
        apart: their distance; None where there is none.
        allowed: how far apart they may be.
    """

    bar: int
    order: int
    stage: str
    name: str
    live: Any
    offline: Any
    apart: float | None = None
    allowed: float = 0.0

    @property
    def given_up(self) -> bool:
        """Whether it is no fault of a decision: live gave the bar up."""
        return self.name == DECIDED and self.live in GIVEN_UP


@dataclass(frozen=True)
class Matched:
    """A fill that the rules made too.

    Attributes:
        bar: number of the bar on which the rules made it.
        name: "entry", or "exit" and why.
        worse_ticks: how much worse for the trader than the rules' price; below zero where better.
        mode: one of :data:`parity.live_replay.decision_log.MODES`.
        latency_ms: see :class:`parity.live_replay.decision_log.Fill`.
    """

    bar: int
    name: str
    worse_ticks: float
    mode: str
    latency_ms: float | None

    @property
    def apart(self) -> float:
        """Distance in ticks, whichever way."""
        return abs(self.worse_ticks)


@dataclass
class Sent:
    """An entry that was sent at a bar's close, and how much of it came back."""

    bar: int
    side: int
    quantity: int = 0
    points: float = 0.0  # price times quantity
    told: bool = False
    fill: Fill | None = None  # the last of it


@dataclass
class Followed:
    """What became of a walk over N bars.

    Attributes:
        held: the position at the close of each bar, before its decision.
        differences: in fills, and in whether something is decided at all.
        fills: every fill that the rules made too.
    """

    held: list[Held] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    fills: list[Matched] = field(default_factory=list)


def follow(log: LiveLog, offline: Offline, fill_ticks: float = 0.0) -> Followed:
    """Walk over as many bars as the offline side has.

    Args:
        log: what live did.
        offline: the rules on the same bars.
        fill_ticks: how many ticks a fill may lie from the rules' own price.
    """
    walk = _Walk(log, offline, fill_ticks)
    for t in range(len(offline)):
        walk.between(t)
        walk.decide(t)
    walk.between(len(offline), at_end=True)
    return walk.found


class _Walk:
    def __init__(self, log: LiveLog, offline: Offline, fill_ticks: float) -> None:
        self.log, self.offline, self.fill_ticks = log, offline, fill_ticks
        self.contracts = offline.config.account.contracts
        self.found = Followed()
        self.held, self.quantity = Held(), 0
        self.sent: Sent | None = None
        self.leaving: int | None = None  # bar at whose close an exit was sent, for it was late
        self.closed = False

    def between(self, t: int, at_end: bool = False) -> None:
        """Take what the host told between the lines of bars t - 1 and t."""
        told = self.log.between[t]
        self.closed = False
        for fill in _joined(told.fills):
            if self.held.side in (0, fill.side):
                self._opened(t, fill)
            elif not at_end or self.leaving is not None:
                self._closed(t, fill)
        if at_end:
            if self.sent is not None and not self.sent.told and ENTRY_ORDER in told.ended:
                self._check_entry(self.sent, "the order was ended")
            return
        if self.sent is not None and not self.sent.told:
            ended = ENTRY_ORDER in told.ended
            self._check_entry(self.sent, "the order was ended" if ended else "nothing")
        if ENTRY_ORDER in told.ended or (self.sent and self.sent.quantity >= self.contracts):
            self.sent = None
        if self.leaving is not None:
            if self.held.side:
                price = self.offline.market_price(self.leaving, -self.held.side)
                self._missing_exit(self.leaving, ENTRY, price, LATE)
            self.leaving = None
        elif self.held.side and (expected := self.offline.exit_price(t, self.held)):
            self._missing_exit(t, EXIT, expected[1], expected[0])

    def decide(self, t: int) -> None:
        """Compare whether something is decided at a bar, then do what live did."""
        self.found.held.append(self.held)
        live, action = self.log.skipped[t], int(self.log.action[t])
        if live != (rules := self._why_not(t)):
            words = (live or "it decides", rules or "it decides")
            self.found.differences.append(Difference(t, ACTION, "action", DECIDED, *words))
        if live == LATE:
            self.leaving = t
        elif action >= 0:
            side = {1: 1, 2: -1}.get(action, 0)
            if side and not self.held.side and self.offline.may_enter(t):
                self.sent = None if self.log.withheld[t] else Sent(t, side)
            else:
                self.held = self.offline.managed(t, self.held, action)

    def _why_not(self, t: int) -> str | None:
        config = self.offline.config
        if self.log.mode[t] == "historical":
            return "historical"
        if t < max(config.warmup_bars + config.window_size, int(self.log.header["preload"]) - 1):
            return "warming up"
        if self.held.side and self._late(t):
            return LATE
        if self.closed:
            return "closed on this bar"
        return None if self.sent is None else "an entry is on its way"

    def _late(self, t: int) -> bool:
        """Say whether live wanted to be flat at a bar's close: by the rules, or as its session ends."""
        return self.offline.late(t) or int(self.offline.minute[t]) >= int(self.log.flat_by[t])

    def _opened(self, t: int, fill: Fill) -> None:
        sent = self.sent
        if sent is None or sent.side != fill.side:
            rules = "nothing" if sent is None else self._words(sent.side, None)
            self._differ(max(t - 1, 0), ENTRY, "entry", self._words_of(fill), rules)
            sent = Sent(max(t - 1, 0), fill.side, told=True)
            self.sent = self.sent or sent
        sent.fill = fill
        sent.quantity += fill.quantity
        sent.points += fill.quantity * fill.price
        ticks = round(sent.points / sent.quantity / self.offline.contract.tick_size)
        self.held = self.offline.entered(sent.bar, sent.side, ticks)
        self.quantity += fill.quantity
        if not sent.told:
            self._check_entry(sent, self._words_of(fill))

    def _check_entry(self, sent: Sent, live: str) -> None:
        sent.told = True
        price = self.offline.market_price(sent.bar, sent.side)
        if sent.quantity != self.contracts:
            self._differ(sent.bar, ENTRY, "entry", live, self._words(sent.side, price))
        else:
            self._price(sent.bar, ENTRY, "entry", sent.points / sent.quantity, price, sent.fill)

    def _closed(self, t: int, fill: Fill) -> None:
        why = REASONS.get(fill.order, fill.order or "an order without a name")
        at, order = (t, EXIT) if self.leaving is None else (self.leaving, ENTRY)
        if self.leaving is not None:
            expected: tuple[str, int] | None = (LATE, self.offline.market_price(at, fill.side))
        else:
            expected = self.offline.exit_price(t, self.held)
            if expected is None and t < len(self.offline) and self._late(t):
                expected = LATE, self.offline.market_price(t, fill.side)
        if expected is None:
            self._differ(at, order, "exit", self._words_of(fill), "nothing")
        elif fill.quantity != self.quantity or why != expected[0]:
            rules = self._words(fill.side, expected[1], expected[0], self.quantity)
            self._differ(at, order, "exit", self._words_of(fill), rules)
        else:
            self._price(at, order, f"exit ({why})", fill.price, expected[1], fill)
        self.quantity = max(0, self.quantity - fill.quantity)
        if not self.quantity:
            self.closed = self.leaving is None
            self.held = Held()

    def _price(
        self, bar: int, order: int, name: str, points: float, ticks: int, fill: Fill | None
    ) -> None:
        assert fill is not None
        tick = self.offline.contract.tick_size
        worse = fill.side * (points / tick - ticks)
        worse = 0.0 if abs(worse) <= 1e-6 else worse  # points over a tick are whole but for rounding
        apart = abs(worse)
        self.found.fills.append(Matched(bar, name, worse, fill.mode, fill.latency_ms))
        if not apart <= self.fill_ticks:
            price = f"price of the {name}, in points"
            self._differ(bar, order, price, points, ticks * tick, apart * tick, self.fill_ticks * tick)

    def _missing_exit(self, bar: int, order: int, price: int, why: str) -> None:
        rules = self._words(-self.held.side, price, why, self.quantity)
        self._differ(bar, order, "exit", "nothing", rules)

    def _differ(self, bar: int, order: int, name: str, *values: Any) -> None:
        self.found.differences.append(Difference(bar, order, "fill", name, *values))

    def _words_of(self, fill: Fill) -> str:
        return f"{_did(fill.side)} {fill.quantity} at {fill.price:.10g} ({fill.order or 'no name'})"

    def _words(self, side: int, ticks: int | None, why: str = "", quantity: int | None = None) -> str:
        price = "" if ticks is None else f" at {ticks * self.offline.contract.tick_size:.10g}"
        count = self.contracts if quantity is None else quantity
        return f"{_did(side)} {count}{price}" + (f" ({why})" if why else "")


def _did(side: int) -> str:
    return "bought" if side > 0 else "sold"


def _joined(fills: Sequence[Fill]) -> list[Fill]:
    """Return fills with those of one order in a row taken together, at their average price."""
    found: list[Fill] = []
    for fill in fills:
        last = found[-1] if found else None
        if last is not None and (last.order, last.side) == (fill.order, fill.side):
            count = last.quantity + fill.quantity
            points = (last.price * last.quantity + fill.price * fill.quantity) / count
            found[-1] = replace(fill, time=last.time, quantity=count, price=points)
        else:
            found.append(fill)
    return found
