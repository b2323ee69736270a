"""The PyTorch module chooses as MaskablePPO does, where logits differ by their last bits too."""

from __future__ import annotations

import numpy as np
import torch
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution

from jax_port.export.torch_policy import TradingPolicy

ROWS, ACTIONS = 4000, 6


def near_ties() -> torch.Tensor:
    """Return logits (N, A): one of each row is another's next number up, or the next but one."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 3.0, (ROWS, ACTIONS)).astype(np.float32)
    rows = np.arange(ROWS)
    first, second = rng.permuted(np.tile(np.arange(ACTIONS), (ROWS, 1)), axis=1)[:, :2].T
    up = logits.max(axis=1)
    logits[rows, first] = up
    for times in range(2):
        up = np.where(rows % 2 >= times, np.nextafter(up, np.float32(np.inf)), up)
    logits[rows, second] = up
    return torch.from_numpy(logits)


def test_the_likeliest_action_is_the_first_of_equal_probabilities_as_in_maskable_ppo() -> None:
    logits = near_ties()
    masks = torch.from_numpy(np.random.default_rng(1).random((ROWS, ACTIONS)) < 0.7)
    masks[:, 0] |= ~masks.any(dim=1)
    theirs = MaskableCategoricalDistribution(ACTIONS).proba_distribution(logits)
    theirs.apply_masking(masks.numpy())
    policy = TradingPolicy(8, ACTIONS, [4], [4], "relu")
    chosen = policy.choose(logits, masks)
    assert torch.equal(chosen, theirs.mode())
    by_logits = torch.argmax(torch.where(masks, logits, -1e8), dim=1)
    assert (chosen != by_logits).sum() > 20  # probabilities are equal where logits are not
