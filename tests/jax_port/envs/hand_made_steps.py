"""What tests of single steps share: an account on bars made by hand, in whole ticks and cents.

The run-up closes at 4000 ticks with an ATR of 8, so on bar 22 the stop is 12 ticks away and the
target 36. ES: a tick is 1,250 cents, a side costs 250 cents, a market order slips one tick. The
balance starts at 5,000,000 cents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

START = 5_000_000
FIRST = 22
LONG = {"position": 1, "entry_price": 4001, "sl_price": 3989, "tp_price": 4037}
SHORT = {"position": -1, "entry_price": 3999, "sl_price": 4011, "tp_price": 3963}
FLAT = {"position": 0, "entry_price": 0, "sl_price": 0, "tp_price": 0, "position_entry_step": 0}

MakeWorld = Callable[..., Any]


def values(step: Any, names: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(step, name) for name in names}


def check(step: Any, **expected: Any) -> None:
    """Compare fields of a step; a reward is compared as the nearest float32."""
    if "reward" in expected:
        assert np.float32(step.reward) == np.float32(expected.pop("reward"))
    assert values(step, expected) == expected
