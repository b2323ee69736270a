"""What the page says of a finding where several checks hold the same names to different rules."""

from __future__ import annotations

import numpy as np
import pytest

from parity.engine.compare import close, compare, exact
from parity.engine.diverge import Divergence
from parity.engine.page import render
from parity.engine.verify import CheckResult, Mismatch
from tests.parity.engine.test_page import Reader, report

FIRSTS = {
    "Port − reference+1.90735e−6 Distance16 ulps Rulewithin 8 ulps or 1e-09": Mismatch(
        0, 1, "reward", (), 1.0, float(np.float32(1 + 2**-19))
    ),
    "Port − reference+$2.50 (+250 cents) Distancenone: must be equal Ruleequal (cents)": Mismatch(
        0, 1, "balance", (), 500, 750
    ),
}


@pytest.mark.parametrize("expected", FIRSTS)
def test_a_finding_is_held_to_the_rule_of_its_own_check(expected: str) -> None:
    """Other checks hold the same names to be identical, and other worlds to another number of ulps."""
    ones = np.ones(2, np.float32)
    _, reward = compare(close(8), ones, np.array([1, 1 + 2**-19], np.float32))
    _, near = compare(close(4), ones, ones)
    _, equal = compare(exact(), ones, ones)
    _, cents = compare(exact("cents"), np.array([500]), np.array([750]))
    _, bare = compare(exact(), np.array([500]), np.array([500]))
    checks = [
        CheckResult("generated", "other", 2, {"reward": near, "balance": bare}),
        CheckResult("generated", "one", 2, {"reward": reward, "balance": cents}),
        CheckResult("mirror, port", "one", 2, {"reward": equal, "balance": bare}),
    ]
    found = Divergence(
        "generated", "one", 0, 1, FIRSTS[expected], "logic", [0], {}, "", [], {}, "again"
    )
    assert expected in Reader(render(report(checks, [found], set()).to_dict())).text
