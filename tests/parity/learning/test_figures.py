"""Plots of two trainers draw every seed, the whole interval and both curves, as somebody saw them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.learning.compare import compare
from parity.learning.figures import curves_plot, interval_plot, scores_plot
from parity.learning.page import render
from parity.learning.statistics import DIFFERENT, EQUIVALENT, TOO_FEW
from parity.learning.tables import Results
from tests.drawings import Drawings


def test_scores_are_drawn_as_reviewed(drawings: Drawings) -> None:
    with drawings():
        scores_plot(
            [
                ("one", [3.0, 1.0, 8.0, 2.0]),
                ("none", []),
            ],
            "score",
        )
        scores_plot([("one", [3.0]), ("another", [5.0, 4.0, 9.0])], "reward per 100 steps")


TESTS: dict[str, dict[str, Any]] = {
    EQUIVALENT: {"margin": 1.5, "difference": 0.25, "low": -0.5, "high": 1.0},
    DIFFERENT: {"margin": 0.002, "difference": -0.0125, "low": -0.02, "high": -0.005},
    TOO_FEW: {"margin": 40.0, "difference": 30.0, "low": -10.0, "high": 70.0},
}


def test_intervals_are_drawn_as_reviewed(drawings: Drawings) -> None:
    with drawings():
        for verdict, test in TESTS.items():
            interval_plot(test, verdict, "one less another")


def test_curves_are_drawn_as_reviewed(drawings: Drawings) -> None:
    arms = [
        {
            "name": name,
            "curve": curve.tolist(),
            "band": [(curve - below).tolist(), (curve + above).tolist()],
        }
        for name, curve, below, above in (
            ("one", np.array([0.0, 1.0, 3.0]), 0.5, 0.25),
            ("another", np.array([1.0, 2.0, 2.5]), 0.125, 1.0),
        )
    ]
    with drawings():
        curves_plot({"arms": arms})


def test_a_page_draws_both_trainers_in_their_order(drawings: Drawings) -> None:
    results = [
        Results(name, ("0", "1", "2"), columns, np.array(values))
        for name, columns, values in (
            ("the one", ("score",), [[1.0], [2.0], [4.0]]),
            ("second of a name", ("score",), [[8.0], [9.0], [7.5]]),
        )
    ]
    report = compare(results[0], results[1], margin=1.0)
    with drawings():
        render(report)


@pytest.mark.parametrize("verdict", TESTS)
def test_what_is_drawn_is_said_to_who_cannot_see_it(verdict: str) -> None:
    said = {
        EQUIVALENT: "difference +0.2500, interval −0.5000 to +1.0000, margin 1.5000",
        DIFFERENT: "difference −0.012500, interval −0.020000 to −0.005000, margin 0.002000",
        TOO_FEW: "difference +30.0000, interval −10.0000 to +70.0000, margin 40.0000",
    }
    assert said[verdict] in interval_plot(TESTS[verdict], verdict, "one less another")
