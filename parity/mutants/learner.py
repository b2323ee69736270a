"""Learner recordings for mutants: recorded once, then any port is held against them.

A port with a fault soon takes other actions than the sound one did. It is compared up to there: what a
policy saw, and all updates before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from foundation.files import write_json
from foundation.json_reading import read_json
from parity.engine.compare import Array
from parity.engine.pair import Fields
from parity.learner.cases import LearnerCase, small_cases
from parity.learner.definition import check_definition
from parity.learner.drawn import drawn_cases
from parity.learner.judge import judge_updates, reach_of
from parity.learner.port import Draws, make_params, run_port
from parity.learner.suite import LearnerRun, check_decisions, check_drawn
from parity.mutants.findings import Findings
from parity.mutants.recordings import RECORD, numbered
from parity.suites.randomness import check_learner_draws

SCENARIO, SEED = "learner", 0


@dataclass(frozen=True)
class RecordedLearner:
    """One case of a learner with what the reference made of it.

    Attributes:
        case: what was done.
        weights: before.
        draws: of the sound port, which the reference was told.
        updates: tables of the reference.
        decisions: likeliest actions, of :func:`parity.learner.suite.decision_cases`.
    """

    case: LearnerCase
    weights: Fields
    draws: Draws
    updates: Sequence[Fields]
    decisions: Array


def make_learner(folder: Path, only: Sequence[LearnerCase] | None = None, seed: int = 0) -> None:
    """Drive both learners and write what a child needs.

    Args:
        folder: of the recordings.
        only: cases to use instead of the gate's with small networks, and of the drawn ones.
        seed: of weights, environments and draws.
    """
    cases = [*small_cases(seed), *drawn_cases(seed)] if only is None else only
    for number, case in enumerate(cases):
        run = LearnerRun(case)
        place = folder / f"learner-{number}"
        place.mkdir(parents=True)
        arrays = {
            "decisions": run.decisions,
            **{f"weights:{name}": value for name, value in run.weights.items()},
            **{f"draws:{name}": value for name, value in run.port.draws._asdict().items()},
            **{
                f"{index}:{name}": value
                for index, table in enumerate(run.updates)
                for name, value in table.items()
            },
        }
        recorded = {name: np.asarray(value, order="C") for name, value in arrays.items()}
        save_file(recorded, place / "recorded.safetensors")
        write_json(place / "case.json", {"case": run.case.about(), "updates": len(run.updates)})


def load_learner(folder: Path) -> list[RecordedLearner]:
    """Read what :func:`make_learner` wrote."""
    return [_load(place) for place in numbered(folder, "learner")]


def _load(place: Path) -> RecordedLearner:
    about = read_json(place / "case.json", dict[str, Any], RECORD)
    arrays = load_file(place / "recorded.safetensors")

    def part(name: str) -> Fields:
        prefix = f"{name}:"
        return {k.removeprefix(prefix): x for k, x in arrays.items() if k.startswith(prefix)}

    return RecordedLearner(
        case=LearnerCase.from_about(about["case"]),
        weights=part("weights"),
        draws=Draws(**part("draws")),
        updates=[part(str(number)) for number in range(about["updates"])],
        decisions=arrays["decisions"],
    )


def try_learner(findings: Findings, learners: Sequence[RecordedLearner], everything: bool) -> None:
    """Hold the port's learner against the recordings.

    Args:
        findings: where to put what judges say and what the port put out.
        learners: in the order in which to try them.
        everything: go on after the first case to which a judge objects.
    """
    for number, one in enumerate(learners):
        if number == 0:
            decisions = check_decisions(one.case, one.decisions)
            findings.judge(SCENARIO, decisions)
            findings.put(f"{SCENARIO}/decisions", np.array([decisions.mismatches]))
        if findings.killed and not everything:
            return
        run = run_port(one.case, one.weights, make_params(one.case))
        reach = reach_of(one.draws, run.draws)
        findings.judge(SCENARIO, judge_updates(one.case, one.updates, run.updates, reach))
        if everything or not findings.killed:
            findings.judge(SCENARIO, check_definition(one.case, one.weights, run))
        findings.judge(SCENARIO, check_drawn(one.case, run))
        for index, table in enumerate(run.updates):
            for name, value in table.items():
                findings.put(f"{SCENARIO}/{one.case.name}/{index}/{name}", np.asarray(value))
    if everything or not findings.killed:
        result, drawn = check_learner_draws(SEED)
        findings.judge(SCENARIO, result)
        for name, numbers in drawn._asdict().items():
            findings.put(f"{SCENARIO}/draws/{name}", numbers)
