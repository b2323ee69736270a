"""``rltrader advise batch``: questions as a file of the protocol's offline form, and its output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.errors import InputError
from rltrader.advice.options import (
    chat_about,
    chat_options,
    chat_settings,
    prompt_settings,
    read_view,
    session_option,
    table_option,
)
from rltrader.consoles import say
from rltrader.options.bars import BarOptions, bar_options

if TYPE_CHECKING:
    from markets.advice.store import AdviceStore
    from markets.advice.view import MarketView


@click.group()
def batch() -> None:
    """Send questions as a file of the protocol's offline form, and read its output."""


@batch.command()
@click.argument("file", type=click.Path(path_type=Path))
@bar_options("required", "required")
@session_option
@table_option
@click.option("--every", type=click.IntRange(1), default=1, show_default=True)
@chat_options
def write(file: Path, bars: BarOptions, session: str, out: Path, every: int, **given: Any) -> None:
    """Write the bars that have no answer yet to FILE, at most 50,000 requests.

    Until the output is read, no pass asks about them. Exit code 2 means bad input.
    """
    from markets.advice.batch import write_batch
    from markets.advice.store import open_store

    view = read_view(bars, session)
    given["url"] = given["url"] or "http://offline/v1"
    settings = chat_settings(given)
    store = open_store(out, chat_about(view, settings, given), view.timestamps_ns)
    count = write_batch(store, view, view.rows(every), settings, prompt_settings(given), file)
    say(f"{count:,} requests in {file}; read the output with: rltrader advise batch read")


@batch.command()
@click.argument("file", type=click.Path(path_type=Path))
@bar_options("required", "required")
@session_option
@table_option
def read(file: Path, bars: BarOptions, session: str, out: Path) -> None:
    """Read FILE, the output of a batch, into the table.

    Exit code 2 means bad input.
    """
    from markets.advice.batch import read_batch
    from markets.advice.chat.prompt import PromptSettings

    view, store = _open(bars, session, out)
    prompt = PromptSettings(store.about.prompt_bars, store.about.masked)
    count = read_batch(store, view, prompt, file)
    failed = f", {count.failed:,} requests failed and are to be asked again" if count.failed else ""
    advice = store.collect().totals()["advice"]
    say(f"{count.answers:,} new answers{failed}; {advice:,} bars with advice")


@batch.command()
@click.argument("name")
@bar_options("required", "required")
@session_option
@table_option
def forget(name: str, bars: BarOptions, session: str, out: Path) -> None:
    """Give up what is still out in the batch file NAME, so that a pass asks it.

    Exit code 2 means bad input.
    """
    from markets.advice.batch import forget_batch

    _, store = _open(bars, session, out)
    say(f"{forget_batch(store, Path(name).name):,} bars are to be asked again")


def _open(bars: BarOptions, session: str, out: Path) -> tuple[MarketView, AdviceStore]:
    """Return the view and the store of a table that is there."""
    from foundation.json_reading import read_json
    from markets.advice.store import ABOUT, ABOUT_FILE, open_store
    from markets.advice.table import About

    if not (out / ABOUT).is_file():
        raise InputError(f"{out}: no table here; begin one with `rltrader advise batch write`")
    view = read_view(bars, session)
    about = read_json(out / ABOUT, About, ABOUT_FILE)
    if about.key.data != view.digest:
        raise InputError(
            f"{out}: advice on other bars than those given; give the bars it was made from"
        )
    return view, open_store(out, about, view.timestamps_ns)
