"""One problem or warning of the quality report, and how a count is written in its words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem or warning.

    Attributes:
        kind: a short name, as in docs/data.md.
        count: rows, minutes or days concerned.
        message: what and where, without a full stop.
        mend: what to do, in the imperative.
    """

    kind: str
    count: int
    message: str
    mend: str


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, with an s unless the count is one."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
