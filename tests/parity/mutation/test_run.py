"""Mutants of a small port: killed, without effect, likely equivalent; runs that go on; bad input."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from parity.harness.places import load_pair
from parity.mutation import run as measuring
from parity.mutation.lines import LINES, read_lines
from parity.mutation.operators import Change, changes_of
from parity.mutation.run import NUMBERS, PAGE, Wanted, measure
from parity.mutation.trial import Fate, Trials
from tests.sentences import refuses

PLACE = "tests.parity.mutation.small_pair:pair"
PORT = "tests.parity.mutation.small_port"
FILE = Path(__file__).with_name("small_port.py")
SIZES: dict[str, Any] = {"transitions": 200, "resets": 100}


def _change(old: str, new: str) -> Change:
    source = FILE.read_bytes()
    start = source.index(old.encode())
    return Change(PORT, 1, "by hand", start, start + len(old), old, new)


CHANGES = [
    (_change("FADE = 0.5", "FADE = 0.5000001"), "killed", "field charge: logic"),
    (_change("FADE * self.charge + 0.25", "(0.05 + FADE * self.charge + 0.2)"), "rounding", ""),
    (_change("total > 9", "total >= 10"), "no effect", ""),
    (_change("self.charge * 2.0", "self.charges"), "crashed", "charges"),
]


@pytest.mark.costly
@pytest.mark.parametrize("count", [1, pytest.param(len(CHANGES), marks=pytest.mark.slow)])
def test_a_process_tells_a_fault_from_what_changes_nothing(tmp_path: Path, count: int) -> None:
    trials = Trials(PLACE, tmp_path, 200, 100, 0, 120.0)
    entered = trials.control([FILE])
    lines = {FILE.read_text().splitlines()[line - 1].strip() for _, line in entered}
    assert "def step(self, action: int) -> Any:" in lines
    assert "def describe(self) -> str:" not in lines
    for number, (change, outcome, by) in enumerate(CHANGES[:count]):
        fate = trials.judge(PORT, change, FILE.read_bytes(), number)
        assert fate.outcome == outcome
        assert by in fate.by
    assert b"FADE = 0.5\n" in FILE.read_bytes()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    """Replace the processes by a judge that knows; return the changes that it is asked about."""
    asked: list[Change] = []

    def judge(self: Trials, module: str, change: Change, source: bytes, number: int) -> Fate:
        asked.append(change)
        outcomes = {"constant": "killed", "comparison": "survived", "term left out": "rounding"}
        return Fate(outcomes.get(change.operator, "no effect"), "told")

    def control(self: Trials, files: Any) -> Any:
        first = FILE.read_text().splitlines().index("    def step(self, action: int) -> Any:") + 1
        return {(str(FILE), first)}

    monkeypatch.setattr(Trials, "judge", judge)
    monkeypatch.setattr(Trials, "control", control)
    return asked


def test_a_run_that_was_cut_off_goes_on_and_lists_what_a_person_should_see(
    tmp_path: Path, told: list[Change]
) -> None:
    wanted = Wanted(PLACE, count=6, modules=(PORT,), **SIZES)
    measure(wanted, tmp_path)
    assert len(told) == 6
    with (tmp_path / LINES).open("a") as file:
        file.write('{"file": "cut o')
    report = measure(replace(wanted, count=1000), tmp_path)
    assert len({(one.start, one.end, one.new) for one in told}) == len(told) == report["tried"]
    assert len(read_lines(tmp_path / LINES)) == len(told)
    step = FILE.read_text().splitlines().index("    def step(self, action: int) -> Any:") + 1
    assert all(one.line >= step or one.line < 15 for one in told)  # reset was not entered
    assert report["never_run"] > 0
    (survivor,) = {one["at"] for one in report["survivors"]}
    line = FILE.read_text().splitlines()[int(survivor.rpartition(":")[2]) - 1]
    assert survivor.endswith(f"small_port.py:{line and survivor.rpartition(':')[2]}")
    assert "self.total > 9" in line
    score = report["score"]
    assert 0 < score["score"] < 1
    assert score["interval"][0] < score["score"] < score["interval"][1]
    page = (tmp_path / PAGE).read_text()
    assert survivor in page
    assert "Likely equivalent" in page
    assert json.loads((tmp_path / NUMBERS).read_text())["by_kind"]["comparison"]["survived"] == 1


def test_a_sample_is_seeded_and_may_be_kept_to_some_functions(
    tmp_path: Path, told: list[Change]
) -> None:
    measure(Wanted(PLACE, count=5, seed=1, modules=(PORT,), **SIZES), tmp_path / "a")
    first, told[:] = list(told), []
    measure(Wanted(PLACE, count=5, seed=1, modules=(PORT,), **SIZES), tmp_path / "b")
    assert told == first
    told.clear()
    measure(Wanted(PLACE, count=99, modules=(PORT,), only=("step",), **SIZES), tmp_path / "c")
    found = {one.line for one in told}
    lines = FILE.read_text().splitlines()
    assert {lines[line - 1].startswith("        ") for line in found} == {True}
    with refuses():
        measure(Wanted(PLACE, modules=(PORT,), only=("nowhere",), **SIZES), tmp_path / "d")


def test_mutants_of_a_larger_sample_are_not_forgotten_by_a_smaller_one(
    tmp_path: Path, told: list[Change]
) -> None:
    shown: list[tuple[int, int]] = []
    large, small = (Wanted(PLACE, count=count, modules=(PORT,), **SIZES) for count in (6, 2))
    first = measure(large, tmp_path, lambda what, done, of: shown.append((done, of)))
    assert shown == [(0, 6), *((done, 6) for done in range(1, 7))]
    assert (measure(small, tmp_path)["tried"], len(read_lines(tmp_path / LINES))) == (2, 6)
    again = measure(large, tmp_path)
    assert len(told) == 6  # none is judged twice
    for name in ("tried", "score", "survivors", "likely_equivalent", "without_effect"):
        assert again[name] == first[name]
    more = replace(large, count=8)
    measure(more, tmp_path, lambda what, done, of: shown.append((done, of)))
    assert shown[7:] == [(0, 8), (7, 8), (8, 8)]


def test_a_name_that_no_module_of_the_port_has_is_refused_beside_one_that_it_has(
    tmp_path: Path, told: list[Change]
) -> None:
    with refuses():
        measure(Wanted(PLACE, modules=(PORT,), only=("step", "stepp"), **SIZES), tmp_path)


def test_the_port_is_found_by_itself(tmp_path: Path, told: list[Change]) -> None:
    report = measure(Wanted(PLACE, count=2, **SIZES), tmp_path)
    assert report["modules"] == [PORT]
    assert {one.file for one in told} == {PORT}


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("nowhere:pair"),
        Wanted(PLACE, modules=("math",)),
        Wanted(PLACE, modules=("parity.harness.judge",)),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence(tmp_path: Path, wanted: Wanted) -> None:
    with refuses():
        measure(wanted, tmp_path)


def test_a_folder_of_another_run_is_refused(tmp_path: Path, told: list[Change]) -> None:
    measure(Wanted(PLACE, count=2, modules=(PORT,), **SIZES), tmp_path)
    with refuses():
        measure(Wanted(PLACE, count=2, modules=(PORT,), transitions=300), tmp_path)


@pytest.mark.slow
def test_an_unchanged_port_that_does_not_pass_is_refused(tmp_path: Path) -> None:
    place = "tests.parity.command.small_pairs:heavy"
    trials = Trials(place, tmp_path, 64, 50, 0, 120.0)
    with refuses():
        trials.control([])


def test_changes_that_are_the_same_text_are_tried_once(tmp_path: Path, told: list[Change]) -> None:
    sources = measuring.Sources({PORT: FILE})
    found = measuring._changes(sources, PORT, ())
    assert len({(one.start, one.end, one.new) for one in found}) == len(found)
    assert len(found) <= len(changes_of(PORT, FILE.read_bytes(), "of a rewrite"))


@pytest.mark.parametrize("what", ["pair", "port", "neither"])
def test_a_run_is_of_the_pairs_own_module_too(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair with other domains, or another reference, tells other mutants."""
    own, port = tmp_path / "pair_of_mutants.py", tmp_path / "port_of_mutants.py"
    own.write_text("from tests.parity.mutation.small_pair import pair\n", encoding="utf-8")
    port.write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    wanted = Wanted("pair_of_mutants:pair", **SIZES)
    pair = load_pair(wanted.place)
    try:
        before = measuring._asked(wanted, measuring.Sources({"port_of_mutants": port}), pair)
        for file in {"pair": [own], "port": [port]}.get(what, []):
            file.write_text(f"{file.read_text()}# more\n", encoding="utf-8")
        after = measuring._asked(wanted, measuring.Sources({"port_of_mutants": port}), pair)
    finally:
        del sys.modules["pair_of_mutants"]
    differ = {name for name in before if after[name] != before[name]}
    said = {"pair": {"code"}, "port": {"modules of the port"}, "neither": set()}
    assert differ == said[what]
    sizes = {"pair", "transitions", "resets", "seed", "modules of the port"}
    assert set(before) == {*sizes, "code", "packages", "versions"}
    other = replace(wanted, transitions=201, resets=99, seed=5, count=7, jobs=2, patience=9.0)
    resized = measuring._asked(other, measuring.Sources({"port_of_mutants": port}), pair)
    differ = {name for name in after if resized[name] != after[name]}
    assert differ == {"transitions", "resets", "seed"}


def test_a_smaller_run_into_the_same_folder_keeps_what_was_judged(
    tmp_path: Path, told: list[Change]
) -> None:
    wanted = Wanted(PLACE, count=6, modules=(PORT,), **SIZES)
    first = measure(wanted, tmp_path)
    judged = read_lines(tmp_path / LINES)
    assert len(judged) == len(told) == first["tried"] == 6
    shown: list[tuple[int, int]] = []
    fewer = measure(replace(wanted, count=2), tmp_path, lambda what, done, of: shown.append((done, of)))
    assert fewer["tried"] == 2  # the page is of the sample that is asked for
    assert shown == [(0, 2)]
    assert read_lines(tmp_path / LINES) == judged
    shown.clear()
    told.clear()
    in_step = replace(wanted, count=9, only=("step",))
    only = measure(in_step, tmp_path, lambda what, done, of: shown.append((done, of)))
    new = read_lines(tmp_path / LINES)[6:]
    assert read_lines(tmp_path / LINES)[:6] == judged
    assert 0 < len(new) == len(told) < 9
    assert shown[-1] == (only["tried"], 9) == (9, 9)
    told.clear()
    assert measure(wanted, tmp_path)["by_kind"] == first["by_kind"]
    assert told == []
    assert read_lines(tmp_path / LINES) == [*judged, *new]


NESTED = b"""LIMIT = 1


def made(one):
    @wraps(one)
    @twice
    def inner(x):
        return x + 2

    return inner, lambda y: y + 3


class Kept:
    size = 4

    def seldom(self, z=5):
        return z * 6
"""


def never_run(line: int, entered: set[int], shared: bool = False) -> bool:
    """Say whether a change of a line is never run where functions of these lines were entered."""
    sources = measuring.Sources({})
    sources.paths["m"], sources.bytes["m"] = Path("/there/m.py"), NESTED
    change = Change("m", line, "by hand", 0, 0, "", "")
    where = {(str(Path("/there/m.py")), first) for first in entered}
    return measuring._is_never_run(change, sources, where, {"m"} if shared else {"other"})


def test_what_lies_in_functions_that_are_never_entered_is_never_run() -> None:
    assert [line for line in range(1, 18) if never_run(line, set())] == [*range(4, 11), 16, 17]
    assert [line for line in range(1, 18) if never_run(line, set(), True)] == [
        *(1, 2, 3, *range(4, 11), 11, 12, 16, 17)
    ]
    # A decorated function begins at its first decorator, a lambda in its own line.
    assert [line for line in range(4, 18) if never_run(line, {5})] == [4, 5, 6, 9, 10, 16, 17]
    assert [line for line in range(4, 18) if never_run(line, {10})] == [*range(4, 10), 16, 17]
    assert [line for line in range(4, 18) if never_run(line, {4, 16})] == []
    other = {(str(Path("/elsewhere/m.py")), line) for line in range(18)}
    sources = measuring.Sources({})
    sources.paths["m"], sources.bytes["m"] = Path("/there/m.py"), NESTED
    change = Change("m", 8, "by hand", 0, 0, "", "")
    assert measuring._is_never_run(change, sources, other, set())


def test_a_path_is_shown_as_it_is_followed_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert measuring._shown(tmp_path / "deep" / "a.py") == str(Path("deep") / "a.py")
    monkeypatch.chdir(tmp_path.parent)
    assert measuring._shown(Path("/elsewhere/a.py")) == str(Path("/elsewhere/a.py"))


def test_each_line_and_the_report_say_what_was_judged_and_how(
    tmp_path: Path, told: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[Any, ...]] = []
    plain = Trials.__init__

    def note(self: Trials, *given: Any) -> None:
        made.append(given)
        plain(self, *given)

    monkeypatch.setattr(Trials, "__init__", note)
    wanted = Wanted(PLACE, count=5, seed=3, modules=(PORT,), transitions=90, resets=60, patience=7.5)
    report = measure(wanted, tmp_path)
    ((place, _, *sizes),) = made
    assert (place, sizes) == (PLACE, [90, 60, 3, 7.5])
    lines = read_lines(tmp_path / LINES)
    assert [(one["start"], one["end"], one["new"]) for one in lines] == [
        (one.start, one.end, one.new) for one in told
    ]
    assert {one["by"] for one in lines} == {"told"}
    assert {one["path"] for one in lines} == {measuring._shown(FILE)}
    assert len({one["run"] for one in lines}) == 1
    sources = measuring.Sources({PORT: FILE})
    every = measuring._changes(sources, PORT, ())
    step = FILE.read_text().splitlines().index("    def step(self, action: int) -> Any:") + 1
    running = [one for one in every if one.line < 15 or step <= one.line <= step + 5]
    assert (report["in_all"], report["never_run"]) == (len(every), len(every) - len(running))
    assert 0 < report["never_run"] < report["in_all"]
    assert (report["tried"], report["format"], report["place"]) == (5, 1, PLACE)
    assert (report["pair"], report["modules"]) == ("a counter", [PORT])
    assert report["settings"] == asdict(wanted)
    assert json.loads((tmp_path / NUMBERS).read_text()) == json.loads(json.dumps(report))
    counts = [report["by_kind"][kind]["tried"] for kind in report["by_kind"]]
    assert sum(counts) == 5


@pytest.mark.costly
def test_mutants_that_took_too_long_are_judged_again_with_more_patience(
    tmp_path: Path, told: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Trials.judge

    def judge(self: Trials, module: str, change: Change, source: bytes, number: int) -> Fate:
        fate = quick(self, module, change, source, number)
        slow = fate.outcome == "killed" and self.patience < 60
        return Fate("not judged", "no answer") if slow else fate

    monkeypatch.setattr(Trials, "judge", judge)
    wanted = Wanted(PLACE, count=12, modules=(PORT,), patience=20.0, **SIZES)
    first = measure(wanted, tmp_path)
    late = first["score"]["not judged"]
    assert 0 < late < first["tried"] == len(told) == 12
    assert {one["patience"] for one in first["not_judged"]} == {20.0}
    for patience, asked in ((20.0, 0), (20.5, late), (600.0, late), (30.0, 0)):
        told.clear()
        report = measure(replace(wanted, patience=patience), tmp_path)
        assert len(told) == asked
        assert report["score"]["not judged"] == (late if patience <= 20.5 else 0)
        assert len(read_lines(tmp_path / LINES)) == report["tried"] == 12
    assert report["score"]["killed"] == late
    assert not any("patience" in line for line in read_lines(tmp_path / LINES))
