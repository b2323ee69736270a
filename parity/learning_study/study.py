"""Report of the learning study from its rows: areas, curves, intervals, the test, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foundation import provenance
from parity.learning.statistics import (
    TOO_FEW,
    bootstrap_iqm,
    bootstrap_iqm_difference,
    equivalence,
    iqm,
    power,
    seeds_needed,
)
from parity.learning_study.baseline_policies import measure_baselines
from parity.learning_study.design import ARMS, Design
from parity.learning_study.rows import Row, code_of

Values = Mapping[str, Any]

LEVEL = 0.95
"""Of the bootstrap intervals."""


def judge(design: Design, rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return the report on a study's rows, ready for JSON: all numbers per 100 steps.

    Args:
        design: of the study.
        rows: of each arm, as :func:`parity.learning_study.rows.read_rows` returns them.
    """
    baselines = measure_baselines(design)
    arms = {arm: describe_arm(rows[arm], code_of(arm)) for arm in ARMS}
    test, verdict = None, TOO_FEW
    first, second = (arms[arm]["areas"] for arm in ARMS)
    if min(len(first), len(second)) >= 2:
        result = equivalence(
            first, second, margin=baselines["margin"], alpha=design.alpha, planned=design.seeds
        )
        verdict = result.verdict
        test = {
            **result.to_dict(),
            "iqm_difference": float(iqm(second) - iqm(first)),
            "iqm_interval": list(bootstrap_iqm_difference(first, second, LEVEL)),
            "sd_to_margin": max(arms[arm]["sd"] for arm in ARMS) / baselines["margin"],
        }
    return {
        "verdict": verdict,
        "made": {
            "when": provenance.now(),
            "python": provenance.versions(())["python"],
        },
        "design": {**design.to_dict(), "digest": design.digest, "planning": planning(design)},
        "baseline_policies": baselines,
        "test": test,
        "level": LEVEL,
        "arms": arms,
    }


def planning(design: Design) -> dict[str, Any]:
    """Return what the number of seeds was computed from, and what it gives."""
    sd, margin, alpha = design.pilot_sd, design.pilot_margin, design.alpha
    return {
        "needed_if_none": seeds_needed(sd, margin, alpha, design.power),
        "power_if_none": power(design.seeds, sd, margin, alpha),
        "power_if_half_margin": power(design.seeds, sd, margin, alpha, margin / 2),
    }


def describe_arm(rows: Sequence[Row], code: str) -> dict[str, Any]:
    """Return an arm's areas, its mean curve with bands, and what its rows were made with.

    Args:
        rows: of one arm.
        code: of the arm as it is now; rows of other code are stale.
    """
    curves = np.array([row["curve"] for row in rows], np.float64)
    areas = curves.mean(axis=1) if len(rows) else np.zeros(0)
    described: dict[str, Any] = {
        "seeds": len(rows),
        "numbers": [row["seed"] for row in rows],
        "areas": areas.tolist(),
        "seconds": [row["seconds"] for row in rows],
        "cpu_seconds": [row["cpu_seconds"] for row in rows],
        "stale": sum(row["code"] != code for row in rows),
        "code": sorted({row["code"] for row in rows}),
        "versions": distinct(row["versions"] for row in rows),
        "machines": sorted({row["machine"] for row in rows}),
    }
    if len(rows) < 2:
        return described
    low, high = bootstrap_iqm(areas, LEVEL)
    band_low, band_high = bootstrap_iqm(curves, LEVEL)
    return described | {
        "mean": float(areas.mean()),
        "sd": float(areas.std(ddof=1)),
        "iqm": float(iqm(areas)),
        "iqm_interval": [float(low), float(high)],
        "cpu_median": float(np.median([row["cpu_seconds"] for row in rows])),
        "last": float(curves[:, -1].mean()),
        "curve": iqm(curves).tolist(),
        "band": [band_low.tolist(), band_high.tolist()],
        "curves": curves.tolist(),
    }


def distinct(versions: Any) -> list[dict[str, str]]:
    """Return the different sets of versions, in order of appearance."""
    unique: list[dict[str, str]] = []
    for each in versions:
        if each not in unique:
            unique.append(each)
    return unique
