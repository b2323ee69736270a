"""When a run over the catalogue's mutants has passed: every one was applied, and found."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from parity.mutants import run as running
from parity.mutants.catalog import CATALOG, EQUIVALENT
from parity.mutants.mutant import Mutant
from parity.mutants.run import (
    CRASHED,
    KILLED,
    SURVIVED,
    UNCHANGED,
    ControlFailed,
    Session,
    Verdict,
    attempt,
    pass_control,
    show,
)
from parity.mutants.sandbox import Sandbox, Trial
from tests.sentences import refuses


def session(*outcomes: str) -> Session:
    """Return a run whose mutants came out so."""
    verdicts = [
        Verdict(
            id=f"m{number}",
            file="a.py",
            violates="a rule",
            outcome=outcome,
            changed=1,
            outputs=9,
            killed_by=(),
            scenario="",
            world="",
            field="",
            error="",
            seconds=1.0,
            cpu_seconds=1.0,
        )
        for number, outcome in enumerate(outcomes)
    ]
    return Session(verdicts, {}, 9.0, 1)


@pytest.mark.parametrize("other", [SURVIVED, UNCHANGED, CRASHED])
def test_one_that_was_not_killed_fails_the_run_wherever_it_stands(other: str) -> None:
    assert session(KILLED, KILLED).passed
    for outcomes in ((other, KILLED), (KILLED, other)):
        told = session(*outcomes)
        assert not told.passed
        assert told.to_dict()["passed"] is False
        assert told.to_dict()["summary"][other] == told.to_dict()["summary"][KILLED] == 1


def test_a_run_of_no_mutants_has_not_passed() -> None:
    assert not session().passed


def check(name: str, passed: bool, **place: str) -> dict[str, Any]:
    words = {"scenario": "odd settings", "world": "ES", "field": "obs", **place}
    return {"check": name, "passed": passed, "compared": 9, "mismatches": int(not passed), **words}


CONTROL = Trial(outputs={"a": "1", "b": "2", "c": "3"})
FAULT = Mutant("m", "jax_port/a.py", "x", "y", "4.2")
OBJECTED = [
    check("data", True),
    check("restart draws", False, scenario="stress", world="RTY", field="starts"),
    check("replay", False),
    check("reset draws", False),
    check("invariants, port", False),
]


class Tried(Sandbox):
    """A sandbox whose port answered already."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(Path())
        vars(self)["trial"] = trial

    def attempt(self, mutant: Mutant | None) -> Trial:
        trial: Trial = vars(self)["trial"]
        return trial


@pytest.mark.parametrize(
    ("trial", "outcome", "changed", "outputs"),
    [
        (Trial(OBJECTED, {"a": "1", "b": "9", "d": "4"}), KILLED, 2, 3),
        (Trial(OBJECTED[:1], {"a": "9", "b": "9"}), SURVIVED, 2, 2),
        (Trial(OBJECTED[:1], CONTROL.outputs), UNCHANGED, 0, 3),
        (Trial(OBJECTED, {"c": "3"}), UNCHANGED, 0, 1),
        (Trial(OBJECTED, {"c": "9"}, "NameError: no"), CRASHED, 1, 1),
        (Trial(error="no answer"), CRASHED, 0, 0),
    ],
)
def test_what_becomes_of_a_mutant(trial: Trial, outcome: str, changed: int, outputs: int) -> None:
    told = attempt(Tried(replace(trial, seconds=1.26, cpu_seconds=0.5)), CONTROL, FAULT)
    objected = len(trial.checks) > 1
    assert asdict(told) == {
        "id": "m",
        "file": "jax_port/a.py",
        "violates": "4.2",
        "outcome": outcome,
        "changed": changed,
        "outputs": outputs,
        "killed_by": ["draws", "replay", "invariants"] if objected else [],
        "scenario": "stress" if objected else "",
        "world": "RTY" if objected else "",
        "field": "starts" if objected else "",
        "error": trial.error,
        "seconds": 1.3,
        "cpu_seconds": 0.5,
    }


def test_a_control_that_does_not_run_or_pass_is_no_control() -> None:
    good = Trial(OBJECTED[:1], {"a": "1"})
    assert pass_control(Tried(good)) is good
    with refuses(kind=ControlFailed):
        pass_control(Tried(Trial(error="no module")))
    with refuses(kind=ControlFailed):
        pass_control(Tried(Trial(OBJECTED)))


def test_the_whole_of_a_run_is_told_and_shown() -> None:
    one, *others = session(KILLED, SURVIVED, CRASHED, KILLED, UNCHANGED, KILLED).verdicts
    found = replace(
        one, killed_by=["draws", "replay"], scenario="stress", field="obs", cpu_seconds=2.25
    )
    failed = replace(others[1], error="NameError: no", outputs=0, changed=0)
    whole = Session([found, others[0], failed, *others[2:]], {"outputs": 9}, 12.34, 3)
    told = whole.to_dict()
    assert told["summary"] == {
        "mutants": 6,
        KILLED: 3,
        SURVIVED: 1,
        UNCHANGED: 1,
        CRASHED: 1,
        "seconds": 12.3,
        "cpu_seconds": 7.2,
        "jobs": 3,
    }
    assert told["control"] == {"outputs": 9}
    assert told["mutants"] == [asdict(verdict) for verdict in whole.verdicts]
    assert [(one["fault"], one["reason"]) for one in told["equivalent"]] == list(EQUIVALENT)
    console = Console(width=200, record=True, file=io.StringIO())
    show(console, whole)
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[1] == ["m0", "a", "rule", "1", "of", "9", "draws,", "replay", "obs", "(stress)"]
    assert lines[2] == f"m1 a rule 1 of 9 {SURVIVED}".split()
    assert lines[3] == f"m2 a rule 0 of 0 {CRASHED} NameError: no".split()
    assert " ".join(lines[-1]) == (
        f"3 of 6 killed, 1 {SURVIVED}, 1 {UNCHANGED}, 1 {CRASHED} in 12.3 s (7.2 s of processor time)"
    )
    console = Console(width=200, record=True, file=io.StringIO())
    show(console, session(KILLED, KILLED))
    assert "2 of 2 killed in 9.0 s" in console.export_text()


@pytest.mark.parametrize("jobs", [1, 3])
def test_verdicts_are_in_the_order_of_the_catalogue_whoever_is_done_first(
    jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [replace(FAULT, id=name) for name in ("late", "soon", "other")]
    waiting = threading.Barrier(jobs)
    checks = [{**check("data", True), "compared": number} for number in (5, 7, 30)]
    control = Trial(checks, {"a": "1", "b": "2"}, "", 12.345, 6.5)
    done: list[str] = []

    def one(box: Sandbox, given: Trial, mutant: Mutant) -> Verdict:
        assert (box.folder, given) == (tmp_path, control)
        waiting.wait(20)
        time.sleep(0.05 * (mutant.id == "late"))
        return replace(session(KILLED).verdicts[0], id=mutant.id, outcome=f"of {mutant.id}")

    def made(folder: Path) -> None:
        assert folder == tmp_path / "recordings"
        done.append("made")

    monkeypatch.setattr(running, "snapshot", lambda folder: done.append(folder.name))
    monkeypatch.setattr(running, "pass_control", lambda box: control)
    monkeypatch.setattr(running, "attempt", one)
    told: list[str] = []
    whole = running.run(chosen, jobs, tmp_path, told.append, made)
    assert done == ["sources", "made"]
    assert [verdict.id for verdict in whole.verdicts] == ["late", "soon", "other"]
    assert whole.control == {
        "outputs": 2,
        "checks": 3,
        "compared": 42,
        "seconds": 12.3,
        "cpu_seconds": 6.5,
    }
    assert whole.jobs == jobs
    assert told[:2] == ["reference recorded", "control passed"]
    assert sorted(told[2:]) == [f"{name}: of {name}" for name in ("late", "other", "soon")]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [((KILLED, KILLED), 0), ((KILLED, SURVIVED), 1), ((CRASHED, KILLED), 1), (None, 1)],
)
def test_the_command_fails_where_one_was_not_found_or_the_control_does_not_pass(
    outcomes: Any, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(chosen: Any, jobs: int, folder: Path, told: Any) -> Session:
        assert [mutant.id for mutant in chosen] == ["half-even", "target-first"]
        assert (jobs, folder.is_dir()) == (3, True)
        if outcomes is None:
            raise ControlFailed("the unchanged port does not run: no")
        return session(*outcomes)

    monkeypatch.setattr(running, "run", one)
    words = ["--only", "half-even", "--only", "target-first", "--jobs", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(running.mutation, words)
    assert result.exit_code == code, result.output
    if outcomes is None:
        assert "the unchanged port does not run: no" in result.output
        assert not (tmp_path / "mutation.json").exists()
    else:
        told = json.loads((tmp_path / "mutation.json").read_text())
        assert told == json.loads(json.dumps(session(*outcomes).to_dict()))


def test_every_chosen_mutant_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(Mutant, "check", lambda self, root: checked.append(self.id))
    assert running.choose(["target-first", "half-even"]) == [
        mutant for name in checked for mutant in CATALOG if mutant.id == name
    ]
    assert checked == ["target-first", "half-even"]
    checked.clear()
    assert [mutant.id for mutant in running.choose([])] == checked == [one.id for one in CATALOG]
