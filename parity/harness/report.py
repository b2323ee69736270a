"""The report of a verification: the verdict with its evidence, as text, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.etree import ElementTree

from foundation.errors import InputError, printable
from parity.harness.findings import Answer, FieldVerdict, SmallestCase, state_words
from parity.harness.modes.free_run import FreeRun
from parity.harness.questions import OF_DRAWS

SAME, DIFFERENT, UNSEEN = "same", "different", "not enough seen"


def rounding_words(one: FieldVerdict) -> str:
    """Return how much a field differs by rounding, in words."""
    many = f"{one.rounding:,} of {one.compared:,} cases"
    if not one.largest_ulps:
        return f"rounding: {one.name} falls on the other side of a threshold in {many}"
    where = f", largest at {state_words(one.largest_at)}" if one.largest_at else ""
    size = f"{one.largest:.2g} ({one.largest_ulps:.0f} ulps)"
    return f"rounding: {one.name} by up to {size} in {many}{where}"


@dataclass
class Report:
    """Everything one verification found.

    Attributes:
        pair: its name.
        place: "module:name" of the pair, empty if it was handed over as an object.
        fields: a verdict for every field.
        answers: to the questions of the contract.
        smallest: a small case for each set of fields that are wrong together.
        free_run: of both sides, None where it could not be made.
        seen: how often each branch was taken; those never taken make the verdict "not enough seen".
        cases: how many of each source were stepped.
        unchecked: sentences on what was not checked, and why.
        unused: accepted differences that were not seen.
        made: versions and device.
        settings: how the verification was asked for.
        seconds: how long it took.
    """

    pair: str
    place: str
    fields: list[FieldVerdict]
    answers: list[Answer]
    smallest: list[SmallestCase]
    free_run: FreeRun | None
    seen: Mapping[str, int]
    cases: Mapping[str, int]
    unchecked: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    made: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def missing(self) -> list[str]:
        """Branches that no case took, and fields that no case let be compared."""
        lacks = [name for name, count in self.seen.items() if not count]
        unseen = [one.name for one in self.fields if one.verdict == "unseen"]
        lacks += [f"a step after which {name} can be compared" for name in unseen]
        by_draws = any(one.question == OF_DRAWS and one.status == "same" for one in self.answers)
        if not (by_draws or any(one.compared for one in self.fields)):
            lacks.append("a number to compare")
        return sorted(lacks)

    @property
    def differences(self) -> list[str]:
        """What fails the pair, one sentence each."""
        fields = [one.sentence() for one in self.fields if not one.passed]
        answers = [f"{one.question}: {one.text}" for one in self.answers if one.status == "different"]
        return fields + answers

    @property
    def verdict(self) -> str:
        """ "same", "different", or "not enough seen"."""
        if self.differences:
            return DIFFERENT
        return UNSEEN if self.missing else SAME

    @property
    def passed(self) -> bool:
        """Whether the verdict is "same"."""
        return self.verdict == SAME

    def field(self, name: str) -> FieldVerdict:
        """Return the verdict of one field.

        Raises:
            InputError: there is no such field.
        """
        named = {one.name: one for one in self.fields}
        if name not in named:
            raise InputError(f"there is no field {name}; the fields are {', '.join(named) or 'none'}")
        return named[name]

    def answer(self, question: str) -> Answer:
        """Return the answer to one question.

        Raises:
            InputError: there is no such question, or it was not answered.
        """
        named = {one.question: one for one in self.answers}
        if question not in named:
            known = ", ".join(named) or "none"
            raise InputError(f"there is no answer to {question!r}; the questions answered are {known}")
        return named[question]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "format": 1,
            "pair": self.pair,
            "place": self.place,
            "verdict": self.verdict,
            "differences": self.differences,
            "fields": [one.to_dict() for one in self.fields],
            "smallest": [asdict(one) for one in self.smallest],
            "contract": [asdict(one) for one in self.answers],
            "free_run": None if self.free_run is None else self.free_run.to_dict(),
            "seen": dict(self.seen),
            "missing": self.missing,
            "cases": dict(self.cases),
            "unchecked": self.unchecked,
            "unused": self.unused,
            "made": dict(self.made),
            "settings": dict(self.settings),
            "seconds": round(self.seconds, 2),
        }

    def __str__(self) -> str:
        lines = [f"{self.pair}: {self.verdict}"]
        lines += [f"  {sentence}" for sentence in self.differences]
        lines += [f"  never seen: {name}" for name in self.missing]
        lines += [f"  accepted: {text}" for text in self.accepted]
        rounding = [one for one in self.fields if one.verdict == "rounding"]
        lines += [f"  {rounding_words(one)}" for one in rounding]
        lines += [f"  not checked: {text}" for text in self.unchecked]
        return "\n".join(lines)

    @property
    def accepted(self) -> list[str]:
        """Accepted differences that were seen, with their reasons."""
        fields = [
            f"{one.name} in {one.accepted:,} cases ({one.why})" for one in self.fields if one.accepted
        ]
        answers = [f"{one.question} ({one.reason})" for one in self.answers if one.status == "accepted"]
        return fields + answers

    def aspects(self) -> list[tuple[str, str]]:
        """Return every aspect that was looked at by name, with what is wrong with it, or nothing.

        A field of which no number was compared one by one is none.
        """
        aspects = [
            (f"field {one.name}", "" if one.passed else one.sentence())
            for one in self.fields
            if one.verdict not in ("not compared", "drawn", "unseen") or not one.passed
        ]
        aspects += [
            (one.question, one.text if one.status == "different" else "")
            for one in self.answers
            if one.status != "not asked"
        ]
        lack = f"never seen: {', '.join(self.missing)}" if self.missing else ""
        return [*aspects, ("coverage", lack)]

    def to_junit(self) -> str:
        """Return JUnit XML: one test case an aspect."""
        aspects = self.aspects()
        failures = sum(bool(text) for _, text in aspects)
        pair = printable(self.pair)  # XML has no way to write control characters
        suite = ElementTree.Element(
            "testsuite", name=pair, tests=str(len(aspects)), failures=str(failures)
        )
        for name, text in aspects:
            case = ElementTree.SubElement(suite, "testcase", classname=pair, name=printable(name))
            if text:
                ElementTree.SubElement(case, "failure", message=printable(text))
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
