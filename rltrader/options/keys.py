"""The option that says whose signature is required, the same for every command that asks for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def key_option(signed: str) -> Callable[[Command], Command]:
    """Return ``--require-key``, of what must be signed."""
    return click.option(
        "--require-key",
        type=click.Path(path_type=Path),
        envvar="RLTRADER_REQUIRE_KEY",
        show_envvar=True,
        help=f"PEM file of the public key that must have signed the {signed}, such as your CI's.",
    )
