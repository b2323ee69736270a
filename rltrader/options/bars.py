"""The options that name a file of bars and say how to read it, the same for every command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from markets import Bars, Contract

FILE_FORMATS = ("csv", "ninjatrader", "databento", "processed", "parquet")
"""Names of :data:`markets.readers.FORMATS`, without importing the readers."""
DEFAULT_SYMBOL = "ES"
"""Contract of synthetic bars; a file's is never guessed."""


@dataclass(frozen=True)
class BarOptions:
    """Files of bars and how to read them, as a command line says it.

    Attributes:
        files: paths, none for synthetic bars.
        symbols: contracts, none where the command line names none.
        format: of the files; None tells it from each.
        timezone: of timestamps that carry none; None for UTC.
        snap: move off-grid prices to the grid.
        instrument: symbol or id to keep, of a file with several.
        stamped: "open" or "close", the end of a minute that a timestamp is of; None for the format's.
        accept_problems: use bars that ``rltrader data check`` refuses.
    """

    files: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    format: str | None = None
    timezone: str | None = None
    snap: bool = False
    instrument: str | None = None
    stamped: Literal["open", "close"] | None = None
    accept_problems: bool = False

    @property
    def file(self) -> Path | None:
        """The only file, or None."""
        return self.files[0] if self.files else None

    @property
    def symbol(self) -> str | None:
        """The only contract's symbol, or None."""
        return self.symbols[0] if self.symbols else None

    @property
    def reader(self) -> dict[str, Any]:
        """Those options of :func:`markets.readers.read_bars` that were given."""
        names = ("format", "timezone", "snap", "instrument", "stamped", "accept_problems")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def contract(self) -> Contract:
        """Return the contract of the only file, or of synthetic bars.

        Raises:
            InputError: it is not known, or a file is given and not its contract.
        """
        from markets.contracts import contract_of_file, get_contract

        if self.file is not None:
            return contract_of_file(self.file, self.symbol)
        return get_contract(self.symbol or DEFAULT_SYMBOL)

    def read(self, contract: Contract | None = None) -> Bars:
        """Return the only file's bars; by default of :meth:`contract`.

        Raises:
            InputError: the file cannot be understood, or has problems.
        """
        from markets.readers import read_bars

        assert self.file is not None
        return read_bars(self.file, contract or self.contract(), **self.reader)


Data = Literal["argument", "required", "optional", "several"]
Symbol = Literal["required", "optional", "several", "none"]
Command = Callable[..., None]


def bar_options(
    data: Data,
    symbol: Symbol,
    symbol_help: str = "Contract of the file.",
    data_help: str = "File of one-minute bars; may be repeated.",
) -> Callable[[Command], Command]:
    """Add ``--data``, ``--symbol`` and how to read the file; the command gets them as ``bars``.

    Args:
        data: the file is an argument FILE, a required or an optional ``--data``, or several of them.
        symbol: ``--symbol`` is required, optional, may be given several times, or is not there.
        symbol_help: its help.
        data_help: that of ``--data``, where there may be several.
    """
    options: list[Callable[[Command], Command]] = [
        *_data_options(data, data_help),
        *_symbol_options(symbol, symbol_help),
        click.option(
            "--format", type=click.Choice(FILE_FORMATS), help="Format of the file; detected by default."
        ),
        click.option("--tz", "timezone", help="Zone of timestamps without an offset; UTC by default."),
        click.option("--snap", is_flag=True, help="Move off-grid prices to the grid."),
        click.option(
            "--instrument",
            help="Symbol or id to keep, of a file with several; all joins a continuous contract's.",
        ),
        click.option(
            "--stamped",
            type=click.Choice(["open", "close"]),
            help="End of the minute that a time is of; the format's own by default.",
        ),
    ]
    if data != "argument":
        options.append(
            click.option(
                "--accept-problems",
                is_flag=True,
                help="Use bars that `rltrader data check` refuses; every artifact says so.",
            )
        )

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(*context: Any, **given: Any) -> None:
            command(*context, bars=_collect(given), **given)

        decorated: Command = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _data_options(data: Data, several: str) -> list[Callable[[Command], Command]]:
    path = click.Path(path_type=Path)
    if data == "argument":
        return [click.argument("bar_file", metavar="FILE", type=path)]
    if data == "several":
        return [click.option("--data", "bar_file", type=path, multiple=True, help=several)]
    text = "File of one-minute bars" + ("." if data == "required" else "; synthetic ones by default.")
    return [click.option("--data", "bar_file", type=path, required=data == "required", help=text)]


def _symbol_options(symbol: Symbol, text: str) -> list[Callable[[Command], Command]]:
    if symbol == "none":
        return []
    several, required = symbol == "several", symbol == "required"
    return [click.option("--symbol", "bar_symbol", multiple=several, required=required, help=text)]


def _collect(given: dict[str, Any]) -> BarOptions:
    """Take the options of :func:`bar_options` out of a command's arguments."""

    def several(name: str) -> tuple[Any, ...]:
        value = given.pop(name, None)
        return value if isinstance(value, tuple) else () if value is None else (value,)

    names = ("format", "timezone", "snap", "instrument", "stamped")
    return BarOptions(
        files=several("bar_file"),
        symbols=several("bar_symbol"),
        accept_problems=given.pop("accept_problems", False),
        **{name: given.pop(name) for name in names},
    )


def synthetic_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --synthetic, --pattern and --data-seed: bars that are made in place of a file's."""
    seed = click.option("--data-seed", type=click.IntRange(min=0), default=0, help="Of synthetic bars.")
    pattern = click.option(
        "--pattern",
        type=click.IntRange(min=1),
        help="Days of synthetic bars with a planted edge instead.",
    )
    days = click.option(
        "--synthetic", type=click.IntRange(min=1), help="Days of synthetic bars instead."
    )
    return days(pattern(seed(command)))
