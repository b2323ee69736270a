"""Compile programs for cards, report each, and time it where the card is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import click
import jax

from benchmarks.gpu_program.analysis import Report, analyse
from benchmarks.gpu_program.cards import CARDS, Card, card_of
from benchmarks.gpu_program.machines import Machine
from benchmarks.gpu_program.prepared import prepare
from benchmarks.gpu_program.scaling import divided, scaling_row
from benchmarks.gpu_program.subjects import (
    FORMS,
    Subject,
    environment,
    find_part,
    training_settings,
    update,
)
from benchmarks.gpu_program.target import compile_for
from foundation.errors import InputError
from foundation.files import write_text
from foundation.json_reading import json_or_text
from jax_port.ppo.settings import TrainSettings


def report_all(
    cards: Sequence[str],
    precisions: Sequence[str],
    phases: Sequence[int],
    what: Sequence[str],
    options: Mapping[str, Any],
    hlo: Path | None = None,
) -> list[Report]:
    """Return a report for every program and card; each is announced as it is made.

    Args:
        cards: names in :data:`benchmarks.gpu_program.cards.CARDS`.
        precisions: of training.
        phases: 1, 2.
        what: "environment", "training".
        options: sizes, as the command line names them.
        hlo: folder for the compiled texts.

    Raises:
        InputError: the CUDA plugin is not installed, or a setting is not valid.
    """
    reports = []
    for subject in subjects(precisions, phases, what, options):
        for name in cards:
            report = report_of(subject, CARDS[name], options["unknown_trips"], hlo)
            click.echo(progress_line(report), err=True)
            reports.append(report)
    return reports


def report_scaling(
    cards: Sequence[str],
    precisions: Sequence[str],
    phases: Sequence[int],
    machines: Sequence[Machine],
    options: Mapping[str, Any],
    hlo: Path | None = None,
    made: Sequence[Report] = (),
) -> list[dict[str, Any]]:
    """Return a row for training on several cards: with orders of each card's own, and with one of all.

    Args:
        cards, precisions, phases, hlo: as of :func:`report_all`.
        machines: how many cards.
        options: sizes, those of one card.
        made: reports of single cards that there are already.

    Raises:
        InputError: the CUDA plugin is not installed, or a card's links are not known.
    """
    rows = []
    trips = options["unknown_trips"]
    for phase, precision, name in product(phases, precisions, cards if machines else ()):
        settings, card = settings_of(precision, options), CARDS[name]
        one = update(settings, phase, options["days"])
        known = (report for report in made if (report.name, report.card) == (one.name, card.name))
        alone = next(known, None) or report_of(one, card, trips)
        for machine, own in product(machines, (True, False)):
            subject, among = divided(settings, phase, options["days"], card, machine, own)
            report = report_of(subject, among, trips, hlo)
            click.echo(progress_line(report), err=True)
            rows.append(scaling_row(report, alone, among))
    return rows


def settings_of(precision: str, options: Mapping[str, Any]) -> TrainSettings:
    """Return the settings of training that options name, in a precision."""
    sizes = {
        "n_envs": options["envs"],
        "n_steps": options["n_steps"],
        "batch_size": options["batch_size"],
        "n_epochs": options["epochs"],
        "precision": precision,
    }
    return training_settings({**sizes, **named(options["overrides"])})


def subjects(
    precisions: Sequence[str], phases: Sequence[int], what: Sequence[str], options: Mapping[str, Any]
) -> list[Subject]:
    """Return the programs that were asked for."""
    programs: list[Subject] = []
    for phase in phases:
        if "environment" in what:
            programs += [environment(shown, phase, options["envs"], options["days"]) for shown in FORMS]
        pairs = [(form, precision) for form in options["form"] for precision in precisions]
        for form, precision in pairs if "training" in what else ():
            settings = settings_of(precision, options)
            programs.append(update(settings, phase, options["days"], form))
    return programs


def named(texts: Sequence[str]) -> dict[str, Any]:
    """Return NAME=VALUE texts as a mapping; values are read as JSON where they are JSON.

    Raises:
        InputError: a text has no equals sign.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: give NAME=VALUE, such as gamma=0.995")
        values[name] = json_or_text(value)
    return values


def report_of(subject: Subject, card: Card, unknown_trips: int, hlo: Path | None = None) -> Report:
    """Compile a program for a card and report it; where that card is there, time it too."""
    compiled = compile_for(card, subject.function, subject.shapes(), subject.donate, subject.places)
    if hlo is not None:
        name = f"{card.name}_{subject.name}".replace(" ", "_").replace(",", "")
        write_text(hlo / f"{name}.txt", compiled.text)
    parts = {name: partial(find_part, turns=turns) for name, turns in subject.parts.items()}
    report = analyse(
        subject.name,
        compiled.text,
        subject.steps,
        card,
        parts,
        unknown_trips,
        own=compiled.own_kernels,
    )
    report.compile_seconds = compiled.seconds
    report.temporary_bytes = compiled.temporary_bytes
    device = jax.devices()[0]
    if device.platform == "gpu" and card_of(device.device_kind) is card:  # none among several
        report.measured_seconds = median(prepare(subject).timed(2.0))
    return report


def progress_line(report: Report) -> str:
    """Return a line of progress."""
    counts = ", ".join(
        f"{part.kernels} kernels a {part.name}"
        + (f" and {len(part.host_loops)} loops the host reads" if part.host_loops else "")
        for part in report.parts
    )
    return f"{report.name}, {report.card}, compiled in {report.compile_seconds:.1f} s: {counts}"
