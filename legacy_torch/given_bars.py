"""The check that an environment was given a market, and the words for one that was not."""

from __future__ import annotations

from markets import Bars, InputError


def require_bars(bars: object, name: str, phase: int) -> Bars:
    """Return bars as they are.

    Args:
        bars: what an environment was given.
        name: of the environment's class.
        phase: 1 or 2.

    Raises:
        InputError: they are no bars; says what to give.
    """
    if isinstance(bars, Bars):
        return bars
    given = "no bars" if bars is None else f"bars of type {type(bars).__name__}"
    raise InputError(
        f"{name} was given {given}; give it a market, such as gymnasium.make("
        f"'legacy_torch:RLTrader-Phase{phase}-v0', bars=read_bars('ES_1min.csv', 'ES')) "
        "with markets.readers.read_bars"
    )
