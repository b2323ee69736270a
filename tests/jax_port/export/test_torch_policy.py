"""The PyTorch module computes what its manifest says, and chooses as MaskablePPO does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib.common.maskable.distributions import MaskableCategoricalDistribution

from jax_port.export.torch_policy import TradingPolicy, from_manifest

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


SIZES = {"policy": (5, 4, 3), "value": (6, 1)}
"""Units of each layer of a small network, its head the last."""


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("formula", [{"epsilon": 0.25, "clip": 1.5}, None], ids=["normalised", "raw"])
def test_logits_values_and_stages_are_those_of_the_manifest_s_numbers(
    activation: str, formula: dict[str, float] | None
) -> None:
    """Computed in NumPy, of observations within the clip and beyond it on either side."""
    network: dict[str, Any] = {mlp: [{"out": size} for size in sizes] for mlp, sizes in SIZES.items()}
    module = from_manifest(
        {
            "observation": {"size": 2},
            "actions": ["hold", "buy", "sell"],
            "network": {**network, "activation": activation},
            "normalizer": formula,
        }
    )
    rng = np.random.default_rng(3)
    state = {
        name: rng.normal(size=tuple(value.shape)).astype(np.float32)
        for name, value in module.state_dict().items()
    }
    mean, var = np.array([6500.125, -2.0]), np.array([0.0, 3.75])
    if formula is not None:
        state |= {"statistics.mean": mean, "statistics.var": var, "statistics.count": np.array(7.0)}
    module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    away = np.array([[0.125, -1.5], [-0.25, 2.0], [2.0, -30.0], [-40.0, 9.0]])
    obs = (away if formula is None else mean + away).astype(np.float32)
    masks = np.array([[True, True, False], [True, False, True], [False, True, True], [True] * 3])
    standardised = seen = obs.astype(np.float64)
    if formula is not None:
        standardised = (seen - mean) / np.sqrt(var + 0.25)
        seen = np.clip(standardised, -1.5, 1.5)
    expected: dict[str, np.ndarray[Any, Any]] = {"standardised": standardised, "clipped": seen}
    for mlp, head in (("policy", "action_head"), ("value", "value_head")):
        x = seen
        for name in [f"{mlp}_{number}" for number in range(len(SIZES[mlp]) - 1)] + [head]:
            expected[name] = x @ state[f"{name}.weight"].T.astype(np.float64) + state[f"{name}.bias"]
            x = np.tanh(expected[name]) if activation == "tanh" else np.maximum(expected[name], 0.0)
    best = np.where(masks, expected["action_head"], -np.inf).argmax(axis=1)
    given = torch.from_numpy(obs), torch.from_numpy(masks)
    with torch.no_grad():
        stages = module.stages(*given)
        actions, logits = module(*given)
        values = module.values(given[0])
    assert list(stages) == [*expected, "action"]
    for name, value in expected.items():
        np.testing.assert_allclose(stages[name].numpy(), value, rtol=1e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(logits.numpy(), expected["action_head"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values.numpy(), expected["value_head"][:, 0], rtol=1e-5, atol=1e-5)
    assert stages["action"].tolist() == actions.tolist() == best.tolist()
    assert len(set(best.tolist())) > 1


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_statistics_keep_every_digit_where_weights_are_made_narrower(narrow: torch.dtype) -> None:
    """Prices of thousands less their mean would be off by whole points in half precision."""
    policy = TradingPolicy(2, 3, [4], [4], "relu")
    assert policy.statistics is not None
    exact = {"mean": [6500.123456789, -0.1], "var": [1 / 3, 7e-9], "count": 12_345_678_901.0}
    for name, value in exact.items():
        setattr(policy.statistics, name, torch.tensor(value, dtype=torch.float64))
    policy.to(narrow)
    assert policy.action_head.weight.dtype == narrow
    for name, value in exact.items():
        kept = getattr(policy.statistics, name)
        assert (kept.dtype, kept.tolist()) == (torch.float64, value)
    policy.statistics.to(narrow)
    assert policy.statistics.mean.tolist() == exact["mean"]
