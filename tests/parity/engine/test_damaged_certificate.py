"""Damaged certificates: refused by name, or held against the code without an error of another kind."""

from __future__ import annotations

import json
from pathlib import Path

from foundation.import_closure import PACKAGES_ROOT, digests
from parity.engine.certificate import FORMAT, misfits, read
from parity.engine.report import versions
from tests.damage import damaged, damaged_bytes, refusal

MODULES = ("foundation.errors",)


def certificate() -> dict[str, object]:
    return {
        "format": FORMAT,
        "title": "x",
        "verdict": "same",
        "made": {"when": "now", "device": "cpu", "versions": versions()},
        "counts": {"episodes": 3, "largest": None},
        "coverage": {"x": 1},
        "tolerances": {"obs": "equal"},
        "data": [{"name": "ES", "source": "x", "digest": "0"}],
        "sources": digests(PACKAGES_ROOT, MODULES),
    }


def test_one_value_damaged(tmp_path: Path) -> None:
    path, refused = tmp_path / "certificate.json", 0
    for what, made in damaged(certificate()):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: misfits(read(path), PACKAGES_ROOT, MODULES))
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 100
    path.write_text(json.dumps(certificate()))
    assert misfits(read(path), PACKAGES_ROOT, MODULES) == []


def test_damaged_bytes(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    for data in damaged_bytes(json.dumps(certificate()).encode()):
        path.write_bytes(data)
        sentence = refusal(lambda: read(path))
        assert sentence is None or sentence.startswith(f"{path}: ")
