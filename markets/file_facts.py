"""What a file of bars says of itself: the form of its timestamps, the contracts it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from markets.contracts import contract_of

Stamps = Literal["wall", "offset", "epoch"]
"""Wall time without an offset, time with an offset, or numbers since 1970."""


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


def contracts_in_name(name: str) -> set[str]:
    """Return the registered symbols in a file's name, such as ``NQ`` of ``NQ 03-25.Last.txt``."""
    stem = PurePath(name).name
    words = re.split(r"[^A-Za-z0-9=!]+", stem)
    return {symbol for word in words if (symbol := contract_of(word)) is not None}
