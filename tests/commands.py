"""All commands of a program of click's, for tests that look at each of them."""

from __future__ import annotations

from collections.abc import Iterator

import click


def commands_of(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, groups as well, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_of(below, f"{path} {name}".strip())
