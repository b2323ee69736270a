"""Comparisons by hop and stage of the export chain: how far each came apart, and where first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundation.report.format import show
from parity.engine.compare import Comparison, Tolerance, distance

EQUAL = Tolerance()
FLOAT64 = Tolerance(1e-12, 1e-12)
FLOAT32 = Tolerance(1e-5, 1e-5)
LOGITS32 = Tolerance(1e-5, 1e-5, relative_to="row")
FEATURE = Tolerance(1e-9, 1e-9)


@dataclass
class StageComparison(Comparison):
    """One stage of one hop, compared batch by batch; rows count, not single numbers.

    Attributes:
        hop: what is compared with what.
        stage: which step of a decision, a layer by its name.
        tolerance: how far apart numbers may be.
        share: largest distance as a share of what is allowed there; above 1 is a failure.
        first: the first row that is too far off: its number, place, expected and found.
    """

    hop: str = ""
    stage: str = ""
    tolerance: Tolerance = EQUAL
    share: float = 0.0
    first: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, hop: str, stage: str, tolerance: Tolerance = EQUAL) -> StageComparison:
        """Return a comparison of a hop's stage that has seen nothing yet."""
        return cls(tolerance.describe(), hop=hop, stage=stage, tolerance=tolerance)

    def update(
        self, expected: ArrayLike, actual: ArrayLike, rounding: ArrayLike | None = None
    ) -> StageComparison:
        """Compare a batch (N, ...) and return self. Another shape is a failure of every row.

        Args:
            expected, actual: both sides' numbers.
            rounding: allowed beside the tolerance in each row, (N,); nothing by default.
        """
        left, right = np.asarray(expected), np.asarray(actual)
        if left.shape != right.shape:
            rows = max(len(left), len(right))
            self.compared += rows
            self.mismatches += rows
            self.share = float("inf")
            shapes = {"expected": f"shape {left.shape}", "found": f"shape {right.shape}"}
            self.first = self.first or shapes
            return self
        if not left.size:
            return self
        one, other = left.astype(np.float64), right.astype(np.float64)
        more = np.zeros(len(one)) if rounding is None else np.asarray(rounding, np.float64)
        allowed = self.tolerance.allowed(one) + more.reshape(-1, *[1] * (one.ndim - 1))
        apart = distance(left, right)
        agrees = apart <= allowed
        if self.tolerance.ulps:
            agrees |= self.tolerance.agree(left, right)
        wrong: NDArray[np.bool_] = np.logical_not(agrees & np.isfinite(apart))
        if rounding is not None:
            self.rule = f"{self.tolerance.describe()} + rounding of its sums"
        if wrong.any() and not self.first:
            place = np.argwhere(wrong)[0]
            self.first = {
                "row": int(self.compared + place[0]),
                "place": [int(x) for x in place[1:]],
                "expected": float(one[tuple(place)]),
                "found": float(other[tuple(place)]),
            }
        self.max_abs = max(self.max_abs, _largest(apart))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(apart == 0, 0.0, apart / allowed)
        self.share = max(self.share, _largest(shares))
        self.mismatches += int(wrong.reshape(len(one), -1).any(axis=1).sum())
        self.compared += len(one)
        return self

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing lay beyond what is allowed."""
        return self.mismatches == 0 and self.compared > 0

    def sentence(self) -> str:
        """Say in one sentence what is wrong."""
        if not self.compared:
            return f"{self.hop}, {self.stage}: nothing was compared"
        where = ""
        if "row" in self.first:
            place = ", ".join(map(str, self.first["place"]))
            where = f"; first in row {self.first['row']}" + (f" at {place}" if place else "")
        values = ""
        if self.first:
            values = f": {_text(self.first['expected'])} expected, {_text(self.first['found'])} found"
        rows = f"{self.mismatches} of {self.compared} rows"
        return f"{self.hop}, {self.stage}: {rows} differ{where}{values}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "hop": self.hop,
            "stage": self.stage,
            "limit": self.rule,
            "rows": self.compared,
            "largest_difference": self.max_abs if np.isfinite(self.max_abs) else None,
            "share_of_limit": self.share if np.isfinite(self.share) else None,
            "rows_beyond": self.mismatches,
            "first": self.first,
            "passed": self.passed,
        }


class Board:
    """Comparisons by hop and stage, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, str], StageComparison] = {}

    def at(self, hop: str, stage: str, tolerance: Tolerance = EQUAL) -> StageComparison:
        """Return the comparison of a hop's stage, made if need be."""
        return self._stages.setdefault((hop, stage), StageComparison.of(hop, stage, tolerance))

    def stages(
        self,
        hop: str,
        expected: Mapping[str, Any],
        actual: Mapping[str, Any],
        names: Iterable[str],
        tolerance: Tolerance,
        rounding: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
    ) -> None:
        """Compare stages by name, in order; "action" must be equal.

        Args:
            hop: what is compared with what.
            expected, actual: both sides' stages.
            names: of the stages to compare.
            tolerance: of all but "action" and, in float32, logits.
            rounding: allowed beside it in each row, by stage.
        """
        head = LOGITS32 if tolerance is FLOAT32 else tolerance
        own = {"action": EQUAL, "action_head": head}
        for name in names:
            comparison = self.at(hop, name, own.get(name, tolerance))
            comparison.update(expected[name], actual[name], rounding.get(name))

    @property
    def comparisons(self) -> list[StageComparison]:
        """All comparisons."""
        return list(self._stages.values())

    def first_divergence(self, hop: str | None = None) -> StageComparison | None:
        """Return the first comparison that failed, of all or of one hop."""
        of_hop = (stage for stage in self._stages.values() if hop in (None, stage.hop))
        return next((stage for stage in of_hop if not stage.passed), None)


def _largest(values: NDArray[np.float64]) -> float:
    """Return the largest number; infinity where one is NaN."""
    largest = float(values.max())  # NaN where one is
    return float("inf") if np.isnan(largest) else largest


def _text(value: Any) -> str:
    return show(value) if isinstance(value, float) else str(value)
