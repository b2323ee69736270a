"""Settings of the reference's trainer: what it takes and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest

from foundation.errors import InputError
from legacy_torch.train import TrainConfig


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("learning_rate", (0.0, 1), (-1e-9, math.nan, math.inf, "1", True)),
        ("gamma", (0.0, 1.0), (-0.1, 1.0000001, math.nan)),
        ("gae_lambda", (0, 1.0), (-0.1, 1.1, None)),
        ("clip_range", (0.2,), (0.0, -0.2, math.nan)),
        ("ent_coef", (0.0, 2.0), (-1.0, math.inf)),
        ("vf_coef", (0.0, 2.0), (-1.0, math.nan)),
        ("max_grad_norm", (0.5,), (0.0, -1.0, math.inf)),
        ("target_kl", (None, 0.01), (0.0, -0.01, math.nan)),
        ("n_epochs", (1,), (0, True, 1.0)),
    ],
)
def test_a_number_that_no_training_can_use_is_refused(
    name: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]
) -> None:
    for value in allowed:
        assert getattr(TrainConfig(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(InputError, match=f"^{name} is {value!r}; it must be"):
            TrainConfig(**{name: value})
