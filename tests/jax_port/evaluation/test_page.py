"""The sentence that heads an evaluation's page: what it made, and what that says of other days."""

from __future__ import annotations

from typing import Any

import pytest

from jax_port.data.held_out import BEFORE, HELD_OUT, OTHER_MARKET, OVERLAPS, TOO_CLOSE, UNKNOWN
from jax_port.evaluation.page import pills, verdict

NEW = "The policy was not trained on these days."
OLDER = "These days came before the ones that the policy was trained on."
OPEN = "Whether the policy was trained on these days is not known."


def values(status: str, low: float | None, high: float | None, pnl: float = 12.5) -> dict[str, Any]:
    starts = {"mean_low": low, "mean_high": high, "days": 9 if low is not None else 4}
    account = {"pnl": pnl, "days": 3}
    return {"performance": {"account": account, "starts": starts}, "held_out": {"status": status}}


@pytest.mark.parametrize(
    ("status", "low", "high", "tone", "sentence"),
    [
        (HELD_OUT, 5.0, 9.0, "good", f"lies above zero. {NEW}"),
        (OTHER_MARKET, 5.0, 9.0, "good", f"lies above zero. {NEW}"),
        (BEFORE, 5.0, 9.0, "warn", f"lies above zero. {OLDER}"),
        (UNKNOWN, 5.0, 9.0, "warn", f"lies above zero. {OPEN}"),
        (HELD_OUT, -9.0, -5.0, "bad", f"lies below zero: over all starts the policy loses. {NEW}"),
        (BEFORE, -9.0, -5.0, "bad", f"lies below zero: over all starts the policy loses. {OLDER}"),
        (HELD_OUT, -9.0, 5.0, "warn", "holds zero: 9 days do not tell an edge from luck."),
        (HELD_OUT, 0.0, 5.0, "warn", "holds zero: 9 days do not tell an edge from luck."),
        (HELD_OUT, -5.0, 0.0, "warn", "holds zero: 9 days do not tell an edge from luck."),
        (
            HELD_OUT,
            None,
            None,
            "warn",
            "4 days are too few to tell an edge from luck: no interval is given with fewer than 5.",
        ),
        (OVERLAPS, 5.0, 9.0, "bad", "the policy may have learned these very bars."),
        (TOO_CLOSE, 5.0, 9.0, "bad", "the policy may have learned these very bars."),
    ],
)
def test_what_an_evaluation_says_of_other_days(
    status: str, low: float | None, high: float | None, tone: str, sentence: str
) -> None:
    told = verdict(values(status, low, high))
    assert told.tone == tone
    assert told.reason.endswith(sentence)


@pytest.mark.parametrize(
    ("pnl", "headline"),
    [
        (12.5, "The account gained $12.50 in 3 days."),
        (-12.5, "The account lost $12.50 in 3 days."),
        (0.0, "The account made nothing in 3 days."),
    ],
)
def test_what_the_account_made(pnl: float, headline: str) -> None:
    assert verdict(values(HELD_OUT, 5.0, 9.0, pnl)).headline == headline


@pytest.mark.parametrize(
    ("told", "tone"),
    [
        ("same", "good"),
        ("same, minibatches by group", "warn"),
        ("same, but under changed code", "warn"),
        ("different", "bad"),
        ("not enough seen", "bad"),
        (None, "bad"),
    ],
)
def test_how_sure_the_proof_of_parity_is_shown(told: str | None, tone: str) -> None:
    given = {
        "held_out": {"status": OTHER_MARKET, "training": None},
        "certificate": {"verdict": told, "made": {"when": "2026-01-02T00:00:00+00:00"}},
        "seconds": None,
        "advice": None,
    }
    (_, shown) = pills(given)
    assert shown == (tone, f"parity at training: {told or 'unknown'}, 2026-01-02")


TRAINED = {"first": "2025-01-02", "last": "2025-03-31"}


@pytest.mark.parametrize(
    ("status", "training", "shown"),
    [
        (HELD_OUT, TRAINED, ("good", "held out: 2025-03-31 was the last day of training")),
        (BEFORE, TRAINED, ("warn", "before the training data, 2025-01-02 to 2025-03-31")),
        (OTHER_MARKET, None, ("good", "another market than the training data")),
        (UNKNOWN, None, ("warn", "training data: unknown")),
        (OVERLAPS, TRAINED, ("bad", "overlaps training data, 2025-01-02 to 2025-03-31")),
        (
            TOO_CLOSE,
            TRAINED,
            ("bad", "less than a trading day after training data, 2025-01-02 to 2025-03-31"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("certificate", "proof"),
    [
        ("ungated", ("warn", "ungated: trained without proof of parity")),
        ("unknown", ("warn", "parity certificate: unknown")),
        ({"verdict": "same"}, ("good", "parity at training: same")),
        (
            {"verdict": "same", "made": "2026-01-02T03"},
            ("good", "parity at training: same, 2026-01-02"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("advice", "told"),
    [
        (None, []),
        ({"fusion": {"rule": "veto"}, "trained_with": None}, "advised: veto, not the bare policy"),
        (
            {"fusion": None, "trained_with": {"model": "tiny", "as": "prior"}},
            "trained with advice of tiny, as prior",
        ),
    ],
)
def test_every_pill_says_its_own(
    status: str, training: Any, shown: Any, certificate: Any, proof: Any, advice: Any, told: Any
) -> None:
    given = {
        "held_out": {"status": status, "training": training},
        "certificate": certificate, "seconds": None, "advice": advice,
    }  # fmt: skip
    assert pills(given) == [shown, proof, *([("warn", told)] if told else [])]
