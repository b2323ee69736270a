"""``rltrader ninjatrader``: the C# sources of the strategy, taken out of the installed package."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.errors import InputError
from rltrader.consoles import say


@click.group()
def ninjatrader() -> None:
    """Take the strategy's C# sources to NinjaTrader."""


@ninjatrader.command()
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    help=r"Folder; on the machine itself Documents\NinjaTrader 8\bin\Custom\Strategies.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also the simulated platform and the checker, in folders, to be tried with Mono.",
)
def copy(to: Path, everything: bool) -> None:
    """Write the C# files that NinjaTrader compiles into a folder, side by side.

    Files of the same names there are replaced, others stay. Exit code 2 means bad input.
    """
    from foundation.files import write_bytes
    from parity.export_chain.csharp import NO_SOURCES, SOURCES, strategy_sources

    files = sorted(SOURCES.rglob("*.cs")) if everything else strategy_sources()
    if not files:
        raise InputError(NO_SOURCES)
    if to.exists() and not to.is_dir():
        raise InputError(f"{to}: a file; give a folder")
    for path in files:
        place = path.relative_to(SOURCES) if everything else path.name
        write_bytes(to / place, path.read_bytes())
    after = "compile it with Mono" if everything else "compile it there: NinjaScript Editor, F5"
    say(f"{len(files)} C# files in {to}; {after}")
