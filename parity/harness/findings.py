"""What a verification finds: a verdict for every field, an answer to every question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Status = Literal["same", "different", "accepted", "note", "not asked"]


@dataclass
class Answer:
    """The answer to one question of the contract.

    Attributes:
        question: its name, by which a difference can be accepted.
        status: "different" fails the pair; "note" tells of something that no comparison can call wrong;
            "not asked" says why the question could not be put.
        text: the finding in a sentence.
        reference, port: what each side does, where that is short.
        reason: why a difference is accepted.
    """

    question: str
    status: Status
    text: str
    reference: str = ""
    port: str = ""
    reason: str = ""


@dataclass
class SmallestCase:
    """A case in which fields differ, made as simple as it could be.

    Attributes:
        state, action: what both sides were given, as plain values.
        reference, port: the values afterwards of the fields that differ.
        cases: how many cases differ in just these fields.
        source: where the case was met: visited, drawn or boundary.
        command: a command line that shows it again.
        described: the pair's own words for the state.
    """

    state: dict[str, Any]
    action: Any
    reference: dict[str, Any]
    port: dict[str, Any]
    cases: int
    source: str
    command: str = ""
    described: dict[str, Any] = field(default_factory=dict)


@dataclass
class FieldVerdict:
    """What was found of one field.

    Attributes:
        name: of the field.
        rule: how it is compared, in words.
        dtypes: of the reference and of the port.
        verdict: "equal", "rounding", "logic", "contract" (it differs only in last steps),
            "accepted" (what differs is covered by an accepted difference), "drawn" (drawn within the
            step, and left to the two-sample tests), "unseen" (no case showed it before a restart) or
            "not compared".
        compared: cases.
        rounding, logic, accepted, beyond: cases so labelled; ``beyond``: rounding beyond the bound.
        natively: cases of ``logic`` that differ only in native precision, in which the port is trained.
        largest: the largest rounding difference, and ``largest_ulps`` the same in units in the last
            place of the narrower side, in the case ``largest_at``.
        growth: factor by which a difference grows with every step of a free run, None if not measured.
        smallest: the smallest case that is wrong.
        why: for "not compared", the reason; for "accepted", the reasons.
    """

    name: str
    rule: str
    dtypes: tuple[str, str]
    verdict: str
    compared: int = 0
    rounding: int = 0
    logic: int = 0
    accepted: int = 0
    beyond: int = 0
    natively: int = 0
    largest: float = 0.0
    largest_ulps: float = 0.0
    largest_at: dict[str, Any] = field(default_factory=dict)
    growth: float | None = None
    smallest: SmallestCase | None = None
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the field fails nothing; one that is not compared does, but for an observation, which
        the question about its dtype and shape fails."""
        if self.verdict == "not compared":
            return self.name.partition(".")[0] == "obs"
        return self.verdict not in ("logic", "contract") and not self.beyond

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self) | {"passed": self.passed}

    def sentence(self) -> str:
        """Return the verdict in one sentence."""
        if self.verdict == "not compared":
            return f"{self.name} is not compared: {self.why}"
        if self.verdict == "unseen":
            return f"{self.name} could be compared in no case: every step ended in a restart"
        if self.verdict == "drawn":
            return f"{self.name} is drawn within the step: see the question about draws"
        if self.beyond and self.verdict not in ("logic", "contract"):
            return (
                f"{self.name} differs by rounding beyond the bound ({self.rule}) in {self.beyond} of "
                f"{self.compared} cases, by up to {self.largest_ulps:.0f} ulps"
            )
        if self.verdict == "rounding":
            return f"{self.name} differs by rounding alone in {self.rounding} of {self.compared} cases"
        if self.verdict == "equal":
            return f"{self.name} is equal in all {self.compared} cases"
        if self.verdict == "accepted":
            return f"{self.name} differs in {self.accepted} cases, which is accepted: {self.why}"
        shown = ""
        if self.smallest is not None:
            a, b = self.smallest.reference[self.name], self.smallest.port[self.name]
            shown = f"; smallest: {_both(a, b)}"
        where = " where an episode ends" if self.verdict == "contract" else ""
        if self.natively:
            only = "all" if self.natively == self.logic else str(self.natively)
            where += f" ({only} of them in native precision alone, and not in double)"
        return f"{self.name} differs by logic in {self.logic} of {self.compared} cases{where}{shown}"


MOST_SHOWN = 8
"""Numbers of an array, and fields of a state, up to which all of it is shown."""


def state_words(state: Mapping[str, Any]) -> str:
    """Return a state in words, such as "x 0.5, y 3": its first fields, of large arrays the shape."""
    parts = []
    for name, value in list(state.items())[:MOST_SHOWN]:
        numbers = np.asarray(value)
        if numbers.size > MOST_SHOWN:
            parts.append(f"{name} of shape {numbers.shape}")
        elif numbers.ndim:
            parts.append(f"{name} [{', '.join(_few(one) for one in numbers.reshape(-1))}]")
        else:
            parts.append(f"{name} {_few(numbers[()])}")
    more = len(state) - MOST_SHOWN
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def _few(value: Any) -> str:
    """Return six figures of a number with a fraction, and all of a whole one."""
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


def _both(a: Any, b: Any) -> str:
    """Return two values in words; of large arrays, the first place where they differ."""
    x, y = np.asarray(a), np.asarray(b)
    if x.size <= MOST_SHOWN or x.shape != y.shape:
        return f"{a!r} on the reference and {b!r} on the port"
    places = np.argwhere((x != y) & ~((x != x) & (y != y)))  # no number on both sides is no difference
    if not len(places):
        return f"an array of {x.size} numbers"
    first = tuple(int(place) for place in places[0])
    return (
        f"at {list(first)} {x[first].item()!r} on the reference and {y[first].item()!r} on the port "
        f"({len(places)} of {x.size} numbers differ)"
    )
