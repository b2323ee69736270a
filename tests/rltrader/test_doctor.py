"""The report says what is there, what is missing, and the line that mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest
from click.testing import CliRunner

from foundation.extras import packages_of_extras
from foundation.report.format import byte_size
from parity import admission
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


def test_a_clone_that_is_not_installed_misses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.is_installed
    installed = packages_of_extras()
    monkeypatch.setattr(module, "packages_of_extras", dict)
    assert seen()["extra reference"].detail == ", ".join(installed["reference"])
    monkeypatch.setattr(module, "is_installed", lambda name: name != "torch" and real(name))
    found = seen()["extra reference"]
    assert (found.state, found.detail) == ("missing", "without torch")
    assert found.mend == f"python -m pip install -e '{ROOT}[reference]'"
    assert CliRunner().invoke(doctor).exit_code == 1


def test_extras_of_which_nothing_is_known_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("packages_of_extras", "packages_in_sources"):
        monkeypatch.setattr(module, name, dict)
    found = seen()
    assert {found[f"extra {name}"].state for name in ("trader", "reference")} == {"missing"}


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


@pytest.mark.parametrize(
    ("what", "code"),
    [
        *((name, 1) for name in ("Python", "envparity", "JAX", "extra trader", "extra reference")),
        *((name, 0) for name in ("extra export", "parity certificate", "Mono", "PyTorch")),
    ],
)
def test_what_training_needs_decides(what: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for state, expected in (("missing", code), ("note", 0), ("ok", 0)):
        found = [Finding(what, state, "d", "m"), Finding("Mono", "note", "d")]  # type: ignore[arg-type]
        monkeypatch.setattr(module, "examine", lambda found=found: iter(found))
        result = CliRunner().invoke(doctor, ["--json"])
        assert result.exit_code == expected, state
        assert json.loads(result.output) == [
            {"what": what, "state": state, "detail": "d", "mend": "m"},
            {"what": "Mono", "state": "note", "detail": "d", "mend": ""},
        ]


@pytest.mark.parametrize(("more", "state"), [(0, "ok"), (-1, "note")])
def test_two_gigabytes_are_enough(
    more: int, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = SimpleNamespace(free=2 * 2**30 + more)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: free)
    found = seen()["disk here"]
    assert (found.state, bool(found.mend)) == (state, state == "note")
    assert str(tmp_path) in found.detail


@pytest.mark.parametrize(
    ("platform", "tool", "state"),
    [("cpu", None, "ok"), ("cpu", "/bin/nvidia-smi", "note"), ("gpu", "/bin/nvidia-smi", "ok")],
)
def test_a_card_that_jax_does_not_use_is_noted(
    platform: str, tool: str | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [SimpleNamespace(platform=platform, device_kind="Tensor 9")] * 3
    monkeypatch.setattr(jax, "devices", lambda: devices)
    monkeypatch.setattr(module.shutil, "which", lambda name: tool)
    found = seen()["JAX"]
    told = f"jax {jax.__version__}, 3 x Tensor 9 ({platform})"
    assert found.detail == told + ("; a GPU is there" if state == "note" else "")
    assert (found.state, "cuda" in found.mend) == (state, state == "note")


def test_devices_that_cannot_be_had_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no driver\nat line 3")

    monkeypatch.setattr(jax, "devices", fail)
    found = seen()["JAX"]
    assert (found.state, found.detail) == ("missing", "no driver")


@pytest.mark.parametrize(
    ("there", "detail"),
    [
        ({"mcs"}, "no mono:"),
        ({"mono"}, "no mcs:"),
        (set(), "no mcs and no mono:"),
        ({"mcs", "mono"}, ""),
    ],
)
def test_both_programs_of_mono_are_needed(
    there: set[str], detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: name if name in there else None)
    found = seen()["Mono"]
    assert found.state == ("note" if detail else "ok")
    assert found.detail.startswith(detail or "compiles")


def test_what_the_cache_holds_is_counted(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, size in (("a.safetensors", 1500), ("b.safetensors", 500), ("c.txt", 9000)):
        (cache / name).write_bytes(b"x" * size)
    assert seen()["cache of markets"].detail == f"2 files, {byte_size(2000)} in {cache}"


@pytest.mark.parametrize(
    ("file", "words"), [("libtorch_cuda.so", "with CUDA"), ("libtorch_cpu.so", "without CUDA")]
)
def test_a_torch_for_cards_is_told_from_one_without(
    file: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / file).touch()
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(module, "find_spec", lambda name: spec)
    assert seen()["PyTorch"].detail.endswith(f", {words}")


def test_a_certificate_that_fits_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "reports" / "parity" / "certificate.json"
    place.parent.mkdir(parents=True)
    place.touch()
    monkeypatch.setattr(admission, "admit", lambda path: {"verdict": "same", "strength": "full"})
    found = seen()["parity certificate"]
    assert (found.state, found.detail) == ("ok", "fits this code: same, strength full")


def test_every_package_of_an_extra_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {k: v for k, v in packages_of_extras().items() if k not in module.DEVELOPERS}
    last = {names[-1] for names in extras.values()}
    monkeypatch.setattr(module, "is_installed", lambda name: name not in last)
    for name, packages in extras.items():
        absent = [one for one in packages if one in last]
        found = seen()[f"extra {name}"]
        assert (found.state, found.detail) == ("missing", f"without {', '.join(absent)}")
        assert found.mend == f"python -m pip install 'envparity[{name}]'"
    assert not {f"extra {name}" for name in module.DEVELOPERS} & set(seen())
