"""``rltrader sweep``: search for settings with Optuna, by as many workers as take part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foundation.command_line.numbers import Number
from rltrader.options.bars import BarOptions, bar_options, synthetic_options
from rltrader.options.config_file import config_option
from rltrader.options.days import Days
from rltrader.options.environment import environment_options
from rltrader.options.loggers import logger_option
from rltrader.options.proof import proof_options
from rltrader.options.training import settings_options

OBJECTIVES = ("pnl", "sharpe")
PRUNERS = ("median", "halving", "none")
"""Names of :data:`rltrader.sweep.search.PRUNERS`, without importing Optuna."""


@click.command()
@config_option
@bar_options(
    "several",  # so that a second is refused; click would take the last alone
    "several",
    "Contract of the file; of synthetic bars ES by default.",
    "File of one-minute bars of one market.",
)
@synthetic_options
@click.option("--from", "first", default="", help="First New York date, of training and judging.")
@click.option("--to", "last", default="", help="Last New York date, of training and judging.")
@environment_options
@settings_options
@click.option("--trials", required=True, type=click.IntRange(min=1), help="Of all workers together.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Agents of a trial, trained side by side; their mean counts.",
)
@click.option(
    "--validate",
    type=Days(),
    help="Last trading days, to judge on and not to train on; a fifth by default.",
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="pnl",
    show_default=True,
    help="What is maximised on these days: mean PnL of an episode, or Sharpe ratio of a day.",
)
@click.option(
    "--judgements",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Times that a trial is judged, and may be cut short.",
)
@click.option("--pruner", type=click.Choice(PRUNERS), default="median", show_default=True)
@click.option("--storage", help="Journal, URL of a database or grpc://HOST:PORT; a file in --out.")
@click.option("--study", help="Name of the study; the name of --out by default.")
@click.option(
    "--lease",
    type=Number(min=1.0),
    default=120.0,
    show_default=True,
    help="Seconds without a sign of life after which a trial's worker is taken for dead.",
)
@click.option("--updates-per-call", type=click.IntRange(min=1), help="Updates between two reports.")
@click.option("--checkpoint-every", default=20, show_default=True, help="Updates between checkpoints.")
@proof_options
@logger_option
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The sweep's folder."
)
@click.pass_context
def sweep(ctx: click.Context, /, bars: BarOptions, out: Path, **options: Any) -> None:
    """Search for settings: a trial a set of them, judged on days that training leaves out.

    The [search] table of --config says what is searched. The same command again, here or on another
    machine that sees the storage, is another worker of the same study; it goes on with what a dead one
    left. Exit code 130 means stopped by Ctrl-C or 143 by SIGTERM, 2 bad input.
    """
    from rltrader.sweep.search import search

    search(ctx, bars, out, options)
