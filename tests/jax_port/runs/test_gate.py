"""What a run carries of its certificate: all that a reader of its artifacts asks for, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jax_port.runs.gate import UNGATED, pass_gate
from markets import InputError
from tests.sentences import refuses

CERTIFICATE: dict[str, Any] = {
    "verdict": "same",
    "strength": "full",
    "sha256": "1" * 64,
    "signed_by": "2" * 64,
    "made": {"when": "2026-01-01T00:00:00+00:00"},
    "counts": {"numbers_compared": 0},
    "data_at_hand": {"because": ["a file"], "numbers": 5, "seconds": 0.5},
}


def test_all_of_the_proof_is_carried_and_nothing_that_is_not_there() -> None:
    asked: list[Path] = []

    def judge(path: Path) -> dict[str, Any]:
        asked.append(path)
        return {**CERTIFICATE, "checks": ["long"]}

    assert pass_gate(judge, Path("c.json"), ungated=False) == CERTIFICATE
    assert asked == [Path("c.json")]
    plain = {name: CERTIFICATE[name] for name in ("verdict", "sha256")}
    assert pass_gate(lambda _: plain, Path("c.json"), ungated=False) == plain
    assert pass_gate(judge, Path("c.json"), ungated=True) == UNGATED
    assert len(asked) == 1  # without a proof nobody is asked


def test_a_refusal_says_how_to_train_without_a_proof() -> None:
    def judge(path: Path) -> dict[str, Any]:
        raise InputError(f"{path}: of other code; make a new one")

    with refuses():
        pass_gate(judge, Path("c.json"), ungated=False)
