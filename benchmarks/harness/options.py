"""Command-line options that several benchmarks take, each declared once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import jax

from foundation.command_line.numbers import Number
from foundation.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to this file.",
)
"""Where the report goes, or None. A folder is refused before anything is measured."""

quick_option = click.option(
    "--quick", is_flag=True, help="Tiny sizes: shows that it runs, measures nothing."
)
"""Whether sizes are tiny: a bool."""

symbol_option = click.option("--symbol", default="ES", show_default=True, help="Contract of the bars.")
file_symbol_option = click.option("--symbol", help="Contract of the file; ES for synthetic bars.")
"""Beside ``--data``: the contract of a file is never guessed."""
data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="File of bars; synthetic bars without."
)
legacy_option = click.option(
    "--legacy/--no-legacy", default=True, show_default=True, help="Measure the reference too."
)


def days_option(default: int, help: str = "Days of synthetic bars.") -> Callable[[F], F]:
    """Return ``--days``."""
    return click.option("--days", default=default, show_default=True, help=help)


def rounds_option(default: int) -> Callable[[F], F]:
    """Return ``--rounds``: samples of each row."""
    return _count("--rounds", default, "Samples of each row.")


def envs_option(default: int = 10_000, help: str = "Environments of the port.") -> Callable[[F], F]:
    """Return ``--envs``."""
    return _count("--envs", default, help)


def _count(name: str, default: int, help: str) -> Callable[[F], F]:
    return click.option(name, type=click.IntRange(1), default=default, show_default=True, help=help)


def seconds_option(default: float) -> Callable[[F], F]:
    """Return ``--seconds-per-row``: measuring time of each row over all rounds."""
    return click.option(
        "--seconds-per-row",
        type=Number(0),
        default=default,
        show_default=True,
        help="Measuring time of each row.",
    )


def numbers(text: str, option: str = "") -> tuple[int, ...]:
    """Return the whole numbers above zero of a list such as "1,4,10".

    Args:
        text: with commas.
        option: name of the option, which then must not be empty.

    Raises:
        InputError: it is no such list.
    """
    try:
        values = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = (0,)
    if any(value < 1 for value in values):
        raise InputError(f"{text!r}: give whole numbers above zero with commas, such as 1,4,10")
    if option and not values:
        raise InputError(f"{option} is empty; give whole numbers above zero with commas")
    return values


def use_host_devices(count: int | None = None) -> None:
    """Make JAX's CPU backend offer several devices, by default as many as cores.

    Without effect once JAX has been used.
    """
    with contextlib.suppress(RuntimeError):  # JAX has been used already and keeps what it has
        jax.config.update("jax_num_cpu_devices", count or os.cpu_count() or 1)


def as_text(options: dict[str, Any]) -> dict[str, str]:
    """Return options as a report keeps them."""
    return {name: str(value) for name, value in options.items()}
