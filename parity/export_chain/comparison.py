"""Gauges: what was compared at one stage of one hop, how far it came apart, and where first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Limit:
    """How far two numbers may be apart: ``absolute + relative * abs(expected)``; zeros mean equal.

    With ``of_row`` the relative part is of the largest number in the row: logits are sums in which
    larger numbers cancel, so a small one is no more exact than its neighbours.
    """

    absolute: float = 0.0
    relative: float = 0.0
    of_row: bool = False

    def __str__(self) -> str:
        if self.absolute == self.relative == 0:
            return "equal"
        return f"{self.absolute:g} + {self.relative:g} of {'the row' if self.of_row else 'itself'}"

    def allowed(self, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far apart numbers (N, ...) may be, of the same shape."""
        size = np.abs(expected)
        if self.of_row and size.ndim > 1:
            size = np.broadcast_to(size.max(axis=-1, keepdims=True), size.shape)
        return self.absolute + self.relative * size


EQUAL = Limit()
FLOAT64 = Limit(1e-12, 1e-12)
FLOAT32 = Limit(1e-5, 1e-5)
LOGITS32 = Limit(1e-5, 1e-5, of_row=True)
FEATURE = Limit(1e-9, 1e-9)


@dataclass
class Gauge:
    """One stage of one hop.

    Attributes:
        hop: what is compared with what.
        stage: which step of a decision, a layer by its name.
        limit: how far apart numbers may be.
        rows: rows compared so far.
        worst: largest distance seen, in the numbers' own unit.
        share: largest distance as a share of what is allowed there; above 1 is a failure.
        bad: rows with a distance above the limit, or a number that is not finite.
        first: the first such row: its number, place, expected and found.
    """

    hop: str
    stage: str
    limit: Limit = EQUAL
    rows: int = 0
    worst: float = 0.0
    share: float = 0.0
    bad: int = 0
    first: dict[str, Any] = field(default_factory=dict)

    def update(self, expected: ArrayLike, found: ArrayLike) -> Gauge:
        """Compare a batch (N, ...) and return self. Another shape is a failure of every row."""
        left, right = np.asarray(expected), np.asarray(found)
        if left.shape != right.shape:
            self.rows += len(left)
            self.bad += len(left)
            self.share = float("inf")
            self.first = self.first or {
                "expected": f"shape {left.shape}",
                "found": f"shape {right.shape}",
            }
            return self
        if not left.size:
            return self
        one, other = left.astype(np.float64), right.astype(np.float64)
        apart = np.abs(other - one)
        allowed = self.limit.allowed(one)
        wrong: NDArray[np.bool_] = np.logical_not(apart <= allowed)
        wrong_rows = np.atleast_1d(wrong.reshape(len(one), -1).any(axis=1))
        if wrong.any() and not self.first:
            place = np.argwhere(wrong)[0]
            self.first = {
                "row": int(self.rows + place[0]),
                "place": [int(x) for x in place[1:]],
                "expected": float(one[tuple(place)]),
                "found": float(other[tuple(place)]),
            }
        self.worst = max(self.worst, float(np.nan_to_num(apart, nan=np.inf).max()))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(apart == 0, 0.0, apart / allowed)
        self.share = max(self.share, float(np.nan_to_num(shares, nan=np.inf).max()))
        self.bad += int(wrong_rows.sum())
        self.rows += len(one)
        return self

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing lay beyond the limit."""
        return self.bad == 0 and self.rows > 0

    def words(self) -> str:
        """Say in one sentence what is wrong."""
        if not self.rows:
            return f"{self.hop}, {self.stage}: nothing was compared"
        where = ""
        if "row" in self.first:
            place = ", ".join(map(str, self.first["place"]))
            where = f"; first in row {self.first['row']}" + (f" at {place}" if place else "")
        values = ""
        if self.first:
            values = f": {_text(self.first['expected'])} expected, {_text(self.first['found'])} found"
        return f"{self.hop}, {self.stage}: {self.bad} of {self.rows} rows differ{where}{values}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "hop": self.hop,
            "stage": self.stage,
            "limit": str(self.limit),
            "rows": self.rows,
            "largest_difference": self.worst if np.isfinite(self.worst) else None,
            "share_of_limit": self.share if np.isfinite(self.share) else None,
            "rows_beyond": self.bad,
            "first": self.first,
            "passed": self.passed,
        }


class Board:
    """Gauges by hop and stage, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._gauges: dict[tuple[str, str], Gauge] = {}

    def at(self, hop: str, stage: str, limit: Limit = EQUAL) -> Gauge:
        """Return the gauge of a hop's stage, made if need be."""
        return self._gauges.setdefault((hop, stage), Gauge(hop, stage, limit))

    def stages(
        self,
        hop: str,
        expected: Mapping[str, Any],
        found: Mapping[str, Any],
        names: Iterable[str],
        limit: Limit,
    ) -> None:
        """Compare stages by name, in order; "action" must be equal."""
        for name in names:
            own = {"action": EQUAL, "action_head": LOGITS32 if limit is FLOAT32 else limit}
            self.at(hop, name, own.get(name, limit)).update(expected[name], found[name])

    @property
    def gauges(self) -> list[Gauge]:
        """All gauges."""
        return list(self._gauges.values())

    def first_divergence(self, hop: str | None = None) -> Gauge | None:
        """Return the first gauge that failed, of all or of one hop."""
        of_hop = (g for g in self._gauges.values() if hop in (None, g.hop))
        return next((gauge for gauge in of_hop if not gauge.passed), None)


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
