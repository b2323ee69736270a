"""``rltrader advise``: ask an advisor about the bars of a market, and keep what it says as a table."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from foundation.progress import progress_bar
from rltrader.advice.options import (
    chat_about,
    chat_options,
    chat_settings,
    prompt_settings,
    read_view,
    rules_about,
    session_option,
    table_option,
)
from rltrader.consoles import report_console, say
from rltrader.lazy_group import Lazy, LazyGroup
from rltrader.options.bars import BarOptions, bar_options

if TYPE_CHECKING:
    from markets.advice.passes import PassCounts
    from markets.advice.store import AdviceStore, Result
    from markets.advice.view import MarketView

COMMANDS = {
    "batch": Lazy(
        "rltrader.advice.batches:batch",
        "Send questions as a file of the protocol's offline form, and read its output.",
    ),
    "replay": Lazy(
        "rltrader.advice.tables:replay",
        "Read the transcripts of TABLE again, without a model, and hold them against its advice.",
    ),
    "serve": Lazy(
        "rltrader.advice.serving:serve",
        "Answer a live strategy's questions on this machine, until stopped.",
    ),
    "show": Lazy("rltrader.advice.tables:show", "Show what TABLE holds, what it cost and took."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def advise() -> None:
    """Ask an advisor about every bar of a market, once, and keep what it says as a table."""


@advise.command()
@bar_options("required", "required")
@session_option
@table_option
@click.option(
    "--advisor",
    type=click.Choice(["rules", "chat"]),
    default="rules",
    show_default=True,
    help="The embedded rules, or a model behind a server.",
)
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="Ask at every so many bars."
)
@click.option("--first-bar", type=click.IntRange(0), default=0, help="No bar before this number.")
@click.option("--last-bar", type=click.IntRange(0), help="No bar after this number.")
@chat_options
@click.option(
    "--concurrency", type=int, default=4, show_default=True, help="Questions under way at a time."
)
@click.option(
    "--timeout", type=Number(), default=60.0, show_default=True, help="Seconds for one answer."
)
@click.option("--retries", type=int, default=4, show_default=True, help="Of a request that failed.")
@click.option(
    "--key-variable",
    default="OPENAI_API_KEY",
    show_default=True,
    help="Environment variable that holds the server's key, if it wants one.",
)
@click.option("--prompt-price", type=Number(), default=0.0, help="Dollars a million tokens asked.")
@click.option("--answer-price", type=Number(), default=0.0, help="Dollars a million tokens answered.")
@click.option(
    "--most-dollars", type=Number(), default=1.0, show_default=True, help="Ask before spending more."
)
@click.option(
    "--most-hours", type=Number(), default=2.0, show_default=True, help="Ask before taking longer."
)
@click.option("--yes", is_flag=True, help="Go on whatever it costs and takes.")
def run(bars: BarOptions, session: str, out: Path, advisor: str, **given: Any) -> None:
    """Ask about every bar that has no answer yet; write OUT/advice.parquet.

    Stopped at any moment, the same command goes on where it was. Several processes may run it on one
    folder at a time: each claims ranges of bars. Exit code 2 means bad input, or a server that fails.
    """
    from markets.advice.passes import run_rules
    from markets.advice.rules import RulesAdvisor
    from markets.advice.store import open_store

    view = read_view(bars, session)
    rows = view.rows(given["every"], given["first_bar"], given["last_bar"])
    if not len(rows):
        raise InputError(
            f"no bar to ask about: the market has {len(view)}, the first {view.warmup} of which warm "
            "up; choose others with --first-bar and --last-bar"
        )
    if advisor == "rules":
        store = open_store(out, rules_about(view), view.timestamps_ns)
        counts = run_rules(store, view, RulesAdvisor(), store.left(rows))
        stopped = 0
    else:
        counts, store, stopped = _ask_server(view, rows, out, given)
    _show(store, counts)
    if stopped:
        raise SystemExit(stopped)


def _ask_server(
    view: MarketView, rows: Any, out: Path, given: dict[str, Any]
) -> tuple[PassCounts, AdviceStore, int]:
    from foundation.signals import stop_on_signal
    from markets.advice.chat.client import open_session
    from markets.advice.chat.estimate import Prices, estimate
    from markets.advice.passes import run_chat
    from markets.advice.store import open_store

    settings, prompt = chat_settings(given), prompt_settings(given)
    if given["cutoff"] is None:
        say(
            "no --cutoff: the model may have read about these bars, so that no comparison on them will "
            "count; give the last date that its training may hold"
        )
    prices = Prices(given["prompt_price"], given["answer_price"])
    store = open_store(out, chat_about(view, settings, given), view.timestamps_ns)
    left = store.left(rows)
    expected = estimate(view, left, prompt, prices, settings.concurrency, store.collect())
    _confirm(expected, given)
    statuses: dict[str, int] = {}

    async def ask(on_result: Any, stop: Any) -> PassCounts:
        async with open_session(settings) as session:
            return await run_chat(store, view, session, left, prompt, on_result, stop)

    with stop_on_signal() as stop, progress_bar("asking", "{task.fields[counts]}") as bar:
        stop.answer()  # every answer is in the store as soon as it has come
        task = bar.add_task("", total=len(left), counts="")

        def on_result(result: Result) -> None:
            statuses[result.status] = statuses.get(result.status, 0) + 1
            counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
            bar.update(task, advance=1, counts=counts)

        try:
            counts = asyncio.run(ask(on_result, stop))
        except InputError:
            store.collect()
            raise
        return counts, store, stop.exit_code if stop() else 0


def _confirm(expected: Any, given: dict[str, Any]) -> None:
    """Say what is to come, and ask where it is above a limit."""
    from foundation.report.format import dollars, duration

    say(
        f"{expected.questions:,} questions, about {expected.prompt_tokens:,} tokens asked and "
        f"{expected.completion_tokens:,} answered: {dollars(expected.dollars)}, "
        f"{duration(expected.seconds)} ({expected.source})"
    )
    over = expected.dollars > given["most_dollars"] or expected.seconds > 3600 * given["most_hours"]
    if not over or given["yes"]:
        return
    if not sys.stdin.isatty():
        raise InputError(
            f"that is more than {dollars(given['most_dollars'])} or {given['most_hours']:g} h; pass "
            "--yes, raise --most-dollars and --most-hours, or ask fewer bars with --every"
        )
    if not click.confirm("Go on?"):
        raise SystemExit(1)


def _show(store: AdviceStore, counts: PassCounts) -> None:
    from rltrader.advice.tables import show_table

    table = store.collect()
    words = f"{counts.answered:,} new answers"
    if counts.in_doubt:
        words += f"; {counts.in_doubt:,} were asked again, as an earlier run had been killed meanwhile"
    if counts.elsewhere:
        words += f"; {counts.elsewhere:,} bars are with other processes"
    say(words)
    show_table(report_console(), table)
