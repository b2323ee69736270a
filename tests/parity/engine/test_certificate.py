"""Certificates: the damaged are refused by name, and a version that binds voids the whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.attestation import seal, statement
from parity.engine.certificate import KIND, envelope, misfits, read, unsound
from parity.engine.report import versions
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


BINDING = ("python", "jax", "jaxlib", "numpy", "flax")
"""What compiles the port, or is compiled into it."""


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return made_certificate()


def other_version(whole: dict[str, Any], name: str, had: str | None) -> dict[str, Any]:
    """Return a certificate that was made with another version of a package, or names none."""
    made = whole["made"]
    held = {**made["versions"], name: had}
    return {**whole, "made": {**made, "versions": {n: v for n, v in held.items() if v is not None}}}


@pytest.mark.parametrize("name", BINDING)
def test_another_version_of_what_compiles_the_port_voids_a_certificate(
    tmp_path: Path, whole: dict[str, Any], name: str
) -> None:
    """Each alone: jaxlib holds the compiler, and is upgraded without jax."""
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(envelope(whole)))
    assert misfits(read(path), whole["sources"]) == []
    for had in ("0.1", None):
        path.write_text(json.dumps(envelope(other_version(whole, name, had))))
        found = misfits(read(path), whole["sources"])
        assert found == [f"{name} was {had} and is {versions()[name]}"]


def test_another_version_of_what_binds_nothing_leaves_a_certificate_as_it_is(
    whole: dict[str, Any],
) -> None:
    others = set(versions()) - set(BINDING)
    assert others
    for name in others:
        assert misfits(other_version(whole, name, "0.1"), whole["sources"]) == []
