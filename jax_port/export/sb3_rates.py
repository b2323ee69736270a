"""Learning rates of single layers, given to a MaskablePPO as parameter groups of torch's Adam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.utils import LinearSchedule

from jax_port.export.layers import sb3_layer
from jax_port.ppo.optimizer import adam
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates

FACTOR = "factor"
"""Of a parameter group, on the model's learning rate."""


def give_layer_rates(model: MaskablePPO, rates: LayerLearningRates) -> MaskablePPO:
    """Give layers of a model their own learning rates, and return the model; the optimiser is fresh.

    A layer whose rate is zero has no gradient any more. A zip of SB3 can't hold parameter groups, so
    this is to be called anew on a model that was loaded.

    Args:
        model: with plain MLPs.
        rates: factors by the port's names of layers, such as ("policy_0", 0.1).
    """
    if not rates:
        return model
    factors = {sb3_layer(name): rate for name, rate in rates}
    groups: dict[float, list[torch.nn.Parameter]] = {}
    policy: Any = model.policy
    for name, parameter in policy.named_parameters():
        factor = factors.get(name.rpartition(".")[0], 1.0)
        parameter.requires_grad_(factor != 0)
        if factor:
            groups.setdefault(factor, []).append(parameter)
    optimizer = torch.optim.Adam(
        [{"params": weights, FACTOR: factor} for factor, weights in groups.items()],
        lr=model.lr_schedule(1.0),
        eps=adam.EPS,
    )
    policy.optimizer = optimizer

    def update(optimizers: Any) -> None:
        rate = model.lr_schedule(model._current_progress_remaining)
        model.logger.record("train/learning_rate", rate)
        for group in optimizer.param_groups:
            group["lr"] = rate * group[FACTOR]

    vars(model)["_update_learning_rate"] = update
    return model


def scheduled(arguments: Mapping[str, Any], anneal: bool) -> dict[str, Any]:
    """Return a trainer's arguments, with rate and clip range that fall to zero if it anneals."""
    falling = ("learning_rate", "clip_range") if anneal else ()
    return {
        name: LinearSchedule(value, 0.0, 1.0) if name in falling else value
        for name, value in arguments.items()
    }
