"""Judges of a mutant, each in a process of its own: the gate on recordings, then the tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from foundation.errors import InputError
from foundation.import_closure import imported_by
from foundation.signals import run_child
from parity.mutants.sampled.executed import ExecutedLines
from parity.mutants.sampled.summary import GATE, TESTS
from parity.mutants.sandbox import PORT, Sandbox, environment
from parity.mutation.operators import Change
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED

PACKAGES = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
TREE = (
    *PACKAGES,
    "tests",
    "examples",
    "ninjatrader",
    "docs",
    "reports",
    "pyproject.toml",
    "noxfile.py",
)
"""What a test may read of the checkout."""

GATE_CHILD = "parity.mutants.child"
"""What holds a port against recordings, in a process of its own."""

FAILED, INTERRUPTED = 1, 2
"""Exit codes of pytest: a test failed, or its collection did."""


LEFT_OUT = ("tests/benchmarks/", "tests/docs/")
"""Tests that measure or read pages, and so say little of a change and take long."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: the outcome, and which check or test said so."""

    outcome: str
    by: str = ""


@dataclass(frozen=True)
class Judges:
    """Where mutants are judged.

    Attributes:
        root: the checkout.
        sandbox: with recordings and sources of the unchanged port.
        patience: seconds that the tests of one mutant may take.
        executed: which tests execute a line; without it, all that import the file are asked.
    """

    root: Path
    sandbox: Sandbox
    patience: float
    executed: ExecutedLines | None = None

    def judge(self, change: Change, number: int) -> Fate:
        """Return what becomes of a change; ``number`` names its folder."""
        place = self.sandbox.folder / f"change-{number}"
        try:
            if change.file in reached(self.root, GATE_CHILD):
                fate = self._ask_gate(change, place / "gate")
                if fate.outcome != SURVIVED:
                    return fate
            return self._ask_tests(change, place / "tests")
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _ask_gate(self, change: Change, place: Path) -> Fate:
        if not change.file.startswith(f"{PORT}/"):
            return Fate(SURVIVED)  # both sides share the rest, so comparing them shows nothing
        shutil.copytree(self.sandbox.sources / PORT, place / PORT)
        file = place / change.file
        file.write_bytes(change.apply(file.read_bytes()))
        learner = change.file.startswith(f"{PORT}/ppo/")
        trial = self.sandbox.try_port(place, everything=False, learner=learner)
        if trial.error:
            return Fate(CRASHED, trial.error[:200])
        if trial.objections:
            first = trial.objections[0]
            return Fate(GATE, f"{first['check']}: {first['field']}")
        return Fate(SURVIVED)

    def tests_for(self, change: Change) -> tuple[str, ...]:
        """Return the test files that a change is shown to, the nearest first.

        Where no test is known to execute it (it runs at import, or in processes that a test starts),
        all that import its file.
        """
        nearest = nearest_tests(self.root, change.file)
        if self.executed is None:
            return nearest
        known = self.executed.tests_of(change, (self.root / change.file).read_bytes())
        return tuple(name for name in nearest if name in known) or nearest

    def _ask_tests(self, change: Change, place: Path) -> Fate:
        tests = self.tests_for(change)
        if not tests:
            return Fate(SURVIVED)
        make_tree(self.root, place, change)
        command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["-m", "not slow and not patched_gate", *tests]
        around = environment(place, place, self.sandbox.folder / "compiled")
        del around["XLA_FLAGS"]  # the tests have their own
        try:
            done = run_child(command, cwd=place, env=around, timeout=self.patience)
        except subprocess.TimeoutExpired:
            return Fate(UNJUDGED, f"tests took more than {self.patience:g} s")
        if done.returncode == 0:
            return Fate(SURVIVED)
        failures = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if done.returncode not in (FAILED, INTERRUPTED):
            raise InputError(f"pytest ended with {done.returncode}: {done.stderr[-300:]}")
        return Fate(TESTS, (failures or [""])[0][:200])


def make_tree(root: Path, place: Path, change: Change) -> None:
    """Make a checkout of links in which one package is a copy with a change in it."""
    place.mkdir(parents=True)
    package = change.file.partition("/")[0]
    for name in TREE:
        if name != package and (root / name).exists():
            (place / name).symlink_to(root / name)
    shutil.copytree(root / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    file = place / change.file
    file.write_bytes(change.apply(file.read_bytes()))


@cache
def nearest_tests(root: Path, file: str) -> tuple[str, ...]:
    """Return the test files that import a file of ours, those that import least beside it first."""
    nearest = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(LEFT_OUT):
            continue
        imported = reached(root, name.removesuffix(".py").replace("/", "."))
        if file in imported:
            mirrored = Path(name).stem == f"test_{Path(file).stem}"
            nearest.append((not mirrored, len(imported), name))
    return tuple(name for *_, name in sorted(nearest))


@cache
def reached(root: Path, module: str) -> frozenset[str]:
    """Return the files that a module imports, directly or not, its own among them; tests too."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _direct(root, name)
    places = (_file(root, name) for name in seen)
    return frozenset(path.relative_to(root).as_posix() for path in places if path is not None)


@cache
def _direct(root: Path, module: str) -> tuple[str, ...]:
    file = _file(root, module)
    if file is None:  # a folder of tests has no file of its own
        return ()
    return tuple(imported_by(lambda name: _file(root, name), module, file, (*PACKAGES, "tests")))


@cache
def _file(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
