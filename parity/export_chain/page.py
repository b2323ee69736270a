"""The chain's report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation.report.html import templates

Values = Mapping[str, Any]


def render(report: Values) -> str:
    """Return a self-contained page of a report of :func:`parity.export_chain.verify.verify`."""
    env = templates("parity.export_chain", small=small, share=share)
    return env.get_template("chain.html.j2").render(report=report, hops=by_hop(report))


def by_hop(report: Values) -> list[dict[str, Any]]:
    """Return one line a hop: its stages, most rows, largest difference and share of a limit."""
    found: dict[str, list[Values]] = {}
    for gauge in report["hops"]:
        found.setdefault(gauge["hop"], []).append(gauge)
    return [
        {
            "hop": hop,
            "stages": len(gauges),
            "rows": max(gauge["rows"] for gauge in gauges),
            "largest": small(_most(gauges, "largest_difference")),
            "share": share(_most(gauges, "share_of_limit")),
            "passed": all(gauge["passed"] for gauge in gauges),
            "gauges": gauges,
        }
        for hop, gauges in found.items()
    ]


def _most(gauges: list[Values], name: str) -> float | None:
    """Return the largest of numbers; None, which stands for no number at all, is larger than any."""
    numbers = [gauge[name] for gauge in gauges]
    return None if None in numbers else max(numbers)


def small(value: float | None) -> str:
    """Return a difference for reading: two digits, 0 as 0."""
    if value is None:
        return "no number"
    return "0" if value == 0 else f"{value:.1e}"


def share(value: float | None) -> str:
    """Return a share of a limit for reading."""
    if value is None:
        return "beyond"
    return "0" if value == 0 else (f"{value:.1%}" if value >= 1e-3 else "below 0.1%")
