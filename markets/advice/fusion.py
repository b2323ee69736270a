"""Fusion of a policy with advice at the action: settings, and the reference in NumPy and float64.

Source: "Fusion" in ``docs/advice.md``, whose equations these are, one after another. The same function
is in ``jax_port/evaluation/advice/fusion.py``, ``legacy_torch/fusion.py`` and
``ninjatrader/policy/Fusion.cs``; none calls another.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from foundation.json_reading import require_names

RULES = ("weighted", "gated", "agreement", "veto", "alone")
MOST_WEIGHT = 100.0
"""Of the log advice."""
FLOOR = 0.03
"""Part of the advice that is spread evenly over hold, buy and sell, so that no chance is zero."""
FORBIDDEN_LOGIT = -1e8
HOLD, BUY, SELL = 0, 1, 2
MOST_AGE = 1000

Array = NDArray[Any]


@dataclass(frozen=True)
class FusionSettings:
    """How advice and policy are brought together. Numbers are float32 wherever they are used.

    Attributes:
        rule: one of :data:`RULES`.
        weight: of the log advice; 0 is the bare policy under every rule.
        threshold: least confidence that counts, under "gated".
        most_losses: losing trades in a row from which no trade is opened, under "veto".
        least_left: share of the trailing drawdown left below which none is opened, under "veto".
        every: bars from one question to the next.
        cooldown: bars after a question in which none is asked.
        at_entries: whether the policy's wish to enter is a reason to ask, too.
        fade: share of its weight that advice loses each minute past the first at which it can act.
        most_age: minutes past that after which it is dropped.
    """

    rule: str = "gated"
    weight: float = 0.3
    threshold: float = 0.7
    most_losses: int = 3
    least_left: float = 0.2
    every: int = 5
    cooldown: int = 3
    at_entries: bool = True
    fade: float = 0.1
    most_age: int = 10

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise InputError(f"the fusion rule is {self.rule!r}; choose one of {', '.join(RULES)}")
        for name, low, high in (
            ("weight", 0.0, MOST_WEIGHT),
            ("threshold", 0.0, 1.0),
            ("least_left", 0.0, 1.0),
            ("fade", 0.0, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"{name} is {getattr(self, name)}; give a number from {low:g} to {high:g}"
                )
        for name, least in (("most_losses", 1), ("every", 1), ("cooldown", 0), ("most_age", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_AGE:
                raise InputError(f"{name} is {value}; give a whole number from {least} to {MOST_AGE}")

    def freshness(self) -> NDArray[np.float32]:
        """Return what is left of advice at each age in minutes, float32 (most_age + 1,)."""
        ages = np.arange(self.most_age + 1, dtype=np.float64)
        return np.power(1.0 - np.float64(np.float32(self.fade)), ages).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FusionSettings:
        """Return settings from plain values.

        Raises:
            InputError: a name is unknown or missing, or a value makes no sense.
        """
        whole = require_names(
            values, cls.__dataclass_fields__, "fusion settings", "export the policy anew"
        )
        try:
            return cls(**whole)
        except TypeError:
            raise InputError("fusion settings: a value is no number; export the policy anew") from None


class Situation(NamedTuple):
    """What is decided on, of N decisions with A actions (3, or 6 in Phase 2).

    Attributes:
        logits: float32 (N, A), the policy's.
        masks: bool (N, A), what is allowed; hold always is.
        advice: float32 (N, 3), chances of hold, buy and sell.
        confidence: float32 (N,), the advisor's.
        fresh: float32 (N,), 1 for advice that could not be newer, less with age, 0 for none.
        losses: int32 (N,), losing trades in a row.
        left: float32 (N,), share of the trailing drawdown between equity and its floor.
    """

    logits: Any
    masks: Any
    advice: Any
    confidence: Any
    fresh: Any
    losses: Any
    left: Any


class Fused(NamedTuple):
    """What a fusion comes to.

    Attributes:
        probabilities: (N, A); zero where an action is forbidden.
        action: (N,), the first of the likeliest.
    """

    probabilities: Any
    action: Any


def fuse(given: Situation, settings: FusionSettings) -> Fused:
    """Return probabilities, float64 (N, A), and actions, int64 (N,), of the fused policy."""
    logits = np.asarray(given.logits, np.float32).astype(np.float64)
    advice = np.asarray(given.advice, np.float32).astype(np.float64)
    masks = np.asarray(given.masks, bool)
    fresh = np.asarray(given.fresh, np.float32)
    weight, threshold, least_left = (
        np.float32(getattr(settings, name)) for name in ("weight", "threshold", "least_left")
    )
    # (1) the policy's log chances
    base = _log_softmax(logits)
    # (2) log advice; the actions on an open trade share hold's
    log_advice = np.log((1 - FLOOR) * advice + FLOOR / 3)
    rest = np.repeat(log_advice[:, :1], logits.shape[1] - 3, axis=1)
    log_advice = np.concatenate([log_advice, rest], axis=1)
    # (3) what the advice weighs
    strength = weight.astype(np.float64) * fresh.astype(np.float64)
    if settings.rule == "gated":
        strength = np.where(np.asarray(given.confidence, np.float32) >= threshold, strength, 0.0)
    if settings.rule == "agreement":
        strength = np.zeros_like(strength)
    scores = base + strength[:, None] * log_advice
    allowed = masks.copy()
    active = weight > 0
    if active and settings.rule == "alone":
        scores = log_advice
        # Without advice nothing but hold is left.
        allowed[:, 1:] &= (fresh > 0)[:, None]
    if active and settings.rule == "agreement":
        wish = np.argmax(np.where(masks, log_advice, -np.inf), axis=1)
        for entry in (BUY, SELL):
            allowed[:, entry] &= (wish == entry) | ~(fresh > 0)
    if active and settings.rule == "veto":
        risky = np.asarray(given.losses) >= settings.most_losses
        risky |= np.asarray(given.left, np.float32) < least_left
        allowed[:, [BUY, SELL]] &= ~risky[:, None]
    # (4) inside the mask
    log_chances = _log_softmax(np.where(allowed, scores, FORBIDDEN_LOGIT))
    probabilities = np.exp(log_chances)
    return Fused(probabilities, np.argmax(probabilities, axis=1))


def _log_softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = x - x.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
