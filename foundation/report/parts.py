"""What heads every page: the verdict, and the tiles with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "warn", "bad"]

SIGNS: dict[Tone, str] = {"good": "✓", "warn": "!", "bad": "✕"}


@dataclass(frozen=True)
class Verdict:
    """What a report comes to, said first.

    Attributes:
        tone: whether that is good.
        headline: one short sentence.
        reason: why, in a sentence or two.
    """

    tone: Tone
    headline: str
    reason: str = ""

    @property
    def sign(self) -> str:
        """The tone as one character, for readers who see no colour."""
        return SIGNS[self.tone]


@dataclass(frozen=True)
class Tile:
    """One number at the head of a page.

    Attributes:
        label: what it is.
        value: the number with its unit.
        below: what a reader needs beside it.
        bad: whether it is shown as a failure.
    """

    label: str
    value: str
    below: str = ""
    bad: bool = False
