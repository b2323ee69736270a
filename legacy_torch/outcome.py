"""Outcome of one step: how a trade was closed and why an episode ended.

Source: section 6 of ``docs/environment.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """How a trade was closed."""

    NONE = 0
    STOP = 1
    TARGET = 2
    LATE = 3
    LIQUIDATED = 4


class DoneReason(IntEnum):
    """Why an episode ended."""

    RUNNING = 0
    DRAWDOWN = 1
    LATE_CLOSE = 2
    END_OF_DATA = 3
    BAR_LIMIT = 4


@dataclass
class Outcome:
    """What happened within one step; made anew by every step.

    Attributes:
        forbidden: the mask forbade the action.
        exit_code: how a trade was closed in this step.
        closed: a trade was closed in this step.
        trade_pnl: its PnL in dollars, after both sides' commission.
        violation: a rule of the account was broken.
        done_reason: why the episode ends here.
        equity: what was held against the floor, in dollars.
    """

    forbidden: bool = False
    exit_code: ExitCode = ExitCode.NONE
    closed: bool = False
    trade_pnl: float = 0.0
    violation: bool = False
    done_reason: DoneReason = DoneReason.RUNNING
    equity: float = 0.0
