"""What a process that judged a mutant says objected to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parity.harness.findings import Answer, FieldVerdict
from parity.mutation.child import _first

FINE = FieldVerdict("charge", "exact", ("int64", "int64"), "equal", 10)


def field(verdict: str, **counts: Any) -> FieldVerdict:
    return FieldVerdict("reward", "close", ("float32", "float32"), verdict, 10, **counts)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (field("rounding", rounding=3, beyond=1), "rounding"),
        (field("logic", logic=2), "logic"),
        (field("logic", logic=2, beyond=1), "logic"),
        (field("contract", logic=2), "contract"),
        (field("not compared", why="only the port has it"), "not compared"),
    ],
)
def test_a_field_objects_with_its_own_verdict(found: FieldVerdict, said: str) -> None:
    answers = [Answer("restarts", "different", "other starts")]
    report = SimpleNamespace(fields=[FINE, found], answers=answers, missing=["an episode ends"])
    assert _first(report) == f"field reward: {said}"
    report.fields = [FINE, field("rounding", rounding=3)]
    assert _first(report) == "restarts"
    report.answers = [Answer("restarts", "same", "none")]
    assert _first(report) == "never seen: an episode ends"
