"""Judges of a mutant, each in a process of its own: the gate on recordings, then the tests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

from foundation.errors import InputError
from foundation.import_closure import PACKAGES, imported_by
from parity.mutants.sampled.executed import ExecutedLines
from parity.mutants.sampled.summary import GATE, TESTS
from parity.mutants.sampled.warm import Pytest, run_anew
from parity.mutants.sandbox import PORT, Sandbox, change_file, environment
from parity.mutation.operators import Change
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED

GATE_CHILD = "parity.mutants.child"
"""What holds a port against recordings, in a process of its own."""

FAILED, INTERRUPTED, NOT_FOUND, NONE_RAN = 1, 2, 4, 5
"""Exit codes of pytest: a test failed, its collection did, one that is named is not there, none of
those named was to be run."""


MOST_ALONE = 30
"""Tests that a mutant is shown to by themselves, before whole files."""

MOST_FILES = 4
"""Whole files of tests that a mutant is shown to: those that import least beside the changed one, of
files with tests that are known to execute it, and of all."""

OF_ALL = {"tests/project/test_values.py": "", "tests/project/test_options.py": "rltrader/"}
"""Tests that look at all modules of a folder, and so are asked about each of them, first."""

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
        executed: which tests execute a line; without it, those nearest to the file are asked.
        pytest: what runs the tests.
        tests_first: ask the gate only about what the tests let live; else the other way round.
        sound: tests that were seen to pass on the unchanged code.
    """

    root: Path
    sandbox: Sandbox
    patience: float
    executed: ExecutedLines | None = None
    pytest: Pytest = run_anew
    tests_first: bool = False
    sound: set[str] = field(default_factory=set)

    def judge(self, change: Change, number: int) -> Fate:
        """Return what becomes of a change; ``number`` names its folder."""
        place = self.sandbox.folder / f"change-{number}"
        judges = [(self._ask_gate, place / "gate"), (self._ask_tests, place / "tests")]
        fates = []
        try:
            for ask, own in reversed(judges) if self.tests_first else judges:
                fate = ask(change, own)
                if fate.outcome not in (SURVIVED, UNJUDGED):
                    return fate
                fates.append(fate)
            return next((fate for fate in fates if fate.outcome == UNJUDGED), Fate(SURVIVED))
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _ask_gate(self, change: Change, place: Path) -> Fate:
        port = change.file.startswith(f"{PORT}/")
        if not port or change.file not in reached(self.root, GATE_CHILD):
            return Fate(SURVIVED)  # both sides share the rest, so comparing them shows nothing
        shutil.copytree(self.sandbox.sources / PORT, place / PORT)
        file = place / change.file
        change_file(file, change.apply(file.read_bytes()))
        learner = change.file.startswith(f"{PORT}/ppo/")
        trial = self.sandbox.try_port(place, everything=False, learner=learner)
        if trial.error:
            return Fate(CRASHED, trial.error[:200])
        if trial.objections:
            first = trial.objections[0]
            return Fate(GATE, f"{first['check']}: {first['field']}")
        return Fate(SURVIVED)

    def tests_for(self, change: Change) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the tests that a change is shown to first, and the files of tests after them.

        The first are :data:`OF_ALL`, then those known to execute it, :data:`MOST_ALONE` at most: one of
        each file before a second of any, and files that import the changed one before those that reach
        it by a command's name. What such a test made may be looked at by another one of its file, so
        their files follow. After them come the files that import least beside the changed one: lines
        also run at import, in processes that a test starts, and in tests that were left out where lines
        were watched. Of both kinds :data:`MOST_FILES` at most are asked: what lives may yet be killed
        by another, never the other way round.
        """
        nearest = nearest_tests(self.root, change.file)
        of_all = tuple(
            name
            for name, folder in OF_ALL.items()
            if change.file.startswith(folder) and (self.root / name).is_file()
        )
        known: frozenset[str] = frozenset()
        if self.executed is not None:
            known = self.executed.tests_of(change, (self.root / change.file).read_bytes())
        files = {name.partition("::")[0] for name in known}
        imported = [name for name in nearest if name in files]
        called = sorted(name for name in files - set(nearest) if not name.startswith(LEFT_OUT))
        place = {name: number for number, name in enumerate((*imported, *called))}
        alone = [
            (turn, place[file], name)
            for file, own in groupby(sorted(known), lambda name: name.partition("::")[0])
            if file in place
            for turn, name in enumerate(own)
        ]
        asked = dict.fromkeys((*list(place)[:MOST_FILES], *nearest[:MOST_FILES]))
        return of_all + tuple(name for *_, name in sorted(alone)[:MOST_ALONE]), tuple(asked)

    def _ask_tests(self, change: Change, place: Path) -> Fate:
        alone, files = self.tests_for(change)
        if not alone + files:
            return Fate(SURVIVED)
        make_tree(self.root, place, change)
        fate = self._run(alone, place) if alone else Fate(SURVIVED)
        if fate.outcome in (SURVIVED, UNJUDGED) and files:
            more = self._run(files, place)
            fate = fate if more.outcome == SURVIVED else more
        if fate.outcome == TESTS:
            self._require_sound(fate.by)
        return fate

    def _run(self, tests: Sequence[str], place: Path) -> Fate:
        return run_tests(tests, place, self.sandbox.compiled, self.patience, self.pytest)

    def _require_sound(self, failed: str) -> None:
        """Refuse a test that fails on the unchanged code too: it would kill anything."""
        name = failed.partition(" ")[2].partition(" - ")[0]
        if name and name not in self.sound:
            if self._run((name,), self.root).outcome == TESTS:
                raise InputError(f"{name}: fails on the unchanged code too; mend it and run again")
            self.sound.add(name)


def tests_environment(place: Path, compiled: Path) -> dict[str, str]:
    """Return the environment of tests of a tree; see :func:`parity.mutants.sandbox.environment`."""
    around = environment(place, place, compiled)
    del around["XLA_FLAGS"]  # the tests have their own
    return around


def run_tests(
    tests: Sequence[str], place: Path, compiled: Path, patience: float, pytest: Pytest = run_anew
) -> Fate:
    """Run tests on a tree with a change in it, up to the first that fails.

    Args:
        tests: names of pytest's, or files.
        place: from :func:`make_tree`.
        compiled: where compiled programs are kept.
        patience: seconds that they may take.
        pytest: what runs them.
    """
    options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not slow and not patched_gate"]
    done = pytest([*options, *tests], place, tests_environment(place, compiled), patience)
    if done.code is None:
        return Fate(UNJUDGED, f"tests took more than {patience:g} s")
    if done.code in (0, NONE_RAN):
        return Fate(SURVIVED)
    if done.code == NOT_FOUND:  # a case that was made of files which a copy of the checkout lacks
        there = [test for test in tests if f"/{test.partition('[')[0]}\n" not in done.stdout]
        if len(there) < len(tests):
            return run_tests(there, place, compiled, patience, pytest) if there else Fate(SURVIVED)
        if "conftest" in done.stdout:  # what all tests begin with cannot be imported
            return Fate(CRASHED, done.stdout.strip().splitlines()[-1][:200])
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if done.code not in (FAILED, INTERRUPTED):
        raise InputError(f"pytest ended with {done.code}: {done.stdout[-300:]}")
    return Fate(TESTS, (failed or [""])[0])  # whole: a test of a long name is asked again by it


def make_tree(root: Path, place: Path, change: Change, copied: Sequence[str] = ()) -> None:
    """Make a checkout of links in which one package is a copy with a change in it.

    Args:
        root: the checkout.
        place: the new one.
        change: goes into the package that its file is in.
        copied: further packages that are copied, since they look for the first beside themselves.
    """
    place.mkdir(parents=True)
    apart = {change.file.partition("/")[0], *copied}
    for entry in root.iterdir():  # a test may read any of them
        if entry.name in apart:
            shutil.copytree(entry, place / entry.name)
        elif not entry.name.startswith("."):
            (place / entry.name).symlink_to(entry)
    file = place / change.file
    change_file(file, change.apply(file.read_bytes()))


@cache
def nearest_tests(root: Path, file: str) -> tuple[str, ...]:
    """Return the test files that import a file of ours, those that import least beside it first."""
    importing = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(LEFT_OUT):
            continue
        imported = reached(root, name.removesuffix(".py").replace("/", "."))
        if file in imported:
            mirrored = Path(name).stem == f"test_{Path(file).stem}"
            importing.append((not mirrored, len(imported), name))
    return tuple(name for *_, name in sorted(importing))


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
