"""Actions in double precision, and environments that hold them against a space of single precision."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from foundation.errors import error_in_words
from parity.harness.trees import Fields, rows_of

TRIED = 8
"""Actions by which it is found out whether a side takes them in double precision."""


def widened(actions: Fields) -> Fields:
    """Return actions whose numbers with a fraction are in double precision."""
    return {
        name: value.astype(np.float64) if value.dtype.kind == "f" else value
        for name, value in actions.items()
    }


def widen_space(env: Any, space: Any) -> None:
    """Let an environment's action space, and that of those within it, hold double precision.

    Environments hold an action against their space, and a space of float32 has none in float64. It is
    another space afterwards: the one that was given may be that of other environments.
    """
    narrow = [np.dtype(leaf.dtype).kind == "f" and leaf.dtype != np.float64 for leaf in _leaves(space)]
    if not any(narrow):
        return
    wide = copy.deepcopy(space)
    for leaf, is_narrow in zip(_leaves(wide), narrow, strict=True):
        leaf.dtype = np.dtype(np.float64) if is_narrow else leaf.dtype
    while env is not None:
        if getattr(env, "action_space", None) is space:
            env.action_space = wide
        env = getattr(env, "env", None)


def _leaves(space: Any) -> list[Any]:
    inner = getattr(space, "spaces", None)
    if inner is None:
        return [space] if getattr(space, "dtype", None) is not None else []
    parts = inner.values() if isinstance(inner, Mapping) else inner
    return [leaf for part in parts for leaf in _leaves(part)]


def refusal_of_wide(actions: Fields, step: Callable[[Fields, int], None]) -> str:
    """Return what a side raises in a step whose action is in double precision and not in the same step
    in the action's own, as environments do that hold it against their space; nothing if it takes both.

    Args:
        actions: (N, ...) as they are declared.
        step: (actions, row) -> None; takes one step of a new environment.
    """
    wide = widened(actions)
    if all(wide[name].dtype == value.dtype for name, value in actions.items()):
        return ""
    for row in range(min(rows_of(actions), TRIED)):  # one may be refused as an action
        said = raised(lambda row=row: step(wide, row))  # type: ignore[misc]
        if not said:
            return ""
        if not raised(lambda row=row: step(actions, row)):  # type: ignore[misc]
            return said
    return ""


def raised(call: Callable[[], Any]) -> str:
    """Return the type and first line of what a call of foreign code raises, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except Exception as error:  # whatever foreign code raises
        return error_in_words(error)
    return ""
