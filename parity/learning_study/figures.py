"""The study's plots: learning curves, areas under them, and the difference against the margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from foundation.report.format import change
from foundation.report.svg import BACKED, COLOURS, Size, axes_in, draw, figure_of
from parity.learning_study.design import ARMS, PER_STEPS
from parity.learning_study.statistics import DIFFERENT, EQUIVALENT, TOO_FEW

Values = Mapping[str, Any]

NAMES = {"sb3": "MaskablePPO", "jax": "port"}
INKS = {"sb3": COLOURS["reference"], "jax": COLOURS["port"]}
UNIT = f"reward per {PER_STEPS} steps"
TONES = {EQUIVALENT: "port", DIFFERENT: "bad", TOO_FEW: "muted"}
SPREAD = 0.32
"""How far the dots of an arm lie from its line at most."""


def curves_plot(report: Values) -> Markup:
    """Draw both arms' learning curves with their bands, between random and good policy."""
    settings, yardstick = report["design"]["settings"], report["yardstick"]
    per_rollout = settings["n_envs"] * settings["n_steps"]

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 420 if size.wide else 300)
        axes = axes_in(figure, 38, x="steps of training (thousands)", y=f"mean {UNIT}")
        for name in ("random", "good"):
            axes.axhline(yardstick[name], color=COLOURS["muted"], linewidth=1, dashes=(4, 3))
            good = name == "good"
            axes.text(
                0.01 if good else 0.99,  # where the curves aren't
                yardstick[name],
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

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 230)
        axes = axes_in(figure, 92, top=6, grid="x", x=f"area ({UNIT})")
        for row, arm in enumerate(ARMS):
            areas = np.sort(np.array(report["arms"][arm]["areas"]))
            if not areas.size:
                continue
            # Neighbours in size are set apart; the order of the offsets has no meaning.
            offsets = SPREAD * (2 * (np.arange(areas.size) * 0.618034 % 1) - 1)
            dots = 6.5 if size.wide else 4.5
            axes.plot(areas, row + offsets, "o", color=INKS[arm], markersize=dots, markeredgewidth=0)
            axes.plot([areas.mean()] * 2, [row - 0.42, row + 0.42], color=COLOURS["ink"], linewidth=2)
        axes.set_ylim(len(ARMS) - 0.5, -0.5)
        axes.set_yticks(range(len(ARMS)), [NAMES[arm] for arm in ARMS])
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4))
        return figure

    told = ", ".join(f"{NAMES[a]} {len(report['arms'][a]['areas'])} seeds" for a in ARMS)
    return draw("areas", f"areas under the learning curves: {told}", paint)


def interval_plot(report: Values) -> Markup:
    """Draw the difference's interval against the margin."""
    test = report["test"]
    margin, low, high = test["margin"], test["low"], test["high"]
    reach = 1.25 * max(margin, abs(low), abs(high))
    ink = COLOURS[TONES[report["verdict"]]]

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 150)
        axes = axes_in(figure, 16, right=16, top=6, grid="", x=f"port less MaskablePPO ({UNIT})")
        axes.axvspan(-margin, margin, color=COLOURS["line"], alpha=0.6, linewidth=0)
        axes.axvline(0, color=COLOURS["muted"], linewidth=1, dashes=(3, 2))
        for edge, side in ((-margin, "right"), (margin, "left")):
            axes.axvline(edge, color=COLOURS["muted"], linewidth=1)
            # Inside the margin: outside there may be no room.
            inside = {"right": "left", "left": "right"}[side]
            gap = -0.012 * reach * np.sign(edge)
            words = f"margin {change(edge)}"
            axes.text(edge + gap, 0.62, words, ha=inside, color=COLOURS["muted"])
        axes.plot([low, high], [0, 0], color=ink, linewidth=4, solid_capstyle="butt")
        axes.plot([test["difference"]], [0], "o", color=ink, markersize=9)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(8 if size.wide else 4))
        return figure

    label = (
        f"difference {change(test['difference'], 4)}, interval {change(low, 4)} to {change(high, 4)}"
    )
    return draw("interval", f"{label}, margin {margin:.4f}", paint)
