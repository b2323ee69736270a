"""The report says what is there, what is missing, and the line that mends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from rltrader import doctor as module
from rltrader.doctor import Finding, doctor, examine


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))


def seen() -> dict[str, Finding]:
    return {one.what: one for one in examine()}


def test_all_that_training_needs_is_here() -> None:
    result = CliRunner().invoke(doctor, ["--json"])
    assert result.exit_code == 0, result.output
    report = {one["what"]: one for one in json.loads(result.output)}
    assert report["extra trader"]["state"] == report["extra reference"]["state"] == "ok"
    assert report["Python"]["detail"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert "cpu" in report["JAX"]["detail"]
    assert report["cache of markets"]["detail"].startswith("0 files")
    assert "no reports/parity/certificate.json" in report["parity certificate"]["detail"]
    assert "CUDA" in report["PyTorch"]["detail"]


def test_a_missing_extra_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "torch" else real(name))
    found = seen()
    assert found["extra reference"].state == "missing"
    assert found["extra reference"].mend == "python -m pip install 'envparity[reference]'"
    assert "PyTorch" not in found
    assert CliRunner().invoke(doctor).exit_code == 1


def test_a_certificate_that_does_not_fit_says_why(tmp_path: Path) -> None:
    place = tmp_path / "reports" / "parity" / "certificate.json"
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    found = seen()["parity certificate"]
    assert found.state == "note"
    assert "certificate.json" in found.detail


def test_little_space_and_no_mono_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**20))
    found = seen()
    assert found["Mono"].state == found["disk here"].state == "note"
    assert "mono-mcs" in found["Mono"].mend
    shown = CliRunner().invoke(doctor).output
    assert "Mono" in shown
    assert "mono-mcs" in shown
