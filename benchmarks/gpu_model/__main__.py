"""How far the model of a GPU's time is from what cards took: predicted beside measured.

    python -m benchmarks.gpu_model [--report FILE] [--programs FILE] [--json OUT] [--html OUT]
        [--compile]

Reads a report of ``python -m benchmarks.accelerator`` and the programs that it measured, and needs
neither a GPU nor its compiler. ``--compile`` compiles the programs that are missing (``nox -s
gpu_program`` installs what that needs).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from foundation.errors import InputError, reason_of, run_command
from foundation.json_reading import Artifact, read_json

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "reports" / "reference"
REPORT = REFERENCE / "accelerator_h100" / "accelerator.json"
PROGRAMS = REFERENCE / "gpu_model" / "programs.json"
APART = REFERENCE / "gpu_model" / "measured_apart.json"
REPORT_FILE = Artifact("report", "give one as its benchmark wrote it")
FILE = click.Path(path_type=Path, dir_okay=False)


def read(path: Path, benchmark: str) -> dict[str, Any]:
    """Return a report's content.

    Raises:
        InputError: there is no such file, or it is no report of that benchmark.
    """
    values = read_json(path, dict[str, Any], REPORT_FILE)
    if values.get("benchmark") != benchmark:
        raise InputError(
            f'{path}: not a report of "{benchmark}"; give one that says so under "benchmark"'
        )
    return values


def shown(path: Path) -> str:
    """Return a path as the report names it: from the project's root where it lies there."""
    return str(path.resolve().relative_to(ROOT)) if path.resolve().is_relative_to(ROOT) else str(path)


@click.command(context_settings={"show_default": True})
@click.option("--report", default=REPORT, type=FILE, help="Of a card, with what was measured.")
@click.option("--programs", default=PROGRAMS, type=FILE, help="Its programs, compiled.")
@click.option("--apart", type=FILE, help="Rows that were measured outside of the report.")
@click.option("--days", default=250, type=click.IntRange(min=3), help="Of the market of the report.")
@click.option("--compile", "compiling", is_flag=True, help="Compile programs that are missing.")
@click.option("--html", type=FILE, help="Write a page.")
@click.option("--json", "out", type=FILE, help="Write the values.")
def main(
    report: Path,
    programs: Path,
    apart: Path | None,
    days: int,
    compiling: bool,
    html: Path | None,
    out: Path | None,
) -> None:
    """Show a GPU's time, predicted beside measured."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from benchmarks.gpu_model.page import render, show, to_values
    from benchmarks.harness.output import wide_console
    from foundation.files import write_json, write_text

    apart = APART if apart is None and report == REPORT else apart
    try:
        made = to_values(*gathered(report, programs, apart, days, compiling))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{report}: a row of it or of the programs beside it is not as it was written "
            f"({reason_of(error)}); "
            "take the file as python -m benchmarks.accelerator made it"
        ) from error
    show(made, wide_console())
    if out is not None:
        write_json(out, made)
    if html is not None:
        write_text(html, render(made))


def gathered(report: Path, programs: Path, apart: Path | None, days: int, compiling: bool) -> Any:
    """Return what :func:`benchmarks.gpu_model.page.to_values` is called with.

    Raises:
        InputError: a file is no report, its card is not described, or a program is missing.
    """
    from benchmarks.gpu_model.counts import compared
    from benchmarks.gpu_model.points import measured_rows, points_of
    from benchmarks.gpu_program.cards import CARDS, card_of

    measured = read(report, "accelerator")
    machine: Mapping[str, Any] = measured.get("machine", {})
    kind = machine.get("device", {}).get("kind", "")
    card = card_of(kind)
    if card is None:
        names = ", ".join(one.name for one in CARDS.values())
        raise InputError(f'{report}: its device "{kind}" is none that the model describes: {names}')
    rows = list(measured_rows(measured.get("parts", {})))
    beside = read(apart, "accelerator, rows apart")["rows"] if apart else []
    if compiling:
        compile_missing([*rows, *beside], programs, days, card)
    held = read(programs, "gpu_model_programs")["programs"] if programs.exists() else []
    points = points_of(measured, held, card, beside)
    if not points:
        raise InputError(f"{report}: nothing in it was measured")
    paths = {"measured": shown(report), "programs": shown(programs)}
    if apart:
        paths["measured apart"] = shown(apart)
    return points, machine, compared(rows, held), paths


def compile_missing(rows: Any, path: Path, days: int, card: Any) -> None:
    """Compile the programs of rows that are not in a file, which is written after each."""
    from importlib.metadata import version

    from benchmarks.gpu_model.compiled import compiled
    from benchmarks.gpu_model.programs import about_of
    from foundation.files import write_json

    held = read(path, "gpu_model_programs") if path.exists() else {}
    made = held.get("programs", [])
    for row in rows:
        about = about_of(row)
        if "program" in row or any(one["about"] == about for one in made):
            continue
        click.echo(
            f"compiling {row['name']}, {row.get('envs', row.get('n_envs')):,} environments", err=True
        )
        made.append(compiled(about, days, card))
        versions = {name: version(name) for name in ("jax", "jaxlib")}
        values = {"schema": 1, "benchmark": "gpu_model_programs", "card": card.name, "days": days}
        write_json(path, {**values, "versions": versions, "programs": made}, indent=None)


if __name__ == "__main__":
    run_command(main)
