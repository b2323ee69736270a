"""Learners that have long been training: a state late in a run, given to both sides before they begin.

Fresh learners never show what happens after some thousand steps of Adam, at the five-hundredth update,
or under statistics that a batch hardly moves. The state is drawn, not trained: any would do, and this
one costs nothing. Source: ``docs/learner.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from parity.engine.compare import Array
from parity.engine.pair import Fields


@dataclass(frozen=True)
class Late:
    """How late a learner begins.

    Attributes:
        updates: made before.
        adam_steps: made before; any number, since an update may be of few steps or of many.
        seed: of the state.
    """

    updates: int
    adam_steps: int
    seed: int = 0


class LateState(NamedTuple):
    """What both sides begin with.

    Attributes:
        first, second: Adam's moments by torch's names, float32.
        obs_mean, obs_var: of raw observations, float64 (D,).
        return_mean, return_var: of discounted returns.
        seen: how many observations, and returns.
    """

    first: Fields
    second: Fields
    obs_mean: Array
    obs_var: Array
    return_mean: float
    return_var: float
    seen: float


def late_state(
    late: Late,
    weights: Mapping[str, Array],
    features: Array,
    window: int,
    size: int,
    rollout: int,
    frozen: tuple[str, ...] = (),
) -> LateState:
    """Return the state of a learner that begins late.

    Args:
        late: how late.
        weights: by torch's names, whose shapes the moments have.
        features: float32 (T, 11) of the market's bars, whose spread the statistics have.
        window: bars in an observation.
        size: numbers in an observation.
        rollout: transitions in an update.
        frozen: torch's names of layers that never learnt, whose moments are zero.
    """
    rng = np.random.default_rng([late.seed, 52])
    scale = 0.3 / np.sqrt(sum(value.size for value in weights.values()))
    shapes = {name: weights[name].shape for name in sorted(weights)}  # whatever the order they come in
    first = {name: _normal(rng, shape, scale) for name, shape in shapes.items()}
    second = {name: _normal(rng, shape, scale) ** 2 + 1e-9 for name, shape in shapes.items()}
    for name in weights:
        if name.rpartition(".")[0] in frozen:
            first[name], second[name] = first[name] * 0, second[name] * 0
    wide = features[np.isfinite(features).all(1)].astype(np.float64)
    rest = size - window * features.shape[1]
    return LateState(
        first=first,
        second={name: value.astype(np.float32) for name, value in second.items()},
        obs_mean=np.append(np.tile(wide.mean(0), window), np.zeros(rest)),
        obs_var=np.append(np.tile(wide.var(0), window), np.ones(rest)),
        return_mean=float(rng.normal()),
        return_var=float(rng.uniform(0.5, 4.0)),
        seen=float(late.updates * rollout) + 1e-4,
    )


def _normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return (rng.standard_normal(shape) * scale).astype(np.float32)
