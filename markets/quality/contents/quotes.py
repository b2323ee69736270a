"""Bars of quotes instead of trades, told by a file's name: bid, ask, or the middle between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markets.file_facts import FileFacts
from markets.quality.finding import Finding

QUOTES = frozenset({"bid", "ask", "midpoint"})


def quote_problems(file: FileFacts) -> Iterator[Finding]:
    """Yield that a file's name says it holds one side's quotes; both sides stand beside trades too."""
    for name in file.names:
        words = {word.lower() for word in re.split(r"[^A-Za-z]+", name)} & QUOTES
        if len(words) == 1:
            yield Finding(
                "quotes",
                1,
                f"its name says that it holds {words.pop()} prices, not trades"
                + ("" if name == file.name else f" ({name} within it)"),
                "export trades (in NinjaTrader the data type Last), or rename the file if it does hold "
                "trades",
            )
            return
