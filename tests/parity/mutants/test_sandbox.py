"""A changed file is what runs, whatever was compiled of it before."""

from __future__ import annotations

import json
import os
import py_compile
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from parity.mutants import sandbox
from parity.mutants.mutant import Mutant
from parity.mutants.sandbox import Sandbox, change_file, environment


def test_a_change_of_the_same_size_in_the_same_second_is_what_runs(tmp_path: Path) -> None:
    file = tmp_path / "limits.py"
    file.write_text("LIMIT = 1\n")
    py_compile.compile(str(file))
    before = file.stat()
    change_file(file, b"LIMIT = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    command = [sys.executable, "-c", "import limits; print(limits.LIMIT)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


CHILD = """
import json, os, sys
from pathlib import Path

import jax_port

answer = {
    "port": str(Path(jax_port.__file__).parent),
    "checks": [
        {"check": "data", "passed": True, "world": "ES"},
        {"check": "replay", "passed": False, "world": "RTY"},
        {"check": "generated", "passed": False, "world": "ES"},
    ],
    "outputs": {"told": json.dumps([sys.argv[1:], os.getcwd(), jax_port.VALUE])},
    "cpu_seconds": 0.25,
}
Path(sys.argv[2]).write_text(json.dumps(answer))
print("a line on the way", file=sys.stderr)
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return a sandbox of small sources, whose child says what it was asked."""
    monkeypatch.setattr(sandbox, "compiler_flags", lambda: "--xla_some=1")
    made = Sandbox(tmp_path)
    for name, text in (
        ("jax_port/__init__.py", "VALUE = 1\n"),
        ("parity/__init__.py", ""),
        ("parity/mutants/__init__.py", ""),
        ("parity/mutants/child.py", CHILD),
    ):
        file = made.sources / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return made


def child(box: Sandbox, end: str) -> None:
    file = box.sources / "parity/mutants/child.py"
    change_file(file, f"{CHILD}{end}\n".encode())


FAULT = Mutant("m", "jax_port/__init__.py", "1", "2", "4.1", phase=2)


@pytest.mark.parametrize(
    ("mutant", "words", "value"),
    [
        (None, ["--phase", "1", "--all"], 1),
        (FAULT, ["--phase", "2"], 2),
        (replace(FAULT, violates="learner 3", phase=1), ["--phase", "1", "--learner"], 2),
    ],
)
def test_a_port_is_tried_in_a_process_of_its_own(
    mutant: Mutant | None, words: list[str], value: int, box: Sandbox
) -> None:
    child(box, "raise SystemExit(1)")
    trial = box.attempt(mutant)
    place = box.folder / ("control" if mutant is None else "mutant-m")
    given = [str(box.folder / "recordings"), str(place / "result.json"), *words]
    assert json.loads(trial.outputs["told"]) == [given, str(place), value]
    assert [one["check"] for one in trial.objections] == ["replay", "generated"]
    assert len(trial.checks) == 3
    assert (trial.error, trial.cpu_seconds) == ("", 0.25)
    assert trial.seconds > 0
    assert (box.sources / "jax_port/__init__.py").read_text() == "VALUE = 1\n"


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("raise SystemExit(3)", "a line on the way"),
        ("os.remove(sys.argv[2])\nraise ValueError('what', 7)", "ValueError: ('what', 7)"),
        ("os.remove(sys.argv[2])", "a line on the way"),
        ("os._exit(4)", "a line on the way"),
    ],
)
def test_one_that_does_not_run_says_why(end: str, error: str, box: Sandbox) -> None:
    child(box, end)
    trial = box.attempt(FAULT)
    assert (trial.error, trial.checks, trial.outputs) == (error, (), {})
    assert trial.seconds > 0


def test_one_that_says_nothing_tells_its_exit_code(box: Sandbox) -> None:
    change_file(box.sources / "parity/mutants/child.py", b"raise SystemExit(5)\n")
    assert box.attempt(FAULT).error == "exit code 5"


def test_one_that_takes_too_long_does_not_answer(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE_S", 0.01)
    trial = box.attempt(FAULT)
    assert (trial.error, trial.seconds) == ("no answer within 0.01 s", 0.01)
    assert not trial.objections


def test_a_process_that_ran_another_port_is_none(box: Sandbox) -> None:
    child(box, 'answer["port"] += "/.."\nPath(sys.argv[2]).write_text(json.dumps(answer))')
    port = box.folder / "mutant-m" / "jax_port" / ".."
    assert box.attempt(FAULT).error == f"the child ran {port}, not the copy"


def test_a_process_sees_its_port_first_and_no_settings_of_jax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "compiler_flags", lambda: "--xla_some=1")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("XLA_FLAGS", "--other")
    monkeypatch.setenv("KEPT", "yes")
    made = environment(tmp_path / "port", tmp_path / "sources", tmp_path / "cache")
    assert made["PYTHONPATH"] == f"{tmp_path / 'port'}{os.pathsep}{tmp_path / 'sources'}"
    assert (made["XLA_FLAGS"], made["KEPT"]) == ("--xla_some=1", "yes")
    assert {name: value for name, value in made.items() if name.startswith("JAX_")} == {
        "JAX_PLATFORMS": "cpu",
        "JAX_TRACEBACK_FILTERING": "off",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def test_a_snapshot_holds_all_packages_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for number, name in enumerate(sandbox.PACKAGES):
        (root / name / "deep" / "__pycache__").mkdir(parents=True)
        (root / name / "deep" / "a.py").write_text(f"VALUE = {number}\n")
        (root / name / "deep" / "__pycache__" / "stale.pyc").write_text("x")
        (root / name / "data.txt").write_text(name)
    (root / "tests").mkdir()
    monkeypatch.setattr(sandbox, "PACKAGES_ROOT", root)
    sandbox.snapshot(tmp_path / "copy")
    assert sorted(place.name for place in (tmp_path / "copy").iterdir()) == sorted(sandbox.PACKAGES)
    for number, name in enumerate(sandbox.PACKAGES):
        copy = tmp_path / "copy" / name
        assert (copy / "deep" / "a.py").read_text() == f"VALUE = {number}\n"
        assert (copy / "data.txt").read_text() == name
        (compiled,) = (copy / "deep" / "__pycache__").iterdir()
        assert compiled.name.startswith("a.")


def test_what_was_compiled_of_other_files_stays(tmp_path: Path) -> None:
    for name in ("limits", "limits_of_more", "other"):
        (tmp_path / f"{name}.py").write_text("LIMIT = 1\n")
        py_compile.compile(str(tmp_path / f"{name}.py"))
    change_file(tmp_path / "limits.py", b"LIMIT = 2\n")
    left = sorted(path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir())
    assert left == ["limits_of_more", "other"]
