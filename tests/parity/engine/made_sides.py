"""A recording and a replay made by hand, for the checks of a pair, and every number that is in them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from parity.engine.compare import Array, close, exact
from parity.engine.pair import Fields, Pair
from parity.engine.record import Recording
from parity.engine.replay import Replay
from tests.parity.walker import walker_pair

LENGTHS = (3, 1, 2)
"""Steps of three lanes, of which the first and the last end, one each way."""
LANES, STEPS = 3, 3
RULES = {
    "place": exact(),
    "obs": close(ulps=1),
    "grid": exact(),
    "reward": close(ulps=1),
    "terminated": exact(),
    "truncated": exact(),
}
STARTS = (np.array([3, 5]), np.array([4, 6]))
"""Of two worlds."""


def moments(shape: tuple[int, ...], base: int) -> Fields:
    """Return a state and an observation at each of some moments, no two numbers alike."""
    count = int(np.prod(shape))
    return {
        "place": (base + np.arange(count)).reshape(shape),
        "obs": (base + np.arange(2 * count) / 8).reshape(*shape, 2).astype(np.float32),
        "grid": (base + np.arange(4 * count)).reshape(*shape, 2, 2),
    }


def resting(*starts: int) -> Fields:
    """Return what the reference shows right after a reset at each start."""
    at = np.array(starts)
    return {
        "place": at,
        "obs": np.stack([at / 2, at / 4], 1).astype(np.float32),
        "grid": np.stack([at, -at, at, at], 1).reshape(-1, 2, 2),
    }


def sides() -> tuple[Recording, Replay]:
    """Return a recording, and a replay that did the same and restarted in world 0 as it should."""
    terminated, truncated = np.zeros((2, LANES, STEPS), bool)
    terminated[0, 2] = truncated[2, 1] = True
    before = moments((LANES,), 100)
    after = {
        **moments((LANES, STEPS), 200),
        "reward": np.linspace(1, 2, LANES * STEPS, dtype=np.float32).reshape(LANES, STEPS),
        "terminated": terminated,
        "truncated": truncated,
    }
    recording = Recording(
        worlds=np.zeros(LANES, np.int32),
        actions=np.arange(LANES * STEPS, dtype=np.int32).reshape(LANES, STEPS),
        lengths=np.array(LENGTHS, np.int32),
        before=before,
        after=after,
        injected=False,
        starts=np.array([3, 3, 5], np.int32),
        labels=["left", "right", "left"],
    )
    ended = terminated | truncated
    restart = resting(5, 0, 3)  # the second lane never restarts, so what it holds is nothing
    played = Replay(deepcopy(before), deepcopy(after), ended, restart, np.ones_like(ended))
    return recording, played


def pair_of(**changed: Any) -> Pair:
    """Return a pair whose reference rests at its starts; nothing else of it is ever driven."""

    def reset(env: dict[str, int], start: int) -> Array:
        env["at"] = start
        return np.asarray(resting(start)["obs"][0])

    def read(env: dict[str, int]) -> Fields:
        return {name: resting(env["at"])[name][0] for name in ("place", "grid")}

    walker = walker_pair()
    side = replace(walker.reference, make=lambda world: {}, reset=reset, read=read)
    masked = replace(side, masks=lambda env: np.array([True]))
    given: dict[str, Any] = {
        "worlds": ["north", "south"],
        "starts": STARTS,
        "reference": masked,
        "rules": {**RULES, "masks": exact()},
        "begun": lambda fields: (np.zeros(len(fields["place"]), int), fields["place"]),
        "coverage": lambda before, actions, after: {},
        **changed,
    }
    return replace(walker, **given)


def with_masks(played: Replay) -> Replay:
    """Return a replay whose restarts show the masks that the reference has."""
    return played._replace(restart={**played.restart, "masks": np.ones((LANES, 1), bool)})


def changed(value: Array, place: tuple[int, ...]) -> Array:
    """Return a copy in which one number is another."""
    other = value.copy()
    other[place] = ~other[place] if value.dtype == bool else other[place] + 1
    return other


def every_place() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield every number of both sides: before or after, the field, and the place."""
    recording, _ = sides()
    for when, fields in (("before", recording.before), ("after", recording.after)):
        for name, value in fields.items():
            for place in np.ndindex(value.shape):
                yield when, name, place


def with_one_changed(played: Replay, when: str, name: str, place: tuple[int, ...]) -> Replay:
    fields = getattr(played, when)
    return played._replace(**{when: {**fields, name: changed(fields[name], place)}})
