"""The catalogue of faults fits the port at hand, and the way from a fault to its verdict works."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from foundation.import_closure import PACKAGES_ROOT
from parity.learner.cases import small_cases
from parity.mutants import nightly, run
from parity.mutants.catalog import CATALOG, EQUIVALENT
from parity.mutants.learner import load_learner, make_learner
from parity.mutants.mutant import LEARNER, Mutant
from parity.mutants.recordings import load, make, small_scenarios
from parity.mutants.sandbox import PORT
from tests.sentences import check_error, refuses

BY_ID = {mutant.id: mutant for mutant in CATALOG}


def test_the_catalogue_is_large_and_its_ids_are_unique() -> None:
    assert len(CATALOG) >= 150
    assert sum(mutant.learner for mutant in CATALOG) >= 40
    assert len(BY_ID) == len(CATALOG)
    assert all(fault and reason for fault, reason in EQUIVALENT)


@pytest.mark.parametrize("mutant", CATALOG, ids=lambda mutant: mutant.id)
def test_every_mutant_fits_the_port(mutant: Mutant) -> None:
    text = (PACKAGES_ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.file.startswith(f"{PORT}/")
    assert text.count(mutant.old) == 1
    changed = mutant.apply(text)
    ast.parse(changed)
    assert changed != text
    page = "learner.md" if mutant.learner else "environment.md"
    section = mutant.violates.removeprefix(LEARNER).split(".")[0].split(" ")[0]
    headings = re.findall(
        r"^## (\d+)\.", (PACKAGES_ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE
    )
    assert section in headings


def test_no_two_mutants_make_the_same_change() -> None:
    texts = {
        mutant.file: (PACKAGES_ROOT / mutant.file).read_text(encoding="utf-8") for mutant in CATALOG
    }
    changed = [texts[mutant.file].replace(mutant.old, mutant.new) for mutant in CATALOG]
    assert len(set(changed)) == len(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("no such text", "x"),
        ("a", "b"),
        ("a = 1", "a = ("),
        ("a = 1", "a = 1  # the same"),
    ],
)
def test_a_mutant_that_does_not_apply_is_refused(old: str, new: str) -> None:
    with refuses():
        Mutant("m", "a.py", old, new, "1").apply("a = 1\nb = a\n")


def test_a_mutant_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with refuses():
        Mutant("m", "a.py", "x", "y", "1").check(tmp_path)


def test_unknown_ids_and_impossible_jobs_are_refused() -> None:
    with refuses():
        run.choose(["nonsense", "target-first", "rubbish"])
    result = CliRunner().invoke(run.mutation, ["--jobs", "0"])
    check_error(result.exception)
    assert [mutant.id for mutant in run.choose(["half-even", "target-first", "half-even"])] == [
        "half-even",
        "target-first",
    ]


def small_recordings(folder: Path) -> None:
    odd = small_scenarios(seed=0)[0]
    make(folder, [replace(odd, episodes=4, cases=400)])


@pytest.mark.slow
def test_faults_are_found_crashes_are_none_and_the_control_passes(tmp_path: Path) -> None:
    rounding = BY_ID["half-even"]
    crash = replace(rounding, id="crash", new="return x / no")
    idle = replace(rounding, id="idle", new=f"{rounding.old} + 0.0")
    chosen = [BY_ID["breach-at-floor"], rounding, crash, idle]
    told: list[str] = []
    session = run.run(chosen, 1, tmp_path, told.append, small_recordings)
    step, data, crashed, unchanged = session.verdicts

    assert step.outcome == data.outcome == run.KILLED
    assert "generated" in step.killed_by
    assert data.killed_by == ["data"]
    assert data.field in ("stop_ticks", "target_ticks", "trail_ticks")
    assert 0 < step.changed < step.outputs
    assert crashed.outcome == run.CRASHED
    assert crashed.error.startswith("NameError: name 'no' is not defined")
    assert (unchanged.outcome, unchanged.changed) == (run.UNCHANGED, 0)
    assert not session.passed
    assert session.control["outputs"] == unchanged.outputs
    assert told[:2] == ["reference recorded", "control passed"]

    values = json.loads(json.dumps(session.to_dict()))
    assert values["summary"]["mutants"] == 4
    assert values["summary"][run.KILLED] == 2
    assert [row["id"] for row in values["mutants"]] == [
        "breach-at-floor",
        "half-even",
        "crash",
        "idle",
    ]
    assert run.Session(session.verdicts[:2], session.control, 1.0, 1).passed

    (scenario,) = load(tmp_path / "recordings")
    assert scenario.config == small_scenarios(seed=0)[0].config
    assert scenario.worlds[0].bars.digest == small_scenarios(seed=0)[0].worlds[0].bars.digest
    assert len(scenario.played[0].transitions.labels) == 400


@pytest.mark.slow
def test_faults_of_the_learner_are_found_and_its_control_passes(tmp_path: Path) -> None:
    first = small_cases()[0]
    halved = BY_ID["value-loss-halved"]
    idle = replace(halved, id="idle", new=halved.old.replace("squares = ", "squares = 1.0 * "))
    chosen = [halved, idle]
    session = run.run(chosen, 1, tmp_path, prepare=lambda folder: make_learner(folder, [first]))
    found, unchanged = session.verdicts
    assert (found.outcome, found.killed_by, found.scenario) == (run.KILLED, ["learner"], "learner")
    assert found.field in ("policy loss", "value loss", "gradients", "last loss")
    assert (unchanged.outcome, unchanged.changed) == (run.UNCHANGED, 0)
    (learnt,) = load_learner(tmp_path / "recordings")
    assert learnt.case == first
    assert [int(table["gradient steps"]) for table in learnt.updates] == [12, 12, 12]


@pytest.mark.slow
def test_nothing_is_tried_where_the_control_does_not_run(tmp_path: Path) -> None:
    def spoilt(folder: Path) -> None:
        (folder / "scenario-0").mkdir(parents=True)
        (folder / "scenario-0" / "scenario.json").write_text("{}", encoding="utf-8")

    with refuses(kind=run.ControlFailed):
        run.run([BY_ID["half-even"]], 1, tmp_path, prepare=spoilt)


def test_nightly_says_when_its_tool_is_missing() -> None:
    with refuses():
        nightly.find_tool("no-such-tool")
