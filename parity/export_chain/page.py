"""The export chain's report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation.report.format import DASH, count, dollars, exponent, percent
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict

Values = Mapping[str, Any]

SIDES = {"jax": "JAX", "sb3": "Stable-Baselines3"}
"""Names of the sides in the report, as they are written on the page."""


def render(report: Values) -> str:
    """Return a self-contained page of a report of :func:`parity.export_chain.verify.verify`."""
    env = templates("parity.export_chain", small=small, share_of_limit=share)
    return env.get_template("chain.html.j2").render(
        certificate=certificate_words(report["bundle"]["certificate"]),
        report=report,
        verdict=verdict(report),
        tiles=tiles(report),
        hops=by_hop(report),
    )


def verdict(report: Values) -> Verdict:
    """Return whether every hop decides the same, and if not, where the first one differs."""
    if report["verdict"] != "same":
        return Verdict("bad", "The chain comes apart.", report["first_divergence"])
    csharp = " and C#" if report["csharp"] == "checked" else ""
    return Verdict(
        "good",
        "Every hop decides the same.",
        f"From raw bars to action, in JAX, PyTorch, Stable-Baselines3, ONNX{csharp}.",
    )


def tiles(report: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    actions, replay, day = report["actions"], report["replay"], report.get("day")
    trades = replay["trades"]
    all_tiles = [
        Tile(
            "Decisions compared",
            f"{actions['compared']:,}",
            f"{count(actions['near_ties'], 'near-tie')} (the best two actions' scores within "
            f"{actions['near_tie_below']:g}), {actions['near_ties_decided_differently']:,} decided "
            "differently",
        ),
        Tile(
            "Episodes replayed in the reference",
            f"{replay['episodes']:,}",
            f"{count(trades, 'trade')}"
            if trades
            else "the policy takes no trade, so only the episodes and their number are compared",
        ),
    ]
    if isinstance(day, Mapping):
        below = f"{count(day['decisions'], 'decision')}, {count(day['trades'], 'trade')}"
        all_tiles.append(Tile(f"C# over a whole day, {day['day']}", f"{day['bars']:,} bars", below))
    for side, pnl in replay["pnl_dollars"].items():
        name, _, rest = side.partition(" ")
        label = f"PnL of the replay, {SIDES.get(name, name)} {rest}".rstrip()
        all_tiles.append(Tile(label, dollars(pnl), "US dollars, all episodes together"))
    return all_tiles


def by_hop(report: Values) -> list[dict[str, Any]]:
    """Return one line a hop: its stages, most rows, largest difference and share of a limit."""
    stages_by_hop: dict[str, list[Values]] = {}
    for stage in report["hops"]:
        stages_by_hop.setdefault(stage["hop"], []).append(stage)
    return [
        {
            "hop": hop,
            "stages": len(stages),
            "rows": max(stage["rows"] for stage in stages),
            "largest": small(_most(stages, "largest_difference")),
            "share": share(_most(stages, "share_of_limit")),
            "passed": all(stage["passed"] for stage in stages),
            "each": stages,
        }
        for hop, stages in stages_by_hop.items()
    ]


def _most(stages: list[Values], name: str) -> float | None:
    """Return the largest of numbers; None, which stands for no number at all, is larger than any."""
    numbers = [stage[name] for stage in stages]
    return None if None in numbers else max(numbers)


def small(value: float | None) -> str:
    """Return a difference for reading: two digits, 0 as 0."""
    return "no number" if value is None else exponent(value)


def share(value: float | None) -> str:
    """Return a share of a limit for reading; one above the whole says that it is beyond it."""
    if value is None:
        return "beyond"
    if value == 0:
        return "0"
    if value > 1:
        return f"{percent(value)}, beyond"
    return percent(value) if value >= 1e-3 else "below 0.1%"


def certificate_words(certificate: Any) -> str:
    """Return the policy's parity certificate in a word or two."""
    return str(certificate.get("verdict", DASH) if isinstance(certificate, Mapping) else certificate)
