"""A training that diverged: the first update and agent are named, and the checkpoint to go back to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.runs.divergence import require_finite_losses, require_finite_weights
from tests.sentences import refuses


@pytest.mark.parametrize("saved", [0, 1, 20])
def test_the_newest_checkpoint_is_named_where_there_is_one(tmp_path: Path, saved: int) -> None:
    records: list[dict[str, Any]] = [
        {"update": update, "agent": agent, "loss": 0.0} for update in (21, 22) for agent in (0, 1, 2)
    ]
    weights = np.zeros((3, 2), np.float32)
    agent: Any = SimpleNamespace(learner=SimpleNamespace(params={"a": np.zeros(3), "b": weights}))
    require_finite_losses(records, tmp_path, saved)
    require_finite_weights(agent, 22, tmp_path, saved)
    records[4]["loss"] = records[5]["loss"] = None
    with refuses():
        require_finite_losses(records, tmp_path, saved)
    weights[1:, 1] = np.inf
    with refuses():
        require_finite_weights(agent, 22, tmp_path, saved)
