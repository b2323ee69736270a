"""Bars of quotes instead of trades, told by a file's name: bid, ask, or the middle between them."""

from __future__ import annotations

from collections.abc import Iterator

from markets.file_facts import FileFacts, quotes_in
from markets.quality.finding import Finding


def quote_problems(file: FileFacts) -> Iterator[Finding]:
    """Yield that a file's name says it holds one side's quotes; both sides stand beside trades too."""
    for name in file.names:
        quotes = quotes_in(name)
        if quotes is not None:
            yield Finding(
                "quotes",
                1,
                f"its name says that it holds {quotes} prices, not trades"
                + ("" if name == file.name else f" ({name} within it)"),
                "export trades (in NinjaTrader the data type Last), or rename the file if it does hold "
                "trades",
            )
            return
