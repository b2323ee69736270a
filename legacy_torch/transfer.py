"""Transfer from Phase 1 to Phase 2 with SB3: a new MaskablePPO that begins with trained weights.

Phase 2 appends three flags to the observation and three actions to Phase 1's, so old weights keep their
places. Where only hold, buy and sell are allowed, probabilities and values are exactly Phase 1's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecNormalize

from foundation.errors import InputError

HOLD = 0
SHY = 3.0
"""How far a new action's logit begins below that of hold."""


def transfer(source: MaskablePPO, target: MaskablePPO) -> None:
    """Give a fresh Phase 2 model the weights of a Phase 1 model; its optimiser stays fresh.

    Args:
        source: trained on ``TradingEnvPhase1``.
        target: on ``TradingEnvPhase2``, with the same window and hidden sizes; changed in place.

    Raises:
        InputError: the two networks do not fit each other.
    """
    old, new = source.policy.state_dict(), target.policy.state_dict()
    if old.keys() != new.keys():
        raise InputError("the two models have different layers; build both with the same net_arch")
    fitted = {name: _fitted(name, old[name], value) for name, value in new.items()}
    target.policy.load_state_dict(fitted)  # all of them or none: each fits


def transfer_statistics(source: VecNormalize, target: VecNormalize) -> None:
    """Give a normaliser the statistics of Phase 1's; new features have mean 0 and variance 1.

    Args:
        source: of Phase 1.
        target: of Phase 2; changed in place.
    """
    old: Any = source.obs_rms  # SB3's type allows for a dictionary of them too
    new: Any = target.obs_rms
    more = new.mean.shape[0] - old.mean.shape[0]
    new.mean = np.append(old.mean, np.zeros(more))
    new.var = np.append(old.var, np.ones(more))
    new.count = old.count


def _fitted(name: str, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Return an old tensor in a new one's shape."""
    if old.shape == new.shape:
        return old
    fitted = torch.zeros_like(new)
    if name.startswith("action_net."):
        fitted[: len(old)] = old
        fitted[len(old) :] = old[HOLD] - (SHY if name.endswith("bias") else 0.0)
    elif old.ndim == 2 and old.shape[0] == new.shape[0] and old.shape[1] < new.shape[1]:
        fitted[:, : old.shape[1]] = old
    else:
        raise InputError(
            f"{name} is {tuple(old.shape)} in the one model and {tuple(new.shape)} in the other; build "
            "both with the same net_arch and window"
        )
    return fitted
