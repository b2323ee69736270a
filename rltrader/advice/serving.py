"""``rltrader advise serve``: advice for a live strategy on this machine, asked without waiting."""

from __future__ import annotations

from typing import Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from rltrader.advice.options import chat_options, chat_settings, prompt_settings
from rltrader.consoles import say


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8711, show_default=True)
@click.option("--advisor", type=click.Choice(["rules", "chat"]), default="rules", show_default=True)
@chat_options
@click.option(
    "--timeout", type=Number(), default=50.0, show_default=True, help="Seconds for one answer."
)
@click.option("--key-variable", default="OPENAI_API_KEY", show_default=True)
def serve(port: int, advisor: str, **given: Any) -> None:
    """Answer a live strategy's questions on this machine, until stopped.

    The strategy's bundle has to carry fusion settings: rltrader export RUN --to DIR --fusion gated.
    Exit code 130 means stopped by Ctrl-C or 143 by SIGTERM, 2 bad input.
    """
    from markets.advice.service import AdviceService, ask_chat, ask_rules

    ask = ask_rules if advisor == "rules" else ask_chat(chat_settings(given), prompt_settings(given))
    try:
        service = AdviceService(ask, port)
    except OSError as error:
        raise InputError(f"port {port}: {error.strerror or error}; choose another --port") from None
    say(f"{advisor} advise at {service.address}; stop with Ctrl-C")
    try:
        service.serve_forever()
    finally:  # a signal raises what ends the process, with the code that says which
        service.server_close()
        say(f"{service.counts['asked']:,} questions, {service.counts['advice']:,} with advice")
