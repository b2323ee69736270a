"""The report as one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation.report.format import show
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict
from parity.harness.findings import state_words
from parity.harness.report import DIFFERENT, SAME

TONES = {
    "same": "good",
    "equal": "good",
    "rounding": "good",
    "different": "bad",
    "logic": "bad",
    "contract": "bad",
}
HEADLINES = {
    SAME: "The port is the same environment",
    DIFFERENT: "The port is another environment",
}


def render(report: Mapping[str, Any]) -> str:
    """Return the page of a report.

    Args:
        report: from :meth:`parity.harness.report.Report.to_dict`.
    """
    env = templates("parity.harness.output", state_words=state_words)
    return env.get_template("pair.html.j2").render(
        report=report,
        verdict=_verdict(report),
        tiles=_tiles(report),
        tones=TONES,
        run=report["free_run"],
    )


def _verdict(report: Mapping[str, Any]) -> Verdict:
    verdict, differences = report["verdict"], report["differences"]
    if verdict == SAME:
        accepted = sum(one["status"] == "accepted" for one in report["contract"])
        accepted += sum(bool(one["accepted"]) for one in report["fields"])
        if accepted:
            text = f"{accepted} accepted, with reasons below; all else differs by rounding at most."
            return Verdict("good", f"{HEADLINES[SAME]} but for accepted differences", text)
        return Verdict("good", HEADLINES[SAME], "Nothing differs but by rounding.")
    if verdict == DIFFERENT:
        named = {one["name"] for one in report["fields"]}  # which are told as they are spelt
        first = differences[0]
        first = first if first.partition(" ")[0] in named else _capital(first)
        return Verdict("bad", HEADLINES[DIFFERENT], f"{first}.")
    missing = ", ".join(report["missing"])
    return Verdict("warn", "Not enough was seen", f"Nothing differs, and no case reached: {missing}.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _tiles(report: Mapping[str, Any]) -> list[Tile]:
    fields = report["fields"]
    cases = sum(report["cases"].values())
    parts = ", ".join(f"{show(count)} {source}" for source, count in report["cases"].items())
    logic = [one["name"] for one in fields if one["verdict"] in ("logic", "contract")]
    beyond = [one["name"] for one in fields if one["beyond"] and one["name"] not in logic]
    rounding = [one for one in fields if one["verdict"] == "rounding"]
    most = max(rounding, key=lambda one: one["largest_ulps"], default=None)
    asked = [one for one in report["contract"] if one["status"] != "not asked"]
    wrong = [one for one in asked if one["status"] == "different"]
    return [
        Tile("Steps from the same state", show(cases), parts),
        Tile("Fields that differ by logic", show(len(logic)), ", ".join(logic) or "none", bool(logic)),
        Tile(
            "Fields that differ by rounding",
            show(len(rounding)),
            _rounded(most, beyond),
            bool(beyond),
        ),
        Tile(
            "Questions of the contract",
            f"{len(asked) - len(wrong)} of {len(asked)}",
            "answered alike, accepted or noted",
            bool(wrong),
        ),
    ]


def _rounded(most: Mapping[str, Any] | None, beyond: list[str]) -> str:
    """Return how far rounding went at most, and which fields it took beyond their bound."""
    parts = []
    if most is not None:
        parts.append(f"up to {most['largest_ulps']:.0f} units in the last place, {most['name']}")
    if beyond:
        parts.append(f"beyond the bound: {', '.join(beyond)}")
    return "; ".join(parts)
