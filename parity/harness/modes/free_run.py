"""Free run: both sides play the same actions from the same start, each from the state it has come to.

An action is chosen by what the reference has come to, so that it is one that may be taken there.

Reported, since rounding grows in many systems; judged only where it cannot be rounding: a state of
whole numbers that comes apart, or a difference that in double precision appears in a single step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from parity.harness.cases import Actions, Cases
from parity.harness.judge import Judge
from parity.harness.sides.going import advance_going
from parity.harness.sides.side import Moments, Side, Steps
from parity.harness.trees import Array, Fields

LANES, STEPS = 16, 100
Choose = Callable[[int, Moments], Fields]
"""(step, what the reference has come to) -> actions."""
SMALL, LARGE = 1e-12, 1e-6
"""Shares of a field's size: a difference that grows from one to the other in a step is no rounding."""


@dataclass
class FreeRun:
    """What a free run saw.

    Attributes:
        steps: of the longest episode; ``episodes`` were played.
        compared: steps after which both sides showed where they were.
        largest: by field, the largest difference in native precision as a share of the field's size,
            after each step, (steps,).
        growth: by field, the factor by which a difference in double precision grows with each step.
        apart: a sentence on a difference that cannot be rounding; empty if there is none.
    """

    steps: int = 0
    episodes: int = 0
    compared: int = 0
    largest: dict[str, list[float]] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    apart: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return dict(self.__dict__)


class Played(NamedTuple):
    """How many steps the longest episode had, and after how many both sides showed where they were."""

    steps: int
    compared: int


def free_run(judge: Judge, seed: int, steps: int = STEPS) -> FreeRun:
    """Play episodes on both sides from the reference's resets, in native and in double precision; from
    the starts of a side that cannot be put in a state, where there is one."""
    pair, rng = judge.pair, np.random.default_rng([seed, 4])
    seeds = rng.integers(0, 2**31, LANES)
    alone = next((side for side in (pair.port, pair.reference) if not side.can_write), None)
    start = pair.reference.reset(seeds) if alone is None else _begun(alone, seeds, False)[1]
    actions = Actions(pair, rng)
    taken: list[Fields] = []

    def choose(step: int, now: Moments) -> Fields:
        if step == len(taken):  # else it was chosen in the run before, which is played again
            taken.append(actions.next(now.obs, now.state))
        return taken[step]

    result = FreeRun(episodes=LANES)
    arms = [False, True] if judge.fractions and not judge.no_double else [False]
    for double in arms:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # lanes whose episode has ended may be stepped, and are not looked at
            apart, discrete, played = _play(judge, start, seeds, choose, steps, double)
        result.steps = max(result.steps, played.steps)
        result.compared += played.compared
        if discrete and (not judge.fractions or double):
            result.apart = result.apart or discrete
        if not double:
            result.largest = {
                name: np.nanmax(a, axis=1, initial=0).tolist() for name, a in apart.items()
            }
        if double:
            result.growth = {name: g for name, a in apart.items() if (g := _growth(a)) is not None}
            result.apart = result.apart or _jump(apart)
    return result


def _begun(side: Side, seeds: Array, double: bool) -> tuple[Any, Moments]:
    """Return episodes of a side that begin where the seeds lead, and what they begin in."""
    lanes: Any = side.lanes(seeds, None, double)
    return lanes, lanes.start


def _play(
    judge: Judge, start: Moments, seeds: Array, choose: Choose, steps: int, double: bool
) -> tuple[dict[str, Array], str, Played]:
    """Return differences by field as shares of its size, (steps, lanes), the first of a flag, and how
    many steps there were."""
    pair = judge.pair
    sides, lanes = (pair.reference, pair.port), list[Any]()
    alone = next((side for side in sides if not side.can_write), None)
    if alone is not None:
        began, start = _begun(alone, seeds, double)
    now, first = start, choose(0, start)
    ready = judge.states(Cases(start.state, first, np.full(len(seeds), "visited")), double)
    for side in sides:
        lanes.append(began if side is alone else side.lanes(seeds, ready, double))
    mine, theirs = lanes
    apart: dict[str, list[Array]] = {}
    sizes: dict[str, float] = {}
    going, discrete = np.ones(len(seeds), bool), ""
    played = Played(0, 0)
    for step in range(steps):
        action = choose(step, now)
        a, b = (advance_going(one, action, seeds, going) for one in (mine, theirs))
        if a is None or b is None:
            break
        shown = going & a.final & b.final
        played = Played(step + 1, played.compared + int(shown.sum()))
        for name, x in a.fields.items():
            if name in judge.skipped or name in judge.random:
                continue
            y = b.fields[name]
            usable = going & a.final_of(name) & b.final_of(name)
            rule = judge.rule(name, x, y)
            difference = rule.apart(x, y).reshape(len(seeds), -1).max(axis=1, initial=0)
            if x.dtype.kind == "f" or y.dtype.kind == "f":
                size = np.abs(x[usable].astype(np.float64))
                size = size[np.isfinite(size)]  # beside an infinite one nothing would count
                sizes[name] = max(sizes.get(name, 1e-9), float(size.max(initial=0)))
                if name in a.state:
                    apart.setdefault(name, []).append(np.where(usable, difference, np.nan))
            elif not discrete and (difference[usable] > 0).any():
                lane = int(np.flatnonzero(usable & (difference > 0))[0])
                discrete = (
                    f"{name} comes apart at step {step + 1} of an episode ({x[lane].tolist()} on the "
                    f"reference, {y[lane].tolist()} on the port)"
                )
        going = going & ~a.ended & ~b.ended
        if not going.any():
            break
        now = _gone_on(now, a, shown & going)
    return {name: np.array(rows) / sizes[name] for name, rows in apart.items()}, discrete, played


def _gone_on(now: Moments, steps: Steps, going: Array) -> Moments:
    """Return what the reference has come to; of episodes that have ended, what was before their end."""
    if going.all():
        return Moments(steps.state, steps.obs)

    def either(new: Fields, old: Fields) -> Fields:
        return {
            name: np.where(going.reshape(-1, *(1,) * (value.ndim - 1)), value, old[name])
            for name, value in new.items()
        }

    return Moments(either(steps.state, now.state), either(steps.obs, now.obs))


def _growth(apart: Array) -> float | None:
    """Return the factor a step by which differences grow, of those that are neither zero nor large."""
    with np.errstate(invalid="ignore", divide="ignore"):
        usable = (apart > 1e-16) & (apart < 1e-3)
        logs = np.where(usable, np.log(apart), np.nan)
    step, _ = np.nonzero(usable)
    if len(np.unique(step)) < 8:
        return None
    slope = np.polyfit(step, logs[usable], 1)[0]
    return float(np.exp(slope))


def _jump(apart: dict[str, Array]) -> str:
    """Return a sentence on a difference that appears within one step in double precision."""
    if not apart:
        return ""
    total = np.max([np.nan_to_num(a) for a in apart.values()], axis=0)
    before = np.concatenate([np.zeros((1, total.shape[1])), total[:-1]])
    jumps = np.argwhere((total > LARGE) & (before < SMALL))
    if not len(jumps):
        return ""
    step, lane = (int(i) for i in jumps[0])
    name = max(apart, key=lambda one: float(np.nan_to_num(apart[one][step, lane])))
    return (
        f"{name} comes apart within step {step + 1} of an episode, by {apart[name][step, lane]:.1e} of "
        "its size in double precision"
    )
