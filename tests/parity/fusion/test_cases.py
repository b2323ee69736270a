"""Random decisions of the fusion's proof: of which kinds they are, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from markets.advice.fusion import RULES, FusionSettings
from parity.fusion.cases import settings_cases, situations

SETTINGS = FusionSettings("veto", threshold=0.35, most_losses=2, least_left=0.45, fade=0.3, most_age=4)


def test_every_rule_is_at_its_defaults_at_a_strong_weight_and_at_none() -> None:
    strong = {"weight": 3.0, "threshold": 0.25, "most_losses": 1, "least_left": 0.5, "fade": 0.4}
    assert list(settings_cases()) == [
        settings
        for rule in RULES
        for settings in (
            FusionSettings(rule),
            FusionSettings(rule, **strong),  # type: ignore[arg-type]
            FusionSettings(rule, weight=0.0),
        )
    ]


@pytest.mark.parametrize("actions", [3, 6])
def test_decisions_are_of_every_kind(actions: int) -> None:
    count = 6000
    given = situations(count, actions, 9, SETTINGS)
    shapes = {name: (x.shape, x.dtype) for name, x in given._asdict().items()}
    one = (count,), np.dtype(np.float32)
    assert shapes == {
        "logits": ((count, actions), np.dtype(np.float32)),
        "masks": ((count, actions), np.dtype(bool)),
        "advice": ((count, 3), np.dtype(np.float32)),
        "confidence": one,
        "fresh": one,
        "losses": ((count,), np.dtype(np.int32)),
        "left": one,
    }

    def share(which: np.ndarray) -> float:
        return float(which.mean())

    # Policies that hardly know, and such as are sure.
    largest = np.abs(given.logits).max(axis=1)
    assert share(largest < 0.3) > 0.2
    assert share((largest > 0.4) & (largest < 3)) > 0.2
    assert share(largest > 4) > 0.2
    # Each action beside hold is allowed and forbidden on its own account.
    masks = given.masks
    assert masks[:, 0].all()
    for action in range(1, actions):
        assert 0.6 < share(masks[:, action]) < 0.72
        for other in range(1, action):
            assert share(masks[:, action] != masks[:, other]) > 0.3
    assert share(masks.sum(axis=1) == 1) > 0.04
    assert share(masks.all(axis=1)) > 0.1
    # Advice of all kinds, each of the three sure at times.
    np.testing.assert_allclose(given.advice.sum(axis=1), 1, atol=1e-6)
    sure = (given.advice == 1).any(axis=1)
    for side in range(3):
        assert 0.02 < share(given.advice[:, side] == 1) < 0.05
        assert share(given.advice[~sure, side] < 0.05) > 0.15
        assert share(given.advice[~sure, side] > 0.6) > 0.1
    # A fifth of it is out of date, the rest of every age.
    assert 0.17 < share(given.fresh == 0) < 0.23
    for age in range(SETTINGS.most_age + 1):
        left = np.power(1.0 - np.float64(np.float32(0.3)), age).astype(np.float32)
        assert 0.12 < share(given.fresh == left) < 0.2
    assert {*np.unique(given.losses)} == {0, 1, 2, 3, 4}
    assert share(given.confidence == np.float32(0.35)) > 0.1
    assert share(given.left == np.float32(0.45)) > 0.1
    assert share(given.left < 0) > 0.05
    assert share(given.left > 1) > 0.1


def test_each_seed_draws_others_and_one_is_itself() -> None:
    first, again, other = (situations(50, 3, seed, SETTINGS) for seed in (4, 4, 5))
    for mine, same, theirs in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(mine, same)
        assert (np.asarray(mine) != theirs).any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_decisions_and_none_are_drawn_as_well(count: int) -> None:
    settings = FusionSettings(most_age=0)
    given = situations(count, 6, 0, settings)
    assert {len(value) for value in given} == {count}
    assert np.isin(given.fresh, [0, 1]).all()
    assert given.masks[:, 0].all()
