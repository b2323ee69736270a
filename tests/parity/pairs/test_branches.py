"""Which branches single transitions are counted for: each of a transition's own, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.engine.pair import Fields
from parity.pairs.branches import (
    PHASE1_REQUIRED,
    PHASE2_REQUIRED,
    phase1_coverage,
    phase2_coverage,
)

FLAT = {
    "position": 0,
    "num_trades": 2,
    "winning_trades": 1,
    "losing_trades": 1,
    "trailing_dd_level": 900,
    "masks": (True, True, True),
    "entry_price": 0,
    "sl_price": 0,
    "trailing": False,
    "exit_code": 0,
    "done_reason": 0,
    "forbidden": False,
}
LONG = {**FLAT, "position": 1, "num_trades": 3, "masks": (True, False, False)}
LONG |= {"entry_price": 100, "sl_price": 90}
SHORT = {**LONG, "position": -1, "sl_price": 110}
WON, LOST = {"winning_trades": 2}, {"losing_trades": 2}
Moment = dict[str, Any]


def fields(*moments: Moment) -> Fields:
    """Return moments as one table."""
    return {name: np.array([moment[name] for moment in moments]) for name in FLAT}


def taken(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def closed(before: Moment, code: int, **changed: Any) -> Moment:
    """Return the moment after a trade was closed."""
    after = {**before, "position": 0, "exit_code": code, "trailing": False}
    return {**after, **changed}


ALWAYS_FLAT = {"exit: none", "done: running", "mask: 111"}
ALWAYS_OPEN = {"exit: none", "done: running", "mask: 100"}
PHASE1: dict[str, tuple[Moment, int, Moment, set[str]]] = {
    "flat": (FLAT, 0, FLAT, ALWAYS_FLAT),
    "held": (LONG, 0, LONG, ALWAYS_OPEN),
    "bought": (FLAT, 1, LONG, ALWAYS_FLAT | {"entry: long"}),
    "sold": (FLAT, 2, SHORT, ALWAYS_FLAT | {"entry: short"}),
    "no entry while open": (LONG, 1, {**LONG, "num_trades": 4}, ALWAYS_OPEN),
    "too late to buy": (FLAT, 1, FLAT, ALWAYS_FLAT | {"entry: outside the window"}),
    "too late to sell": (FLAT, 2, FLAT, ALWAYS_FLAT | {"entry: outside the window"}),
    "forbidden": (
        LONG,
        1,
        {**LONG, "forbidden": True},
        ALWAYS_OPEN | {"action: forbidden"},
    ),
    "stopped": (
        LONG,
        0,
        closed(LONG, 1, **LOST),
        {"exit: stop", "done: running", "mask: 100", "trade: lost"},
    ),
    "on target": (
        SHORT,
        0,
        closed(SHORT, 2, **WON),
        {"exit: target", "done: running", "mask: 100", "trade: won"},
    ),
    "late close": (
        SHORT,
        0,
        closed(SHORT, 3, done_reason=2, **WON),
        {"exit: late close", "done: late close", "mask: 100", "trade: won"},
    ),
    "late close into the floor": (
        LONG,
        0,
        closed(LONG, 3, done_reason=1, **LOST),
        {"exit: late close", "done: drawdown", "mask: 100", "trade: lost"}
        | {"late close and drawdown at once"},
    ),
    "liquidated": (
        LONG,
        0,
        closed(LONG, 4, done_reason=1, **LOST),
        {"exit: drawdown", "done: drawdown", "mask: 100", "trade: lost"},
    ),
    "stopped below the floor": (
        LONG,
        0,
        closed(LONG, 1, done_reason=1, **LOST),
        {"exit: stop", "done: drawdown", "mask: 100", "trade: lost", "drawdown while flat"},
    ),
    "opened and liquidated": (
        FLAT,
        2,
        closed(FLAT, 4, done_reason=1, num_trades=3, **LOST),
        {"exit: drawdown", "done: drawdown", "mask: 111", "trade: lost", "entry: short"}
        | {"opened and liquidated in one step"},
    ),
    "end of data": (
        FLAT,
        0,
        {**FLAT, "done_reason": 3},
        {"exit: none", "done: end of data", "mask: 111"},
    ),
    "bar limit": (FLAT, 0, {**FLAT, "done_reason": 4}, {"exit: none", "done: bar limit", "mask: 111"}),
    "the floor rose": (FLAT, 0, {**FLAT, "trailing_dd_level": 901}, ALWAYS_FLAT | {"floor: rose"}),
    "the floor fell": (FLAT, 0, {**FLAT, "trailing_dd_level": 899}, ALWAYS_FLAT),
}  # fmt: skip


@pytest.mark.parametrize("name", PHASE1)
def test_a_transition_takes_its_own_branches_and_no_other(name: str) -> None:
    before, action, after, branches = PHASE1[name]
    counts = phase1_coverage(fields(before), np.array([action]), fields(after))
    assert taken(counts) == dict.fromkeys(branches, 1)


def test_transitions_are_counted_one_by_one() -> None:
    twice = [*PHASE1.values(), *PHASE1.values()]
    before, after = fields(*(row[0] for row in twice)), fields(*(row[2] for row in twice))
    counts = phase1_coverage(before, np.array([row[1] for row in twice]), after)
    names = [name for *_, branches in twice for name in branches]
    assert taken(counts) == {name: names.count(name) for name in names}
    assert set(names) - PHASE1_REQUIRED == {"opened and liquidated in one step"}
    assert set(names) > PHASE1_REQUIRED
    nothing = {name: value[:0] for name, value in before.items()}
    assert taken(phase1_coverage(nothing, np.zeros(0, int), nothing)) == {}


OPEN2 = {**LONG, "masks": (True, False, False, True, False, True)}
TRAILS = {**OPEN2, "trailing": True, "sl_price": 103}
SHORT2 = {**SHORT, "masks": (True, False, False, True, True, False)}
SHORT_TRAILS = {**SHORT2, "trailing": True, "sl_price": 97}
FLAT2 = {**FLAT, "masks": (True, True, True, False, False, False)}
MANAGED = {3: "break-even", 4: "trailing on", 5: "trailing off"}
ON_PATH = "trail: the stop followed on the bar it was switched on"
SWITCHED = "liquidated on the bar that switched trailing"
PHASE2: dict[str, tuple[Moment, int, Moment, set[str]]] = {
    "held": (OPEN2, 0, OPEN2, set()),
    "not allowed to buy": (
        FLAT2, 1, {**FLAT2, "forbidden": True}, {"entry: refused outside the window"}
    ),
    "not allowed to sell": (
        FLAT2, 2, {**FLAT2, "forbidden": True}, {"entry: refused outside the window"}
    ),
    "bought": (FLAT2, 1, OPEN2, set()),
    "bought while open": (OPEN2, 1, {**OPEN2, "forbidden": True}, set()),
    **{
        f"{name} while flat": (
            FLAT2, action, {**FLAT2, "forbidden": True}, {f"{name}: refused while flat"}
        )
        for action, name in MANAGED.items()
    },
    **{
        f"{name} while it may not": (
            OPEN2, action, {**OPEN2, "forbidden": True}, {f"{name}: refused while open"}
        )
        for action, name in MANAGED.items()
    },
    **{
        f"{name} too late": (
            OPEN2, action, closed(OPEN2, 1, **LOST), {f"{name}: too late, the trade closed first"}
        )
        for action, name in MANAGED.items()
    },
    "break-even too late to liquidate": (OPEN2, 3, closed(OPEN2, 4, **LOST), set()),
    "to break-even": (OPEN2, 3, {**OPEN2, "sl_price": 101}, {"break-even: carried out"}),
    "trailing on": (OPEN2, 4, {**OPEN2, "trailing": True}, {"trailing on: carried out"}),
    "trailing on, and the stop follows": (
        OPEN2, 4, {**OPEN2, "trailing": True, "sl_price": 91}, {"trailing on: carried out", ON_PATH}
    ),
    "trailing on, short": (
        SHORT2, 4, {**SHORT2, "trailing": True, "sl_price": 109}, {"trailing on: carried out", ON_PATH}
    ),
    "trailing off": (TRAILS, 5, {**TRAILS, "trailing": False}, {"trailing off: carried out"}),
    "the stop stays": (TRAILS, 0, TRAILS, {"trail: the stop stayed"}),
    "the stop follows": (TRAILS, 0, {**TRAILS, "sl_price": 104}, {"trail: the stop followed"}),
    "the stop follows, short": (
        SHORT_TRAILS, 0, {**SHORT_TRAILS, "sl_price": 96}, {"trail: the stop followed"}
    ),
    "another trade": (TRAILS, 0, {**TRAILS, "num_trades": 4, "sl_price": 104}, set()),
    "stopped": (OPEN2, 0, closed(OPEN2, 1, **LOST), set()),
    "stopped at entry": ({**OPEN2, "sl_price": 100}, 0, closed(OPEN2, 1, **LOST), set()),
    "stopped at break-even": (
        {**OPEN2, "sl_price": 101}, 0, closed(OPEN2, 1, **WON), {"stop at break-even hit, no trailing"}
    ),
    "stopped at break-even, short": (
        {**SHORT2, "sl_price": 99}, 0, closed(SHORT2, 1, **WON), {"stop at break-even hit, no trailing"}
    ),
    "stopped while trailing": (
        TRAILS, 0, closed(TRAILS, 1, **WON),
        {"stop past entry hit while trailing", "bonus: won while trailing"}
        | {"exit while trailing: stop"},
    ),
    "stopped while trailing, with another action": (
        TRAILS, 5, closed(TRAILS, 1, **WON),
        {"stop past entry hit while trailing", "exit while trailing: stop"}
        | {"trailing off: too late, the trade closed first"},
    ),
    "a forbidden action is hold": (
        TRAILS, 1, closed(TRAILS, 2, forbidden=True, **WON),
        {"bonus: won while trailing", "exit while trailing: target"},
    ),
    "lost while trailing": (
        TRAILS, 0, closed(TRAILS, 3, **LOST),
        {"no bonus: lost while trailing", "exit while trailing: late close"},
    ),
    "liquidated while trailing": (
        TRAILS, 0, closed(TRAILS, 4, **LOST),
        {"no bonus: lost while trailing", "exit while trailing: drawdown"},
    ),
    "switched on and liquidated": (OPEN2, 4, closed(OPEN2, 4, **LOST), {SWITCHED}),
    "switched off and liquidated": (
        TRAILS, 5, closed(TRAILS, 4, **LOST), {SWITCHED, "exit while trailing: drawdown"}
    ),
    "won without trailing": (OPEN2, 0, closed(OPEN2, 2, **WON), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", PHASE2)
def test_a_transition_of_phase_2_takes_its_own_branches_too(name: str) -> None:
    before, action, after, branches = PHASE2[name]
    given = fields(before), np.array([action]), fields(after)
    counts = phase2_coverage(*given)
    shared = {f"phase 2, {one}": count for one, count in phase1_coverage(*given).items()}
    assert shared.items() <= counts.items()
    own = {one: count for one, count in counts.items() if one not in shared}
    assert taken(own) == {f"phase 2, {one}": 1 for one in branches}


def test_every_branch_that_is_required_can_be_taken() -> None:
    shown = {f"phase 2, {name}" for *_, branches in PHASE2.values() for name in branches}
    masks = {name for name in PHASE2_REQUIRED if name.startswith("phase 2, mask: ")}
    first = {f"phase 2, {name}" for name in PHASE1_REQUIRED}
    assert PHASE2_REQUIRED - masks - first == shown
    assert len(masks) == 6
    assert first - PHASE2_REQUIRED == {
        f"phase 2, {name}" for name in ("mask: 100", "mask: 111", "entry: outside the window")
    }
