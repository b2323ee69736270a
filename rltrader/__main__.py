"""The command ``rltrader COMMAND``: its modules are imported when called, so that help starts fast."""

from __future__ import annotations

from importlib import import_module

import click

from foundation.errors import run_command

COMMANDS = {
    "bench": "rltrader.bench:bench",
    "data": "rltrader.data:data",
    "evaluate": "rltrader.evaluate:evaluate",
    "export": "rltrader.export:export",
    "import": "rltrader.export:import_",
    "parity": "rltrader.parity:parity",
    "replay": "rltrader.replay:replay",
    "train": "rltrader.train:train",
}
"""Subcommand to the module and the click command in it."""


class Commands(click.Group):
    """Import a subcommand's module only when it is asked for: ``rltrader data`` needs no JAX."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rltrader", prog_name="rltrader")
def app() -> None:
    """Move a trading agent from PyTorch to JAX, with proof at every hop."""


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    run_command(app)


if __name__ == "__main__":
    main()
