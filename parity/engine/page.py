"""The report as one self-contained HTML page: the verdict, then its evidence in plots and tables."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from foundation.report.html import templates
from parity.engine.compare import FAR, FieldStats, ulp_distance
from parity.engine.diverge import ROUNDING_ULPS
from parity.engine.format import (
    exponent,
    percent,
    plain,
    runs,
    short,
    show,
    signed,
    tolerance_of,
    ulps,
    unit_of,
)
from parity.engine.plots import coverage_plots, curve_plot, ulp_plots

Values = Mapping[str, Any]

MAX_CURVES = 12
MAX_DIFFERENCES = 200
"""Curves, and differing fields of one divergence, that the page shows at most."""

ABOUT = {
    "replay": "episodes recorded on the reference, replayed on the port, every field of every step",
    "restart": "where the port restarts an episode, against the reference reset at the same start",
    "generated": "single steps from injected states that aim at boundaries",
    "learner": "rollouts and updates, in every number on the way",
    "learner draws": "orders of minibatches, and actions against their probabilities",
    "learner decisions": "the likeliest action, on near ties and under masks",
    "learner, trainer's program": "where several updates in one call lead to",
}
"""The engine's own checks in words; a suite's checks go by their names."""

LOOKS_LIKE = {
    "rounding": f"a float up to {ROUNDING_ULPS:,} ulps off: likely the same formula, rounded otherwise",
    "logic": f"a discrete field, or a float over {ROUNDING_ULPS:,} ulps off: a different computation",
}


def render(report: Values) -> str:
    """Return the page of a report.

    Args:
        report: what :meth:`parity.engine.report.Report.to_dict` returns, or the same read from JSON.

    Returns:
        HTML that asks for nothing outside itself.
    """
    env = templates(
        "parity.engine",
        show=show,
        signed=signed,
        ulps=ulps,
        runs=runs,
        plain=plain,
        exponent=exponent,
        exceeds=exceeds,
    )
    checks = [_check(check) for check in report["checks"]]
    fields = aggregate(report["checks"])
    units = {field["name"]: unit_of(field["stats"].rule) for field in fields}
    curves, kept = chosen_curves(report["checks"])
    with warnings.catch_warnings():
        # A name in a script that the measuring font lacks is still shown in the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        plots = {
            "curves": [curve_plot(number, curve, units) for number, curve in enumerate(curves)],
            "ulps": ulp_plots(fields),
            "coverage": coverage_plots(report),
        }
    return env.get_template("report.html.j2").render(
        report=report,
        tiles=tiles(report),
        checks=checks,
        groups=_groups(checks),
        failed=[check for check in checks if not check["passed"]],
        fields=sorted(fields, key=lambda field: field["stats"].mismatches == 0),
        divergences=[_divergence(divergence, fields) for divergence in report["divergences"]],
        units=units,
        world_columns=_columns(report["worlds"]),
        tallies=_tallies(report["checks"]),
        measured=_measured(report["checks"]),
        plots=plots,
        curves_kept=kept,
        looks_like=LOOKS_LIKE,
        max_differences=MAX_DIFFERENCES,
    )


def tiles(report: Values) -> list[dict[str, Any]]:
    """Return the numbers that head the page: label, value, words below it, and whether it is bad."""
    summary, checks = report["summary"], report["checks"]
    replayed, generated = summary["replayed_transitions"], summary["generated_transitions"]
    required, missing = len(report["required"]), len(report["missing"])
    told = [
        check["fields"][name]
        for check in checks
        for name in ("obs", "reward")
        if name in check["fields"]
    ]
    allowed = sorted({limit for field in told if (limit := tolerance_of(field["rule"])) is not None})
    limits = [
        c["notes"]["reward_deviation_limit"] for c in checks if "reward_deviation_limit" in c["notes"]
    ]
    deviation = float(summary["reward_deviation_max"])
    distances = [_brief_ulps(summary[f"max_ulps_{name}"]) for name in ("obs", "reward")]
    nearest = _nearest(checks)
    return [
        {
            "label": "Transitions compared",
            "value": show(replayed + generated),
            "below": f"{replayed:,} in {summary['episodes']:,} replayed episodes, "
            f"{generated:,} generated",
            "bad": False,
        },
        {
            "label": "Mismatches",
            "value": show(summary["mismatches"]),
            "below": f"of {summary['numbers_compared']:,} numbers; "
            f"{summary['failed_checks']:,} of {len(checks):,} checks failed",
            "bad": summary["mismatches"] > 0 or summary["failed_checks"] > 0,
        },
        {
            "label": "Largest error, obs / reward",
            "value": " / ".join(distances) if told else "–",
            "below": f"ulps; {' or '.join(map(str, allowed))} allowed"
            if allowed
            else "no floats compared",
            "bad": any(field["mismatches"] for field in told),
        },
        {
            "label": "Episode reward deviation",
            "value": percent(deviation) if limits else "–",
            "below": f"at most {deviation:.1g} of it; the limit is ±{100 * min(limits):g}%"
            if limits
            else "no episodes replayed",
            "bad": bool(limits) and not deviation <= min(limits),
        },
        *([nearest] if nearest else []),
        {
            "label": "Branches covered",
            "value": f"{required - missing:,} of {required:,}" if required else "–",
            "below": f"{missing:,} required never taken" if missing else "of those that must be taken",
            "bad": missing > 0,
        },
    ]


def _nearest(checks: Sequence[Values]) -> dict[str, Any] | None:
    """Return the tile of the relative error that comes nearest to its limit, if any was measured."""
    found = [
        (measure["error"] / measure["limit"], name, measure, check)
        for check in checks
        for name, measure in check["measures"].items()
    ]
    if not found:
        return None
    share, name, measure, check = max(found, key=lambda one: (math.isnan(one[0]), one[0]))
    return {
        "label": "Nearest to its limit",
        "value": exponent(measure["error"]),
        "below": f"{exponent(measure['limit'])} allowed: {name}, {check['world']}",
        "bad": not share <= 1,
    }


def _brief_ulps(distance: int) -> str:
    """Return a distance short enough for the head of the page."""
    return ulps(distance) if distance < 10**6 or distance >= FAR else short(distance)


def _lane(check: str) -> str:
    """Return what a lane of a check is called."""
    return {"generated": "case", "learner": "update"}.get(check.partition(",")[0], "episode")


def _place(name: str, index: Iterable[int]) -> str:
    inner = ", ".join(map(str, index))
    return f"{name}[{inner}]" if inner else name


def _check(check: Values) -> dict[str, Any]:
    """Return a check with what its row in the table says."""
    stats = list(check["fields"].values())
    far = [(name, measure) for name, measure in check["measures"].items() if exceeds(measure)]
    first, why = check["first"], check["error"]
    if first and not why:
        at = f", step {first['step']:,}" if first["step"] >= 0 else ""
        why = (
            f"{_place(first['field'], first['index'])}: reference {show(first['reference'])}, "
            f"port {show(first['port'])} at {_lane(check['check'])} {first['lane']:,}{at}"
        )
    elif far and not why:
        name, measure = far[0]
        why = (
            f"{name}: relative error {measure['error']:.2g}, {measure['limit']:g} allowed, at "
            f"{measure['where']}"
        )
    notes = {}
    for name, value in check["notes"].items():
        if name == "reward_deviation_max":
            notes["reward deviation"] = percent(float(value))
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
    merged: dict[tuple[str, str], FieldStats] = {}
    for check in checks:
        for name, field in check["fields"].items():
            key = name, field["rule"]
            merged.setdefault(key, FieldStats(field["rule"])).merge(FieldStats(**field))
    return [
        {"name": name, "stats": stats, "tolerance": tolerance_of(rule)}
        for (name, rule), stats in merged.items()
    ]


def exceeds(measure: Values) -> bool:
    """Return whether an error is beyond its limit; one that is not a number is."""
    return not measure["error"] <= measure["limit"]


def _measured(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return a table for each kind of check that measures: what, limit, and each world's error."""
    kinds = dict.fromkeys(check["check"] for check in checks if check["measures"])
    tables = []
    for kind in kinds:
        held = [check for check in checks if check["check"] == kind and check["measures"]]
        names = dict.fromkeys(name for check in held for name in check["measures"])
        rows = [
            {
                "name": name,
                "limit": next(c["measures"][name]["limit"] for c in held if name in c["measures"]),
                "cells": [check["measures"].get(name) for check in held],
            }
            for name in names
        ]
        tables.append({"name": kind, "worlds": [check["world"] for check in held], "rows": rows})
    return tables


def _divergence(divergence: Values, fields: Sequence[Values]) -> dict[str, Any]:
    """Return a divergence with the distance of its first mismatch."""
    mismatch = divergence["mismatch"]
    rules = {field["name"]: field["stats"].rule for field in fields}
    rule = rules.get(mismatch["field"], "")
    a, b = float(mismatch["reference"]), float(mismatch["port"])
    distance = None
    if tolerance_of(rule) is not None:
        with np.errstate(over="ignore"):
            distance = int(ulp_distance(np.array(a), np.array(b)))
    return {
        **divergence,
        "place": _place(mismatch["field"], mismatch["index"]),
        "rule": rule,
        "unit": unit_of(rule),
        "apart": b - a,
        "ulps": distance,
        "lane_word": _lane(divergence["check"]),
        "differences": [
            {**found, "apart": found["port"] - found["reference"]}
            for found in divergence["differences"]
        ],
    }


def _columns(rows: Sequence[Values]) -> list[str]:
    """Return the columns of a table, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def _tallies(checks: Sequence[Values]) -> list[dict[str, Any]]:
    """Return how often each policy and corner was used, over all checks."""
    found = []
    for name in ("policies", "corners"):
        counts: Counter[str] = Counter()
        for check in checks:
            counts.update(check["notes"].get(name, {}))
        if counts:
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            found.append({"name": name, "counts": ordered, "total": counts.total()})
    return found


def chosen_curves(checks: Sequence[Values]) -> tuple[list[dict[str, Any]], int]:
    """Return the curves to show, with their world, and how many there are.

    Curves that differ come first; then every check gives one in turn, each beginning at another of
    its own, so that many worlds show many policies.
    """
    ranked = []
    holders = [check for check in checks if check["notes"].get("curves")]
    for number, check in enumerate(holders):
        curves = check["notes"]["curves"]
        for place, curve in enumerate(curves):
            same = curve["reference"] == curve["port"]
            rank = (same, (place - number) % len(curves), number)
            ranked.append((rank, {**curve, "world": check["world"]}))
    ranked.sort(key=lambda item: item[0])
    return [curve for _, curve in ranked[:MAX_CURVES]], len(ranked)
