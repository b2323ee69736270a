"""What a file of bars says of itself: the form of its timestamps, the contracts it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from markets.contracts import symbols

Stamps = Literal["wall", "offset", "epoch"]
"""Wall time without an offset, time with an offset, or numbers since 1970."""

_MONTHS = "FGHJKMNQUVXZ"
"""Letters of the delivery months."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a reader learns of a file beside its rows.

    Attributes:
        stamps: the form of its timestamps.
        timezone: the zone that wall time was read in; None for UTC.
        contracts: instruments that the file's own column of symbols names, as they are written there.
        name: the file's name.
    """

    stamps: Stamps
    timezone: str | None = None
    contracts: tuple[str, ...] = ()
    name: str = ""


def contract_of(text: str) -> str | None:
    """Return the registered symbol that an instrument's name stands for, or None.

    Understood are the symbol itself and the usual spellings of a delivery month or of a continuous
    series: ``ESZ5``, ``ESZ2025``, ``ES 12-25``, ``ES=F``, ``ES.c.0``, ``/ES``, ``ES1!``, ``@ES#``,
    ``ES_F``.

    >>> contract_of("MESH5"), contract_of("ES 03-25"), contract_of("AAPL")
    ('MES', 'ES', None)
    """
    text = text.strip().upper().lstrip("/@$").rsplit(":", 1)[-1]
    month = rf"[{_MONTHS}]\d{{1,4}}"
    tail = rf"(?:{month}|[ _]\d\d-\d\d|=F|\.[CNV]\.\d+|\d*!|#C?|_F)?(?:\.[A-Z]+)?"
    for symbol in sorted(symbols(), key=len, reverse=True):
        if re.fullmatch(re.escape(symbol) + tail, text):
            return symbol
    return None


def contracts_in_name(name: str) -> set[str]:
    """Return the registered symbols in a file's name, such as ``NQ`` of ``NQ 03-25.Last.txt``."""
    stem = PurePath(name).name
    words = re.split(r"[^A-Za-z0-9=!]+", stem)
    return {symbol for word in words if (symbol := contract_of(word)) is not None}
