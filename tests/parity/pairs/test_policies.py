"""Policies of a replay take allowed actions alone, and each reaches what it is for."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from markets.bars import FEATURES
from parity.engine.compare import Array
from parity.pairs.policies import PHASE2_POLICIES, POLICIES

WINDOW = 3


def observed(first: float, last: float) -> Array:
    """Return an observation of a window whose first and last close are these, and a position."""
    window = np.full((WINDOW, len(FEATURES)), 50.0)
    close = FEATURES.index("close")
    window[0, close], window[-1, close] = first, last
    return np.concatenate([window.ravel(), [0.0, 0.0, 0.0, 0.0]])


def drawn(name: str, masks: Array, obs: Array, count: int = 400) -> Counter[int]:
    """Return how often a policy took each action."""
    rng = np.random.default_rng(0)
    return Counter(PHASE2_POLICIES[name](rng, masks, obs) for _ in range(count))


@pytest.mark.parametrize("name", PHASE2_POLICIES)
def test_no_policy_takes_what_is_forbidden(name: str) -> None:
    for size, obs in product((3, 6), (observed(1, 2), observed(2, 1))):
        if size == 3 and name not in POLICIES:
            continue
        for rest in product((False, True), repeat=size - 1):
            masks = np.array([True, *rest])
            assert set(drawn(name, masks, obs, 40)) <= set(np.flatnonzero(masks).tolist())


def test_uniform_draws_every_allowed_action_as_often_as_any_other() -> None:
    counts = drawn("uniform", np.array([True, True, False, True, False, True]), observed(1, 2), 4000)
    assert set(counts) == {0, 1, 3, 5}
    assert all(abs(count - 1000) < 150 for count in counts.values())


def test_seldom_acts_on_one_bar_in_fifty() -> None:
    counts = drawn("seldom", np.ones(3, bool), observed(1, 2), 6000)
    assert set(counts) == {0, 1, 2}
    assert 40 < counts[1] + counts[2] < 130  # two of three that are drawn, of 120


def test_always_acts_where_it_may_and_takes_every_action() -> None:
    assert set(drawn("always", np.ones(6, bool), observed(1, 2))) == {1, 2, 3, 4, 5}
    assert set(drawn("always", np.array([True, False, False]), observed(1, 2))) == {0}


def test_the_contrarian_buys_what_fell_and_sells_what_rose() -> None:
    flat = np.ones(3, bool)
    assert set(drawn("contrarian", flat, observed(2, 1))) == {1}
    assert set(drawn("contrarian", flat, observed(1, 2))) == {2}
    assert set(drawn("contrarian", np.array([True, False, True]), observed(2, 1))) == {0, 2}


def test_the_manager_moves_to_break_even_then_trails_and_never_back() -> None:
    def takes(*allowed: int) -> set[int]:
        masks = np.isin(np.arange(6), (0, *allowed))
        return set(drawn("manager", masks, observed(2, 1)))

    assert takes(1, 2) == {1}
    assert takes(3, 4) == takes(3, 5) == {3}
    assert takes(4) == {4}
    assert takes(5) == takes() == {0}
