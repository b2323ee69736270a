"""Replays of several decision logs, such as a week's, as one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from foundation.errors import InputError
from foundation.report.format import dollars
from parity.live_replay.quality import AccountFill, fill_costs, fill_quality

Values = Mapping[str, Any]


def join_reports(reports: Sequence[Values]) -> dict[str, Any]:
    """Return one report of several logs; of a single one, that report itself.

    Counts are sums, distances the largest, and an account's fills are measured all together. The first
    difference is that of the first log that has one.

    Args:
        reports: from :func:`parity.live_replay.replay.replay_log`, in the order of their logs.

    Raises:
        InputError: the logs are of different contracts, or their ticks are worth different amounts.
    """
    first, *others = reports
    if not others:
        return dict(first)
    if len(symbols := {report["log"]["symbol"] for report in reports}) > 1:
        raise InputError(
            f"logs of {', '.join(sorted(symbols))}; replay those of one contract at a time"
        )
    differing = next((report for report in reports if report["first"]), first)
    beside = next((report for report in reports if report["first_beside_fills"]), first)
    filled = _account_fills(reports)
    return {
        "verdict": differing["verdict"],
        "first": _of_log(differing, "first"),
        "first_beside_fills": _of_log(beside, "first_beside_fills"),
        "compared": _sums(reports, "compared"),
        "largest": _largest([report["largest"] for report in reports]),
        "fills": {
            **_sums(reports, "fills"),
            "largest_ticks": max(report["fills"]["largest_ticks"] for report in reports),
            "allowed_ticks": first["fills"]["allowed_ticks"],
        },
        "given_up": dict(sum((Counter(report["given_up"]) for report in reports), Counter())),
        "modes": _modes(reports),
        "account_fills": filled,
        "live_fills": fill_quality(filled),
        "fill_costs": _costs(reports),
        "logs": [_brief(report) for report in reports],
        "log": {
            **first["log"],
            **_sums(reports, "log", ("bars", "decisions", "with_advice")),
            "file": f"{len(reports)} logs",
            "last_line_cut_off": any(report["log"]["last_line_cut_off"] for report in reports),
            "fusion": _fusion(reports),
            **{name: _common(reports, "log", name) for name in ("phase", "policy_sha256", "contracts")},
        },
        "data": {name: _common(reports, "data", name) for name in ("source", "sha256")},
        "made": first["made"],
    }


def _of_log(report: Values, name: str) -> dict[str, Any] | None:
    """Return a difference with the name of the log that it is in."""
    return {**report[name], "log": report["log"]["file"]} if report[name] else None


def _brief(report: Values) -> dict[str, Any]:
    costs = report["fill_costs"]
    return {
        "file": report["log"]["file"],
        "verdict": report["verdict"],
        "first": report["first"],
        **report["compared"],
        "worse_ticks_mean": costs and costs["worse_ticks_mean"],
        "worse_dollars": costs and costs["worse_dollars"],
        "assumed_slippage_ticks": costs and costs["assumed_slippage_ticks"],
    }


def _account_fills(reports: Sequence[Values]) -> list[AccountFill]:
    return [fill for report in reports for fill in report["account_fills"]]


def _costs(reports: Sequence[Values]) -> dict[str, Any] | None:
    """Return what all fills cost, each beside what its own log's rules assume.

    The slippage that is assumed is a list of all where the logs' contracts differ in it.
    """
    costs = [report["fill_costs"] for report in reports if report["fill_costs"]]
    if not costs:
        return None
    worth = sorted({one["tick_dollars"] for one in costs})
    if len(worth) > 1:
        raise InputError(
            f"logs of {reports[0]['log']['symbol']} whose ticks are worth "
            f"{' and '.join(map(dollars, worth))}; replay those of one contract at a time"
        )
    slippage = sorted({one["assumed_slippage_ticks"] for one in costs})
    together = fill_costs(_account_fills(reports), worth[0], slippage[0])
    assert together is not None
    return together if len(slippage) == 1 else {**together, "assumed_slippage_ticks": slippage}


def _sums(reports: Sequence[Values], part: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return sums of the counts of one part."""
    wanted = names or [name for name, value in reports[0][part].items() if type(value) is int]
    return {name: sum(report[part][name] for report in reports) for name in wanted}


def _largest(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: max(one[name] for one in found if name in one) for name in names}


def _modes(reports: Sequence[Values]) -> dict[str, dict[str, int]]:
    """Return counts by what lines stand for, of all logs."""
    tallies: dict[str, Counter[str]] = {}
    for report in reports:
        for mode, counts in report["modes"].items():
            tallies.setdefault(mode, Counter()).update(counts)
    return {mode: dict(counts) for mode, counts in tallies.items()}


def _fusion(reports: Sequence[Values]) -> Any:
    """Return what all logs are fused with, None for bare policies; a list of all where they differ."""
    fusions: list[Any] = []
    for report in reports:
        if report["log"]["fusion"] not in fusions:
            fusions.append(report["log"]["fusion"])
    return fusions[0] if len(fusions) == 1 else fusions


def _common(reports: Sequence[Values], part: str, name: str) -> Any:
    """Return what all logs have alike, or all that they have, in words."""
    values = list(dict.fromkeys(report[part][name] for report in reports))
    return values[0] if len(values) == 1 else ", ".join(str(value) for value in values)
