"""Strength is counted in what was compared: a run of one seed is not thorough, however large it is."""

from __future__ import annotations

import pytest

from parity.gate.strength import LEAST, ONCE_A_ROUND, THOROUGH_ROUNDS, lacks, strength_of
from tests.parity.made_certificate import made_certificate


@pytest.mark.parametrize("level", ["quick", "standard", "full"])
def test_strength_is_what_was_compared(level: str) -> None:
    assert strength_of(made_certificate(level=level)) == level


def test_a_thorough_run_has_every_seed() -> None:
    certificate = made_certificate(level="thorough")
    assert lacks(certificate, "thorough") == [f"1 seeds, of {THOROUGH_ROUNDS}"]
    assert strength_of(certificate) == "full"
    once = [check for check in certificate["checks"] if check["check"] in ONCE_A_ROUND]
    assert len(once) == len(ONCE_A_ROUND)
    for seed in range(1, THOROUGH_ROUNDS):
        certificate["checks"] += [
            {**check, "world": f"{check['world']}, seed {seed}"} for check in once
        ]
    assert strength_of(certificate) == "thorough"
    certificate["checks"].pop()
    assert strength_of(certificate) == "full"


def test_ten_seeds_of_little_are_not_thorough() -> None:
    assert LEAST["thorough"][0] == THOROUGH_ROUNDS * LEAST["full"][0]
    certificate = made_certificate(level="full")
    assert f"350,000 transitions replayed, of {LEAST['thorough'][0]:,}" in lacks(
        certificate, "thorough"
    )
