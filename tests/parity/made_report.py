"""A report of the gate made by hand, of every part that one has, in which no two numbers are alike."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from parity.engine.compare import FAR, Comparison
from parity.engine.diverge import Divergence, FieldDifference
from parity.engine.measure import of_error
from parity.engine.report import FileLines, Report
from parity.engine.verify import CheckResult, Mismatch

NORTH, SOUTH = "north", "south"
CENTS, OBS, REWARD, BARS, FLOAT64 = (
    "equal (cents)",
    "within 4 ulps or 1e-09",
    "within 16 ulps or 1e-09",
    "equal (bars)",
    "1e-09 + 2e-09 of itself",
)


def seen(
    rule: str, compared: int, mismatches: int = 0, ulps: int = 0, apart: float = 0.0, *counts: int
) -> Comparison:
    """Return the statistics of a field; counts are those of the histogram."""
    histogram = [*counts, *[0] * (9 - len(counts))]
    return Comparison(rule, compared, mismatches, ulps, apart, histogram)


def replayed(world: str, number: int, **values: Any) -> CheckResult:
    """Return a replay whose numbers are its own."""
    curves = [
        {
            "field": "balance",
            "policy": policy,
            "start": 1000 * number + place,
            "reference": [100.0 * number, 250.0, 300.0],
            "port": [100.0 * number, 250.0 + 75 * (number == 2 and place == 1), 300.0],
        }
        for place, policy in enumerate(("seldom", "often"))
    ]
    return CheckResult(
        "replay",
        world,
        1000 * number,
        {
            "balance": seen(CENTS, 10 * number, 2 * (number == 2), 0, 75.0 * (number == 2)),
            "obs": seen(OBS, 20 * number, 0, number, number * 1e-7, 18 * number, 2 * number),
            "reward": seen(REWARD, 30 * number, 0, 3 - number, number * 1e-8, 29 * number, number),
            "age": seen(BARS, 40 * number),
        },
        coverage=Counter(bought=3 * number, sold=number - 1),
        notes={
            "episodes": 5 * number,
            "reward_deviation_max": 0.011 * number,
            "reward_deviation_limit": 0.05 + number / 100,
            "policies": {"seldom": 3 * number, "often": 2 * number, "aa": 2 * number},
            "curves": curves,
            "distinct_starts": 4 + number,
        },
        **values,
    )


def made() -> Report:
    """Return a report of two data sets with failures of each kind."""
    first = Mismatch(3, 41, "balance", (), 250, 325)
    held = Mismatch(1, 2, "held", (), 3, 4)
    steps = Mismatch(1200, -1, "atr", (2, 0), 1.5, math.inf)
    checks = [
        replayed(NORTH, 1),
        replayed(SOUTH, 2, first=first),
        CheckResult("restart", NORTH, 7, {"obs": seen(OBS, 70, 0, 4, 1e-9, 60, 3, 2, 1, 4)}),
        CheckResult("restart", SOUTH, 8, {"obs": seen(OBS, 80, 3)}),
        CheckResult(
            "generated",
            NORTH,
            90,
            {"age": seen(BARS, 901)},
            coverage=Counter(bought=2, held=60),
            notes={"corners": {"wall": 50, "open; left": 40}, "least_chance": "0.3 (wall)"},
        ),
        CheckResult(
            "generated", SOUTH, 110, {"age": seen(BARS, 1100)}, notes={"corners": {"wall": 110}}
        ),
        CheckResult(
            "learner",
            "clipping",
            6,
            measures={
                "gradients": of_error(3e-4, 1e-4, 12, "update 1, a bias"),
                "weights": of_error(2e-6, 4e-7, 13, "update 3"),
            },
        ),
        CheckResult(
            "learner",
            "no clipping",
            5,
            measures={
                "values": of_error(1e-7, 1e-6, 14, "update 2"),
                "gradients": of_error(5e-5, 2e-4, 15, "update 0"),
            },
        ),
        CheckResult("data", NORTH, 2500, {"atr": seen(FLOAT64, 2500, 1, FAR, math.inf)}, steps),
        CheckResult("draws", SOUTH, 31, first=held, error="the port has no such draw"),
    ]
    state = {"balance": 250, "age": 6, "share": 0.25}
    found = [
        FieldDifference("before", "share", 0.5, 0.25, None),
        FieldDifference("after", "obs[1, 0]", 1.0, 1.0000002384185791, 2),
    ]
    whole = Mismatch(5, -1, "episode reward", (), 2.0, 2.5)
    far = Mismatch(6, 0, "atr", (1,), 1.5, -math.inf)
    near = Mismatch(7, 12, "obs", (1, 0), 1.0, 1.0000009536743164)
    divergences = [
        Divergence(
            "replay", SOUTH, 3, 41, first, "logic", [2], state, "often", found, {"bar": 388},
            "again --state",
        ),
        Divergence(
            "replay", NORTH, 5, -1, whole, "logic", [1, 1, 0], None, "seldom", [], {}, "",
        ),
        Divergence("data", NORTH, 6, 0, far, "logic", [0, 0], state, "", [], {}, "another"),
        Divergence("generated", SOUTH, 7, 12, near, "logic", [4], state, "wall", [], {}, "third"),
    ]  # fmt: skip
    worlds = [
        {"name": NORTH, "source": "n.csv", "digest": "0123456789abcdef", "bars": 4841,
         "contract": {"symbol": "ES", "hours": {"open": 930, "close": 1600}}, "config": {"days": 3}},
        {"name": SOUTH, "digest": "fedcba9876543210", "bars": 977, "note": ""},
    ]  # fmt: skip
    lines = {
        "port/b/z.py": FileLines(frozenset((1, 2, 5, 9)), frozenset((1,))),
        "port/a/y.py": FileLines(frozenset((3, 4)), frozenset((3, 4))),
        "port/b/x.py": FileLines(frozenset((7, 8, 11)), frozenset((8, 11))),
    }
    required = frozenset(("bought", "held", "flown"))
    settings = {"replay": 12, "again": ["run it", "and again"]}
    return Report("a pair", 7, "jitted", worlds, checks, required, divergences, settings, 71.26, lines)


def values_of(report: Report) -> dict[str, Any]:
    """Return a report's values, with what a machine puts in replaced."""
    values = report.to_dict()
    own = {"device": "a device", "versions": {"python": "3"}, "when": "2026-11-29T09:30:00"}
    return {**values, "made": {**values["made"], **own}}
