"""The port's fusion against the definition in NumPy, where a value lies on a limit and beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jax_port.evaluation.advice.fusion import fuse_on_host
from markets.advice.fusion import RULES, FusionSettings, Situation, fuse


def situations(actions: int, settings: FusionSettings) -> Situation:
    """Return 400 decisions of which many are on the limits of some settings, or a hair beside them."""
    rng, count = np.random.default_rng(actions), 400
    masks = rng.random((count, actions)) < 0.6
    masks[:, 0] = True

    def near(limit: float, high: float) -> np.ndarray:
        at = np.float32(limit)
        hair = np.float32(1e-30) if limit == 0 else np.spacing(at)
        beside = [at, at - hair, at + hair, np.float32(high)]
        return np.float32(rng.choice(beside, count))

    return Situation(
        logits=rng.normal(size=(count, actions), scale=3).astype(np.float32),
        masks=masks,
        advice=rng.dirichlet((0.3, 0.3, 0.3), count).astype(np.float32),
        confidence=near(settings.threshold, 1.0),
        fresh=np.float32(rng.choice([0.0, 1e-6, 0.5, 1.0], count)),
        losses=settings.most_losses + rng.integers(-1, 2, count).astype(np.int32),
        left=near(settings.least_left, -0.5),
    )


@pytest.mark.parametrize("actions", [3, 6])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "more",
    [{}, {"weight": 0.0}, {"weight": 100.0}, {"threshold": 0.0, "least_left": 0.0, "most_losses": 1}],
    ids=str,
)
def test_it_is_the_definition_at_every_limit(actions: int, rule: str, more: dict[str, Any]) -> None:
    settings = FusionSettings(rule=rule, **more)
    given = situations(actions, settings)
    found, expected = fuse_on_host(given, settings), fuse(given, settings)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=2e-4, atol=2e-6)
    # Of two that are as likely to rounding either may be the first, as of all that share hold's advice.
    top = np.sort(expected.probabilities, axis=1)
    clear = top[:, -1] - top[:, -2] > 1e-5
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(found.action[clear], expected.action[clear])
    assert found.probabilities[~given.masks].max(initial=0.0) == 0.0
