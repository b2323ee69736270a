"""A group of commands whose modules are imported when they are called, so that help starts fast."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from foundation.errors import InputError


@dataclass(frozen=True)
class Lazy:
    """Where a command is, and the first sentence of its help.

    Attributes:
        place: "module:name".
        help: what the group's own help says of it.
    """

    place: str
    help: str

    def load(self) -> click.Command:
        """Import the module and return the command."""
        module, _, name = self.place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for.

    Args:
        lazy: command by name, beside those that are added in the usual way.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name in self.lazy:
            command: click.Command | None = self.lazy[cmd_name].load()
        else:
            command = super().get_command(ctx, cmd_name)
        prefix = ctx.auto_envvar_prefix
        if command is None or prefix is None:
            return command
        return _from_environment(command, f"{prefix}_{cmd_name}")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for.

        Raises:
            InputError: a setting of JAX in the environment is one that JAX does not know; JAX says so
                when it is imported, which a command or its module does.
        """
        try:
            return super().invoke(ctx)
        except InputError:
            raise
        except ValueError as error:
            if not any(name in os.environ for name in re.findall(r"JAX_[A-Z0-9_]+", str(error))):
                raise
            raise InputError(f"{error}; unset it, or give a value that JAX knows") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing those that are lazy."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self.lazy:
                rows.append((name, self.lazy[name].help))
            elif (command := super().get_command(ctx, name)) is not None:
                rows.append((name, command.get_short_help_str(limit=80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _from_environment(command: click.Command, prefix: str) -> click.Command:
    """Return a command whose options are read from the environment by their own names, as are those
    of its subcommands.

    Click goes by those of their parameters, so that ``--steps`` would be ``..._TOTAL_TIMESTEPS`` alone.
    """
    made = copy(command)
    made.params = [copy(param) for param in command.params]
    for param in made.params:
        if isinstance(param, click.Option) and not param.envvar:
            param.envvar = f"{prefix}_{name_of(param)}".upper().replace("-", "_")
    if isinstance(made, click.Group) and not isinstance(made, LazyGroup):  # which does so when asked
        made.commands = {
            name: _from_environment(one, f"{prefix}_{name}") for name, one in made.commands.items()
        }
    return made


def name_of(option: click.Option) -> str:
    """Return an option's name in files and the environment; ``--no-x``, which sets x to false, is x."""
    assert option.name is not None
    return option.name if option.flag_value is False else option.opts[0].lstrip("-").replace("-", "_")
