"""The report says what is there, what is missing, and the line that mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from foundation.extras import packages_of_extras
from rltrader import doctor as module
from rltrader.doctor import Finding, doctor, examine

ROOT = Path(__file__).resolve().parents[2]


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
    real = module.is_installed
    monkeypatch.setattr(module, "is_installed", lambda name: name != "torch" and real(name))
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


def test_it_runs_where_only_the_base_is_installed(tmp_path: Path) -> None:
    """The packages of all extras are hidden from a fresh process, as if they were not installed."""
    extras = {k: v for k, v in packages_of_extras().items() if k not in module.DEVELOPERS}
    assert {"trader", "reference", "export"} <= set(extras)
    hidden = sorted({name for names in extras.values() for name in names})
    modules = sorted(name.replace("-", "_") for name in hidden)
    program = (
        "import sys, importlib.metadata, importlib.util\n"
        f"hidden, modules = {hidden!r}, {modules!r}\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in modules:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name in modules else real(name)\n"
        "known = importlib.metadata.version\n"
        "def version(name):\n"
        "    if name in hidden:\n"
        "        raise importlib.metadata.PackageNotFoundError(name)\n"
        "    return known(name)\n"
        "importlib.metadata.version = version\n"
        "sys.meta_path.insert(0, Hide())\n"
        "sys.argv = ['rltrader', 'doctor', '--json']\n"
        "from rltrader.__main__ import main\nmain()\n"
    )
    certificate = tmp_path / "reports/parity/certificate.json"
    certificate.parent.mkdir(parents=True)
    certificate.write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    report = {one["what"]: one for one in json.loads(done.stdout)}
    assert all(report[f"extra {name}"]["state"] == "missing" for name in extras)
    assert "can't be judged without " in report["parity certificate"]["detail"]
