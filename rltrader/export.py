"""``rltrader export`` and ``rltrader import``: weights out and in."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
from rich.console import Console

from markets import EnvConfig, InputError

MORE = {"day": "rltrader.export_verify", "verify": "rltrader.export_verify"}
"""Further commands under ``rltrader export``, and their modules."""
BUNDLE = "bundle"


class ExportCommands(click.Group):
    """``rltrader export RUN --to DIR`` writes a bundle; others are in :data:`MORE`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all commands' names."""
        return sorted({BUNDLE, *MORE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name in MORE:
            command = getattr(import_module(MORE[cmd_name]), cmd_name)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let a policy's or a run's path stand for ``bundle`` and the path."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            args = [BUNDLE, *args]
        return super().parse_args(ctx, args)


@click.group(cls=ExportCommands)
def export() -> None:
    """Take a policy home: ``rltrader export RUN --to DIR``, then ``rltrader export verify DIR``."""


@export.command(BUNDLE)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder of the bundle.")
@click.option("--agent", type=click.IntRange(min=0), help="Which of a run's policies, from 0.")
@click.option("--symbol", help="Contract to trade; by default that of the training data.")
def bundle(source: Path, to: Path, agent: int | None, symbol: str | None) -> None:
    """Write SOURCE, a run or a policy file, as a bundle for PyTorch, SB3, ONNX and NinjaTrader.

    Exit code 2 means bad input.
    """
    from jax_port.export.bundle import export as write
    from jax_port.export.bundle import find_policy

    console = Console(stderr=True)
    with console.status("exporting") as status:
        manifest = write(
            find_policy(source, agent), to, symbol, lambda name: status.update(f"writing {name}")
        )
    if manifest["certificate"] == "ungated":
        console.print("[yellow]ungated: trained without proof of parity, and the manifest says so[/]")
    click.echo(
        f"bundle of {len(manifest['files']) + 1} files in {to}; prove it: rltrader export verify {to}"
    )


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Policy file to write.")
@click.option(
    "--vecnormalize",
    type=click.Path(path_type=Path),
    help="SB3's normaliser; beside SOURCE by default.",
)
@click.option("--phase", type=click.Choice(["1", "2"]), help="Of a model that does not say so itself.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Environment setting.")
def import_(
    source: Path, to: Path, vecnormalize: Path | None, phase: str | None, overrides: tuple[str, ...]
) -> None:
    """Read SOURCE as a policy file: a MaskablePPO zip, a bundle's policy.pt, a bundle or an SB3 run.

    Nothing that a file holds is run. Exit code 2 means bad input.
    """
    from jax_port.export.importing import read_policy
    from jax_port.ppo.policy import save_policy

    config = _config(phase, overrides)
    if to.exists():
        raise InputError(f"{to}: there is something here already; choose another --to")
    policy = read_policy(source, vecnormalize, config)
    try:
        save_policy(to, policy)
    except OSError as error:
        raise InputError(
            f"{to}: cannot be written ({error.strerror or error}); choose another --to"
        ) from None
    click.echo(
        f"phase {policy.config.phase}, {policy.spec.activation}, pi {policy.spec.pi}; saved as {to}"
    )


def _config(phase: str | None, overrides: tuple[str, ...]) -> EnvConfig | None:
    if phase is None:
        if overrides:
            raise InputError("--set changes the rules of a phase; say with --phase which")
        return None
    from rltrader.environment_options import environment

    return environment(phase, overrides)
