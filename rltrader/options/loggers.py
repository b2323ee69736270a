"""``--logger NAME``: what follows a training beside its own log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

NAMES = ("mlflow", "wandb")
"""Names of :data:`jax_port.runs.logs.loggers.LOGGERS`, without importing the trainer."""


def logger_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--logger NAME``, as often as there are loggers; the command gets them as ``loggers``."""
    return click.option(
        "--logger",
        "loggers",
        type=click.Choice(NAMES),
        multiple=True,
        help="Follows the run too, offline; its own log and TensorBoard are always there.",
    )(command)
