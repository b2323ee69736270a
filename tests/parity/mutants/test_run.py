"""When a run over the catalogue's mutants has passed: every one was applied, and found."""

from __future__ import annotations

import pytest

from parity.mutants.run import CRASHED, KILLED, SURVIVED, UNCHANGED, Session, Verdict


def session(*outcomes: str) -> Session:
    """Return a run whose mutants came out so."""
    verdicts = [
        Verdict(
            id=f"m{number}",
            file="a.py",
            violates="a rule",
            outcome=outcome,
            changed=1,
            outputs=9,
            killed_by=(),
            scenario="",
            world="",
            field="",
            error="",
            seconds=1.0,
            cpu_seconds=1.0,
        )
        for number, outcome in enumerate(outcomes)
    ]
    return Session(verdicts, {}, 9.0, 1)


@pytest.mark.parametrize("other", [SURVIVED, UNCHANGED, CRASHED])
def test_one_that_was_not_killed_fails_the_run_wherever_it_stands(other: str) -> None:
    assert session(KILLED, KILLED).passed
    for outcomes in ((other, KILLED), (KILLED, other)):
        told = session(*outcomes)
        assert not told.passed
        assert told.to_dict()["passed"] is False
        assert told.to_dict()["summary"][other] == told.to_dict()["summary"][KILLED] == 1
