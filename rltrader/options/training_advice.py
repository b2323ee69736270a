"""What ``rltrader train`` does with ``--advice``: how the policy that is trained gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from rltrader.options.fusion import RULE, fusion_settings, refuse_without_advice

if TYPE_CHECKING:
    from jax_port.runs.training_data import TrainingData

Command = Callable[..., None]
WAYS = ("prior", "columns")
"""Names of :data:`markets.advice.by_bar.WAYS`, without importing it."""
USED = {"prior": ("weight", "threshold", "fade", "most_age"), "columns": ("fade", "most_age")}
"""Settings of a fusion that each way goes by; the newest answer counts, whoever asked when."""


def training_advice_options(command: Command) -> Command:
    """Add ``--advice`` and what goes with it to a training; the command gets them by name."""
    options = [
        click.option(
            "--advice",
            "tables",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Table of advice on a --data, in the same order: train with it.",
        ),
        click.option(
            "--advice-as",
            type=click.Choice(WAYS),
            help="Added to the policy's logits, the default, or four more features of each bar.",
        ),
        click.option(
            "--fusion",
            type=click.Choice(["weighted", "gated"]),
            help="Rule by which a prior weighs advice; gated by default.",
        ),
        click.option(
            "--fusion-set",
            multiple=True,
            metavar="NAME=VALUE",
            help="Of a prior weight and threshold, of both ways fade and most_age; may be repeated.",
        ),
        click.option("--latency", type=Number(0), help="Seconds of every answer, not its own."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def with_tables(data: TrainingData, options: Mapping[str, Any]) -> TrainingData:
    """Return what is trained on, with the advice that a command line asks for.

    Raises:
        InputError: a table can't be read, there are too few or too many, or a setting has no use.
    """
    from dataclasses import replace

    from jax_port.runs.training_advice import from_tables

    tables: Sequence[Path] = options.get("tables") or ()
    if not tables:
        named = {"--advice-as": "advice_as", "--fusion": "fusion", "--fusion-set": "fusion_set"}
        named["--latency"] = "latency"
        refuse_without_advice({name: options.get(key) for name, key in named.items()})
        return data
    way = options["advice_as"] or WAYS[0]
    if options["fusion"] and way == "columns":
        raise InputError(
            f"--fusion {options['fusion']}: advice as columns is weighed by no rule; leave it out"
        )
    for text in options["fusion_set"]:
        name = text.partition("=")[0]
        if name not in USED[way]:
            raise InputError(
                f"--fusion-set {text}: advice as {way} goes by {', '.join(USED[way])} alone"
            )
    settings = fusion_settings(options["fusion"] or RULE, options["fusion_set"])
    return replace(
        data, advice=from_tables(way, settings, tables, len(data.sources), options["latency"])
    )


def remark(data: TrainingData) -> str:
    """Return a sentence on look-ahead in the advice of a training; "" where there can be none."""
    if data.advice is None or data.advice.use.cutoff == "never":
        return ""
    cutoff = data.advice.use.cutoff
    if data.first and cutoff and data.first > cutoff:
        return ""
    known = f"days up to {cutoff}" if cutoff else "any of these days, its cutoff date being unknown"
    return (
        f"the advisor may have read about {known}: on those the policy may learn to trust it more than "
        "it deserves; train on days after its cutoff, with --from"
    )
