"""Environments that begin where they are told, and what advice makes of them."""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecNormalize

from legacy_torch.advised import PriorEnv, PriorNormalize, PriorPolicy
from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from markets.advice.by_bar import columns, prior
from parity.learner.advice import drawn_advice
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.led import ENVIRONMENTS, AstrayError, advised


@pytest.fixture(scope="module")
def case() -> LearnerCase:
    return learner_cases()[0]


@pytest.fixture(scope="module")
def first(case: LearnerCase) -> Any:
    return ENVIRONMENTS[2](case.bars, case.config)


def test_each_phase_has_its_own_environment_that_is_led() -> None:
    assert issubclass(ENVIRONMENTS[1], TradingEnvPhase1)
    assert not issubclass(ENVIRONMENTS[1], TradingEnvPhase2)
    assert issubclass(ENVIRONMENTS[2], TradingEnvPhase2)


def test_episodes_begin_at_the_bars_of_the_queue_one_after_the_other(first: Any) -> None:
    env = copy(first)
    env.starts = deque([500, 301, 777])
    for start, left in ((500, [301, 777]), (301, [777]), (777, [])):
        env.reset(seed=3)
        assert (env.step_idx, list(env.starts)) == (start, left)
    with pytest.raises(AstrayError, match="the reference's episodes end where the port's go on"):
        env.reset()


def test_without_advice_environments_are_as_they_are(case: LearnerCase, first: Any) -> None:
    envs = [copy(first), copy(first)]
    worn, normalize, policy = advised(case, first, envs)
    assert worn is envs
    assert (normalize, policy) == (VecNormalize, "MlpPolicy")
    assert {env.observation_space.shape for env in (first, *envs)} == {(228,)}


def test_advice_as_columns_widens_all_of_them(case: LearnerCase, first: Any) -> None:
    own, envs = copy(first), [copy(first), copy(first)]
    worn, normalize, policy = advised(replace(case, advice="columns"), own, envs)
    assert worn is envs
    assert (normalize, policy) == (VecNormalize, "MlpPolicy")
    laid, use = drawn_advice(first.bars, "columns")
    assert use.way == "columns"
    wide = columns(laid, use.settings)
    for env in (own, *envs):
        assert env.observation_space.shape == (228 + 4 * case.config.window_size,)
        np.testing.assert_array_equal(env.features.to_numpy()[:, -4:], wide)
    assert first.observation_space.shape == (228,)


def test_advice_as_a_prior_ends_each_observation(case: LearnerCase, first: Any) -> None:
    envs = [copy(first), copy(first)]
    worn, normalize, policy = advised(replace(case, advice="prior"), first, envs)
    assert (normalize, policy) == (PriorNormalize, PriorPolicy)
    laid, use = drawn_advice(first.bars, "prior")
    assert use.way == "prior"
    of_bars = prior(laid, use.settings)
    place = int(first.valid_starts[(of_bars[first.valid_starts] != 0).any(1)][-1])
    for env, own in zip(worn, envs, strict=True):
        assert isinstance(env, PriorEnv)
        own.starts = deque([place, place])
        bare, _ = own.reset()
        seen, _ = env.reset()
        np.testing.assert_array_equal(seen, [*bare, *of_bars[place]])
    assert first.observation_space.shape == (228,)
