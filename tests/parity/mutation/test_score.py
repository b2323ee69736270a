"""Intervals of chances that were counted, by their definitions."""

from __future__ import annotations

import math

import pytest

from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED, at_most, score_of


def test_the_bound_is_what_the_definition_says() -> None:
    """With no alarm in n runs, the chance p of which (1 - p)^n is a twentieth."""
    assert at_most(0, 50) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert at_most(0, 0) == at_most(3, 3) == 1.0
    p = at_most(1, 50)
    assert (1 - p) ** 50 + 50 * p * (1 - p) ** 49 == pytest.approx(0.05)
    q = at_most(3, 7)
    more = sum(math.comb(7, k) * q**k * (1 - q) ** (7 - k) for k in range(4))
    assert more == pytest.approx(0.05)


def test_a_score_is_the_share_of_those_that_were_judged() -> None:
    """Wilson's interval: centre and half width by its formula."""
    outcomes = ["gate"] * 5 + ["tests"] * 2 + [CRASHED, "no effect", "rounding"] + [SURVIVED] * 4
    told = score_of([*outcomes, UNJUDGED, UNJUDGED, UNJUDGED], ("gate", "tests"))
    n, z = 12, 1.959963984540054
    centre = (8 / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(8 / n * 4 / n / n + z * z / (4 * n * n))
    assert told == {
        "gate": 5,
        "tests": 2,
        CRASHED: 1,
        SURVIVED: 4,
        UNJUDGED: 3,
        "score": 0.6667,
        "interval": [pytest.approx(centre - half, abs=5e-5), pytest.approx(centre + half, abs=5e-5)],
    }
    assert score_of((one for one in [CRASHED, "gate"]), ["gate"])["score"] == 1.0
    assert score_of([SURVIVED], ["gate"])["score"] == 0.0
    nothing = score_of([UNJUDGED, "no effect"], ["gate"])
    assert (nothing["score"], nothing["interval"], nothing[UNJUDGED]) == (None, None, 1)
