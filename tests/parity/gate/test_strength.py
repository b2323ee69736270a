"""Strength is counted in what was compared: a run of one seed is not thorough, however large it is."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from markets import SYMBOLS
from parity.gate.strength import (
    CHECKS,
    LEAST,
    ONCE_A_ROUND,
    REQUIRED,
    STRENGTHS,
    THOROUGH_ROUNDS,
    Strength,
    lacks,
    strength_of,
)
from parity.learner.suite import REQUIRED as LEARNER
from parity.pairs.branches import PHASE1_REQUIRED, PHASE2_REQUIRED
from parity.pairs.seconds import REQUIRED as SECONDS
from parity.suites.configurations import REQUIRED as CONFIGURATIONS
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


@cache
def base() -> dict[str, Any]:
    """Return a sound certificate; not to be changed."""
    return made_certificate(level="standard")


def with_checks(level: Strength, rounds: int = THOROUGH_ROUNDS) -> dict[str, Any]:
    """Return a certificate of exactly what a strength asks for."""
    replayed, generated = LEAST[level]
    own = ("replay", "generated", *ONCE_A_ROUND)
    checks = [{**check} for check in base()["checks"] if check["check"] not in own]
    checks.append({"check": "replay", "world": "ES synthetic", "compared": replayed})
    names = [f"{symbol} synthetic{phase}" for symbol in SYMBOLS for phase in ("", ", phase 2")]
    for number, name in enumerate(names):
        count = generated // len(names) + (number < generated % len(names))
        checks.append({"check": "generated", "world": name, "compared": count})
    for kind in ONCE_A_ROUND:
        checks += [{"check": kind, "world": f"seed {seed}", "compared": 1} for seed in range(rounds)]
    return {**base(), "checks": checks}


@pytest.mark.parametrize("level", STRENGTHS[1:])
def test_what_is_asked_for_is_enough_and_one_transition_less_is_not(level: Strength) -> None:
    """Replayed and generated are counted each by itself."""
    made = with_checks(level)
    assert lacks(made, level) == []
    assert strength_of(made) == level
    for kind, word, least in zip(
        ("replay", "generated"), ("replayed", "generated"), LEAST[level], strict=True
    ):
        for by in (-1, least):
            checks = [dict(check) for check in made["checks"]]
            one = next(check for check in checks if check["check"] == kind)
            one["compared"] += by
            reasons = [] if by > 0 else [f"{least - 1:,} transitions {word}, of {least:,}"]
            assert lacks({**made, "checks": checks}, level) == reasons


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_every_kind_of_check_has_to_be_made(kind: str) -> None:
    for level in STRENGTHS[1:]:
        made = with_checks(level)
        made["checks"] = [check for check in made["checks"] if check["check"] != kind]
        assert f"no check of the kind {kind!r}" in lacks(made, level)
        assert strength_of(made) == "quick"


def test_branches_of_both_phases_of_seconds_of_configurations_and_of_learners_are_required() -> None:
    for some in (LEARNER, PHASE1_REQUIRED, PHASE2_REQUIRED, SECONDS, CONFIGURATIONS):
        assert some
        assert some <= REQUIRED


@pytest.mark.parametrize("seen", [0, -1, None])
def test_every_branch_has_to_be_seen(seen: int | None) -> None:
    """One that is not told of is not seen."""
    made = with_checks("standard")
    for name in REQUIRED:
        coverage = {**made["coverage"], name: seen}
        if seen is None:
            del coverage[name]
        reasons = lacks({**made, "coverage": coverage}, "standard")
        assert reasons == [f"1 branches never seen, such as {name!r}"]


def test_every_contract_is_compared_in_both_phases() -> None:
    """By checks of drawn decisions; that it was looked at in another way is not enough."""
    made = with_checks("thorough")
    for symbol in SYMBOLS:
        for phase in ("", ", phase 2"):
            name = f"{symbol} synthetic{phase}"
            checks = [{**check} for check in made["checks"]]
            for check in checks:
                if check["world"] == name:
                    check["world"] = "another"
            checks.append({"check": "data", "world": name, "compared": 1})
            assert lacks({**made, "checks": checks}, "thorough") == [
                f"{symbol} was not compared in both phases"
            ]


@pytest.mark.parametrize("kind", ONCE_A_ROUND)
def test_each_kind_is_made_with_each_seed_and_none_twice(kind: str) -> None:
    made = with_checks("thorough")
    checks = [{**check} for check in made["checks"]]
    last = next(check for check in reversed(checks) if check["check"] == kind)
    last["world"] = "seed 0"
    few = {**made, "checks": checks}
    assert lacks(few, "thorough") == [f"{THOROUGH_ROUNDS - 1} seeds, of {THOROUGH_ROUNDS}"]
    assert lacks(few, "full") == []
    assert strength_of(few) == "full"


def test_nothing_is_asked_of_the_weakest() -> None:
    assert lacks({"checks": [], "coverage": {}}, "quick") == []
    assert strength_of({"checks": [], "coverage": {}}) == "quick"
