"""Sides that begin another episode by themselves: what they hand out of the one that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from parity.harness.sides.side import Moments, Steps
from parity.harness.trees import Array, Fields, flatten

Restarts = Literal["same step", "next step", "never"]
"""When a side begins another episode, as Gymnasium's ``AutoresetMode``: within the step that ends one,
in the step after (whose action is ignored), or when it is told to."""
FINAL = ("final_obs", "final_observation")
"""Names in a step's info under which the last observation of an ended episode is handed out."""


def final_in(info: Mapping[str, Any]) -> Any:
    """Return the final observation of a step's info, as Gymnasium and EnvPool name it; None if none."""
    return next((info[name] for name in FINAL if info.get(name) is not None), None)


def restarted_within(steps: Steps, final: Fields | None) -> Steps:
    """Return steps of a side that begins another episode within the step that ends one.

    Args:
        steps: as the side handed them out, the next episode's first state and observation among them.
        final: fields of the observation before the restart (N, ...), which count where an episode
            ended; None if none is handed out.
    """
    ended = steps.ended

    def where_ended(fields: Fields, others: Fields | None) -> Fields:
        parts = {}
        for name, value in fields.items():
            here = ended.reshape(-1, *(1,) * (value.ndim - 1))
            other = 0 if others is None else others[name]
            parts[name] = np.where(here, other, value).astype(value.dtype)
        return parts

    told = {} if final is None else {f"final {name}": value for name, value in final.items()}
    steps.restart = Moments(steps.state, {**steps.obs, **told})
    steps.state, steps.obs = where_ended(steps.state, None), where_ended(steps.obs, final)
    steps.final = ~ended
    steps.final_obs = steps.final if final is None else np.ones(len(ended), bool)
    return steps


def final_rows(obs: Fields, ended: Array, final: Any) -> Fields | None:
    """Return the final observations of N steps as fields like those of the observation.

    Args:
        obs: fields (N, ...) of what the steps showed.
        ended: bool (N,), where an episode ended.
        final: what the infos held: a tree of arrays (N, ...), or of objects with None where no episode
            ended; None if they held nothing.

    Returns:
        The fields; None where an episode ended and its last observation is not handed out.
    """
    if not ended.any():
        return dict(obs)
    if final is None:
        return None
    parts = _fields_of(final, ended)
    if set(parts) != set(obs):
        return None
    filled: Fields = {}
    for name, value in obs.items():
        given = np.asarray(parts[name])
        if given.shape != value.shape:
            return None
        filled[name] = given.astype(value.dtype)
    return filled


def _fields_of(final: Any, ended: Array) -> Fields:
    """Return final observations as fields (N, ...), also of objects of which some are None."""
    lacking = isinstance(final, list) and any(row is None for row in final)
    if not lacking and getattr(final, "dtype", None) != np.dtype(object):
        return flatten(final, "obs")
    rows = [None if row is None else flatten(row, "obs") for row in final]
    first = next((row for row in rows if row is not None), None)
    if first is None or any(row is None for row, over in zip(rows, ended, strict=True) if over):
        return {}
    return {name: np.stack([np.asarray((row or first)[name]) for row in rows]) for name in first}
