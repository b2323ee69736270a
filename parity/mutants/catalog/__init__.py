"""Catalogue of mutants: faults that someone who writes such a port makes, which the gate must find.

A fault in ``markets`` would be made by both sides at once and can't be seen by comparing them; the
tests of ``markets`` hold that room to its page, so it has no mutants here.
"""

from __future__ import annotations

from parity.mutants.catalog.data import DATA
from parity.mutants.catalog.episode import EPISODE
from parity.mutants.catalog.long_runs import LONG_RUNS
from parity.mutants.catalog.phase2 import PHASE2
from parity.mutants.catalog.rollout import ROLLOUTS
from parity.mutants.catalog.seconds import SECONDS
from parity.mutants.catalog.step import STEP
from parity.mutants.catalog.update import UPDATES
from parity.mutants.catalog.values import VALUES
from parity.mutants.mutant import Mutant

CATALOG: tuple[Mutant, ...] = (
    *(*STEP, *EPISODE, *DATA, *PHASE2, *SECONDS, *ROLLOUTS, *UPDATES, *VALUES),
    *LONG_RUNS,
)
"""Every mutant, in the order of the pages."""

EQUIVALENT: tuple[tuple[str, str], ...] = (
    (
        "an entry needs the account to be flat now, instead of flat since before the step",
        "whoever held a position before the step had buy and sell forbidden, so the action is hold",
    ),
    (
        "a forbidden action is not replaced by hold",
        "an entry also needs the account to have been flat, and what is no action has no side",
    ),
    (
        "the breach tested before the high and the floor are moved",
        "the floor only moves with a new high, and equity at its high lies trailing_drawdown above it",
    ),
    (
        "the floor at reset without its lock",
        "a floor_lock below -trailing_drawdown is refused, so the lock never lies below the floor",
    ),
    (
        "liquidation's exit code looked at before the late close's",
        "a position that was closed late is flat, so there is nothing left to liquidate",
    ),
    (
        "a win counted without asking whether anything closed",
        "the PnL is 0 where nothing closed, and 0 is no win",
    ),
    (
        "a trail that also moves the stop to where it is",
        "a candidate that equals the stop moves nothing",
    ),
    (
        "break-even carried out on a trade that has just been closed",
        "its entry and its side are cleared to 0, and so is the stop they make",
    ),
    (
        "masks of break-even and trailing that don't ask whether the position is open",
        "a flat account has neither a profit nor trailing",
    ),
    (
        "a second's stop looked for without asking whether the minute was stopped",
        "seconds lie within their minute's prices, so one that reaches the stop is of such a minute",
    ),
    (
        "the floor that a minute's seconds have raised not handed on, but only the high",
        "the mark to market that follows raises the floor to what belongs to the high",
    ),
    (
        "the entropy's sum taken over forbidden actions too, with the masked probabilities",
        "a forbidden action's probability is exactly zero in float32, and so is its gradient",
    ),
    (
        "advantages standardised over the rollout, and again in each minibatch",
        "what is standardised does not depend on the scale and the offset it came with",
    ),
)
"""Faults left out, since they change nothing that can be reached: (fault, reason)."""
