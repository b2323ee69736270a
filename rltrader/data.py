"""``rltrader data``: check a file of bars, make synthetic bars, list the contracts."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from foundation.memory import require_memory
from markets.config import Session
from markets.contracts import SYMBOLS, get_contract, symbols
from markets.quality.console import show
from markets.quality.inspection import inspect
from markets.readers import detect_format, read_frame
from markets.writers import write_together
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options

RTH_MINUTES, ALL_MINUTES = 450, 1380
"""Bars of a synthetic day, in the regular session and with the night."""
BAR_BYTES = 200
"""Memory of a bar that is made and written; 203 were measured of a second, 245 of a minute."""


@click.group()
def data() -> None:
    """Look at market data before anything is trained on it."""


@data.command()
@bar_options("argument", "required", f"Contract: {', '.join(SYMBOLS)}.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(bars: BarOptions, as_json: bool) -> None:
    """Report what is wrong with FILE and how to mend it.

    Exits with 0 when the file is fit to train on (warnings may be there), with 2 when it is not.
    """
    contract, (file,) = bars.contract(), bars.files
    file_format = bars.format or detect_format(file)
    frame = read_frame(
        file,
        format=file_format,
        timezone=bars.timezone,
        instrument=bars.instrument,
        stamped=bars.stamped,
    )
    report = inspect(frame, contract, file.name, snap=bars.snap)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        show(report, contract, file_format, report_console())
    if not report.ok:
        first, others = report.problems[0], len(report.problems) - 1
        more = f" (and {others} more in the report)" if others else ""
        raise InputError(f"{file.name}: {first.message}; {first.mend}{more}")


@data.command()
@click.option("--symbol", required=True, help=f"Contract: {', '.join(SYMBOLS)}.")
@click.option("--days", required=True, type=click.IntRange(min=1), help="Trading days to make.")
@click.option("--seed", required=True, type=click.IntRange(min=0), help="The same seed, the same bars.")
@click.option("--start", default="2025-01-06", show_default=True, help="First date.")
@click.option(
    "--session",
    type=click.Choice(["rth", "all"]),
    default="rth",
    show_default=True,
    help="09:30 to 16:59 New York time, or the night too.",
)
@click.option(
    "--pattern",
    type=Number(),
    metavar="STRENGTH",
    help="Plant signals that foretell a drift of this strength, 0 to 2; 0 is the same without an edge.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="File to write: .csv or .parquet."
)
@click.option(
    "--seconds", is_flag=True, help="Write the same days in one-second bars too, to NAME_1s.SUFFIX."
)
def synthetic(
    symbol: str,
    days: int,
    seed: int,
    start: str,
    session: str,
    pattern: float | None,
    out: Path,
    seconds: bool,
) -> None:
    """Make seeded synthetic bars, for trying things without market data."""
    from markets.synthetic.bars import synthetic_bars
    from markets.synthetic.pattern import pattern_bars
    from markets.synthetic.seconds import second_bars

    name = get_contract(symbol).symbol
    minutes = days * (RTH_MINUTES if session == "rth" else ALL_MINUTES)
    require_memory(
        f"{days:,} days of bars",
        {"minutes": minutes * BAR_BYTES, "seconds": 60 * minutes * BAR_BYTES * seconds},
        {"minutes": "--days", "seconds": "--days, or leave --seconds out"},
    )
    if pattern is None:
        hours: Session = "all" if session == "all" else "rth"
        bars = synthetic_bars(name, days=days, seed=seed, start=start, session=hours)
    elif session == "all":
        raise InputError("the pattern market has no nights; leave --session all away")
    else:
        bars = pattern_bars(name, days=days, seed=seed, start=start, strength=pattern)
    files = {out: bars}
    if seconds:
        files[out.with_stem(f"{out.stem}_1s")] = second_bars(bars, seed=seed)
    write_together(files)
    for path, made in files.items():
        length = "minute" if made.bar_seconds == 60 else "second"
        say(f"{path}: {len(made):,} one-{length} bars, sha256 {made.digest[:16]}")


@data.command()
def contracts() -> None:
    """List the contracts with their ticks and costs."""
    table = Table(title="Contracts", title_style="bold")
    for name, right in (
        ("symbol", False),
        ("name", False),
        ("tick", True),
        ("tick value", True),
        ("slippage", True),
        ("commission", True),
    ):
        table.add_column(name, justify="right" if right else "left")
    for symbol in symbols():
        contract = get_contract(symbol)
        table.add_row(
            contract.symbol,
            contract.name,
            f"{contract.tick_size:.10g}",
            f"${contract.tick_value_cents / 100:.2f}",
            f"{contract.slippage_ticks} tick" + ("" if contract.slippage_ticks == 1 else "s"),
            f"${contract.commission_cents / 100:.2f} a side",
        )
    report_console().print(table)
