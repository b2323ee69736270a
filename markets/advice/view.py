"""What an advisor may see of a market: bars and features up to the one it is asked about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from markets.bars import FEATURES

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MarketView:
    """Bars of one contract with their features, T bars in order of time.

    Attributes:
        symbol: of the contract.
        tick_size: points.
        timestamps_ns: int64 (T,), opens in nanoseconds since 1970 in UTC.
        high, low, close: float64 (T,), points.
        features: float32 (T, 11), as section 3 of ``docs/environment.md`` has them.
        warmup: bars at the beginning about which nothing is asked, since features lack a history.
        position: of the account, in words, where a live strategy asks; "" in a pass over a market.
    """

    symbol: str
    tick_size: float
    timestamps_ns: NDArray[np.int64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    features: Floats
    warmup: int
    position: str = ""

    def __len__(self) -> int:
        return len(self.timestamps_ns)

    def feature(self, name: str) -> Floats:
        """Return a feature of every bar by its name, float32 (T,)."""
        return self.features[:, FEATURES.index(name)]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of symbol, times, prices and features, in hex: what advice was made from."""
        h = hashlib.sha256(f"{self.symbol} {self.tick_size!r} {len(self)} {self.warmup}".encode())
        for values in (self.timestamps_ns, self.high, self.low, self.close, self.features):
            h.update(np.ascontiguousarray(values).tobytes())
        return h.hexdigest()

    def rows(self, every: int, first: int = 0, last: int | None = None) -> NDArray[np.int64]:
        """Return the bars that are asked about: those whose number is a multiple of ``every``.

        Args:
            every: bars from one question to the next, at least 1.
            first, last: no bar before, none after.
        """
        end = len(self) - 1 if last is None else min(last, len(self) - 1)
        begin = max(first, self.warmup)
        begin += -begin % every
        return np.arange(begin, end + 1, every, dtype=np.int64)
