"""The reference's environments, whose episodes begin where they are told, with a case's advice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecNormalize

from legacy_torch.advised import PriorEnv, PriorNormalize, PriorPolicy, give_columns
from legacy_torch.env_phase2 import TradingEnvPhase2
from markets.advice.by_bar import columns, prior
from parity.learner.advice import drawn_advice
from parity.learner.cases import LearnerCase
from parity.pairs.kept_bars import KeptBars


class AstrayError(Exception):
    """The two sides do not restart at the same steps, so the port's draws lead nowhere."""


class _Led(KeptBars):
    """The reference, whose episodes begin where it is told, and which reads each bar once."""

    starts: deque[int]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin at the next bar of the queue."""
        if not self.starts:
            raise AstrayError("the reference's episodes end where the port's go on")
        return super().reset(seed=seed, options={"start_index": self.starts.popleft()})


class _LedPhase2(_Led, TradingEnvPhase2):
    """The reference of Phase 2, likewise."""


ENVIRONMENTS = {1: _Led, 2: _LedPhase2}


def advised(
    case: LearnerCase, first: _Led, envs: Sequence[_Led]
) -> tuple[Sequence[Any], type[VecNormalize], str | type[PriorPolicy]]:
    """Return environments, normaliser and policy of a case, with its advice where it has some.

    Args:
        case: as it is compared.
        first: an environment of the case.
        envs: copies of it; with advice as columns all of them are widened.
    """
    if not case.advice:
        return envs, VecNormalize, "MlpPolicy"
    laid, use = drawn_advice(first.bars, case.advice)
    if case.advice == "columns":
        wide = columns(laid, use.settings)
        for env in (first, *envs):
            give_columns(env, wide)
        return envs, VecNormalize, "MlpPolicy"
    of_bars = prior(laid, use.settings)
    return [PriorEnv(env, of_bars) for env in envs], PriorNormalize, PriorPolicy
