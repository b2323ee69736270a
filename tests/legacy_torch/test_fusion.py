"""The reference's fusion against plain Python, decision by decision, in every rule and at each edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from legacy_torch.fusion import fuse
from markets.advice.fusion import RULES, FusionSettings, Situation

FLOOR = 0.03
DECISIONS = 240


def drawn(actions: int, settings: FusionSettings) -> Situation:
    """Return decisions of chance, of which many stand exactly at an edge of the settings."""
    rng = np.random.default_rng(actions)
    masks = rng.random((DECISIONS, actions)) < 0.6
    masks[:, 0] = True
    advice = rng.dirichlet([0.5, 0.5, 0.5], DECISIONS)
    advice[::6] = np.eye(3)[rng.integers(3, size=len(advice[::6]))]
    edges = {
        "confidence": rng.choice(around(settings.threshold), DECISIONS),
        "left": rng.choice(around(settings.least_left), DECISIONS),
        "fresh": rng.choice(np.float32([0.0, 0.25, 1.0]), DECISIONS),
    }
    return Situation(
        logits=torch.tensor(rng.normal(0, 2, (DECISIONS, actions)), dtype=torch.float32),
        masks=torch.tensor(masks),
        advice=torch.tensor(advice, dtype=torch.float32),
        losses=torch.tensor(rng.integers(0, 5, DECISIONS), dtype=torch.int32),
        **{name: torch.tensor(value, dtype=torch.float32) for name, value in edges.items()},
    )


def around(edge: float) -> np.ndarray:
    """Return an edge in float32 and its neighbours."""
    at = np.float32(edge)
    return np.array([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(2))])


def by_hand(given: Situation, row: int, settings: FusionSettings) -> list[float]:
    """Return the chances of one decision, in floats of Python."""
    logits, allowed = given.logits[row].tolist(), given.masks[row].tolist()
    told, fresh = given.advice[row].tolist(), given.fresh[row].item()
    log_advice = [math.log((1 - FLOOR) * told[a if a < 3 else 0] + FLOOR / 3)
                  for a in range(len(logits))]  # fmt: skip
    total = math.log(sum(math.exp(logit) for logit in logits))
    scores = [logit - total for logit in logits]
    weight = float(np.float32(settings.weight))
    strength = weight * fresh
    if settings.rule == "gated" and given.confidence[row].item() < float(
        np.float32(settings.threshold)
    ):
        strength = 0.0
    if weight == 0:
        strength = 0.0
    elif settings.rule == "alone":
        scores, strength = log_advice, 0.0
        if fresh == 0:
            allowed = [True] + [False] * (len(allowed) - 1)
    elif settings.rule == "agreement":
        strength = 0.0
        likeliest = max((a for a in range(len(allowed)) if allowed[a]), key=lambda a: log_advice[a])
        if fresh > 0:
            allowed = [may and (a not in (1, 2) or a == likeliest) for a, may in enumerate(allowed)]
    elif settings.rule == "veto" and (
        given.losses[row].item() >= settings.most_losses
        or given.left[row].item() < float(np.float32(settings.least_left))
    ):
        allowed = [may and a not in (1, 2) for a, may in enumerate(allowed)]
    chances = [
        math.exp(score + strength * advised) if may else 0.0
        for score, advised, may in zip(scores, log_advice, allowed, strict=True)
    ]
    return [chance / sum(chances) for chance in chances]


@pytest.mark.parametrize("weight", [0.0, 1e-50, 1e-3, 0.7])  # the second is 0 in float32
@pytest.mark.parametrize("actions", [3, 6])
@pytest.mark.parametrize("rule", RULES)
def test_every_decision_is_that_of_plain_python(rule: str, actions: int, weight: float) -> None:
    settings = FusionSettings(rule, weight=weight, threshold=0.6, most_losses=3, least_left=0.3)
    given = drawn(actions, settings)
    before = [value.clone() for value in given]
    found = fuse(given, settings)
    assert all(one.equal(other) for one, other in zip(given, before, strict=True))
    assert found.probabilities.shape == (DECISIONS, actions)
    assert (found.probabilities.dtype, found.action.dtype) == (torch.float32, torch.int64)
    for row in range(DECISIONS):
        expected = by_hand(given, row, settings)
        assert found.probabilities[row].tolist() == pytest.approx(expected, abs=2e-6), row
        best = max(expected)
        if sorted(expected)[-2] < best - 1e-5:  # else rounding decides between two
            assert found.action[row].item() == expected.index(best), row
