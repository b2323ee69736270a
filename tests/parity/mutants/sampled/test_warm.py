"""Forks of a process with the libraries in it run tests as new processes do."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.import_closure import PACKAGES_ROOT
from parity.mutants.sampled.warm import Pytest, Ran, run_anew, warm

QUIET = ("-q", "-p", "no:cacheprovider")


pytestmark = pytest.mark.costly  # the libraries are imported


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pytest]:
    with warm(dict(os.environ), tmp_path_factory.mktemp("printed")) as made:
        yield made


@pytest.fixture(params=["forks", "processes"])
def run(request: pytest.FixtureRequest, forks: Pytest) -> Pytest:
    return forks if request.param == "forks" else run_anew


def ask(run: Pytest, folder: Path, body: str, seconds: float = 120.0) -> Ran:
    """Run one test of a body, with a module of the folder's own beside it."""
    (folder / "markets").mkdir(exist_ok=True)
    (folder / "markets/__init__.py").write_text(f"HERE = {str(folder)!r}\n")
    (folder / "test_one.py").write_text(f"def test_one():\n    {body}\n")
    around = {**os.environ, "PYTHONPATH": str(folder), "WHERE": folder.name}
    return run([*QUIET, "test_one.py"], folder, around, seconds)


def test_codes_and_what_is_printed_come_back(run: Pytest, tmp_path: Path) -> None:
    assert ask(run, tmp_path, "pass").code == 0
    failed = ask(run, tmp_path, "assert 1 == 2, 'not the same'")
    assert failed.code == 1
    assert "FAILED test_one.py::test_one - AssertionError: not the same" in failed.stdout
    assert ask(run, tmp_path, "import nothing_of_that_name").code == 1
    assert ask(run, tmp_path, "pass").code == 0  # and nothing is left of them


def test_each_run_has_its_own_folder_environment_and_packages(run: Pytest, tmp_path: Path) -> None:
    for name in ("first", "second"):
        place = tmp_path / name
        place.mkdir()
        child = "[sys.executable, '-P', '-c', 'import markets; print(markets.HERE)']"
        body = (
            "import os, subprocess, sys, markets; "
            "told = [markets.HERE, os.environ['WHERE'], os.getcwd()]; "
            f"assert told == [{str(place)!r}, {name!r}, {str(place)!r}]; "
            f"other = subprocess.run({child}, capture_output=True, text=True); "
            f"assert other.stdout.strip() == {str(place)!r}"
        )
        done = ask(run, place, body)
        assert done.code == 0, done.stdout


def test_what_hangs_is_ended(run: Pytest, tmp_path: Path) -> None:
    began = time.monotonic()
    assert ask(run, tmp_path, "import time; time.sleep(600)", 15.0) == Ran(None, "")
    assert time.monotonic() - began < 60
    assert ask(run, tmp_path, "pass").code == 0


def test_what_a_fork_leaves_running_is_ended(forks: Pytest, tmp_path: Path) -> None:
    body = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "assert child.pid == 0"
    )
    done = ask(forks, tmp_path, body)
    pid = int(re.findall(r"assert (\d+) == 0", done.stdout)[0])
    until = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_nothing_of_ours_is_imported_beforehand(forks: Pytest, tmp_path: Path) -> None:
    ours = sorted(path.parent.name for path in PACKAGES_ROOT.glob("*/__init__.py"))
    assert {"foundation", "jax_port", "parity"} <= set(ours)
    assert ask(forks, tmp_path, f"import sys; assert not set(sys.modules) & set({ours!r})").code == 0
