"""What a file of bars says of itself: the form of its timestamps, the contracts it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from markets.contracts import contract_of

_LEG = r"(?<![A-Z0-9])((?:[A-Z_]+:)?[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d{1,4})(?![A-Z0-9])"
_LEGS = re.compile(rf"{_LEG} ?[-/+|~:] ?{_LEG}", re.IGNORECASE)
_NAMED_SPREAD = re.compile(
    r"([A-Z0-9]+)[: _](?:BF|CF|DF|SP|FLY|SPREAD|CALENDAR|BUTTERFLY|CONDOR)\b.*", re.IGNORECASE
)

_BY_INDEX = {
    "sp500": ("ES", "MES"),
    "nasdaq100": ("NQ", "MNQ"),
    "dow": ("YM", "MYM"),
    "russell2000": ("RTY", "M2K"),
}
"""Indices, and the symbols of their full-size and micro contracts."""
_INDEX_NAME = re.compile(rf"(micro(?:emini|mini)?|emini)({'|'.join(_BY_INDEX)})(?!n)")
"""Contracts by name, such as Micro E-mini S&P 500, without spaces and signs."""
QUOTES = frozenset({"bid", "ask", "midpoint"})
"""Words of a file's name for quotes: one side's, or the middle between both."""

Stamps = Literal["wall", "offset", "epoch"]
"""Wall time without an offset, time with an offset, or numbers since 1970."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a reader learns of a file beside its rows.

    Attributes:
        stamps: the form of its timestamps.
        timezone: the zone that wall time was read in; None for UTC.
        contracts: the first instruments that the file's own column of symbols names, as they are
            written there.
        name: the file's name.
        member: the name of the one file within it, of a zip; else empty.
        turns: rows that name another instrument than the row before.
        turn_ns: opens of the first such rows, UTC nanoseconds.
        different: instruments that its column of symbols names in all, an empty cell as one of them;
            0 where it is unknown.
    """

    stamps: Stamps
    timezone: str | None = None
    contracts: tuple[str, ...] = ()
    name: str = ""
    member: str = ""
    turns: int = 0
    turn_ns: tuple[int, ...] = ()
    different: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may speak of what the file holds, the innermost first."""
        return tuple(name for name in (self.member, self.name) if name)


def contracts_in_name(name: str) -> set[str]:
    """Return the symbols of contracts in a file's name, such as ``NQ`` of ``NQ 03-25.Last.txt``.

    >>> sorted(contracts_in_name("Micro E-mini S&P 500 futures.csv"))
    ['MES']
    """
    stem = PurePath(name).name
    words = re.split(r"[^A-Za-z0-9=!]+", stem)
    symbols = {symbol for word in words if (symbol := contract_of(word)) is not None}
    for size, index in _INDEX_NAME.findall(re.sub(r"[^a-z0-9]", "", stem.lower())):
        symbols.add(_BY_INDEX[index][size.startswith("micro")])
    return symbols


def quotes_in(name: str) -> str | None:
    """Return which quotes a file's name says it holds in place of trades, or None.

    >>> quotes_in("ES_1min_BID.csv"), quotes_in("ES_bid_ask.csv"), quotes_in("forbidden.csv")
    ('bid', None, None)
    """
    words = {word.lower() for word in re.split(r"[^A-Za-z]+", name)} & QUOTES
    return words.pop() if len(words) == 1 else None  # both sides stand beside trades, too


def said_by_name(name: str) -> tuple[tuple[str, ...], str | None, str | None]:
    """Return all that is read of a file's name: contracts, a spread, one side's quotes.

    Files of the same content whose names say the same are read, or refused, alike.
    """
    return tuple(sorted(contracts_in_name(name))), spread_in(name), quotes_in(name)


def spread_in(text: str) -> str | None:
    """Return the part of a symbol or of a file's name that stands for a spread, or None.

    A spread names two deliveries, such as ``ESH5-ESM5`` or ``ESH2025/ESM2025``, or is called one.

    >>> spread_in("ESH5-ESM5_1min.csv"), spread_in("ES:BF H5-M5-U5"), spread_in("ES_and_NQ.csv")
    ('ESH5-ESM5', 'ES:BF H5-M5-U5', None)
    """
    legs = _LEGS.search(text)
    if legs and contract_of(legs[1]) and contract_of(legs[2]):
        return legs[0]
    named = _NAMED_SPREAD.fullmatch(text.strip())
    return named[0] if named and contract_of(named[1]) else None
