"""The reference's arm of the study: which seeds its environments have."""

from __future__ import annotations

from typing import Any

import pytest
from sb3_contrib import MaskablePPO

from parity.learning_study import sb3_arm
from parity.learning_study.design import DESIGN


class Begun(Exception):
    """An agent would be trained now."""


def test_no_two_agents_share_the_draws_of_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library seeds environment i with the agent's seed plus i."""
    seeds: list[int] = []

    def begun(model: MaskablePPO, *_: Any, **__: Any) -> None:
        assert model.seed is not None
        seeds.extend(model.seed + number for number in range(model.n_envs))
        raise Begun

    monkeypatch.setattr(sb3_arm.MaskablePPO, "learn", begun)
    for agent in range(3):
        with pytest.raises(Begun):
            sb3_arm.learning_curve(DESIGN, agent)
    assert sorted(seeds) == list(range(3 * DESIGN.settings.n_envs))
