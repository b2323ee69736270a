"""The study's plots: learning curves, areas under them, and the difference against the margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foundation.report.svg import BACKED, COLOURS, Size, axes_in, draw, figure_of
from parity.learning.figures import interval_plot, scores_plot
from parity.learning_study.design import ARMS, PER_STEPS

Values = Mapping[str, Any]

NAMES = {"sb3": "MaskablePPO", "jax": "port"}
INKS = {"sb3": COLOURS["reference"], "jax": COLOURS["port"]}
UNIT = f"reward per {PER_STEPS} steps"


def curves_plot(report: Values) -> Markup:
    """Draw both arms' learning curves with their bands, between random and good policy."""
    settings, baselines = report["design"]["settings"], report["baseline_policies"]
    per_rollout = settings["n_envs"] * settings["n_steps"]

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 420 if size.wide else 300)
        axes = axes_in(figure, 38, x="steps of training (thousands)", y=f"mean {UNIT}")
        for name in ("random", "good"):
            axes.axhline(baselines[name], color=COLOURS["muted"], linewidth=1, dashes=(4, 3))
            good = name == "good"
            axes.text(
                0.01 if good else 0.99,  # where the curves aren't
                baselines[name],
                f"{name} policy",
                transform=axes.get_yaxis_transform(),
                ha="left" if good else "right",
                va="bottom" if good else "top",
                color=COLOURS["muted"],
                bbox=BACKED,
            )
        for arm in ARMS:
            drawn = report["arms"][arm]
            if "curve" not in drawn:
                continue
            steps = per_rollout * np.arange(1, len(drawn["curve"]) + 1) / 1_000
            axes.fill_between(steps, *drawn["band"], color=INKS[arm], alpha=0.3, linewidth=0)
            width = 5.0 if arm == ARMS[0] else 1.8
            axes.plot(steps, drawn["curve"], color=INKS[arm], linewidth=width)
        axes.set_xlim(0, settings["total_timesteps"] / 1_000)
        axes.margins(y=0.09)
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4))
        return figure

    return draw("curves", f"learning curves of both arms, {UNIT}, against steps", paint)


def areas_plot(report: Values) -> Markup:
    """Draw every seed's area as a dot, with each arm's mean."""
    arms = [(NAMES[arm], report["arms"][arm]["areas"]) for arm in ARMS]
    return scores_plot(arms, f"area ({UNIT})")


def difference_plot(report: Values) -> Markup:
    """Draw the difference's interval against the margin."""
    return interval_plot(report["test"], report["verdict"], f"port less MaskablePPO ({UNIT})")
