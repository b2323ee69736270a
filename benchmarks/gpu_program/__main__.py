"""What a GPU would run, seen by compiling for one that is not there; timed where one is.

    python -m benchmarks.gpu_program [--card h100,h200,rtx4090] [--phase 1,2]
        [--what environment,training] [--precision bf16,tf32,float32] [--machines 1x8,2x8]
        [--json OUT] [--html OUT]

Needs JAX's CUDA plugin: ``pip install 'jax[cuda12]'``, or ``nox -s gpu_program``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.gpu_program.cards import CARDS
from benchmarks.gpu_program.machines import machine_of
from benchmarks.gpu_program.model import UNKNOWN_TRIPS
from foundation.errors import InputError, run_command

SUBJECTS = ("environment", "training")


def chosen(text: str, among: Sequence[str], option: str) -> list[str]:
    """Return the names of a list with commas.

    Raises:
        InputError: one of them is not among those there are.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in among:
            raise InputError(f"{option} {name}: choose from {', '.join(among)}")
    if not names:
        raise InputError(f"{option} is empty: choose from {', '.join(among)}")
    return names


@click.command(context_settings={"show_default": True})
@click.option("--card", default="h100", help="Cards to compile for: h100, h200, rtx4090.")
@click.option("--precision", default="bf16,tf32,float32", help="Of training.")
@click.option("--form", help="Of training: cpu or gpu; by default the one a GPU runs.")
@click.option("--phase", default="1", help="1, 2 or 1,2.")
@click.option("--what", default="environment,training", help="Programs.")
@click.option("--envs", default=65_536, type=click.IntRange(min=1), help="Environments.")
@click.option("--n-steps", default=32, type=click.IntRange(min=1), help="Steps in a rollout.")
@click.option("--batch-size", default=131_072, type=click.IntRange(min=2), help="Minibatch.")
@click.option("--epochs", default=4, type=click.IntRange(min=1))
@click.option(
    "--machines",
    default="",
    metavar="HOSTSxCARDS,...",
    help="Training on several cards too, such as 1x8,2x8; sizes are those of each.",
)
@click.option("--days", default=60, type=click.IntRange(min=3), help="Days of the synthetic market.")
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Another setting of training."
)
@click.option(
    "--unknown-trips",
    default=UNKNOWN_TRIPS,
    type=click.IntRange(min=0),
    help="Turns that a loop is taken to make where the compiler knows no number.",
)
@click.option("--kernels", is_flag=True, help="List every kernel of every part.")
@click.option("--hlo", type=click.Path(path_type=Path, file_okay=False), help="Folder for HLO texts.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page's section.")
@click.option("--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write a report.")
def main(out: Path | None, html: Path | None, hlo: Path | None, **options: Any) -> None:
    """Show what a GPU would run, and how long by a simple model; where one is there, time it."""
    os.environ.setdefault("JAX_PLATFORMS", "" if Path("/dev/nvidia0").exists() else "cpu")
    from benchmarks.gpu_program.report import html_section, show, show_kernels, to_json
    from benchmarks.gpu_program.runner import report_all, report_scaling
    from benchmarks.gpu_program.scaling import html_scaling, show_scaling
    from benchmarks.gpu_program.subjects import TRAINING_FORM, TRAINING_FORMS
    from benchmarks.harness.output import wide_console
    from foundation.files import write_json, write_text

    cards = chosen(options["card"], tuple(CARDS), "--card")
    precisions = chosen(options["precision"], ("bf16", "tf32", "float32"), "--precision")
    phases = [int(name) for name in chosen(options["phase"], ("1", "2"), "--phase")]
    options["form"] = chosen(options["form"] or TRAINING_FORM, TRAINING_FORMS, "--form")
    what = chosen(options["what"], SUBJECTS, "--what")
    machines = [machine_of(name.strip()) for name in options["machines"].split(",") if name.strip()]
    reports = report_all(cards, precisions, phases, what, options, hlo)
    scaling = report_scaling(cards, precisions, phases, machines, options, hlo, reports)
    values = to_json(reports, {key: str(value) for key, value in options.items()})
    values["several_cards"] = scaling
    programs, console = values["programs"], wide_console()
    show(programs, console)
    if scaling:
        show_scaling(scaling, console)
    if options["kernels"]:
        show_kernels(programs, console)
    if out is not None:
        write_json(out, values)
    if html is not None:
        sections = [html_section(programs), *([html_scaling(scaling)] if scaling else [])]
        write_text(html, "\n".join(sections) + "\n")


if __name__ == "__main__":
    run_command(main)
