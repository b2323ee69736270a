"""Cases about boundaries: where the reference begins to end an episode, to clip, to wrap, to pay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.harness.cases import Cases, concat, possible
from parity.harness.pair import Pair
from parity.harness.sides.side import Steps, any_flag
from parity.harness.trees import Array, Fields, take

OFFSETS = tuple(sign * step * 1e-8 for step in (1, 8, 64, 512, 4096) for sign in (-1, 1))
"""Shares of the way between two states at which cases are placed about a boundary between them."""
FEW_VALUES = 8
"""Values of a reward, or another number, up to which it is taken for one that jumps between them."""


def boundary(
    pair: Pair,
    known: Cases,
    code: Array,
    seed: int,
    code_of: CodeOf,
    pairs: int = 48,
    search: int = 0,
) -> Cases | None:
    """Return cases on both sides of where the reference begins to do something, such as to end an
    episode, by bisection between two states.

    Args:
        pair: only its reference is driven, in double precision.
        known: cases that were stepped.
        code: int (N,), 0 where it did not do it; other numbers for each way to do it. Half of the
            boundaries are sought by how often a way is taken, half of them equally often.
        seed: of the choice of states.
        code_of: (states before, steps of the reference) -> such a code of each.
        pairs: how many boundaries are looked for.
        search: number of the search; one of another number chooses states of its own.
    """
    rng = np.random.default_rng([seed, 3, search])
    names = [name for name, domain in pair.state.items() if not domain.whole]
    does, does_not = np.flatnonzero(code), np.flatnonzero(code == 0)
    if not names or not len(does) or not len(does_not) or not pair.reference.can_write:
        return None
    ways = rng.permutation(np.unique(code[does]))
    in_turn = [rng.choice(np.flatnonzero(code == ways[n % len(ways)])) for n in range(pairs // 2)]
    rows = np.append(rng.choice(does, pairs - len(in_turn)), in_turn)
    others = rng.choice(does_not, pairs)
    far = known.rows(rows)
    start = {name: known.state[name][others].astype(np.float64) for name in names}
    end = {name: far.state[name].astype(np.float64) for name in names}

    def at(share: Array, pick: Any = slice(None)) -> Fields:
        state = take(far.state, pick)
        for name in names:
            shape = (-1, *(1,) * (start[name].ndim - 1))
            a, b = start[name][pick], end[name][pick]
            domain = pair.state[name]
            state[name] = np.clip(a + share.reshape(shape) * (b - a), domain.low, domain.high)
        return state

    def done(share: Array) -> Array:
        state, seeds = at(share), np.zeros(pairs, np.int64)
        return code_of(state, pair.reference.transition(state, far.action, seeds, double=True)) != 0

    low, high = np.zeros(pairs), np.ones(pairs)
    usable = ~done(low) & done(high)
    if not usable.any():
        return None
    for _ in range(34):
        middle = (low + high) / 2
        there = done(middle)
        high, low = np.where(there, middle, high), np.where(there, low, middle)
    chosen = np.flatnonzero(usable)
    parts = []
    for offset in (0.0, *OFFSETS):
        share = np.clip(low[chosen] + offset, 0.0, 1.0)
        parts.append(
            Cases(at(share, chosen), take(far.action, chosen), np.full(len(chosen), "boundary"))
        )
    return possible(pair, concat(parts))


CodeOf = Callable[[Fields, Steps], Array]
"""(states before, steps) -> what was done in each, as a number; 0 for nothing."""


def how_ended(before: Fields, steps: Steps) -> Array:
    """Return the way in which each step ended an episode: int (N,), 0 where it did not."""
    outcome = steps.outcome
    return np.asarray(any_flag(outcome["terminated"]) + 2 * any_flag(outcome["truncated"]))


def how_clipped(pair: Pair) -> CodeOf:
    """Return the function that says which number a step left exactly at an end of its domain, or at a
    value aimed at, as a clip does: int (N,), 0 for none."""
    places = [
        (name, value)
        for name, domain in pair.state.items()
        if not domain.whole
        for value in dict.fromkeys((domain.low, domain.high, *domain.aims))
    ]

    def code_of(before: Fields, steps: Steps) -> Array:
        code = np.zeros(len(steps.final), np.int64)
        for number, (name, value) in enumerate(places, 1):
            after = steps.state[name]
            code[(after.reshape(len(after), -1) == value).any(axis=1)] = number
        return code

    return code_of


def how_jumped(pair: Pair) -> CodeOf:
    """Return the function that says which number a step moved by more than half of its domain, as the
    wrap of an angle or a bounce does: int (N,), 0 for none."""

    def code_of(before: Fields, steps: Steps) -> Array:
        code = np.zeros(len(steps.final), np.int64)
        for number, (name, domain) in enumerate(pair.state.items(), 1):
            if not domain.whole:
                moved = np.abs(steps.state[name].astype(np.float64) - before[name])
                far = moved.reshape(len(moved), -1).max(axis=1) > (domain.high - domain.low) / 2
                code[far] = number
        return code

    return code_of


def how_valued(random: frozenset[str], steps: Steps) -> CodeOf:
    """Return the function that says which of few values a step gave, where no episode ended: rewards,
    whole numbers and flags of the observation and the info; int (N,), 0 for the most frequent ones,
    else the number of the first that is another.

    Args:
        random: fields that are drawn.
        steps: those whose values count.
    """
    names = [
        name
        for name, values in _valued(steps).items()
        if name not in random
        and len(np.unique(_flat(values)[~steps.ended], axis=0)) in range(2, FEW_VALUES + 1)
    ]

    def rows(one: Steps) -> Array:
        values = _valued(one)
        columns = [_flat(values[name]).astype(np.float64) for name in names]
        return np.concatenate([*columns, np.zeros((len(one.final), 1))], axis=1)

    going = rows(steps)[~steps.ended]
    kinds, counts = np.unique(going, axis=0, return_counts=True) if len(going) else (going, np.zeros(0))
    most = kinds[int(np.argmax(counts))] if len(kinds) else np.zeros(1)

    def code_of(before: Fields, one: Steps) -> Array:
        if not len(going):
            return np.zeros(len(one.final), np.int64)
        other = rows(one) != most
        return np.where(other.any(axis=1) & ~one.ended, 1 + other.argmax(axis=1), 0)

    return code_of


def _flat(values: Array) -> Array:
    """Return the numbers of N rows side by side, (N, M)."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


def _valued(steps: Steps) -> Fields:
    """Return what of steps may take few values."""
    parts = {"reward": steps.outcome["reward"], **steps.obs}
    parts |= {f"info {name}": value for name, value in steps.told.items()}
    return {n: v for n, v in parts.items() if n == "reward" or v.dtype.kind in "biu"}
