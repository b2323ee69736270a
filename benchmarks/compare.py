"""Tell a regression from noise: two reports of one benchmark, row by row.

Each row holds samples that were taken in turns. The ratio of two medians is resampled from them; a row
has changed where its whole 95% interval lies outside the margin, and is unclear where the interval is
wider than the margin can tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from markets import InputError

Verdict = Literal["slower", "faster", "same", "unclear"]
RESAMPLES = 4000


@dataclass(frozen=True)
class Change:
    """One row in two reports.

    Attributes:
        name: of the row.
        before, after: median steps per second.
        ratio: after / before.
        low, high: 95% interval of the ratio.
        verdict: what it means.
    """

    name: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """Two reports.

    Attributes:
        changes: rows that both have.
        missing, new: rows that only the first, or only the second has.
        different: what of the machine and the versions differs: name -> (first, second).
    """

    changes: Sequence[Change]
    missing: Sequence[str]
    new: Sequence[str]
    different: Mapping[str, tuple[str, str]]

    @property
    def regressed(self) -> bool:
        """Whether a row is slower, or gone."""
        return bool(self.missing) or any(change.verdict == "slower" for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"regressed": self.regressed, **asdict(self)}


def read_report(path: Path) -> dict[str, Any]:
    """Read a report that a benchmark wrote.

    Raises:
        InputError: there is none, or it is not one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        # A rival that failed has no speed to compare; who had one before is gone.
        rows = found["rows"] = [row for row in found["rows"] if "error" not in row]
        assert all(min(row["steps_per_second"]["samples"]) > 0 and row["name"] for row in rows)
        found["benchmark"], found["schema"], found["surroundings"]["versions"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a JSON report of a benchmark") from None
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise InputError(
            f"{path}: not a report of steps per second; give what `--json FILE` of a throughput "
            "benchmark wrote"
        ) from None
    report: dict[str, Any] = found
    return report


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], margin: float = 0.05, seed: int = 0
) -> Comparison:
    """Compare two reports of one benchmark.

    Args:
        before, after: from :func:`read_report`.
        margin: a ratio within 1 +- this is no change.
        seed: of the resampling.

    Raises:
        InputError: they are of two benchmarks, or the margin is no share.
    """
    for name in ("benchmark", "schema"):
        if before[name] != after[name]:
            raise InputError(
                f"the first report's {name} is {before[name]!r}, the second's {after[name]!r}; compare "
                "two reports of one benchmark"
            )
    if not 0 < margin < 1:
        raise InputError(f"the margin is {margin!r}; give a share between 0 and 1, such as 0.05")
    first, second = (
        {row["name"]: np.array(row["steps_per_second"]["samples"], float) for row in report["rows"]}
        for report in (before, after)
    )
    rng = np.random.default_rng(seed)
    changes = [
        change_of(name, first[name], second[name], margin, rng) for name in first if name in second
    ]
    return Comparison(
        changes,
        [name for name in first if name not in second],
        [name for name in second if name not in first],
        _differences(before["surroundings"], after["surroundings"]),
    )


def change_of(
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    margin: float,
    rng: np.random.Generator,
) -> Change:
    """Return what became of one row.

    Args:
        name: of the row.
        before, after: samples, steps per second.
        margin: a ratio within 1 +- this is no change.
        rng: of the resampling.
    """

    def medians(samples: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = rng.integers(0, len(samples), (RESAMPLES, len(samples)))
        return np.asarray(np.median(samples[drawn], axis=1))

    ratio = float(np.median(after) / np.median(before))
    low, high = (float(x) for x in np.percentile(medians(after) / medians(before), (2.5, 97.5)))
    verdict: Verdict = "unclear"
    if high < 1 - margin:
        verdict = "slower"
    elif low > 1 + margin:
        verdict = "faster"
    elif low >= 1 - margin and high <= 1 + margin:
        verdict = "same"
    return Change(name, float(np.median(before)), float(np.median(after)), ratio, low, high, verdict)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what of the surroundings differs, but for the time and the load."""
    found = {}
    for name in ("python", "platform", "cpu", "cores", "device", "versions", "flags"):
        one, two = before.get(name), after.get(name)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            for key in sorted({*one, *two}):
                if one.get(key) != two.get(key):
                    found[f"{name} {key}"] = (str(one.get(key)), str(two.get(key)))
        elif one != two:
            found[name] = (str(one), str(two))
    return found
