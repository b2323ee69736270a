"""Branch coverage: which branches of the specification transitions take, and which a gate must see.

Source: sections 5 and 6 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parity.engine.compare import Array
from parity.engine.pair import Fields

EXITS = ("none", "stop", "target", "late close", "drawdown")
REASONS = ("running", "drawdown", "late close", "end of data", "bar limit")

Coverage = Callable[[Fields, Array, Fields], dict[str, int]]
"""(fields before, actions, fields after) -> how often each branch was taken."""


def phase1_coverage(before: Fields, actions: Array, after: Fields) -> dict[str, int]:
    """Count the branches of the specification that transitions took.

    Args:
        before, after: fields of N transitions, (N, ...).
        actions: int (N,).
    """
    counts: dict[str, int] = {}
    for code, name in enumerate(EXITS):
        counts[f"exit: {name}"] = int((after["exit_code"] == code).sum())
    for code, name in enumerate(REASONS):
        counts[f"done: {name}"] = int((after["done_reason"] == code).sum())
    patterns, times = np.unique(before["masks"], axis=0, return_counts=True)
    for pattern, count in zip(patterns, times, strict=True):
        bits = "".join("1" if allowed else "0" for allowed in pattern)
        counts[f"mask: {bits}"] = int(count)
    opened = (before["position"] == 0) & (after["num_trades"] > before["num_trades"])
    tried = (before["position"] == 0) & np.isin(actions, (1, 2))
    won = after["winning_trades"] > before["winning_trades"]
    lost = after["losing_trades"] > before["losing_trades"]
    counts["entry: long"] = int((opened & (actions == 1)).sum())
    counts["entry: short"] = int((opened & (actions == 2)).sum())
    counts["entry: outside the window"] = int((tried & ~opened).sum())
    counts["trade: won"] = int(won.sum())
    counts["trade: lost"] = int(lost.sum())
    counts["action: forbidden"] = int(after["forbidden"].sum())
    counts["floor: rose"] = int((after["trailing_dd_level"] > before["trailing_dd_level"]).sum())
    counts["late close and drawdown at once"] = int(
        ((after["exit_code"] == 3) & (after["done_reason"] == 1)).sum()
    )
    counts["drawdown while flat"] = int(
        ((after["done_reason"] == 1) & np.isin(after["exit_code"], (0, 1, 2))).sum()
    )
    counts["opened and liquidated in one step"] = int((opened & (after["exit_code"] == 4)).sum())
    return counts


PHASE1_REQUIRED = frozenset(
    [
        *(f"exit: {name}" for name in EXITS),
        *(f"done: {name}" for name in REASONS),
        *(f"mask: {bits}" for bits in ("100", "111")),
        *("entry: long", "entry: short", "entry: outside the window", "trade: won", "trade: lost"),
        *("action: forbidden", "floor: rose", "late close and drawdown at once", "drawdown while flat"),
    ]
)


PHASE2_MASKS = ("100000", "111000", "100100", "100010", "100001", "100101")
"""Every pattern a Phase 2 mask can show; the last one only where a state was injected, since the stop
of a trade that trails lies at break-even or past it."""


def phase2_coverage(before: Fields, actions: Array, after: Fields) -> dict[str, int]:
    """Count Phase 1's branches and what Phase 2 adds, under names of their own.

    Args:
        before, after: fields of N transitions, (N, ...).
        actions: int (N,).
    """
    counts = phase1_coverage(before, actions, after)
    was_open, side = before["position"] != 0, before["position"]
    still = was_open & (after["position"] == side) & (after["num_trades"] == before["num_trades"])
    moved = side * (after["sl_price"] - before["sl_price"]) * still
    on, trailed = after["trailing"], before["trailing"]
    held = after["forbidden"] | (actions == 0)
    closed = was_open & (after["exit_code"] > 0)
    won = after["winning_trades"] > before["winning_trades"]
    for action, name in ((3, "break-even"), (4, "trailing on"), (5, "trailing off")):
        chosen = actions == action
        counts[f"{name}: refused while flat"] = int((chosen & after["forbidden"] & ~was_open).sum())
        counts[f"{name}: refused while open"] = int((chosen & after["forbidden"] & was_open).sum())
        counts[f"{name}: carried out"] = int((chosen & ~after["forbidden"] & still).sum())
        counts[f"{name}: too late, the trade closed first"] = int(
            (chosen & ~after["forbidden"] & closed & (after["exit_code"] < 4)).sum()
        )
    past_entry = side * (before["sl_price"] - before["entry_price"]) > 0
    stopped = closed & (after["exit_code"] == 1)
    counts["entry: refused outside the window"] = int(
        (~was_open & np.isin(actions, (1, 2)) & after["forbidden"]).sum()
    )
    counts["trail: the stop followed"] = int((on & trailed & (moved > 0)).sum())
    counts["trail: the stop stayed"] = int((on & trailed & still & (moved == 0)).sum())
    counts["trail: the stop followed on the bar it was switched on"] = int(
        ((actions == 4) & on & ~trailed & (moved > 0)).sum()
    )
    counts["stop at break-even hit, no trailing"] = int((stopped & past_entry & ~trailed).sum())
    counts["stop past entry hit while trailing"] = int((stopped & past_entry & trailed).sum())
    counts["bonus: won while trailing"] = int((closed & won & trailed & held).sum())
    counts["no bonus: lost while trailing"] = int((closed & ~won & trailed & held).sum())
    for code in (1, 2, 3, 4):
        counts[f"exit while trailing: {EXITS[code]}"] = int(
            (closed & trailed & (after["exit_code"] == code)).sum()
        )
    counts["liquidated on the bar that switched trailing"] = int(
        (np.isin(actions, (4, 5)) & ~after["forbidden"] & (after["exit_code"] == 4)).sum()
    )
    return {f"phase 2, {name}": count for name, count in counts.items()}


_SHARED = PHASE1_REQUIRED - {"mask: 100", "mask: 111", "entry: outside the window"}
_MANAGED = ("break-even", "trailing on", "trailing off")

PHASE2_REQUIRED = frozenset(
    f"phase 2, {name}"
    for name in (
        *_SHARED,
        *(f"mask: {bits}" for bits in PHASE2_MASKS),
        *(f"{name}: refused while flat" for name in _MANAGED),
        *(f"{name}: refused while open" for name in _MANAGED),
        *(f"{name}: carried out" for name in _MANAGED),
        *(f"{name}: too late, the trade closed first" for name in _MANAGED),
        *(f"exit while trailing: {name}" for name in EXITS[1:]),
        "entry: refused outside the window",
        "trail: the stop followed",
        "trail: the stop stayed",
        "trail: the stop followed on the bar it was switched on",
        "stop at break-even hit, no trailing",
        "stop past entry hit while trailing",
        "bonus: won while trailing",
        "no bonus: lost while trailing",
        "liquidated on the bar that switched trailing",
    )
)
