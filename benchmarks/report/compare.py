"""Comparison of two reports row by row: which changes are regressions, and which are noise.

Each row holds samples that were taken in turns. In the report of one benchmark the ratio of two medians
is resampled from them: that is the noise within a run, and minutes later the machine may be another. A
merged report takes its samples in blocks spread over the run, so there the blocks' medians are
compared: how far they scatter is the noise between runs. A row has changed where its whole interval
lies outside the margin, and is unclear where it is wider than the margin can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from benchmarks.harness.machine_info import MachineInfo
from benchmarks.harness.reports import AnyReport, MergedReport
from benchmarks.harness.statistics import central_interval, resampled_medians
from benchmarks.report.sections import Measured, measured_of
from markets import InputError

Verdict = Literal["slower", "faster", "worse", "better", "same", "unclear"]
LEVEL = 0.95
MOST_FREEDOM = 30
"""Degrees of freedom that a section's rows give at most: they share the machine and its moods."""


@dataclass(frozen=True)
class Change:
    """Change of one row between two reports.

    Attributes:
        name: of the row, with its section's in a merged report.
        before, after: medians.
        ratio: after / before.
        low, high: interval of the ratio: 95% for each row, in a merged report for all rows together.
        verdict: what it means; "worse" and "better" where less is better.
        unit: of before and after.
        machine: the row is a rate of the machine itself; its change is nobody's regression.
    """

    name: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    verdict: Verdict
    unit: str = "steps/s"
    machine: bool = False


@dataclass(frozen=True)
class Comparison:
    """Changes of all rows between two reports.

    Attributes:
        changes: rows that both have.
        missing, new: rows that only the first, or only the second has.
        different: what of the machine and the versions differs: name -> (first, second).
        machine: median ratio of the machine's own rates, after / before; 1 where none was measured. A
            change that goes no further than the machine's is no change of a row.
    """

    changes: Sequence[Change]
    missing: Sequence[str]
    new: Sequence[str]
    different: Mapping[str, tuple[str, str]]
    machine: float = 1.0

    @property
    def regressed(self) -> bool:
        """Whether a row is slower, or worse, or gone."""
        bad = {change.verdict for change in self.changes if not change.machine}
        return bool(self.missing) or bool(bad & {"slower", "worse"})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"regressed": self.regressed, **asdict(self)}


def compare(before: AnyReport, after: AnyReport, margin: float = 0.05, seed: int = 0) -> Comparison:
    """Compare two reports of one benchmark, or two merged reports.

    Args:
        before, after: from :func:`benchmarks.harness.reports.read_report`.
        margin: a ratio within 1 +- this is no change.
        seed: of the resampling.

    Raises:
        InputError: they are of two benchmarks, or the margin is no share.
    """
    if type(before) is not type(after):
        kinds = [type(report).__struct_config__.tag for report in (before, after)]
        raise InputError(
            f"the first report's benchmark is {kinds[0]!r}, the second's {kinds[1]!r}; compare two "
            "reports of one benchmark"
        )
    if not 0 < margin < 1:
        raise InputError(f"the margin is {margin!r}; give a share between 0 and 1, such as 0.05")
    made = [report.made.quick for report in (before, after) if isinstance(report, MergedReport)]
    if len(set(made)) > 1:
        raise InputError("one report is a quick run, the other is not; compare two full reports")
    first, second = ({row.full_name: row for row in measured_of(report)} for report in (before, after))
    pairs = [(first[name], second[name]) for name in first if name in second]
    rng = np.random.default_rng(seed)
    scatter = section_scatter([*first.values(), *second.values()])
    # One wrong verdict in twenty comparisons of whole reports, not one in twenty rows.
    tail = (1 - LEVEL) / 2 / max(len(pairs), 1)
    machine = machine_ratio(pairs)
    changes = []
    for one, two in pairs:
        interval = interval_of(one, two, scatter, tail, rng)
        changes.append(change_of(one, two, interval, margin, 1.0 if one.machine else machine))
    return Comparison(
        changes,
        [name for name in first if name not in second],
        [name for name in second if name not in first],
        _differences(before.machine_info, after.machine_info),
        machine,
    )


def machine_ratio(pairs: Sequence[tuple[Measured, Measured]]) -> float:
    """Return the median ratio of the machine's own rates, after / before; 1 where there are none."""
    ratios = [np.median(two.samples) / np.median(one.samples) for one, two in pairs if one.machine]
    return float(np.median(ratios)) if ratios else 1.0


def log_medians(row: Measured) -> NDArray[np.float64]:
    """Return the logarithms of the medians of a row's blocks."""
    return np.log([np.median(block) for block in row.blocks])


def section_scatter(rows: Sequence[Measured]) -> dict[str, tuple[float, int]]:
    """Return how far blocks of a section scatter, over all its rows.

    Returns:
        Section to the standard deviation of a block's log median and its degrees of freedom; only
        sections that have a row with two blocks.
    """
    scatter = {}
    for section in {row.section for row in rows}:
        several = [log_medians(row) for row in rows if row.section == section and len(row.blocks) > 1]
        freedom = sum(len(medians) - 1 for medians in several)
        if freedom:
            squares = sum(float(np.sum((medians - medians.mean()) ** 2)) for medians in several)
            scatter[section] = ((squares / freedom) ** 0.5, min(freedom, MOST_FREEDOM))
    return scatter


def interval_of(
    before: Measured,
    after: Measured,
    scatter: Mapping[str, tuple[float, int]],
    tail: float,
    rng: np.random.Generator,
) -> tuple[float, float] | None:
    """Return the interval of after / before; None where a single timing says nothing of its scatter.

    Args:
        before, after: one row in two reports.
        scatter: from :func:`section_scatter`.
        tail: probability beyond either end, where blocks are compared.
        rng: of the resampling, where there are no blocks.
    """
    ratio = float(np.median(after.samples) / np.median(before.samples))
    if before.exact:
        return ratio, ratio
    one, two = log_medians(before), log_medians(after)
    if min(len(one), len(two)) > 1 and before.section in scatter:
        own = [np.sum((x - x.mean()) ** 2) for x in (one, two)]
        sd, freedom = scatter[before.section]
        # A row may be noisier than its section, but three blocks alone can't show that it is calmer.
        sd = max(sd, float((sum(own) / (len(one) + len(two) - 2)) ** 0.5))
        reach = student.ppf(1 - tail, freedom) * sd * (1 / len(one) + 1 / len(two)) ** 0.5
        return ratio * float(np.exp(-reach)), ratio * float(np.exp(reach))
    if min(len(before.samples), len(after.samples)) < 2:
        return None
    drawn = resampled_medians(after.samples, rng) / resampled_medians(before.samples, rng)
    return central_interval(drawn, LEVEL)


def change_of(
    before: Measured,
    after: Measured,
    interval: tuple[float, float] | None,
    margin: float,
    machine: float = 1.0,
) -> Change:
    """Return what became of one row.

    Args:
        before, after: one row in two reports.
        interval: of after / before; None if unknown.
        margin: a ratio within 1 +- this is no change.
        machine: ratio of the machine's own rates; a change up to it is the machine's.
    """
    old, new = float(np.median(before.samples)), float(np.median(after.samples))
    low, high = interval or (0.0, float("inf"))
    less = before.better == "less"
    drift = 1.0 if before.exact else 1 / machine if less else machine
    lower, upper = min(1.0, drift) * (1 - margin), max(1.0, drift) * (1 + margin)
    verdict: Verdict = "unclear"
    if high < lower:
        verdict = "better" if less else "slower"
    elif low > upper:
        verdict = "worse" if less else "faster"
    elif low >= lower and high <= upper:
        verdict = "same"
    name, unit = before.full_name, before.unit
    return Change(name, old, new, new / old, low, high, verdict, unit, before.machine)


def _differences(before: MachineInfo, after: MachineInfo) -> dict[str, tuple[str, str]]:
    """Return what differs of machine and software, but for the time and the load."""
    differences = {}
    for name in ("python", "platform", "cpu", "cores", "device", "versions", "flags"):
        one, two = (msgspec.to_builtins(getattr(info, name)) for info in (before, after))
        if isinstance(one, dict):
            for key in sorted({*one, *two}):
                if one.get(key) != two.get(key):
                    differences[f"{name} {key}"] = (str(one.get(key)), str(two.get(key)))
        elif one != two:
            differences[name] = (str(one), str(two))
    return differences
