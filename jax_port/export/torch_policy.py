"""A trained trading policy as a PyTorch module; needs torch and nothing else.

A bundle carries a copy of this file, so that whoever takes it home needs no other code:

    from torch_policy import load
    policy = load("bundle")
    actions, logits = policy(obs, masks)

A policy that was trained with advice as a prior (``trained_with_advice`` in the manifest) takes it so:

    actions, logits = policy.advised(obs, masks, prior_of("bundle", advice, confidence, ages))

Observations come raw; the module normalises and clips them itself, unless the policy was trained on raw
ones. Layers are named, and their
names are those of ``policy.safetensors``, whose kernels are these weights transposed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}
FORBIDDEN_LOGIT = -1e8


class Statistics(nn.Module):
    """Mean (D,), variance (D,) and count () of raw observations, float64."""

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("var", torch.ones(size, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Statistics:
        # ``.float()`` and ``.to(dtype)`` must not round what raw prices are centred with.
        exact = dict(self.named_buffers())
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, value in exact.items():
            setattr(self, name, value.to(getattr(self, name).device))
        return self


class TradingPolicy(nn.Module):
    """Normalise, clip, two MLPs, masked argmax.

    Args:
        observations: D, numbers in an observation.
        actions: A.
        pi, vf: hidden sizes of the policy's and the value's MLP.
        activation: "relu" or "tanh".
        epsilon: added to the variance, under the root.
        clip: normalised observations are kept within plus and minus this.
        normalised: False for a policy that sees raw observations; then it has no statistics.
    """

    def __init__(
        self,
        observations: int,
        actions: int,
        pi: Sequence[int],
        vf: Sequence[int],
        activation: str,
        epsilon: float = 1e-8,
        clip: float = 10.0,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.observations, self.epsilon, self.clip = observations, epsilon, clip
        self.activation = activation
        self.statistics = Statistics(observations) if normalised else None
        self.policy_layers = self._mlp("policy", observations, pi)
        self.value_layers = self._mlp("value", observations, vf)
        self.action_head = nn.Linear(pi[-1], actions)
        self.value_head = nn.Linear(vf[-1], 1)

    def _mlp(self, name: str, size: int, hidden: Sequence[int]) -> list[str]:
        names = []
        for number, width in enumerate(hidden):
            names.append(f"{name}_{number}")
            self.add_module(names[-1], nn.Linear(size, width))
            size = width
        return names

    def standardize(self, obs: Tensor) -> Tensor:
        """Return (obs - mean) / sqrt(var + epsilon), float64 (N, D), before clipping."""
        if self.statistics is None:
            return obs.to(torch.float64)
        spread = torch.sqrt(self.statistics.var + self.epsilon)
        return (obs.to(torch.float64) - self.statistics.mean) / spread

    def normalize(self, obs: Tensor) -> Tensor:
        """Return what the MLPs see, (N, D) in the weights' type: standardised and clipped, or raw."""
        seen = self.standardize(obs)
        if self.statistics is not None:
            seen = torch.clamp(seen, -self.clip, self.clip)
        return seen.to(self.action_head.weight.dtype)

    def run_mlp(self, names: Sequence[str], head: str, seen: Tensor) -> dict[str, Tensor]:
        """Return the output of each hidden layer, before its activation, and of the head."""
        act, outputs = ACTIVATIONS[self.activation], {}
        for name in names:
            outputs[name] = self.get_submodule(name)(seen)
            seen = act(outputs[name])
        outputs[head] = self.get_submodule(head)(seen)
        return outputs

    def logits(self, obs: Tensor) -> Tensor:
        """Return logits (N, A) of raw observations (N, D)."""
        return self.run_mlp(self.policy_layers, "action_head", self.normalize(obs))["action_head"]

    def values(self, obs: Tensor) -> Tensor:
        """Return the value (N,) of raw observations (N, D)."""
        return self.run_mlp(self.value_layers, "value_head", self.normalize(obs))["value_head"][..., 0]

    def choose(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Return the likeliest allowed action, int64 (N,), the first of equals, as MaskablePPO does.

        Source: ``MaskableCategorical`` of sb3-contrib 2.9 on torch's ``Categorical``, step by step:
        logits a bit apart may have equal probabilities, and which do depends on every rounding.

        Args:
            logits: (N, A).
            masks: bool (N, A), at least one True in each row.
        """
        normal = logits - torch.logsumexp(logits, -1, keepdim=True)
        masked = torch.where(masks, normal, torch.full_like(normal, FORBIDDEN_LOGIT))
        masked = masked - torch.logsumexp(masked, -1, keepdim=True)
        return torch.argmax(torch.softmax(masked, -1), -1)

    def forward(self, obs: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions int64 (N,) and logits (N, A).

        Args:
            obs: float32 (N, D), raw.
            masks: bool (N, A).
        """
        logits = self.logits(obs)
        return self.choose(logits, masks), logits

    def advised(self, obs: Tensor, masks: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Return what :meth:`forward` does where advice adds ``prior`` (N, A) to the logits."""
        logits = self.logits(obs) + prior
        return self.choose(logits, masks), logits

    def stages(self, obs: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return every step of a decision by name, in order, for whoever looks for a difference."""
        seen = self.normalize(obs)
        policy = self.run_mlp(self.policy_layers, "action_head", seen)
        value = self.run_mlp(self.value_layers, "value_head", seen)
        return {
            "standardised": self.standardize(obs),
            "clipped": seen,
            **policy,
            **value,
            "action": self.choose(policy["action_head"], masks),
        }


def from_manifest(manifest: Mapping[str, Any]) -> TradingPolicy:
    """Return a module with fresh weights in the shape that a bundle's manifest states."""
    network, normalizer = manifest["network"], manifest["normalizer"]
    formula = {} if normalizer is None else {name: normalizer[name] for name in ("epsilon", "clip")}
    return TradingPolicy(
        observations=manifest["observation"]["size"],
        actions=len(manifest["actions"]),
        pi=[layer["out"] for layer in network["policy"][:-1]],
        vf=[layer["out"] for layer in network["value"][:-1]],
        activation=network["activation"],
        normalised=normalizer is not None,
        **formula,
    )


def prior_of(folder: str | Path, advice: Tensor, confidence: Tensor, ages: Tensor) -> Tensor:
    """Return what advice adds to the logits of a bundle that was trained with it, float32 (N, A).

    Args:
        folder: the bundle.
        advice: float32 (N, 3), chances of hold, buy and sell.
        confidence: float32 (N,).
        ages: int (N,), minutes since the advice could first act: decision's bar less its bar less one;
            -1 for no advice, which adds zero.

    Raises:
        ValueError: the bundle's policy was not trained with a prior.
    """
    manifest = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    if manifest["trained_with_advice"] is None:
        raise ValueError(
            f"{folder}: not trained with advice as a prior, so nothing is added to its logits; call "
            "forward instead"
        )
    fusion = manifest["fusion"]
    weight, threshold, fade = (
        torch.tensor(fusion[name], dtype=torch.float32) for name in ("weight", "threshold", "fade")
    )
    freshness = torch.pow(1 - fade.double(), ages.double()).float()
    counts = (ages >= 0) & (ages <= fusion["most_age"])
    if fusion["rule"] == "gated":
        counts &= confidence >= threshold
    strength = torch.where(counts, weight.double() * freshness.double(), 0.0)
    rest = [0] * (len(manifest["actions"]) - 3)  # the actions on an open trade take hold's
    log_advice = torch.log(0.97 * advice.double() + 0.01)[:, [0, 1, 2, *rest]]
    return torch.where(counts[:, None], strength[:, None] * log_advice, 0.0).float()


def load(folder: str | Path) -> TradingPolicy:
    """Return the policy of a bundle, in float32 and ready to decide."""
    manifest = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    policy = from_manifest(manifest)
    weights = torch.load(Path(folder, "policy.pt"), weights_only=True, map_location="cpu")
    policy.load_state_dict(weights, strict=True)
    return policy.eval()
