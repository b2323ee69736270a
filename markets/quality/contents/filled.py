"""Closed hours that were filled with flat bars without volume, as some vendors and scripts do.

Such bars hide where sessions begin and end, so the clock is judged without them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from markets.quality.contents.arrays import Contents
from markets.quality.finding import Finding
from markets.quality.sessions import while_closed

FILLED_LIMIT = 0.03
"""Share of the bars that are flat, without volume and in closed hours, from which it is refused."""
MOSTLY = 0.9
"""Share of the bars in closed hours that must be so, for the clock to be right."""


def filled(bars: Contents) -> NDArray[np.bool_] | None:
    """Return which bars have one price and no volume, shape (T,); None where no bar lacks volume."""
    empty = bars.volume == 0
    if not empty.any():
        return None
    return np.asarray(empty & (bars.high == bars.low))


def filled_hours(bars: Contents, flat: NDArray[np.bool_]) -> Iterator[Finding]:
    """Yield that closed hours were filled; ``flat`` is what :func:`filled` returned."""
    closed = while_closed(bars.ns)
    both = int((closed & flat).sum())
    if both > FILLED_LIMIT * len(bars) and both >= MOSTLY * int(closed.sum()):
        yield Finding(
            "filled_hours",
            both,
            f"{both:,} bars in the daily halt or the weekend have no volume and one price, so hours "
            "when the exchange is closed were filled",
            "remove the rows without volume",
        )
