"""The fusion's definition against its words, decision by decision, and settings at their bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from markets.advice.fusion import RULES, FusionSettings, Situation, fuse
from tests.sentences import refuses

HOLD, BUY, SELL = range(3)


def plain(
    logits: list[float], allowed: list[bool], advice: list[float], sure: float, fresh: float,
    losses: int, left: float, settings: FusionSettings,
) -> list[float]:  # fmt: skip
    """Return the chances of one decision, as "Fusion" of ``docs/advice.md`` has them."""
    weight, threshold, least_left = (
        float(np.float32(one)) for one in (settings.weight, settings.threshold, settings.least_left)
    )
    whole = math.log(sum(math.exp(one) for one in logits))
    said = [math.log(0.97 * one + 0.01) for one in advice]
    said += [said[HOLD]] * (len(logits) - 3)
    share = weight * fresh
    if settings.rule == "gated" and sure < threshold:
        share = 0.0
    if settings.rule == "agreement":
        share = 0.0
    scores = [one - whole + share * word for one, word in zip(logits, said, strict=True)]
    open_to = list(allowed)
    if weight > 0 and settings.rule == "alone":
        scores = said
        open_to = [one and (fresh > 0 or place == HOLD) for place, one in enumerate(open_to)]
    if weight > 0 and settings.rule == "agreement" and fresh > 0:
        wish = max((place for place, one in enumerate(allowed) if one), key=lambda place: said[place])
        for entry in (BUY, SELL):
            open_to[entry] = open_to[entry] and wish == entry
    if weight > 0 and settings.rule == "veto" and (losses >= settings.most_losses or left < least_left):
        open_to[BUY] = open_to[SELL] = False
    parts = [math.exp(one) if may else 0.0 for one, may in zip(scores, open_to, strict=True)]
    return [part / sum(parts) for part in parts]


@pytest.mark.parametrize("actions", [3, 6])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("weight", [0.3, 0.0, 100.0])
def test_each_decision_is_what_its_words_say(actions: int, rule: str, weight: float) -> None:
    """Among them many on a limit, or a hair beside it."""
    rng, count = np.random.default_rng(actions), 300
    settings = FusionSettings(rule, weight=weight, threshold=0.7, most_losses=2, least_left=0.2)
    masks = rng.random((count, actions)) < 0.6
    masks[:, HOLD] = True
    near = [
        [at, np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))]
        for at in (np.float32(settings.threshold), np.float32(settings.least_left))
    ]
    sure, left = (rng.choice(three, count) for three in near)
    given = Situation(
        logits=rng.normal(size=(count, actions)).astype(np.float32),
        masks=masks,
        advice=rng.dirichlet((0.4, 0.4, 0.4), count).astype(np.float32),
        confidence=sure,
        fresh=rng.choice([0.0, 1e-6, 0.75, 1.0], count).astype(np.float32),
        losses=rng.integers(0, 5, count).astype(np.int32),
        left=left,
    )
    found = fuse(given, settings)
    rows = zip(*(np.asarray(one).tolist() for one in given), strict=True)
    wanted = np.array([plain(*row, settings) for row in rows])
    assert found.probabilities.dtype == np.float64
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-9, atol=1e-12)
    likeliest = wanted.max(axis=1, keepdims=True)
    first = np.argmax(wanted >= likeliest * (1 - 1e-12), axis=1)
    clear = (wanted >= likeliest * (1 - 1e-6)).sum(axis=1) == 1
    assert (found.action[clear] == first[clear]).all()
    assert clear.any()


@pytest.mark.parametrize(("fade", "most_age"), [(0.1, 60), (0.3, 7), (0.0, 3), (1.0, 3), (0.5, 0)])
def test_what_is_left_of_advice_at_each_age(fade: float, most_age: int) -> None:
    kept = 1.0 - float(np.float32(fade))
    wanted = [float(np.float32(kept**age)) for age in range(most_age + 1)]
    found = FusionSettings(fade=fade, most_age=most_age).freshness()
    assert (found.dtype, found.tolist()) == (np.float32, wanted)


BOUNDS: dict[str, tuple[Any, Any, list[Any]]] = {
    "weight": (0.0, 100.0, [-1e-9, 100.001, math.nan, math.inf]),
    "threshold": (0.0, 1.0, [-1e-9, 1.001, math.nan]),
    "least_left": (0.0, 1.0, [-1e-9, 1.001, math.nan]),
    "fade": (0.0, 1.0, [-1e-9, 1.001, math.nan]),
    "most_losses": (1, 1000, [0, 1001, 2.0, True]),
    "every": (1, 1000, [0, 1001, 2.0, True]),
    "cooldown": (0, 1000, [-1, 1001, 2.0, False]),
    "most_age": (0, 1000, [-1, 1001, 2.0, True]),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_settings_are_taken_up_to_their_bounds_and_no_further(name: str) -> None:
    low, high, beyond = BOUNDS[name]
    for value in (low, high):
        made = FusionSettings(**{name: value})
        assert FusionSettings.from_dict(made.to_dict()) == made
        assert made.to_dict()[name] == value
    for value in beyond:
        with refuses():
            FusionSettings(**{name: value})


def test_a_rule_that_there_is_none_of_is_refused() -> None:
    with refuses():
        FusionSettings("loudest")


def test_plain_values_must_be_those_of_settings() -> None:
    whole = FusionSettings("veto", most_losses=7).to_dict()
    for damaged in (
        {**whole, "more": 1},
        {name: whole[name] for name in whole if name != "cooldown"},
        {**whole, "fade": "much"},
        {**whole, "weight": None},
    ):
        with refuses():
            FusionSettings.from_dict(damaged)
