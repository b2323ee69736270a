"""The quality report: what is wrong with a file of bars, what is odd about it, and how to mend it.

A *problem* would poison training, so ``rltrader data check`` refuses the file. A *warning* is worth a
look. Source: section 3 of ``docs/environment.md``; each finding is described in ``docs/data.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import pandas as pd

from markets.contracts import Contract
from markets.quality.facts import Facts, Rows, measure
from markets.quality.finding import Finding
from markets.quality.findings import problems, warnings


@dataclass(frozen=True, slots=True)
class QualityReport(Facts):
    """What :func:`inspect` found: the facts, and what follows from them.

    Attributes:
        problems, warnings: findings, the most important first.
    """

    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True when there is no problem; warnings may be there."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self) | {"ok": self.ok}


def inspect(
    frame: pd.DataFrame, contract: Contract, source: str, *, snap: bool = False
) -> QualityReport:
    """Judge raw rows, as ``read_frame`` returns them, and say how to mend what is wrong.

    The same rows give the same report, but for bars in the future, of which a later one does not tell.

    Args:
        frame: columns open, high, low, close (points), volume (contracts) on a UTC index, in any order.
        contract: whose tick grid the prices should be on.
        source: the file's name, for the report.
        snap: prices off the grid will be moved to it, so they are a warning only.

    Raises:
        InputError: there are no rows, or the index has no time zone.
    """
    rows = Rows(frame, contract, source)
    facts = measure(rows, source)
    values = {item.name: getattr(facts, item.name) for item in fields(Facts)}
    bad, odd = list(problems(rows)), list(warnings(rows, facts))
    if snap:
        odd += [
            replace(finding, mend="do nothing: they are snapped")
            for finding in bad
            if _off_grid(finding)
        ]
        bad = [finding for finding in bad if not _off_grid(finding)]
    return QualityReport(**values, problems=tuple(bad), warnings=tuple(odd))


def _off_grid(found: Finding) -> bool:
    return found.kind == "off_grid"
