"""The measurement on a little: samples, shards, scores, judges of two real mutants, going on."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from foundation.files import file_digest
from foundation.import_closure import PACKAGES_ROOT
from parity.mutants.sampled import run
from parity.mutants.sampled.judges import (
    Fate,
    Judges,
    make_tree,
    nearest_tests,
    reached,
    run_tests,
)
from parity.mutants.sampled.modules import changed_modules, draw_changes, modules
from parity.mutants.sampled.run import SUMMARY, command
from parity.mutants.sampled.summary import TESTS, summarize
from parity.mutants.sampled.warm import Ran
from parity.mutants.sandbox import Sandbox
from parity.mutation.lines import LINES, read_lines
from parity.mutation.operators import Change, changes_of
from parity.mutation.sample import shard
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED, score_of
from tests.sentences import check_error, refuses

GAE, LIMITS = "jax_port/ppo/gae.py", "markets/limits.py"
FEW = [GAE, LIMITS, "jax_port/export/manifest.py"]


def test_what_trains_evaluates_and_exports_is_mutated_and_judges_are_not() -> None:
    names = modules(PACKAGES_ROOT)
    assert {GAE, LIMITS, "jax_port/runs/run.py", "jax_port/export/sb3.py"} <= set(names)
    assert {"jax_port/evaluation/metrics.py", "jax_port/data/held_out.py"} <= set(names)
    assert not [name for name in names if name.startswith(("parity/", "legacy_torch/"))]


def test_what_proves_can_be_mutated_instead() -> None:
    names = modules(PACKAGES_ROOT, proof=True)
    assert {"parity/engine/compare.py", "parity/harness/judge.py", "parity/admission.py"} <= set(names)
    assert {"parity/learner/judge.py", "parity/export_chain/verify.py"} <= set(names)
    assert not [name for name in names if name.startswith(("parity/mutants/", "parity/mutation/"))]
    assert not set(names) & set(modules(PACKAGES_ROOT))
    drawn = draw_changes(PACKAGES_ROOT, 2, 1, ["parity/admission.py"], proof=True)
    assert {change.file for change in drawn} == {"parity/admission.py"}
    with refuses():
        draw_changes(PACKAGES_ROOT, 3, 0, [GAE], proof=True)


def test_slips_of_wiring_can_be_drawn_instead() -> None:
    plain, wiring = (
        draw_changes(PACKAGES_ROOT, 40, 1, [GAE], slips=slips)
        for slips in ("of one token", "of wiring")
    )
    assert {"arithmetic", "constant"} <= {change.operator for change in plain}
    assert {"another variable", "arguments swapped"} <= {change.operator for change in wiring}
    assert not {change.operator for change in plain} & {change.operator for change in wiring}


@pytest.mark.costly
def test_a_sample_is_seeded_spread_over_modules_and_cut_into_shards() -> None:
    drawn = draw_changes(PACKAGES_ROOT, 30, 1, FEW)
    assert Counter(change.file for change in drawn) == dict.fromkeys(FEW, 10)
    assert draw_changes(PACKAGES_ROOT, 12, 1, FEW) == drawn[:12]
    assert draw_changes(PACKAGES_ROOT, 30, 2, FEW) != drawn
    parts = [shard(drawn, number, 4) for number in (1, 2, 3, 4)]
    assert sorted(repr(change) for part in parts for change in part) == sorted(map(repr, drawn))
    with refuses():
        shard(drawn, 5, 4)
    with refuses():
        draw_changes(PACKAGES_ROOT, 3, 0, ["nowhere.py"])


@pytest.mark.costly
def test_files_that_differ_from_a_commit_are_chosen() -> None:
    with refuses():
        changed_modules(PACKAGES_ROOT, "no-such-commit")
    git = ["git", "-C", str(PACKAGES_ROOT)]
    if subprocess.run(
        [*git, "rev-parse", "--verify", "HEAD"], check=False, capture_output=True
    ).returncode:
        pytest.skip("not a checkout of git")
    listed = subprocess.run(
        [*git, "diff", "--name-only", "HEAD"], check=True, capture_output=True, text=True
    )
    differ = set(listed.stdout.split())
    assert changed_modules(PACKAGES_ROOT, "HEAD") == sorted(differ & set(modules(PACKAGES_ROOT)))
    nothing = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name of the empty tree
    assert changed_modules(PACKAGES_ROOT, nothing) == sorted(modules(PACKAGES_ROOT))


@pytest.mark.costly
def test_tests_are_those_that_import_the_file_nearest_first() -> None:
    found = nearest_tests(PACKAGES_ROOT, LIMITS)
    assert found[0] == "tests/markets/test_limits.py"
    assert "tests/jax_port/data/test_data_loader.py" in found
    assert not [name for name in found if name.startswith(("tests/benchmarks", "tests/docs"))]
    assert GAE in reached(PACKAGES_ROOT, "parity.mutants.child")


def _change(file: str, old: str, new: str) -> Change:
    source = (PACKAGES_ROOT / file).read_bytes()
    start = source.index(old.encode())
    return Change(file, 1, "by hand", start, start + len(old.encode()), old, new)


def test_a_checkout_of_links_holds_one_change(tmp_path: Path) -> None:
    change = changes_of(LIMITS, (PACKAGES_ROOT / LIMITS).read_bytes())[0]
    make_tree(PACKAGES_ROOT, tmp_path / "tree", change)
    assert (tmp_path / "tree" / "jax_port").is_symlink()
    there, here = (
        {one.name for one in folder.iterdir()} for folder in (PACKAGES_ROOT, tmp_path / "tree")
    )
    assert {name for name in there if not name.startswith(".")} == here >= {"README.md", "tests"}
    made = (tmp_path / "tree" / LIMITS).read_bytes()
    assert made == change.apply((PACKAGES_ROOT / LIMITS).read_bytes()) != made[:-1]
    assert (PACKAGES_ROOT / LIMITS).read_bytes() != made


@pytest.mark.costly
def test_tests_judge_a_real_fault_and_a_change_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearest = ("tests/markets/test_limits.py",)
    monkeypatch.setattr("parity.mutants.sampled.judges.nearest_tests", lambda root, file: nearest)
    judges = Judges(PACKAGES_ROOT, Sandbox(tmp_path), 120.0)
    fault = _change(LIMITS, "if max(worst, scaled) > INT32_MAX", "if max(worst, scaled) < 0")
    fate = judges.judge(fault, 0)
    assert fate.outcome == TESTS
    assert "test_limits.py" in fate.by
    idle = _change(LIMITS, "if max(worst, scaled) > INT32_MAX", "if max(scaled, worst) > INT32_MAX")
    assert judges.judge(idle, 1) == Fate(SURVIVED)
    assert not list(tmp_path.glob("change-*"))


def _line(file: str, outcome: str, old: str = "1") -> dict[str, Any]:
    return {
        "file": file,
        "line": 1,
        "operator": "constant",
        "start": 0,
        "end": 1,
        "old": old,
        "new": "2",
        "before": f"x = {old}",
        "after": "x = 2",
        "outcome": outcome,
        "by": "",
    }


def test_a_score_has_its_interval_by_module_and_leaves_out_what_is_equivalent() -> None:
    lines = [_line("a.py", "gate")] * 3 + [_line("a.py", "survived"), _line("b.py", "not judged")]
    told = summarize([*lines, _line("b.py", "survived", "7")], [("b.py", "x = 7", "x = 2")])
    assert told["all"]["score"] == 0.75
    low, high = told["all"]["interval"]
    assert 0.25 < low < 0.75 < high < 1.0
    assert told["by_module"]["b.py"]["score"] is None
    assert told["equivalent"] == 1
    assert [one["file"] for one in told["survivors"]] == ["a.py"]
    assert score_of([], [])["score"] is None


@pytest.mark.costly
def test_a_run_that_was_cut_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def judge(waiting: Any, *rest: Any) -> Any:
        *_, path, before, _ = rest
        asked.append(len(waiting))
        made = [
            {**_line(one.file, "gate"), "start": one.start, "end": one.end, "old": one.old}
            | {"new": one.new}
            for one in waiting
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in [*before, *made]) + '{"file": "')
        return made

    monkeypatch.setattr(run, "_judge", judge)
    arguments = ["--count", "9", "--out", str(tmp_path)]
    for name in FEW:
        arguments += ["--file", name]
    for most in ("4", "20", "20"):
        result = CliRunner().invoke(command, [*arguments, "--most", most])
        assert result.exit_code == 0, result.output
    assert asked == [4, 5]
    assert len(read_lines(tmp_path / LINES)) == 9
    assert json.loads((tmp_path / SUMMARY).read_text())["all"]["score"] == 1.0


@pytest.mark.costly
def test_a_score_is_of_the_sample_that_is_asked_for_and_of_files_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may hold another sample, and what was judged in a file that was changed since."""
    asked: list[list[Change]] = []

    def judge(waiting: Any, *rest: Any) -> Any:
        asked.append(list(waiting))
        return []

    monkeypatch.setattr(run, "_judge", judge)
    mine, theirs = (draw_changes(PACKAGES_ROOT, 4, seed, [GAE]) for seed in (1, 2))
    theirs = [change for change in theirs if change not in mine]
    source = file_digest(PACKAGES_ROOT / GAE)
    kept = {"before": "", "after": "", "by": ""}
    lines = [
        *({**asdict(change), **kept, "outcome": "survived", "source": source} for change in theirs),
        {**asdict(mine[0]), **kept, "outcome": "gate", "source": source},
        {**asdict(mine[1]), **kept, "outcome": "gate"},  # of before there was such a field
        {**asdict(mine[2]), **kept, "outcome": "survived", "source": "0"},
        {**asdict(mine[3]), **kept, "file": "gone.py", "outcome": "survived", "source": "0"},
    ]
    (tmp_path / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["--count", "4", "--seed", "1", "--file", GAE, "--out", str(tmp_path)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert asked == [mine[2:]]
    told = json.loads((tmp_path / SUMMARY).read_text())
    assert (told["all"]["gate"], told["survivors"]) == (2, [])


def test_a_failing_test_of_a_long_name_is_told_whole() -> None:
    name = f"tests/test_a.py::test_b[{'long ' * 80}]"

    def pytest_says(arguments: Any, cwd: Path, env: Any, seconds: float) -> Ran:
        return Ran(1, f"..F\nFAILED {name} - AssertionError: no\n1 failed\n")

    fate = run_tests(["tests/test_a.py"], Path(), Path(), 1.0, pytest_says)
    assert fate == Fate(TESTS, f"FAILED {name} - AssertionError: no")


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--shard", "x", "--out", str(tmp_path)])
    check_error(result.exception)
    (tmp_path / LINES).write_text("{}\nnot json\n{}\n")
    with refuses():
        read_lines(tmp_path / LINES)


def test_a_checkout_that_a_test_wrote_to_judges_nothing_more(tmp_path: Path) -> None:
    """A test may follow a link of the mutant's tree into the checkout itself."""
    file = tmp_path / "markets/prices.py"
    file.parent.mkdir()
    file.write_text("ONE = 1\n")
    before = run.stamps(tmp_path)
    run.require_unchanged(tmp_path, before)
    file.write_text("ONE = 1\nEDITED = True\n")
    with refuses():
        run.require_unchanged(tmp_path, before)
    file.unlink()
    with refuses():
        run.require_unchanged(tmp_path, before)


@pytest.mark.costly
def test_what_took_too_long_is_judged_again_with_more_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[Change], list[str]]] = []

    def judge(waiting: Any, *rest: Any) -> Any:
        *_, before, _ = rest
        asked.append((list(waiting), [line["by"] for line in before]))
        return []

    monkeypatch.setattr(run, "_judge", judge)
    mine = draw_changes(PACKAGES_ROOT, 5, 1, [GAE])
    kept = {"before": "", "after": "", "source": file_digest(PACKAGES_ROOT / GAE)}
    fates: list[dict[str, Any]] = [
        {"outcome": "not judged", "patience": 20.0, "by": "a"},
        {"outcome": "survived", "by": "b"},
        {"outcome": "not judged", "by": "of before there was such a field"},
        {"outcome": "not judged", "patience": 300.0, "by": "d"},
        {"outcome": "tests", "by": "e"},
    ]
    lines = [{**asdict(change), **kept, **fate} for change, fate in zip(mine, fates, strict=True)]
    written = "".join(json.dumps(line) + "\n" for line in lines)
    arguments = ["--count", "5", "--seed", "1", "--file", GAE, "--out", str(tmp_path)]
    for patience in ("20", "20.5", "301"):
        (tmp_path / LINES).write_text(written)
        result = CliRunner().invoke(command, [*arguments, "--patience", patience])
        assert result.exit_code == 0, result.output
    assert asked == [
        ([mine[2]], ["a", "b", "d", "e"]),
        ([mine[0], mine[2]], ["b", "d", "e"]),
        ([mine[0], mine[2], mine[3]], ["b", "e"]),
    ]


@pytest.mark.parametrize(
    ("alone", "files", "outcome"),
    [
        (Ran(None, ""), Ran(0, ""), UNJUDGED),
        (Ran(None, ""), Ran(1, "FAILED tests/test_b.py::test_b - no"), TESTS),
        (Ran(None, ""), Ran(None, ""), UNJUDGED),
        (Ran(0, ""), Ran(None, ""), UNJUDGED),
        (Ran(0, ""), Ran(1, "FAILED tests/test_b.py::test_b - no"), TESTS),
        (Ran(0, ""), Ran(0, ""), SURVIVED),
        (Ran(1, "FAILED tests/test_a.py::test_a - no"), Ran(0, ""), TESTS),
        (Ran(4, "ImportError while loading conftest\nNameError: no"), Ran(0, ""), CRASHED),
    ],
)
def test_what_tests_asked_alone_say_is_not_forgotten_for_what_files_say(
    alone: Ran, files: Ran, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("tests/markets/test_limits.py::test_a",), ("tests/markets/test_limits.py",)
    monkeypatch.setattr(Judges, "tests_for", lambda self, change: asked)

    def pytest_says(arguments: Any, cwd: Path, env: Any, seconds: float) -> Ran:
        if not cwd.is_relative_to(tmp_path):
            return Ran(0, "")  # of the unchanged code
        return alone if arguments[-1] in asked[0] else files

    judges = Judges(PACKAGES_ROOT, Sandbox(tmp_path), 1.0, pytest=pytest_says)
    change = _change(LIMITS, "if max(worst, scaled) > INT32_MAX", "if max(worst, scaled) < 0")
    assert judges.judge(change, 0).outcome == outcome
