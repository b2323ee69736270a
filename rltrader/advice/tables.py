"""``rltrader advise show`` and ``replay``: what a table holds, and if it can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from foundation.command_line.numbers import Number
from rltrader.advice.options import read_view, session_option
from rltrader.consoles import report_console, say
from rltrader.options.bars import BarOptions, bar_options

if TYPE_CHECKING:
    from markets.advice.table import AdviceTable

table_argument = click.argument("table", type=click.Path(path_type=Path))


@click.command()
@table_argument
@click.option("--prompt-price", type=Number(), default=0.0, help="Dollars a million tokens asked.")
@click.option("--answer-price", type=Number(), default=0.0, help="Dollars a million tokens answered.")
def show(table: Path, prompt_price: float, answer_price: float) -> None:
    """Show what TABLE holds, what it cost and took.

    Exit code 2 means bad input.
    """
    from markets.advice.chat.estimate import Prices
    from markets.advice.table import load_table

    prices = Prices(prompt_price, answer_price)
    loaded = load_table(table)
    show_table(report_console(), loaded)
    totals = loaded.totals()
    if prompt_price or answer_price:
        cost = prices.dollars(totals["prompt_tokens"], totals["completion_tokens"])
        say(f"cost at these prices: ${cost:,.4f}")


@click.command()
@table_argument
@bar_options("required", "required")
@session_option
def replay(table: Path, bars: BarOptions, session: str) -> None:
    """Read the transcripts of TABLE again, without a model, and hold them against its advice.

    Exit code 0 means the same, 1 a difference, 2 bad input.
    """
    from markets.advice.replay import replay as read_again
    from markets.advice.table import check_market, load_table

    loaded = load_table(table)
    view = read_view(bars, session)
    check_market(loaded, view, table)
    result = read_again(loaded, view)
    say(f"{result.replayed:,} transcripts read again, {result.without:,} questions without one")
    if result.differing:
        shown = ", ".join(map(str, result.differing[:5]))
        say(f"{len(result.differing):,} differ from the table, first at bars {shown}")
        raise SystemExit(1)
    say("all are as the table has them")


def show_table(console: Console, table: AdviceTable) -> None:
    """Print what a table holds."""
    about, totals = table.about, table.totals()
    rows = {
        "advisor": f"{about.key.advisor}, {about.key.model}",
        "market": f"{about.symbol}, {about.bars:,} bars",
        "questions": f"{totals['questions']:,}",
        "with advice": f"{totals['advice']:,}",
    }
    rows |= {f"no advice, {status}": f"{count:,}" for status, count in totals["without advice"].items()}
    if about.key.advisor != "rules":
        latency = totals["latency_ms"]
        rows["model's cutoff date"] = about.cutoff or "unknown: all bars count as before it"
        rows["names and dates masked"] = "yes" if about.masked else "no"
        rows["requests"] = f"{totals['requests']:,}"
        rows["tokens asked, answered"] = f"{totals['prompt_tokens']:,}, {totals['completion_tokens']:,}"
        if latency["median"] is not None:
            rows["latency"] = f"median {latency['median']:.0f} ms, 95% {latency['p95']:.0f} ms"
    made = Table(show_header=False, box=None)
    for name, value in rows.items():
        made.add_row(name, value)
    console.print(made)
