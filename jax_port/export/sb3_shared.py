"""Layers that policy and value shared in SB3 before 2.0, written out as two MLPs of their own.

There ``net_arch=[64, dict(pi=[32], vf=[32])]`` meant one layer that both see the features through, and
``[64, 64]`` two. Each MLP with a copy of them computes the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

SHARED = "mlp_extractor.shared_net."
MLPS = ("policy", "value")


def unshared(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a policy's tensors with the shared layers, where there are any, in both MLPs."""
    shared = {name: value for name, value in state.items() if name.startswith(SHARED)}
    if not shared:
        return dict(state)
    modules = 2 * sum(name.endswith(".weight") for name in shared)  # each with its activation
    found = {name: value for name, value in state.items() if not name.startswith("mlp_extractor.")}
    for mlp in MLPS:
        head = f"mlp_extractor.{mlp}_net."
        found |= {head + name.removeprefix(SHARED): value for name, value in shared.items()}
        for name, value in state.items():
            if name.startswith(head):
                number, kind = name.removeprefix(head).split(".")
                found[f"{head}{int(number) + modules}.{kind}"] = value
    return found


class SharedExtractor(nn.Module):
    """What SB3 1.x had in the place of its ``mlp_extractor``, with the same names of weights.

    Args:
        state: the zip's tensors, which give the sizes.
        activation: class of the activation.
    """

    def __init__(self, state: Mapping[str, torch.Tensor], activation: type[nn.Module]) -> None:
        super().__init__()
        for part in ("shared", *MLPS):
            layers: list[nn.Module] = []
            while (weight := state.get(f"mlp_extractor.{part}_net.{len(layers)}.weight")) is not None:
                layers += [nn.Linear(int(weight.shape[1]), int(weight.shape[0])), activation()]
            setattr(self, f"{part}_net", nn.Sequential(*layers))

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        """Return what the policy's head sees of features (B, D)."""
        return self._through("policy_net", features)

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        """Return what the value's head sees of features (B, D)."""
        return self._through("value_net", features)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both."""
        return self.forward_actor(features), self.forward_critic(features)

    def _through(self, part: str, features: torch.Tensor) -> torch.Tensor:
        for module in (
            *self.get_submodule("shared_net").children(),
            *self.get_submodule(part).children(),
        ):
            features = module(features)
        return features
