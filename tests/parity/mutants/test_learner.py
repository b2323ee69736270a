"""What a child process reads of a recorded learner is what was recorded, late ones included."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.learner.drawn import drawn_cases
from parity.mutants.findings import Findings
from parity.mutants.learner import load_learner, make_learner, try_learner


@pytest.mark.slow
def test_the_sound_port_passes_what_was_recorded_of_it(tmp_path: Path) -> None:
    late = next(case for case in drawn_cases(0) if case.late is not None)
    make_learner(tmp_path, [late])
    findings = Findings()
    try_learner(findings, load_learner(tmp_path), everything=True)
    assert not findings.killed, findings.killed
