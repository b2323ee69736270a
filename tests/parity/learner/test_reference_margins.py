"""How near a minibatch's ratios come to an end of the clip range, where rounding decides."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from math import expm1, inf, log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from parity.learner.cases import KL_ENDS_ALL
from parity.learner.reference import ROUNDING, _Watch

NEAR = 3e-5


def margin(*moved: float) -> tuple[float, int]:
    """Return the margin of a minibatch whose log probabilities moved so, and how many were clipped."""
    run = looked_at(moved).run
    return run.margin, run.coverage["ratio clipped"]


def looked_at(
    moved: Sequence[float], changes: Sequence[float] = (), later: int = 0, **settings: Any
) -> Any:
    """Look at a minibatch whose log probabilities and values moved so, the last transition first.

    Args:
        moved, changes: of each transition.
        later: epochs after it whose first minibatch lies below the limit.
        settings: of the learner.
    """
    watch: Any = object.__new__(_Watch)
    count = len(moved)
    before = np.arange(count, dtype=np.float64)[:, None]
    buffer = SimpleNamespace(log_probs=-before, values=10 * before)
    model = SimpleNamespace(
        rollout_buffer=buffer,
        clip_range=lambda left: 0.2 if left == 0.75 else 9.0,
        _current_progress_remaining=0.75,
    )
    given = {"clip_range_vf": None, "target_kl": None, "batch_size": count, **settings}
    case = SimpleNamespace(settings=SimpleNamespace(**given))
    watch._reference = SimpleNamespace(model=model, case=case)
    numbers = np.arange(count)[::-1]
    watch._numbers = deque([*numbers, 0, 1])  # the next minibatch's come after
    watch.run = SimpleNamespace(coverage=Counter(), margin=inf)
    watch.asked = []
    watch._epochs_that_begin_below = lambda limit: watch.asked.append(limit) or later
    apart = np.zeros(count) if not changes else np.array(changes, np.float64)
    watch._look(10.0 * numbers + apart, np.array(moved, np.float64) - numbers)
    assert list(watch._numbers) == [0, 1]
    return watch


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


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("change", "clipped"), [(0.1 + NEAR, 1), (0.1 - NEAR, 0)])
def test_a_value_s_change_has_a_range_on_either_side(sign: int, change: float, clipped: int) -> None:
    run = looked_at([0.0, 0.01], [0.0, sign * change], clip_range_vf=0.1).run
    assert run.margin == pytest.approx(NEAR / ROUNDING, rel=1e-4)
    assert run.coverage["value clipped"] == clipped
    without = looked_at([0.0, 0.01], [0.0, sign * change]).run
    assert without.margin > 1_000
    assert "value clipped" not in without.coverage


@pytest.mark.parametrize(("apart", "stops"), [(1e-5, True), (-1e-5, False)])
def test_the_kl_s_limit_is_half_as_much_again_and_counts_what_a_later_epoch_would_do(
    apart: float, stops: bool
) -> None:
    """The estimate is a mean of all transitions, of which one alone has moved here."""
    wanted = 1.5 * 0.008 + apart
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (expm1(middle) - middle) / 2 < wanted else (low, middle)
    looked = looked_at([0.0, low], later=3, target_kl=0.008)
    assert looked.run.margin == pytest.approx(1e-5 / ROUNDING, rel=1e-3)
    assert looked.run.coverage["stopped by target_kl"] == int(stops)
    assert looked.run.coverage[KL_ENDS_ALL] == 3 * int(stops)
    assert looked.asked == [pytest.approx(0.012 - ROUNDING, rel=1e-12)] * int(stops)


def test_a_minibatch_of_fewer_is_partial_and_the_nearest_decision_of_all_counts() -> None:
    for size, partial in ((2, 0), (3, 1), (1, 0)):
        run = looked_at([0.0, 0.01], batch_size=size).run
        assert run.coverage["partial minibatch"] == partial
    watch = looked_at([0.0, log(1.2) + NEAR], [0.1 + 2 * NEAR, 0.0], clip_range_vf=0.1, target_kl=9.0)
    assert watch.run.margin == pytest.approx(NEAR / ROUNDING, rel=1e-4)
    nearer = looked_at([0.0, log(1.2) + 2 * NEAR], [0.1 + NEAR, 0.0], clip_range_vf=0.1, target_kl=9.0)
    assert nearer.run.margin == pytest.approx(NEAR / ROUNDING, rel=1e-4)
    watch.run.margin = 0.5 * NEAR / ROUNDING
    watch._numbers = deque([0])
    watch._look(np.zeros(1), np.zeros(1))
    assert watch.run.margin == 0.5 * NEAR / ROUNDING


def test_the_nearest_of_all_layers_inputs_counts() -> None:
    watch: Any = object.__new__(_Watch)
    watch.run = SimpleNamespace(margin=inf)
    for sizes, nearest in (((1.0, 3.0), 0.5), ((1.0, 7.0), 0.25), ((4.0, 2.0, 3.0), 0.25)):
        watch._note_corner(torch.tensor(sizes))
        assert watch.run.margin == pytest.approx(nearest / ROUNDING)
