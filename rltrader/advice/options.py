"""What several commands around advice ask for: the market's view, the server and the question."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from rltrader.options.bars import BarOptions

if TYPE_CHECKING:
    from markets.advice.chat.client import ChatSettings
    from markets.advice.chat.prompt import PromptSettings
    from markets.advice.table import About
    from markets.advice.view import MarketView

Command = Callable[..., None]
CONSTRAINTS = ("json_schema", "json_object", "none")
"""Names of :data:`markets.advice.chat.client.CONSTRAINTS`, without importing it."""
NEVER = "never"


def read_view(bars: BarOptions, session: str) -> MarketView:
    """Read bars as an advisor sees them.

    Raises:
        InputError: they cannot be read or used.
    """
    from jax_port.data.advisor_view import view_of
    from jax_port.data.data_loader import load
    from markets import EnvConfig

    config = EnvConfig.phase1(session=session)
    assert bars.file is not None
    return view_of(load(bars.file, bars.contract(), config, **bars.reader), config)


def session_option(command: Command) -> Command:
    """Add ``--session``."""
    return click.option(
        "--session",
        type=click.Choice(["rth", "all"]),
        default="rth",
        show_default=True,
        help="Bars that are kept: 09:30 to 16:59 New York time, or all; as the policy was trained.",
    )(command)


def chat_options(command: Command) -> Command:
    """Add the options of a server and of the question; the command gets them by name."""
    options = [
        click.option("--url", help="Base of the server's protocol, such as http://127.0.0.1:8080/v1."),
        click.option("--model", help="Name that the server knows the model by."),
        click.option("--cutoff", metavar="DATE", help="Last date that the model's training may hold."),
        click.option(
            "--masked", is_flag=True, help="Leave names, dates and price levels out of the questions."
        ),
        click.option(
            "--context", type=int, default=20, show_default=True, help="Bars that a question shows."
        ),
        click.option("--temperature", type=Number(), default=0.0, show_default=True),
        click.option("--max-tokens", type=int, default=200, show_default=True, help="Of an answer."),
        click.option(
            "--constrain",
            type=click.Choice(CONSTRAINTS),
            default="json_schema",
            show_default=True,
            help="What the engine is asked to hold the answer to.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def chat_settings(given: dict[str, Any]) -> ChatSettings:
    """Return what a server is asked with; other options than those of a server are passed over.

    Raises:
        InputError: there is no address or model, a key is asked for that is not there, or a value
            makes no sense.
    """
    from markets.advice.chat.client import ChatSettings

    for name in ("url", "model"):
        if not given.get(name):
            raise InputError(f"a chat advisor needs --{name}; see docs/advice.md for servers to start")
    _require_key(given.get("key_variable"))
    names = ChatSettings.__dataclass_fields__
    return ChatSettings(**{name: value for name, value in given.items() if name in names})


def _require_key(variable: str | None) -> None:
    """Refuse a variable that was named and is not set: the server would be asked without a key."""
    context = click.get_current_context(silent=True)
    source = None if context is None else context.get_parameter_source("key_variable")
    named = source not in (None, click.core.ParameterSource.DEFAULT)
    if variable and named and not os.environ.get(variable):
        raise InputError(
            f"--key-variable {variable}: there is no such variable in the environment; set it to the "
            "server's key, or leave the option out for a server that wants none"
        )


def prompt_settings(given: dict[str, Any]) -> PromptSettings:
    """Return how questions are written."""
    from markets.advice.chat.prompt import PromptSettings

    return PromptSettings(given["context"], given["masked"])


def chat_about(view: MarketView, settings: ChatSettings, given: dict[str, Any]) -> About:
    """Return what a table of a model says of itself.

    Raises:
        InputError: the cutoff is no date.
    """
    from markets.advice.table import About, TableKey

    prompt = prompt_settings(given)
    key = TableKey(view.digest, "chat", settings.model, prompt.version, settings.sampling)
    return About(key, view.symbol, len(view), _cutoff(given["cutoff"]), prompt.masked, prompt.bars)


def rules_about(view: MarketView) -> About:
    """Return what a table of the rules says of itself; rules were trained on nothing."""
    from markets.advice.rules import RulesAdvisor
    from markets.advice.table import About, TableKey

    key = TableKey(view.digest, RulesAdvisor.name, RulesAdvisor.model, "")
    return About(key, view.symbol, len(view), NEVER)


def _cutoff(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"--cutoff {text!r} is no date; write it as 2024-06-30") from None


def table_option(command: Command) -> Command:
    """Add the folder ``--out`` of a table."""
    return click.option(
        "--out", required=True, type=click.Path(path_type=Path), help="Folder of the table."
    )(command)
