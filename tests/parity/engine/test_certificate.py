"""Damaged certificates: refused by name, or held against the code without an error of another kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation.attestation import seal, statement
from parity.engine.certificate import KIND, envelope, misfits, read, unsound
from tests.damage import damaged, damaged_bytes, refusal
from tests.parity.made_certificate import made_certificate


def small() -> dict[str, object]:
    """A certificate without most of its long lists, so that every value can be damaged."""
    made = made_certificate()
    return {
        **made,
        "checks": made["checks"][:2],
        "required": made["required"][:2],
        "coverage": {"x": 1},
        "covered": {"symbols": ["ES"]},
        "sources": dict(list(made["sources"].items())[:3]),
    }


@pytest.mark.costly
def test_one_value_of_what_is_said_damaged(tmp_path: Path) -> None:
    path, refused, whole = tmp_path / "certificate.json", 0, small()
    subjects = whole.pop("sources")
    assert isinstance(subjects, dict)
    for what, made in damaged(whole):
        path.write_text(json.dumps(seal(statement(subjects, KIND, made))))

        def judged() -> list[str]:
            found = read(path)
            return unsound(found) + misfits(found, {})

        sentence = refusal(judged)
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 50


def test_one_value_of_the_envelope_damaged(tmp_path: Path) -> None:
    path, refused = tmp_path / "certificate.json", 0
    for what, made in damaged(envelope(small())):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: read(path))
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 5
    path.write_text(json.dumps(envelope(small())))
    assert read(path)["verdict"] == "same"


def test_damaged_bytes(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    for data in damaged_bytes(json.dumps(envelope(small())).encode()):
        path.write_bytes(data)
        sentence = refusal(lambda: read(path))
        assert sentence is None or sentence.startswith(f"{path}: ")
