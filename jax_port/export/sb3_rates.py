"""Learning rates of single layers, given to a MaskablePPO as parameter groups of torch's Adam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.utils import LinearSchedule

from jax_port.export.layers import layer_names, sb3_layer, sb3_spec
from jax_port.ppo.optimizer import adam
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates, checked

FACTOR = "factor"
"""Of a parameter group, on the model's learning rate."""


class LayerAdam(torch.optim.Adam):
    """Torch's Adam with a factor on each group's learning rate, saved and loaded as one plain group.

    A schedule sets the groups' rate as it is; the factor counts in the step alone. So a zip of a model
    holds the state that SB3's own optimiser has, moments included, and any SB3 loads it.
    """

    def step(self, closure: Any = None) -> Any:
        """Take a step in which each group learns at its own rate."""
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] *= group[FACTOR]
        try:
            return super().step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return the state of one group that holds all parameters in their order."""
        state = super().state_dict()
        groups = state["param_groups"]
        plain = {name: value for name, value in groups[0].items() if name != FACTOR}
        plain["params"] = [number for group in groups for number in group["params"]]
        return {**state, "param_groups": [plain]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of one group; the factors stay."""
        (plain,) = state_dict["param_groups"]
        own = super().state_dict()["param_groups"]
        groups = [{**plain, FACTOR: group[FACTOR], "params": group["params"]} for group in own]
        super().load_state_dict({**state_dict, "param_groups": groups})


def give_layer_rates(model: MaskablePPO, rates: LayerLearningRates) -> MaskablePPO:
    """Give layers of a model their own learning rates, and return the model; the optimiser is fresh.

    A layer whose rate is zero has no gradient any more. The model may be saved, and its zip loaded by
    SB3; the zip does not hold the rates, so this is to be called anew on a model that was loaded.

    Args:
        model: with plain MLPs.
        rates: factors by the port's names of layers, such as ("policy_0", 0.1).

    Raises:
        InputError: the model has no such layer, or a rate is none.
    """
    if not rates:
        return model
    policy: Any = model.policy
    layers = layer_names(sb3_spec(policy.state_dict(), "tanh"))  # names go by no activation
    factors = {sb3_layer(name): rate for name, rate in checked(rates, layers)}
    groups = []
    for name, parameter in policy.named_parameters():
        factor = factors.get(name.rpartition(".")[0], 1.0)
        parameter.requires_grad_(factor != 0)
        parameter.grad = None  # of a layer that is frozen now, one would count in the gradients' norm
        groups.append({"params": [parameter], FACTOR: factor})
    policy.optimizer = LayerAdam(groups, lr=model.lr_schedule(1.0), eps=adam.EPS)
    return model


def scheduled(arguments: Mapping[str, Any], anneal: bool) -> dict[str, Any]:
    """Return a trainer's arguments, with rate and clip range that fall to zero if it anneals."""
    falling = ("learning_rate", "clip_range") if anneal else ()
    return {
        name: LinearSchedule(value, 0.0, 1.0) if name in falling else value
        for name, value in arguments.items()
    }
