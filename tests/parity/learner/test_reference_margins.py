"""How near a minibatch's ratios come to an end of the clip range, where rounding decides."""

from __future__ import annotations

from collections import Counter, deque
from math import inf, log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.learner.reference import ROUNDING, _Watch

NEAR = 3e-5


def margin(*moved: float) -> tuple[float, int]:
    """Return the margin of a minibatch whose log probabilities moved so, and how many were clipped."""
    watch: Any = object.__new__(_Watch)
    buffer = SimpleNamespace(log_probs=np.zeros((len(moved), 1)), values=np.zeros((len(moved), 1)))
    model = SimpleNamespace(
        rollout_buffer=buffer, clip_range=lambda _: 0.2, _current_progress_remaining=1.0
    )
    settings = SimpleNamespace(clip_range_vf=None, target_kl=None, batch_size=len(moved))
    watch._reference = SimpleNamespace(model=model, case=SimpleNamespace(settings=settings))
    watch._numbers = deque(range(len(moved)))
    watch.run = SimpleNamespace(coverage=Counter(), margin=inf)
    watch._look(np.zeros(len(moved)), np.array(moved, np.float64))
    return watch.run.margin, watch.run.coverage["ratio clipped"]


@pytest.mark.parametrize(
    ("moved", "near", "clipped"),
    [
        (log(1.2) + NEAR, NEAR, 1),
        (log(1.2) - NEAR, NEAR, 0),
        (log(0.8) + NEAR, NEAR, 0),  # a ratio of 0.8 is the lower end,
        (log(0.8) - NEAR, NEAR, 1),
        (-log(1.2), log(1 / 1.2) - log(0.8), 0),  # and one of 1 / 1.2 lies well within
        (0.0, log(1.2), 0),
    ],
)
def test_both_ends_of_the_clip_range_are_those_of_the_ratio(
    moved: float, near: float, clipped: int
) -> None:
    for others in ((), (0.0, 0.01)):
        found = margin(moved, *others) if near < log(1.2) else margin(moved)
        assert found == (pytest.approx(near / ROUNDING, rel=1e-6), clipped)
