"""Parity report: the verdict with its evidence, as JSON and JUnit XML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import jax
import numpy as np

from foundation import provenance
from foundation.errors import printable
from parity.engine.compare import Comparison
from parity.engine.diverge import Divergence, Finding, findings
from parity.engine.format import place_of
from parity.engine.verify import CheckResult

SAME, DIFFERENT, UNSEEN = "same", "different", "not enough seen"

VERSIONED = ("jax", "jaxlib", "numpy", "flax", "pandas", "gymnasium", "hypothesis")
"""Packages whose version a verdict depends on, beside Python's."""


def versions() -> dict[str, str]:
    """Return the versions a verdict was reached with."""
    return provenance.versions(VERSIONED)


@dataclass(frozen=True)
class FileLines:
    """Lines inside functions of one file of the port.

    Attributes:
        able: first lines of all statements.
        ran: those of them that were executed.
    """

    able: frozenset[int]
    ran: frozenset[int]

    def merge(self, other: FileLines) -> FileLines:
        """Return the lines that one or the other executed."""
        return FileLines(self.able | other.able, self.ran | other.ran)

    def to_dict(self) -> dict[str, Any]:
        """Return how many lines there are and were executed, and ranges of those that never were."""
        never: list[list[int]] = []
        for line in sorted(self.able):
            if line in self.ran:
                never.append([])
            elif never and never[-1]:
                never[-1][1] = line
            else:
                never.append([line, line])
        return {"lines": len(self.able), "ran": len(self.ran), "never": [one for one in never if one]}


@dataclass
class Report:
    """Everything one run of the gate found.

    Attributes:
        title: what was compared.
        seed: of all choices.
        form: compiled form of the port, in words.
        worlds: name, source, digest, bars and contract of every set of bars.
        checks: all results.
        required: branches that must have been seen.
        divergences: explanations of disagreements.
        settings: how the run was asked for.
        seconds: how long it took.
        lines: by file of the port, which lines were executed; empty where nobody recorded them.
    """

    title: str
    seed: int
    form: str
    worlds: Sequence[Mapping[str, Any]]
    checks: list[CheckResult]
    required: frozenset[str]
    divergences: list[Divergence] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    lines: Mapping[str, FileLines] = field(default_factory=dict)

    @property
    def coverage(self) -> Counter[str]:
        """How often each branch was taken, over all checks."""
        taken: Counter[str] = Counter()
        for check in self.checks:
            taken.update(check.coverage)
        return +taken  # without what was counted as never

    @property
    def missing(self) -> list[str]:
        """Required branches that no check took."""
        taken = self.coverage
        return sorted(name for name in self.required if not taken[name])

    @property
    def verdict(self) -> str:
        """ "same", "different", or "not enough seen" where a required branch was never taken, or no
        number was compared.
        """
        if not all(check.passed for check in self.checks):
            return DIFFERENT
        seen = any(check.numbers for check in self.checks) and not self.missing
        return SAME if seen else UNSEEN

    @property
    def findings(self) -> list[Finding]:
        """One finding for each fault that the divergences show."""
        return findings(self.divergences)

    def summary(self) -> dict[str, Any]:
        """Return the numbers that head the page."""
        replays = [check for check in self.checks if check.check == "replay"]
        generated = [check for check in self.checks if check.check == "generated"]

        nearest: dict[str, Comparison] = {}  # to its limit: checks may hold one name to several
        for check in self.checks:
            for name, measure in check.measures.items():
                if name not in nearest or _nearer(measure, nearest[name]):
                    nearest[name] = measure

        deviations = [
            check.notes["reward_deviation_max"]
            for check in replays
            if "reward_deviation_max" in check.notes
        ]

        def most(name: str) -> int:
            return max((c.fields[name].max_ulps for c in self.checks if name in c.fields), default=0)

        return {
            "episodes": sum(int(check.notes["episodes"]) for check in replays),
            "replayed_transitions": sum(check.compared for check in replays),
            "generated_transitions": sum(check.compared for check in generated),
            "numbers_compared": sum(check.numbers for check in self.checks),
            "mismatches": sum(check.mismatches for check in self.checks),
            "failed_checks": sum(not check.passed for check in self.checks),
            "max_ulps_obs": most("obs"),
            "max_ulps_reward": most("reward"),
            "reward_deviation_max": float(np.max(deviations, initial=0.0)),
            "relative_errors": {
                name: {"largest": measure.error, "limit": measure.limit}
                for name, measure in nearest.items()
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "title": self.title,
            "verdict": self.verdict,
            "summary": self.summary(),
            "made": {
                "when": provenance.now(),
                "seconds": round(self.seconds, 1),
                "seed": self.seed,
                "form": self.form,
                "device": provenance.device_name(jax.devices()),
                "platform": jax.default_backend(),
                "flags": provenance.jax_flags(jax.config),
                "versions": versions(),
                "settings": dict(self.settings),
            },
            "worlds": [dict(world) for world in self.worlds],
            "checks": [check.to_dict() for check in self.checks],
            "coverage": dict(sorted(self.coverage.items())),
            "required": sorted(self.required),
            "missing": self.missing,
            "lines": {name: lines.to_dict() for name, lines in sorted(self.lines.items())},
            "divergences": [finding.to_dict() for finding in self.findings],
        }

    def to_junit(self) -> str:
        """Return JUnit XML: one test case a check and world, skipped where it compared nothing, and one
        for coverage, which fails where nothing was compared at all."""
        cases = [(f"{check.check}[{check.world}]", _failure(check)) for check in self.checks]
        empty = "" if any(check.numbers for check in self.checks) else "no number was compared"
        lack = f"never seen: {', '.join(self.missing)}" if self.missing else empty
        cases.append(("coverage", lack))
        nothing = [check.passed and not (check.compared or check.numbers) for check in self.checks]
        failures = sum(bool(text) for _, text in cases)
        suite = ElementTree.Element(
            "testsuite",
            name="parity",
            tests=str(len(cases)),
            failures=str(failures),
            skipped=str(sum(nothing)),
        )
        for (name, text), left_out in zip(cases, [*nothing, False], strict=True):
            shown = printable(name)  # XML has no way to write control characters
            case = ElementTree.SubElement(suite, "testcase", classname="parity", name=shown)
            if text:
                ElementTree.SubElement(case, "failure", message=printable(text))
            if left_out:
                ElementTree.SubElement(case, "skipped", message="nothing was compared")
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _nearer(one: Comparison, other: Comparison) -> bool:
    """Say whether an error is a larger share of its own limit; one that is no number is the largest."""
    if math.isnan(other.error):
        return False
    return not one.error * other.limit <= other.error * one.limit


def read_back(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report's values with NaN wherever a number is null.

    JSON has no number that is not finite. Elsewhere null says that there is nothing: no first mismatch,
    no state, no distance in ulps.

    Args:
        values: what :meth:`Report.to_dict` returns, or the same read from JSON.
    """
    pair = ("reference", "port")
    checks = [
        {
            **check,
            "fields": {name: _numbers(one) for name, one in check["fields"].items()},
            "measures": {name: _numbers(one) for name, one in check["measures"].items()},
            "notes": _numbers(check["notes"]),
            "first": check["first"] and _numbers(check["first"], *pair),
        }
        for check in values["checks"]
    ]
    divergences = [
        {
            **one,
            "mismatch": _numbers(one["mismatch"], *pair),
            "state": one["state"] and _numbers(one["state"]),
            "differences": [_numbers(difference, *pair) for difference in one["differences"]],
        }
        for one in values["divergences"]
    ]
    errors = values["summary"]["relative_errors"]
    relative = {name: _numbers(error) for name, error in errors.items()}
    summary = {**_numbers(values["summary"]), "relative_errors": relative}
    return {**values, "summary": summary, "checks": checks, "divergences": divergences}


def _numbers(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return values of which those of these names, or all, are NaN in place of None."""
    return {
        name: math.nan if value is None and (not names or name in names) else value
        for name, value in values.items()
    }


def _failure(check: CheckResult) -> str:
    """Return what went wrong with a check in one line, or nothing."""
    if check.passed:
        return ""
    if check.error:
        return check.error
    if check.first is None:
        far = [name for name, measure in check.measures.items() if not measure.passed]
        if not far:
            return f"{check.mismatches} numbers differ"
        measure = check.measures[far[0]]
        more = f", and {len(far) - 1} more" if len(far) > 1 else ""
        return f"{far[0]}: error {measure.error:.2g}, {measure.limit:g} allowed{more} ({measure.where})"
    m = check.first
    place = f"{list(m.index)}" if m.index else ""
    where = place_of(check.check, m.field, m.lane, m.step)
    return f"{m.field}{place}: reference {m.reference!r}, port {m.port!r} {where}".rstrip()
