"""What a child process reads of a recorded learner is what was recorded, late ones included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.engine.verify import CheckResult
from parity.learner.cases import LearnerCase, small_cases
from parity.learner.drawn import drawn_cases
from parity.learner.port import Draws
from parity.mutants import learner
from parity.mutants.findings import Findings
from parity.mutants.learner import load_learner, make_learner, try_learner


@pytest.mark.slow
def test_the_sound_port_passes_what_was_recorded_of_it(tmp_path: Path) -> None:
    late = next(case for case in drawn_cases(0) if case.late is not None)
    make_learner(tmp_path, [late])
    findings = Findings()
    try_learner(findings, load_learner(tmp_path), everything=True)
    assert not findings.killed, findings.killed


def seeded(case: LearnerCase, seed: int) -> LearnerCase:
    return replace(case, settings=case.settings.override(seed=seed))


class Run:
    """A run of both learners that is known already: as many updates as its case's number."""

    def __init__(self, case: LearnerCase) -> None:
        seed = case.settings.seed
        rng, updates = np.random.default_rng(seed), 2 + seed % 2
        self.case = seeded(case, seed + 100)  # the first that could be compared
        self.decisions = rng.integers(0, 3, 7)
        self.weights = {"a.b": rng.normal(size=(2, 3)).astype(np.float32).T, "a": np.ones(4)}
        draws = (rng.integers(0, 3, (updates, 4, 2)), rng.integers(0, 9, (9, 2)), rng.permutation(8))
        self.port = SimpleNamespace(draws=Draws(*draws))
        self.updates = [
            {"loss": np.array(n + 0.5), "gradients:a": rng.normal(size=3), "1:x": np.ones(n + 1)}
            for n in range(updates)
        ]


def same(one: Any, two: Any) -> bool:
    """Say whether fields are the same, in name, dtype, shape and number."""
    return set(one) == set(two) and all(
        one[name].dtype == np.asarray(two[name]).dtype and np.array_equal(one[name], two[name])
        for name in one
    )


def test_each_case_is_read_as_it_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "LearnerRun", Run)
    late = next(case for case in drawn_cases(0) if case.late is not None)
    cases = [*small_cases(0)[:2], late]
    cases = [seeded(case, number) for number, case in enumerate(cases)]
    make_learner(tmp_path, cases)
    for case, read in zip(cases, load_learner(tmp_path), strict=True):
        made = Run(case)
        assert read.case == made.case
        assert read.decisions.tolist() == made.decisions.tolist()
        assert same(read.weights, made.weights)
        assert same(read.draws._asdict(), made.port.draws._asdict())
        assert len(read.updates) == len(made.updates) == 2 + case.settings.seed % 2
        assert all(same(one, two) for one, two in zip(read.updates, made.updates, strict=True))


def test_small_and_drawn_cases_of_the_seed_are_recorded_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "LearnerRun", Run)
    make_learner(tmp_path, seed=3)
    every = (*small_cases(3), *drawn_cases(3))
    expected = [seeded(case, case.settings.seed + 100) for case in every]
    assert [one.case for one in load_learner(tmp_path)] == expected


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("killing", ["", "decisions 0", "updates 0", "updates 1", "drawn 1", "draws"])
def test_each_case_is_judged_by_all_judges_until_one_objects(
    killing: str, everything: bool, monkeypatch: Any
) -> None:
    asked: list[str] = []

    def result(name: str) -> CheckResult:
        asked.append(name)
        return CheckResult(name, "", 1, error="planted" if name == killing else "")

    def updates(case: Any, theirs: Any, own: Any, reach: Any) -> CheckResult:
        assert (theirs, own[0]["x"].tolist()) == (f"updates {case.name}", [int(case.name), 7])
        assert reach == f"told {case.name}, drew {case.name}"
        return result(f"updates {case.name}")

    def defined(case: Any, weights: Any, run: Any) -> CheckResult:
        assert (weights, run.draws) == (f"weights {case.name}", f"drew {case.name}")
        return result(f"definition {case.name}")

    def run_port(case: Any, weights: Any, params: Any) -> Any:
        assert (weights, params) == (f"weights {case.name}", f"params {case.name}")
        tables = [{"x": np.array([int(case.name), 7])}, {"x": np.array([int(case.name), 8]), "y": 2}]
        return SimpleNamespace(draws=f"drew {case.name}", updates=tables)

    monkeypatch.setattr(learner, "check_decisions", lambda case, d: result(f"decisions {d}"))
    monkeypatch.setattr(learner, "make_params", lambda case: f"params {case.name}")
    monkeypatch.setattr(learner, "run_port", run_port)
    monkeypatch.setattr(learner, "reach_of", lambda told, drew: f"{told}, {drew}")
    monkeypatch.setattr(learner, "judge_updates", updates)
    monkeypatch.setattr(learner, "check_definition", defined)
    monkeypatch.setattr(learner, "check_drawn", lambda case, run: result(f"drawn {case.name}"))
    drawn = Draws(np.arange(2), np.arange(3), np.arange(4))
    monkeypatch.setattr(learner, "check_learner_draws", lambda seed: (result("draws"), drawn))
    cases: Any = [
        SimpleNamespace(
            case=SimpleNamespace(name=f"{number}"),
            weights=f"weights {number}",
            draws=f"told {number}",
            updates=f"updates {number}",
            decisions=number,
        )
        for number in range(2)
    ]
    findings = Findings()
    try_learner(findings, cases, everything)
    of_cases = [["updates 0", "definition 0", "drawn 0"], ["updates 1", "definition 1", "drawn 1"]]
    whole = ["decisions 0", *of_cases[0], *of_cases[1], "draws"]
    if everything or not killing:
        assert asked == whole
    else:
        few = {
            "decisions 0": ["decisions 0"],
            "updates 0": ["decisions 0", "updates 0", "drawn 0"],
            "updates 1": [*whole[:5], "drawn 1"],
            "drawn 1": whole[:-1],
            "draws": whole,
        }
        assert asked == few[killing]
    assert [check.check for _, check in findings.checks] == asked
    assert {scenario for scenario, _ in findings.checks} == {"learner"}
    assert findings.killed == bool(killing)
    if everything or not killing:
        expected = {
            "learner/decisions": np.array([0]),
            **{f"learner/{case}/0/x": np.array([case, 7]) for case in range(2)},
            **{f"learner/{case}/1/x": np.array([case, 8]) for case in range(2)},
            **{f"learner/{case}/1/y": np.array(2) for case in range(2)},
            **{f"learner/draws/{name}": value for name, value in drawn._asdict().items()},
        }
        wanted = Findings()
        for name, value in expected.items():
            wanted.put(name, value)
        assert findings.outputs == wanted.outputs
