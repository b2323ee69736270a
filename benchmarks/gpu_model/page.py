"""Predicted beside measured, as values for JSON, as a table in a console and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gpu_model.parameters import parameters
from benchmarks.gpu_model.points import BOUND, Point
from benchmarks.gpu_program.cards import CARDS
from benchmarks.gpu_program.report import seconds, short
from foundation.report.bars import Bar, Scale, draw_bars
from foundation.report.format import count
from foundation.report.html import templates
from foundation.report.parts import Tile, Verdict

SCHEMA = 1
Values = Mapping[str, Any]
COLUMNS = (
    "what ran", "sizes", "measured", "predicted", "time, measured / predicted", "used for",
    "most goes to",
)  # fmt: skip
WALLS = {
    "launches": "launching kernels",
    "bytes": "moving bytes",
    "products": "matrix products",
    "host": "waiting for the host",
    "collectives": "other cards",
}


def to_values(
    points: Sequence[Point], machine: Values, programs: Sequence[Values], paths: Values
) -> dict[str, Any]:
    """Return the report, ready for JSON.

    Args:
        points: of all cards.
        machine: that the first card's report was made on.
        programs: what the card compiled beside what was compiled here, see
            :mod:`benchmarks.gpu_model.counts`.
        paths: of the reports and programs that it was made of.
    """
    checked = [point for point in points if point.role == "checked"]
    measured = sorted({point.card for point in points})
    return {
        "schema": SCHEMA,
        "benchmark": "gpu_model",
        "bound": BOUND,
        "made_of": dict(paths),
        "machine": {key: machine[key] for key in ("time", "versions", "device") if key in machine},
        "checked": len(checked),
        "checked_within": sum(point.within for point in checked),
        "checked_derived": sum(point.derived for point in checked),
        "fitted": len(points) - len(checked),
        "ratios_checked": [
            min((point.ratio for point in checked), default=None),
            max((point.ratio for point in checked), default=None),
        ],
        "parameters": [one.to_dict() for one in parameters()],
        "points": [point.to_dict() for point in points],
        "programs": list(programs),
        "never_measured": [card.name for card in CARDS.values() if card.name not in measured],
    }


def cells_of(point: Values) -> tuple[str, ...]:
    """Return a point's cells."""
    if "measured_steps_per_second" in point:
        measured = f"{short(point['measured_steps_per_second'])} steps/s"
        predicted = f"{short(point['predicted_steps_per_second'])} steps/s"
    else:
        measured, predicted = seconds(point["measured_seconds"]), seconds(point["predicted_seconds"])
    used = "fit" if point["role"] == "fitted" else "check"
    return (
        point["subject"], point["sizes"], measured, predicted,
        f"{point['ratio']:.2f}", used, WALLS[point["wall"]],
    )  # fmt: skip


def show(report: Values, console: Console) -> None:
    """Print the table, and what it comes to."""
    table = Table(*COLUMNS, title="a GPU's time, predicted beside measured")
    for point in report["points"]:
        table.add_row(*cells_of(point), style=None if point["within"] else "bold")
    console.print(table)
    console.print(verdict(report).headline)
    for point in report["points"]:
        if not point["within"]:
            console.print(
                f"beyond: {point['subject']}, {point['sizes']}: {point['reason']}", soft_wrap=True
            )


def verdict(report: Values) -> Verdict:
    """Return how many of the points that check the model are within the bound."""
    within, checked, bound = report["checked_within"], report["checked"], report["bound"]
    if within == checked:
        headline = f"All {checked} points that check the model are within a factor of {bound}."
    else:
        headline = (
            f"{within} of the {checked} points that check the model are within a factor of {bound}."
        )
    reason = (
        "The model predicts how long a program takes on a GPU from the compiled program alone. "
        f"{report['fitted']} other points were used to fit it."
    )
    return Verdict("good" if within == checked else "warn", headline, reason)


def tiles(report: Values) -> list[Tile]:
    """Return the numbers that head the page."""
    device = report["machine"].get("device", {}).get("kind", "")
    ratios = [ratio for ratio in report["ratios_checked"] if ratio is not None]
    return [
        Tile(
            "Checked",
            f"{report['checked_within']} of {report['checked']}",
            f"within a factor of {report['bound']}; {report['checked_derived']} are differences "
            "between others",
        ),
        Tile(
            "Measured / predicted",
            " to ".join(f"{ratio:.2f}" for ratio in ratios),
            "time, smallest and largest of the checked points",
        ),
        Tile(
            "Fitted on",
            count(report["fitted"], "point"),
            "one for each of the fitted parameters, not counted as checks",
        ),
        Tile("Measured card", "1", f"{device}; not measured: {', '.join(report['never_measured'])}"),
    ]


def drawing(report: Values) -> Any:
    """Return bars of measured over predicted time."""
    bars = []
    for point in report["points"]:
        fitted = point["role"] == "fitted"
        bars.append(
            Bar(
                f"{point['subject']}, {short_sizes(point['sizes'])}",
                point["ratio"],
                f"{point['ratio']:.2f}{' (fit)' if fitted else ''}",
                "bad" if not point["within"] else "optional" if fitted else "port",
            )
        )
    most = max(report["bound"] + 0.1, *(bar.value or 0.0 for bar in bars))
    scale = Scale(
        "measured time / predicted time (1 is a perfect prediction)",
        lambda ratio: f"{ratio:g}",
        log=False,
        limits=(0.0, most),
    )
    return draw_bars("ratios", "Measured time over predicted time, by what ran", bars, scale)


def short_sizes(sizes: str) -> str:
    """Return sizes as a label has room for."""
    first = sizes.split(", minibatches")[0].replace(" environments", "")
    return first.split(" numbers")[0]


def render(report: Values) -> str:
    """Return a self-contained page of a report of :func:`to_values`."""
    env = templates("benchmarks.gpu_model", cells=cells_of)
    return env.get_template("gpu_model.html.j2").render(
        report=report,
        verdict=verdict(report),
        tiles=tiles(report),
        columns=COLUMNS,
        drawing=drawing(report),
        beyond=[point for point in report["points"] if not point["within"]],
    )
