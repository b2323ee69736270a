"""The study as one self-contained HTML page: the verdict and what it means, then its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foundation.report.html import templates
from parity.engine.format import plain, show
from parity.learning_study.design import ARMS
from parity.learning_study.figures import NAMES, UNIT, areas_plot, curves_plot, interval_plot
from parity.learning_study.statistics import DIFFERENT, EQUIVALENT, TOO_FEW

Values = Mapping[str, Any]

HEADLINES = {
    EQUIVALENT: ("good", "✓", "Both learn the same."),
    DIFFERENT: ("bad", "✕", "They do not learn the same."),
    TOO_FEW: ("warn", "!", "Not enough seeds to tell."),
}

MEANS = {
    EQUIVALENT: "Were the true difference as large as the margin or larger, numbers like these would "
    "come up in at most {alpha:.0%} of such studies.",
    DIFFERENT: "The whole interval lies beyond the margin, so one side learns faster or better than "
    "the other by more than was agreed to count as nothing.",
    TOO_FEW: "Nothing was shown in either direction: this is no proof that they differ, and none that "
    "they do not.",
}


def render(report: Values) -> str:
    """Return the page of a report.

    Args:
        report: what :func:`parity.learning_study.study.judge` returns, or the same read from JSON.

    Returns:
        HTML that asks for nothing outside itself.
    """
    env = templates("parity.learning_study", show=show, plain=plain)
    design, test = report["design"], report["test"]
    tone, sign, headline = HEADLINES[report["verdict"]]
    return env.get_template("learning.html.j2").render(
        report=report,
        tone=tone,
        sign=sign,
        headline=headline,
        because=because(report),
        means=MEANS[report["verdict"]].format(alpha=design["alpha"]),
        tiles=tiles(report) if test else [],
        names=NAMES,
        arms=ARMS,
        unit=UNIT,
        curves=curves_plot(report),
        areas=areas_plot(report),
        interval=interval_plot(report) if test else "",
        choices=choices(design),
    )


def because(report: Values) -> str:
    """Return the verdict's reason in one sentence."""
    test, planned = report["test"], report["design"]["seeds"]
    first, second = (report["arms"][arm]["seeds"] for arm in ARMS)
    if min(first, second) < planned:
        return (
            f"The study was planned with {planned} seeds of each side; so far it has {first} of "
            f"{NAMES['sb3']} and {second} of the {NAMES['jax']}."
        )
    level = f"{1 - 2 * test['alpha']:.0%}"
    inside = {
        EQUIVALENT: "lies within",
        DIFFERENT: "lies wholly outside",
        TOO_FEW: "reaches across an edge of",
    }[report["verdict"]]
    return (
        f"The {level} interval of the difference, {test['low']:+.3f} to {test['high']:+.3f}, {inside} "
        f"the margin of ±{test['margin']:.3f}."
    )


def tiles(report: Values) -> list[dict[str, str]]:
    """Return the numbers that head the page: label, value and words below it."""
    test, spread = report["test"], report["yardstick"]["spread"]
    share = report["design"]["margin_share"]
    first, second = (report["arms"][arm] for arm in ARMS)
    return [
        {
            "label": "Difference of the mean areas",
            "value": f"{test['difference']:+.3f}",
            "below": f"{test['difference'] / spread:+.1%} of the spread; margin ±{share:.0%}",
        },
        {
            "label": f"Area, {NAMES['sb3']} / {NAMES['jax']}",
            "value": f"{first['mean']:.3f} / {second['mean']:.3f}",
            "below": f"mean {UNIT}; sd {first['sd']:.3f} / {second['sd']:.3f}",
        },
        {
            "label": "p of the two one-sided tests",
            "value": f"{test['p']:.2g}",
            "below": f"Welch; equivalent up to {test['alpha']:g}",
        },
        {
            "label": "Seeds",
            "value": f"{first['seeds']} / {second['seeds']}",
            "below": f"{report['design']['seeds']} of each side planned",
        },
        {
            "label": "Random to good policy",
            "value": f"{report['yardstick']['random']:.2f} to {report['yardstick']['good']:.2f}",
            "below": f"last rollout {first['last']:.2f} / {second['last']:.2f}",
        },
    ]


def choices(design: Values) -> dict[str, dict[str, Any]]:
    """Return the design for reading: market, rules that differ from Phase 1's, learner."""
    settings = dict(design["settings"])
    network = settings.pop("network")
    for name in ("seed", "anneal", "precision"):
        settings.pop(name)
    return {
        "Market": {
            "bars": f"pattern market, ES, {design['days']} days, seed {design['market_seed']}",
            "strength": design["strength"],
            "bars in an observation": design["config"]["window_size"],
            "bars in an episode": design["config"]["max_episode_bars"],
        },
        "Learner": {
            "network": f"policy {sizes(network['pi'])}, value {sizes(network['vf'])}, "
            f"{network['activation']}",
            **settings,
        },
        "Test": {
            "margin, share of the spread": design["margin_share"],
            "alpha": design["alpha"],
            "seeds per side": design["seeds"],
            "pilot's sd": design["pilot_sd"],
            "pilot's margin": design["pilot_margin"],
            "seeds for power 0.8, no true difference": design["planning"]["needed_if_none"],
            "power, no true difference": round(design["planning"]["power_if_none"], 3),
            "power, true difference of half the margin": round(
                design["planning"]["power_if_half_margin"], 3
            ),
        },
    }


def sizes(tower: Sequence[int]) -> str:
    """Return a tower's hidden sizes for reading."""
    return "-".join(map(str, tower))
