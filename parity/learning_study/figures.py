"""The study's plots as SVG to stand in a page, drawn as the parity report's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from parity.engine.plots import COLOURS, STYLE, plain_axes, to_svg
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
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.0))
        axes = plain_axes(figure, (0.065, 0.14, 0.925, 0.83))
        for name in ("random", "good"):
            axes.axhline(yardstick[name], color=COLOURS["muted"], linewidth=0.8, dashes=(4, 3))
            axes.text(
                0.01 if name == "good" else 0.99,  # where the curves aren't
                yardstick[name],
                f"{name} policy",
                transform=axes.get_yaxis_transform(),
                ha="left" if name == "good" else "right",
                va="bottom" if name == "good" else "top",
                fontsize=7,
                color=COLOURS["muted"],
            )
        size = settings["n_envs"] * settings["n_steps"]
        for arm in ARMS:
            drawn = report["arms"][arm]
            if "curve" not in drawn:
                continue
            steps = size * np.arange(1, len(drawn["curve"]) + 1) / 1_000
            axes.fill_between(steps, *drawn["band"], color=INKS[arm], alpha=0.3, linewidth=0)
            width = 3.2 if arm == ARMS[0] else 1.2
            axes.plot(steps, drawn["curve"], color=INKS[arm], linewidth=width)
        axes.set_xlim(0, settings["total_timesteps"] / 1_000)
        axes.xaxis.set_major_locator(MaxNLocator(8))
        axes.set_xlabel("thousand steps")
        return to_svg(figure, "curves", f"learning curves of both arms, {UNIT}, against steps")


def areas_plot(report: Values) -> Markup:
    """Draw every seed's area as a dot, with each arm's mean."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.75))
        axes = plain_axes(figure, (0.125, 0.24, 0.865, 0.73), "x")
        for row, arm in enumerate(ARMS):
            areas = np.sort(np.array(report["arms"][arm]["areas"]))
            if not areas.size:
                continue
            # Neighbours in size are set apart; the order of the offsets has no meaning.
            offsets = SPREAD * (2 * (np.arange(areas.size) * 0.618034 % 1) - 1)
            axes.plot(areas, row + offsets, "o", color=INKS[arm], markersize=4, markeredgewidth=0)
            axes.plot([areas.mean()] * 2, [row - 0.42, row + 0.42], color=COLOURS["ink"], linewidth=1.4)
        axes.set_ylim(len(ARMS) - 0.5, -0.5)
        axes.set_yticks(range(len(ARMS)), [NAMES[arm] for arm in ARMS])
        axes.set_xlabel(UNIT)
        told = ", ".join(f"{NAMES[a]} {len(report['arms'][a]['areas'])} seeds" for a in ARMS)
        return to_svg(figure, "areas", f"areas under the learning curves: {told}")


def interval_plot(report: Values) -> Markup:
    """Draw the difference's interval against the margin."""
    test = report["test"]
    margin, low, high = test["margin"], test["low"], test["high"]
    reach = 1.25 * max(margin, abs(low), abs(high))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.15))
        axes = plain_axes(figure, (0.02, 0.36, 0.96, 0.6), "")
        axes.axvspan(-margin, margin, color=COLOURS["line"], alpha=0.6, linewidth=0)
        axes.axvline(0, color=COLOURS["muted"], linewidth=0.7, dashes=(3, 2))
        for edge, side in ((-margin, "right"), (margin, "left")):
            axes.axvline(edge, color=COLOURS["muted"], linewidth=0.8)
            gap = 0.01 * reach * np.sign(edge)
            axes.text(
                edge + gap, 0.62, f"margin {edge:+.3f}", ha=side, fontsize=7, color=COLOURS["muted"]
            )
        ink = COLOURS[TONES[report["verdict"]]]
        axes.plot([low, high], [0, 0], color=ink, linewidth=2.6, solid_capstyle="butt")
        axes.plot([test["difference"]], [0], "o", color=ink, markersize=6)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.set_xlabel(f"port minus MaskablePPO, {UNIT}")
        label = f"difference {test['difference']:+.4f}, interval {low:+.4f} to {high:+.4f}"
        return to_svg(figure, "interval", f"{label}, margin {margin:.4f}")
