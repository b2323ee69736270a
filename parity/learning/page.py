"""The comparison of two trainers as one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation.report.format import change, figures, number, rounded, show
from foundation.report.html import templates
from foundation.report.parts import Tile, Tone, Verdict
from parity.learning.figures import curves_plot, decimals, interval_plot, scores_plot
from parity.learning.statistics import DIFFERENT, EQUIVALENT, TOO_FEW

Values = Mapping[str, Any]

HEADLINES: Mapping[str, tuple[Tone, str]] = {
    EQUIVALENT: ("good", "Both learn the same."),
    DIFFERENT: ("bad", "They do not learn the same."),
    TOO_FEW: ("warn", "Not enough seeds to tell."),
}

MEANS = {
    EQUIVALENT: "Were the true difference as large as the margin or larger, numbers like these would "
    "come up in at most {alpha} of such studies.",
    DIFFERENT: "The whole interval lies beyond the margin, so one side learns faster or better than "
    "the other by more than was agreed to count as nothing.",
    TOO_FEW: "Nothing was shown in either direction: this is no proof that they differ, and none that "
    "they do not.",
}


def because(test: Values, verdict: str) -> str:
    """Return a verdict's reason in one sentence."""
    level, places = exact_percent(1 - 2 * test["alpha"]), decimals(test["margin"])
    inside = {
        EQUIVALENT: "lies within",
        DIFFERENT: "lies wholly outside",
        TOO_FEW: "reaches across an edge of",
    }[verdict]
    return (
        f"The {level} interval of the difference, {change(test['low'], places)} to "
        f"{change(test['high'], places)}, {inside} the margin of ±{number(test['margin'], places)}."
    )


def exact_percent(share: float) -> str:
    """Return a share that somebody chose as a percentage with all of its digits, such as "97.5%"."""
    return f"{100 * share:.10g}%"


def brief(name: str, most: int) -> str:
    """Return a name that has room in a drawing: its begin and its end, of one that is longer."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def reason(report: Values) -> str:
    """Return the reason for a report's verdict, in a sentence or two."""
    test, planning = report["test"], report["planning"]
    if min(test["n"]) < test["planned"]:
        first, second = test["n"]
        text = f"{test['planned']} seeds of each were planned; there are {first} and {second}."
    else:
        text = because(test, report["verdict"])
    if report["verdict"] != TOO_FEW:
        return text
    return f"{text} {seeds_words(planning)}"


def seeds_words(planning: Values) -> str:
    """Return how many seeds it takes, in a sentence."""
    wanted = exact_percent(planning["wanted_power"])
    none, half = planning["seeds_if_none"], planning["seeds_if_half"]
    if none is None:
        return "With scores that scatter so, no sensible number of seeds would show it."
    more = "" if half is None else f", and {half:,} if they differ by half the margin"
    return f"For a chance of {wanted} it takes {none:,} seeds of each if they do not differ{more}."


def render(report: Values) -> str:
    """Return the page of a report.

    Args:
        report: from :func:`parity.learning.compare.compare`.
    """
    tone, headline = HEADLINES[report["verdict"]]
    first, second = report["arms"]
    curve = len(report["columns"]) > 1
    score = "mean of the learning curve" if curve else report["columns"][0]
    test = report["test"]
    tiles = [
        Tile(
            "Difference of the means",
            change(test["difference"], decimals(test["margin"])),
            f"margin ±{rounded(test['margin'], 3)}",
        ),
        Tile(
            "p of the two one-sided tests",
            figures(test["p"]),
            f"Welch's; equivalent if at most {test['alpha']:g}",
        ),
        Tile("Seeds", f"{first['seeds']} / {second['seeds']}", seeds_words(report["planning"])),
        Tile(
            "Power as it is",
            f"{report['planning']['power_if_none']:.0%}",
            f"with a standard deviation of {number(report['planning']['sd'], 3)}, if there is none",
        ),
    ]
    page = templates("parity.learning").get_template("comparison.html.j2")
    return page.render(
        report=report,
        verdict=Verdict(tone, headline, reason(report)),
        means=MEANS[report["verdict"]].format(alpha=exact_percent(test["alpha"])),
        tiles=tiles,
        score=score,
        curves=curves_plot(report) if curve else "",
        scores=scores_plot([(brief(arm["name"], 12), arm["scores"]) for arm in report["arms"]], score),
        interval=interval_plot(
            test, report["verdict"], f"{brief(second['name'], 20)} less {brief(first['name'], 20)}"
        ),
        show=show,
        exact_percent=exact_percent,
    )
