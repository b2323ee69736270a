"""Fusion of a policy with advice at the action, on torch tensors.

Source: "Fusion" in ``docs/advice.md``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical

from markets.advice.fusion import FLOOR, Fused, FusionSettings, Situation

FORBIDDEN = -1e8
"""Logit of an action that the mask forbids, as MaskablePPO has it."""


def fuse(given: Situation, settings: FusionSettings) -> Fused:
    """Return probabilities, float32 (N, A), and actions, int64 (N,).

    Args:
        given: tensors: logits, advice, confidence, fresh and left float32, masks bool, losses int32.
        settings: how they are brought together.
    """
    policy = Categorical(logits=given.logits, validate_args=False).logits
    if torch.tensor(settings.weight, dtype=torch.float32) == 0:
        return _choose(policy, given.masks)
    advice = torch.log((1 - FLOOR) * given.advice + FLOOR / 3)
    actions = given.logits.shape[1]
    if actions > 3:
        advice = torch.cat([advice, advice[:, :1].expand(-1, actions - 3)], dim=1)
    scores, masks = policy, given.masks.clone()
    has_advice = given.fresh > 0
    match settings.rule:
        case "weighted" | "veto":
            scores = _shifted(policy, settings.weight * given.fresh, advice)
        case "gated":
            threshold = torch.tensor(settings.threshold, dtype=torch.float32)
            sure = given.confidence >= threshold
            scores = _shifted(policy, settings.weight * given.fresh * sure, advice)
        case "agreement":
            best = advice.masked_fill(~given.masks, -torch.inf).argmax(dim=1)
            for entry in (1, 2):
                masks[:, entry] &= (best == entry) | ~has_advice
        case "alone":
            scores = advice
            masks[:, 1:] &= has_advice[:, None]
    if settings.rule == "veto":
        limit = torch.tensor(settings.least_left, dtype=torch.float32)
        risky = (given.losses >= settings.most_losses) | (given.left < limit)
        masks[:, 1:3] &= ~risky[:, None]
    return _choose(scores, masks)


def _shifted(policy: Tensor, strength: Tensor, advice: Tensor) -> Tensor:
    return policy + strength[:, None] * advice


def _choose(scores: Tensor, masks: Tensor) -> Fused:
    fused = Categorical(logits=scores.masked_fill(~masks, FORBIDDEN), validate_args=False)
    return Fused(fused.probs, fused.probs.argmax(dim=1))
