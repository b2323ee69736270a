"""The command line ``rltrader COMMAND``. Commands are entry points, so no room needs another."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

GROUP = "rltrader.commands"


class Commands(click.Group):
    """Load each command's module when it is called, so that ``rltrader data`` starts without JAX."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands that installed packages offer."""
        return sorted(point.name for point in entry_points(group=GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        for point in entry_points(group=GROUP, name=cmd_name):
            command = point.load()
            assert isinstance(command, click.Command)
            return command
        return None


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rltrader", prog_name="rltrader")
def app() -> None:
    """Move a trading agent from PyTorch to JAX, with proof at every hop."""


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    from markets.errors import run_command

    run_command(app)


if __name__ == "__main__":
    main()
