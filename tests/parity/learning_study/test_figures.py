"""The study's plots draw both arms at their steps, and each arm's areas, as somebody saw them."""

from __future__ import annotations

from typing import Any

from parity.learning_study.figures import areas_plot, curves_plot, difference_plot
from tests.drawings import Drawings


def report() -> dict[str, Any]:
    def arm(first: float) -> dict[str, Any]:
        curve = [first, first + 1, first + 1.5]
        band = [[x - 0.25 for x in curve], [x + 0.5 for x in curve]]
        return {"areas": [first, first + 0.5, first + 2], "curve": curve, "band": band}

    return {
        "verdict": "different",
        "design": {"settings": {"n_envs": 10, "n_steps": 200, "total_timesteps": 6_000}},
        "baseline_policies": {"random": -1.0, "good": 4.0},
        "test": {"margin": 0.25, "difference": -1.0, "low": -1.5, "high": -0.5},
        "arms": {"sb3": arm(1.0), "jax": arm(0.0)},
    }


def test_the_study_is_drawn_as_reviewed(drawings: Drawings) -> None:
    told = report()
    with drawings():
        curves_plot(told)
        areas_plot(told)
        difference_plot(told)


def test_an_arm_of_one_seed_has_no_curve_yet(drawings: Drawings) -> None:
    told = report()
    told["arms"]["jax"] = {"areas": [0.5]}
    with drawings():
        curves_plot(told)
        areas_plot(told)
