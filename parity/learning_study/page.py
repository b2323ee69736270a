"""The study as one self-contained HTML page: the verdict and what it means, then its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from foundation.report.format import change, figures, number, percent
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict
from parity.learning.page import HEADLINES, MEANS, exact_percent
from parity.learning.page import because as words_of
from parity.learning_study.design import ARMS
from parity.learning_study.figures import NAMES, UNIT, areas_plot, curves_plot, difference_plot

Values = Mapping[str, Any]


def render(report: Values) -> str:
    """Return the page of a report.

    Args:
        report: what :func:`parity.learning_study.study.judge` returns, or the same read from JSON.

    Returns:
        HTML that asks for nothing outside itself.
    """
    design, test = report["design"], report["test"]
    tone, headline = HEADLINES[report["verdict"]]
    page = templates("parity.learning_study").get_template("learning.html.j2")
    return page.render(
        report=report,
        verdict=Verdict(tone, headline, because(report)),
        means=MEANS[report["verdict"]].format(alpha=exact_percent(design["alpha"])),
        tiles=tiles(report) if test else [],
        names=NAMES,
        arms=ARMS,
        unit=UNIT,
        curves=curves_plot(report),
        areas=areas_plot(report),
        interval=difference_plot(report) if test else "",
        choices=choices(design),
        exact_percent=exact_percent,
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
    return words_of(test, report["verdict"])


def tiles(report: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    test, spread = report["test"], report["baseline_policies"]["spread"]
    share = report["design"]["margin_share"]
    first, second = (report["arms"][arm] for arm in ARMS)
    moved = test["difference"] / spread
    return [
        Tile(
            "Difference of the mean areas",
            change(test["difference"]),
            f"{'+' if moved > 0 else ''}{percent(moved)} of what lies between the random and the good "
            f"policy; the margin is ±{exact_percent(share)}",
        ),
        Tile(
            f"Area, {NAMES['sb3']} / {NAMES['jax']}",
            f"{first['mean']:.3f} / {second['mean']:.3f}",
            f"mean {UNIT}; standard deviation over seeds {first['sd']:.3f} / {second['sd']:.3f}",
        ),
        Tile(
            "p of the two one-sided tests",
            figures(test["p"]),
            f"Welch's; equivalent if at most {test['alpha']:g}",
        ),
        Tile(
            "Seeds",
            f"{first['seeds']} / {second['seeds']}",
            f"trainings of each side; {report['design']['seeds']} planned",
        ),
        Tile(
            "Random to good policy",
            " to ".join(number(report["baseline_policies"][name]) for name in ("random", "good")),
            f"{UNIT}; last rollout {number(first['last'])} / {number(second['last'])}",
        ),
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
            f"seeds for power {design['power']:g}, no true difference": design["planning"][
                "needed_if_none"
            ],
            "power, no true difference": round(design["planning"]["power_if_none"], 3),
            "power, true difference of half the margin": round(
                design["planning"]["power_if_half_margin"], 3
            ),
        },
    }


def sizes(mlp: Sequence[int]) -> str:
    """Return an MLP's hidden sizes for reading."""
    return "-".join(map(str, mlp))
