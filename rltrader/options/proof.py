"""The options that say which certificate a command asks for, and how strong it must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rltrader.options.keys import key_option

CERTIFICATE = Path("reports/parity/certificate.json")
"""The same as :data:`parity.admission.CERTIFICATE`, without importing the gate."""

Command = Callable[..., Any]


def demand_options(*strengths: str) -> Callable[[Command], Command]:
    """Add ``--least``, one of ``strengths``, and ``--require-key``."""

    def decorate(command: Command) -> Command:
        least = click.option(
            "--least",
            type=click.Choice(strengths),
            default="standard",
            show_default=True,
            help="Strength that the certificate must have.",
        )
        return least(key_option("certificate")(command))

    return decorate


def proof_options(command: Command) -> Command:
    """Add ``--certificate``, ``--least``, ``--require-key`` and ``--ungated``, for a training."""
    certificate = click.option(
        "--certificate", type=click.Path(path_type=Path), default=CERTIFICATE, show_default=True
    )
    ungated = click.option(
        "--ungated", is_flag=True, help="Train without proof of parity; artifacts say so."
    )
    return certificate(demand_options("standard", "full", "thorough")(ungated(command)))
