"""Starts of episodes: where one may begin, and that there are bars to begin in.

Source: sections 3 and 4 of ``docs/environment.md``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.bars import Bars
from markets.config import EnvConfig


def find_starts(
    features: pd.DataFrame, minute: pd.Series[float], config: EnvConfig, source: str
) -> NDArray[np.int64]:
    """Return the indices at which an episode may start, sorted.

    Args:
        features: the eleven features of T bars, float32; NaN at the top where not yet defined.
        minute: New York minutes since midnight of the T bars.
        config: supplies warm-up, window, entry window and ``max_episode_bars``.
        source: where the bars came from, for the messages.

    Raises:
        InputError: there is no such index, or a feature is not finite after all have been defined
            (computed ones always are, short of a volume that no float32 can hold).
    """
    count = len(features)
    finite = np.isfinite(features.to_numpy())
    defined = finite.all(axis=1)
    usable_from = config.warmup_bars
    while usable_from < count and not defined[usable_from]:
        usable_from += 1
    holes = np.flatnonzero(~defined[usable_from:])
    if holes.size:
        row = usable_from + int(holes[0])
        name = features.columns[int(np.argmin(finite[row]))]
        raise InputError(
            f"{source}: feature {name} is not a finite 32-bit number at {features.index[row]}, though "
            "before it was one; repair the file, or let the features be computed"
        )
    index = np.arange(count)
    first = usable_from + config.window_size
    in_window = (minute >= config.entry_open_minute) & (minute < config.entry_close_minute)
    fits = (index >= first) & (index + config.max_episode_bars <= count - 1)
    starts = index[in_window.to_numpy() & fits]
    if not starts.size:
        raise InputError(
            f"{source}: none of the {count} bars of session {config.session!r} can start an episode, "
            f"which needs {first} bars before it, {config.max_episode_bars} after it and a New York "
            f"minute from {config.entry_open_minute} to {config.entry_close_minute - 1}; give more "
            "bars or a smaller max_episode_bars"
        )
    return starts.astype(np.int64)


def require_bars(bars: object, name: str, phase: int) -> Bars:
    """Return the bars that an environment was given.

    Args:
        bars: of anything else, such as None, is said what to give.
        name, phase: the environment's.

    Raises:
        InputError: they are no bars.
    """
    if isinstance(bars, Bars):
        return bars
    given = "no bars" if bars is None else f"bars of type {type(bars).__name__}"
    raise InputError(
        f"{name} was given {given}; give it a market, such as gymnasium.make('legacy_torch:RLTrader-"
        f"Phase{phase}-v0', bars=read_bars('ES_1min.csv', 'ES')) with markets.readers.read_bars"
    )
