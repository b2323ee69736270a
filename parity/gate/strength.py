"""How strong the evidence of a certificate is, counted in what was compared, not what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from markets import SYMBOLS
from parity.engine.certificate import compared, kinds
from parity.learner.suite import REQUIRED as LEARNER_REQUIRED
from parity.pairs.branches import PHASE1_REQUIRED, PHASE2_REQUIRED
from parity.pairs.seconds import REQUIRED as SECONDS_REQUIRED
from parity.suites.configurations import REQUIRED as CONFIGURATIONS_REQUIRED

Strength = Literal["quick", "standard", "full", "thorough"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""From the weakest; a certificate that is only quick does not let a training pass."""

REQUIRED = (
    LEARNER_REQUIRED | CONFIGURATIONS_REQUIRED | PHASE1_REQUIRED | PHASE2_REQUIRED | SECONDS_REQUIRED
)
"""Branches that every run of the gate must have seen, whatever its certificate says was required."""

CHECKS = frozenset(
    {
        *("data", "replay", "restart", "generated", "restart after a generated case"),
        *("invariants, port", "invariants, reference", "forbidden is hold, port", "mirror, port"),
        *("forbidden is hold, reference", "no look-ahead, port", "no look-ahead, reference"),
        *("mirror, reference", "restart draws", "reset draws", "independent draws"),
        *("random bits at scale", "orders at scale", "keys used twice", "configurations"),
        "rounding on any device",
        *("learner", "learner draws", "learner gradients", "learner decisions"),
        "learner, trainer's program",
    }
)
"""Kinds of checks that every run of the gate makes."""

ONCE_A_ROUND = ("configurations", "keys used twice", "rounding on any device", "learner decisions")
"""Kinds of checks that are made once with each seed."""

LEAST: Mapping[Strength, tuple[int, int]] = {
    "standard": (80_000, 25_000),
    "full": (350_000, 200_000),
    "thorough": (3_500_000, 2_000_000),
}
"""Transitions replayed and generated, at least: those of 20 episodes and 2,000 cases a symbol, of the
gate's own 100 and 20,000, and of those with each of :data:`THOROUGH_ROUNDS` seeds."""

THOROUGH_ROUNDS = 10
"""Seeds of ``--thorough``."""


def strength_of(certificate: Mapping[str, Any]) -> Strength:
    """Return how strong a certificate's evidence is."""
    for level in reversed(STRENGTHS[1:]):
        if not lacks(certificate, level):
            return level
    return STRENGTHS[0]


def lacks(certificate: Mapping[str, Any], level: Strength) -> list[str]:
    """Return what a certificate lacks for a strength, in words.

    Args:
        certificate: from :func:`parity.engine.certificate.read`.
        level: the strength asked for.
    """
    if level == STRENGTHS[0]:
        return []
    reasons = [f"no check of the kind {name!r}" for name in sorted(CHECKS - kinds(certificate))]
    coverage = certificate["coverage"]
    unseen = sorted(name for name in REQUIRED if coverage.get(name, 0) <= 0)
    if unseen:
        reasons.append(f"{len(unseen)} branches never seen, such as {unseen[0]!r}")
    worlds = {str(check["world"]) for check in certificate["checks"] if check["check"] == "generated"}
    for symbol in SYMBOLS:
        if not {f"{symbol} synthetic", f"{symbol} synthetic, phase 2"} <= worlds:
            reasons.append(f"{symbol} was not compared in both phases")
    counts = compared(certificate, ("replay",)), compared(certificate, ("generated",))
    for what, count, least in zip(("replayed", "generated"), counts, LEAST[level], strict=True):
        if count < least:
            reasons.append(f"{count:,} transitions {what}, of {least:,}")
    if level == "thorough":
        rounds = min((_count(certificate, kind) for kind in ONCE_A_ROUND), default=0)
        if rounds < THOROUGH_ROUNDS:
            reasons.append(f"{rounds} seeds, of {THOROUGH_ROUNDS}")
    return reasons


def _count(certificate: Mapping[str, Any], kind: str) -> int:
    """Return on how many worlds a kind of check was made."""
    return len({str(check["world"]) for check in certificate["checks"] if check["check"] == kind})
