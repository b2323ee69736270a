"""A stranger's package of the same name is noticed, wherever it shadows ours or lies among it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from foundation.import_closure import PACKAGES_ROOT
from foundation.own_parity import MARK, stranger
from tests.sentences import check_process


def test_our_own_package_is_known() -> None:
    assert stranger() == ""
    assert MARK in (PACKAGES_ROOT / "parity" / "__init__.py").read_text()


def run(place: Path, *code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *code],
        env={"PYTHONPATH": f"{place}:{PACKAGES_ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "parity").mkdir()
    (tmp_path / "parity" / "__init__.py").write_text("def check(): pass\n")
    return tmp_path


def test_a_package_before_ours_ends_the_command_with_a_sentence(elsewhere: Path) -> None:
    done = run(elsewhere, "-c", "from foundation.own_parity import main; main()")
    check_process(done)
    assert (done.returncode, done.stdout) == (2, "")


def test_an_init_that_was_written_over_is_told_by_what_is_left_of_ours(elsewhere: Path) -> None:
    (elsewhere / "parity" / "harness").symlink_to(PACKAGES_ROOT / "parity" / "harness")
    done = run(elsewhere, "-c", "import parity.harness.fields")
    assert done.returncode == 1
    assert "ImportError: the package parity at" in done.stderr


def test_what_is_loaded_counts_and_not_what_would_be_found(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import parity

    assert stranger() == ""
    other = ModuleType("parity")
    for file in (str(elsewhere / "parity" / "__init__.py"), str(elsewhere / "gone.py"), None):
        other.__file__ = file
        monkeypatch.setitem(sys.modules, "parity", other)
        where = "is found nowhere" if file is None else f"at {Path(file).parent} is of another project"
        assert stranger().startswith(f"the package parity {where}; parity-check installs")
    other.__file__ = parity.__file__
    assert stranger() == ""
