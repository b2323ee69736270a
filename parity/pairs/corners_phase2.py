"""Generated Phase 2 states: where a stop can be moved, where it may not be, and where it trails.

Source: sections 5 and 6 of ``docs/environment.md``. A case is Phase 1's with its trade rearranged.
"""

from __future__ import annotations

from jax_port.data.data_loader import CLOSE, HIGH, LOW, TRAIL
from parity.engine.pair import Choices
from parity.pairs.corners import NEAR, Ground, Scene, phase1_scene

MANAGED = (
    "as in Phase 1",
    "profit edge",
    "break-even edge",
    "trail edge",
    "trail free",
    "stopped while trailing",
)


def phase2_scene(choices: Choices, ground: Ground, row: list[int], step: int) -> Scene:
    """Place a trade, or none, with its stop near its entry or near a trail's candidate."""
    trade, actions, corners = phase1_scene(choices, ground, row, step)
    if not trade["position"]:
        return Scene({**trade, "trailing": 0}, (*actions, 3, 4, 5), (*corners, "flat"))
    managed = choices.aim(MANAGED)
    arranged = {**trade, **_arrange(choices, trade, row, managed)}
    return Scene(arranged, (0, 0, *(3, 4, 5) * 3, *actions[-4:]), (*corners, managed))


def _arrange(choices: Choices, trade: dict[str, int], row: list[int], managed: str) -> dict[str, int]:
    """Return the fields of an open trade that a corner asks for."""
    side, close = trade["position"], row[CLOSE]
    worst = row[LOW] if side > 0 else row[HIGH]
    candidate = close - side * row[TRAIL]
    trailing = choices.integer(0, 1)
    if managed == "profit edge":
        entry = close - side * choices.pick((1, 0, 2, -1))
        return {"entry_price": entry, "trailing": trailing}
    if managed == "break-even edge":
        # Out of the bar's reach, so that the action is not spoilt by an exit.
        entry = worst - side * choices.integer(2, 12)
        return {
            "entry_price": entry,
            "sl_price": entry + side * choices.pick(NEAR),
            "trailing": trailing,
        }
    if managed == "trail edge":
        stop = candidate + side * choices.pick((*NEAR, 2, -2))
        entry = stop - side * choices.integer(-2, 12)
        return {"entry_price": entry, "sl_price": stop, "trailing": choices.pick((1, 1, 0))}
    if managed == "trail free":
        entry = worst - side * choices.integer(2, 40)
        stop = entry + side * choices.integer(0, 1)
        return {"entry_price": entry, "sl_price": stop, "trailing": choices.pick((1, 0))}
    if managed == "stopped while trailing":
        stop = worst + side * choices.pick(NEAR)
        entry = stop - side * choices.integer(-3, 20)
        return {"entry_price": entry, "sl_price": stop, "trailing": choices.pick((1, 1, 0))}
    return {"trailing": trailing}
