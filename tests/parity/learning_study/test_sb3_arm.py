"""The reference's arm of the study: which seeds its environments have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
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


def test_a_curve_is_the_raw_rewards_of_each_rollout_per_hundred_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 4 environments x 5 steps, trained as long as the design says, by its numbers."""
    settings = DESIGN.settings.override(
        n_envs=4, n_steps=5, batch_size=20, total_timesteps=60, gamma=0.75, norm_reward=False
    )
    seen: list[Any] = []

    def learn(model: MaskablePPO, steps: int, callback: sb3_arm.Earnings) -> None:
        normalizer: Any = model.env
        seen.append((steps, normalizer.norm_reward, normalizer.gamma, normalizer.num_envs))
        seen.append((model.n_steps, model.batch_size, model.gamma))
        raw: list[float] = []
        monkeypatch.setattr(normalizer, "get_original_reward", lambda: np.array(raw, np.float32))
        for rollout in ([[1, 2, 3, 4], [5, 0, 0, 0]], [[0.5, 0, -2, 0]], [[0, 0, 0, 8]]):
            for rewards in rollout:
                raw[:] = rewards
                assert callback._on_step()
            callback._on_rollout_end()

    monkeypatch.setattr(sb3_arm.MaskablePPO, "learn", learn)
    found = sb3_arm.learning_curve(replace(DESIGN, settings=settings), 3)
    np.testing.assert_allclose(found, np.array([15.0, -1.5, 8.0]) * 100 / 20)
    assert seen == [(60, False, 0.75, 4), (5, 20, 0.75)]
