"""The report as one self-contained HTML page: the verdict, then its evidence in plots and tables."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundation.report.format import exponent, figures, percent, plain, show
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict
from parity.engine.compare import Comparison, ulp_distance
from parity.engine.format import (
    CENTS,
    amount,
    amount_apart,
    brief_ulps,
    lane_word,
    name_at,
    place_of,
    runs,
    tolerance_of,
    ulps,
    unit_of,
)
from parity.engine.measure import share_of
from parity.engine.plots import chosen_curves, coverage_plots, curve_plot, ulp_plots
from parity.engine.report import DIFFERENT, SAME, read_back
from parity.engine.verify import EPISODE_REWARD

Values = Mapping[str, Any]

MAX_DIFFERENCES = 200
"""Differing fields of one divergence that the page shows at most."""

ABOUT = {
    "replay": "episodes recorded on the reference, replayed on the port, every field of every step",
    "restart": "where the port restarts an episode, against the reference reset at the same start",
    "generated": "single steps from injected states that aim at boundaries",
    "learner": "rollouts and updates, in every number on the way",
    "learner draws": "orders of minibatches, and actions against their probabilities",
    "learner gradients": "a minibatch's, against those of the loss as it is defined",
    "learner decisions": "the likeliest action, on near ties and under masks",
    "learner, trainer's program": "where several updates in one call lead to",
}
"""The engine's own checks in words; a suite's checks go by their names."""


def render(report: Values) -> str:
    """Return the page of a report.

    Args:
        report: what :meth:`parity.engine.report.Report.to_dict` returns, or the same read from JSON,
            where a number that is not finite is null; it is shown as NaN.

    Returns:
        HTML that asks for nothing outside itself.
    """
    report = read_back(report)
    env = templates(
        "parity.engine",
        amount=amount,
        amount_apart=amount_apart,
        exceeds=exceeds,
        runs=runs,
        ulps=ulps,
    )
    checks = [_check(check) for check in report["checks"]]
    fields = aggregate(report["checks"])
    units = {f["name"]: unit for f in fields if (unit := unit_of(f["stats"].rule))}
    curves, curve_count = chosen_curves(report["checks"])
    failed = [check for check in checks if not check["passed"]]
    with warnings.catch_warnings():
        # A name in a script that the measuring font lacks is still shown in the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        plots = {
            "curves": [curve_plot(number, curve) for number, curve in enumerate(curves)],
            "ulps": ulp_plots(fields),
            "coverage": coverage_plots(report),
        }
    return env.get_template("report.html.j2").render(
        report=report,
        verdict=verdict(report, failed),
        tiles=tiles(report),
        checks=checks,
        groups=_groups(checks),
        failed=failed,
        fields=sorted(fields, key=lambda field: field["stats"].mismatches == 0),
        divergences=[_divergence(divergence, report["checks"]) for divergence in report["divergences"]],
        units=units,
        world_columns=_columns(report["worlds"]),
        settings=_settings(report["worlds"]),
        tallies=_tallies(report["checks"]),
        measured=_measured(report["checks"]),
        folders=_folders(report.get("lines", {})),
        plots=plots,
        curves_kept=curve_count,
        max_differences=MAX_DIFFERENCES,
    )


def verdict(report: Values, failed: Sequence[Values]) -> Verdict:
    """Return what the report comes to, with the first failed check and branches never taken."""
    missing = report["missing"]
    never = f" Never taken: {', '.join(missing)}." if missing else ""
    if report["verdict"] == SAME:
        return Verdict(
            "good",
            "The two sides are the same.",
            "Every check passed, and every branch that must be taken was taken.",
        )
    if report["verdict"] == DIFFERENT:
        first = ""
        if failed:
            one = failed[0]
            where = f", {one['world']}" if len(report["worlds"]) > 1 else ""
            first = f" First: {one['check']}{where}, {one['why']}."
        count = f"{len(failed):,} of {len(report['checks']):,} checks failed."
        return Verdict("bad", "The two sides differ.", f"{count}{first}{never}")
    were = "was" if len(missing) == 1 else "were"
    lack = f"Nothing disagreed, but {len(missing):,} of the branches that must be taken never {were}."
    return Verdict(
        "warn", "Not enough was seen.", f"{lack}{never}" if missing else "No number was compared."
    )


def _folders(lines: Mapping[str, Values]) -> list[dict[str, Any]]:
    """Return the port's files with the lines that were never run, by folder."""
    folders: dict[str, dict[str, Any]] = {}
    for place, counts in lines.items():
        folder, _, name = place.rpartition("/")
        row = folders.setdefault(folder, {"name": folder, "lines": 0, "ran": 0, "files": []})
        never = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in counts["never"])
        row["files"].append({**counts, "name": name, "never": never})
        row["lines"] += counts["lines"]
        row["ran"] += counts["ran"]
    return list(folders.values())


def tiles(report: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    summary, checks = report["summary"], report["checks"]
    replayed, generated = summary["replayed_transitions"], summary["generated_transitions"]
    required, missing = len(report["required"]), len(report["missing"])
    fields = [
        check["fields"][name]
        for check in checks
        for name in ("obs", "reward")
        if name in check["fields"]
    ]
    distances = [brief_ulps(summary[f"max_ulps_{name}"]) for name in ("obs", "reward")]
    allowed = sorted({limit for field in fields if (limit := tolerance_of(field["rule"])) is not None})
    nearest = _nearest(checks)
    return [
        Tile(
            "Transitions compared",
            show(replayed + generated),
            f"{replayed:,} in {summary['episodes']:,} replayed episodes, {generated:,} generated",
        ),
        Tile(
            "Mismatches",
            show(summary["mismatches"]),
            f"of {summary['numbers_compared']:,} numbers; "
            f"{summary['failed_checks']:,} of {len(checks):,} checks failed",
            summary["mismatches"] > 0 or summary["failed_checks"] > 0,
        ),
        Tile(
            "Largest error, observation / reward",
            " / ".join(distances) if fields else "–",
            f"ulps, the steps from one float to the next; {' or '.join(map(str, allowed))} allowed"
            if allowed
            else "no floats compared",
            any(field["mismatches"] for field in fields),
        ),
        _deviation(float(summary["reward_deviation_max"]), checks),
        *([nearest] if nearest else []),
        Tile(
            "Branches covered",
            f"{required - missing:,} of {required:,}" if required else "–",
            f"{missing:,} required never taken"
            if missing
            else "ways that a rule can go, of those that must be taken",
            missing > 0,
        ),
    ]


def _deviation(deviation: float, checks: Sequence[Values]) -> Tile:
    """Return the tile of the largest deviation of an episode's reward."""
    label = "Episode reward deviation"
    limits = [
        c["notes"]["reward_deviation_limit"] for c in checks if "reward_deviation_limit" in c["notes"]
    ]
    if not limits:
        tried = any(check["check"] == "replay" for check in checks)
        return Tile(label, "–", "no replay could be compared" if tried else "no episodes replayed")
    below = f"at most {figures(deviation, 1)} of it; the limit is ±{100 * min(limits):g}%"
    if deviation > 1:
        below += "; above 100% the difference is larger than the reference's own reward"
    return Tile(label, percent(deviation, 2), below, not deviation <= min(limits))


def _nearest(checks: Sequence[Values]) -> Tile | None:
    """Return the tile of the relative error that comes nearest to its limit, if any was measured."""
    ratios = [
        (share_of(measure["error"], measure["limit"]), name, measure, check)
        for check in checks
        for name, measure in check["measures"].items()
    ]
    if not ratios:
        return None
    share, name, measure, check = max(ratios, key=lambda one: (math.isnan(one[0]), one[0]))
    return Tile(
        "Nearest to its limit",
        exponent(measure["error"]),
        f"relative error, {exponent(measure['limit'])} allowed: {name}, {check['world']}",
        not share <= 1,
    )


def _check(check: Values) -> dict[str, Any]:
    """Return a check with what its row in the table says."""
    stats = list(check["fields"].values())
    far = [(name, measure) for name, measure in check["measures"].items() if exceeds(measure)]
    first, why = check["first"], check["error"]
    if first and not why:
        unit = unit_of(check["fields"].get(first["field"], {}).get("rule", ""))
        unit = unit if unit == CENTS else ""
        mine, theirs = (" ".join(amount(first[side], unit)).rstrip() for side in ("reference", "port"))
        place = name_at(first["field"], first["index"])
        where = place_of(check["check"], first["field"], first["lane"], first["step"])
        why = f"{place}: reference {mine}, port {theirs} {where}".rstrip()
    elif far and not why:
        name, measure = far[0]
        allowed = f"{measure['limit']:g} allowed, at {measure['where']}"
        why = f"{name}: relative error {measure['error']:.2g}, {allowed}"
    notes = {}
    for name, value in check["notes"].items():
        if name == "reward_deviation_max":
            notes["reward deviation"] = percent(float(value), 2)
        elif name != "reward_deviation_limit" and isinstance(value, (int, float, str, np.number)):
            notes[plain(name)] = show(value)
    return {
        **check,
        "numbers": sum(one["compared"] for one in (*stats, *check["measures"].values())),
        "max_ulps": max((field["max_ulps"] for field in stats), default=0),
        "why": why or ("" if check["passed"] else f"{check['mismatches']:,} numbers differ"),
        "facts": notes,
    }


def _groups(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return the checks by name, in order of appearance, with sums over their worlds."""
    names = list(dict.fromkeys(check["check"] for check in checks))
    rows = {name: [check for check in checks if check["check"] == name] for name in names}
    return [
        {
            "name": name,
            "about": ABOUT.get(name, ""),
            "rows": rows[name],
            "failed": sum(not check["passed"] for check in rows[name]),
            **{key: sum(c[key] for c in rows[name]) for key in ("compared", "numbers", "mismatches")},
            "max_ulps": max(check["max_ulps"] for check in rows[name]),
        }
        for name in names
    ]


def aggregate(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return what was seen of each field over all checks: its name and its merged statistics.

    A name that stands under two rules is two fields.
    """
    merged: dict[tuple[str, str], Comparison] = {}
    for check in checks:
        for name, field in check["fields"].items():
            key = name, field["rule"]
            merged.setdefault(key, Comparison(field["rule"])).merge(Comparison(**field))
    return [
        {"name": name, "stats": stats, "tolerance": tolerance_of(rule)}
        for (name, rule), stats in merged.items()
    ]


def exceeds(measure: Values) -> bool:
    """Return whether an error is beyond its limit; one that is not a number is."""
    return not measure["error"] <= measure["limit"]


def _measured(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return a table for each kind of check that measures: what, limit, and each world's error.

    What has two limits has two rows.
    """
    kinds = dict.fromkeys(check["check"] for check in checks if check["measures"])
    tables = []
    for kind in kinds:
        held = [check for check in checks if check["check"] == kind and check["measures"]]
        keys = [[(name, m["limit"]) for name, m in check["measures"].items()] for check in held]
        rows = [
            {
                "name": key[0],
                "limit": key[1],
                "cells": [
                    check["measures"][key[0]] if key in own else None
                    for check, own in zip(held, keys, strict=True)
                ],
            }
            for key in dict.fromkeys(key for own in keys for key in own)
        ]
        tables.append({"name": kind, "worlds": [check["world"] for check in held], "rows": rows})
    return tables


def _rule(divergence: Values, checks: Sequence[Values]) -> str:
    """Return the rule of a finding's first mismatch: that of its own check, or else of any."""
    name = divergence["mismatch"]["field"]
    rules = {
        (check["check"], check["world"]): check["fields"][name]["rule"]
        for check in checks
        if name in check["fields"]
    }
    own = rules.get((divergence["check"], divergence["world"]))
    return str(own or next(iter(rules.values()), ""))


def _divergence(divergence: Values, checks: Sequence[Values]) -> dict[str, Any]:
    """Return a finding with the distance of its first mismatch, and where else it was seen."""
    mismatch, rule = divergence["mismatch"], _rule(divergence, checks)
    a, b = float(mismatch["reference"]), float(mismatch["port"])
    distance = None
    if tolerance_of(rule) is not None:
        with np.errstate(over="ignore"):
            distance = int(ulp_distance(np.array(a), np.array(b)))
    return {
        **divergence,
        "place": name_at(mismatch["field"], mismatch["index"]),
        "rule": rule,
        "equal": rule.startswith("equal"),
        "whole_episode": mismatch["field"] == EPISODE_REWARD,
        "unit": unit_of(rule),
        "apart": b - a,
        "ulps": distance,
        "lane_word": lane_word(divergence["check"]),
        "seen": divergence.get("seen"),
        "differences": [
            {**difference, "apart": difference["port"] - difference["reference"]}
            for difference in divergence["differences"]
        ],
    }


def _columns(rows: Sequence[Values]) -> list[str]:
    """Return the columns of a table, in order of first appearance; nested values have no column."""
    return list(
        dict.fromkeys(
            key for row in rows for key, value in row.items() if not isinstance(value, Mapping)
        )
    )


def _settings(rows: Sequence[Values]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return the nested values of every row that has some, as (its first value, flat pairs)."""
    nested = [
        [pair for value in row.values() if isinstance(value, Mapping) for pair in _flat(value)]
        for row in rows
    ]
    names = [str(next(iter(row.values()), "")) for row in rows]
    return [(name, pairs) for name, pairs in zip(names, nested, strict=True) if pairs]


def _flat(values: Values, lead: str = "") -> list[tuple[str, Any]]:
    """Return nested pairs side by side, with the names that they lie under in front."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        inner = isinstance(value, Mapping)
        pairs += _flat(value, f"{lead}{name}: ") if inner else [(f"{lead}{name}", value)]
    return pairs


def _tallies(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return how often each policy and corner was used, over all checks."""
    tallies = []
    for name in ("policies", "corners"):
        counts: Counter[str] = Counter()
        for check in checks:
            counts.update(check["notes"].get(name, {}))
        if counts:
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            tallies.append({"name": name, "counts": ordered, "total": counts.total()})
    return tallies
