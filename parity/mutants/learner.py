"""Learners as mutants are tried on them: recorded once, then any port is held against the recording.

A port with a fault soon takes other actions than the sound one did. It is compared up to there: what a
policy saw, and all updates before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from parity.engine.compare import Array
from parity.engine.pair import Fields
from parity.engine.report import write_json
from parity.learner.cases import LearnerCase, small_cases
from parity.learner.judge import judge_updates, reach_of
from parity.learner.port import Draws, make_params, run_port
from parity.learner.suite import LearnerRun, check_decisions, check_drawn

if TYPE_CHECKING:
    from parity.mutants.child import Findings

BED = "learner"


@dataclass(frozen=True)
class Learnt:
    """What the reference made of one case.

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
        folder: of the material.
        only: cases to use instead of :func:`parity.learner.cases.small_cases`.
        seed: of weights, environments and draws.
    """
    for number, case in enumerate(small_cases(seed) if only is None else only):
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


def load_learner(folder: Path) -> list[Learnt]:
    """Read what :func:`make_learner` wrote."""
    return [_load(place) for place in sorted(folder.glob("learner-*"))]


def _load(place: Path) -> Learnt:
    about = json.loads((place / "case.json").read_text(encoding="utf-8"))
    arrays = load_file(place / "recorded.safetensors")

    def part(name: str) -> Fields:
        prefix = f"{name}:"
        return {k.removeprefix(prefix): x for k, x in arrays.items() if k.startswith(prefix)}

    return Learnt(
        case=LearnerCase.from_about(about["case"]),
        weights=part("weights"),
        draws=Draws(**part("draws")),
        updates=[part(str(number)) for number in range(about["updates"])],
        decisions=arrays["decisions"],
    )


def try_learner(found: Findings, learnt: Sequence[Learnt], everything: bool) -> None:
    """Hold the port's learner against the recordings.

    Args:
        found: where to put what judges say and what the port put out.
        learnt: in the order in which to try them.
        everything: go on after the first case to which a judge objects.
    """
    for number, one in enumerate(learnt):
        if number == 0:
            decided = check_decisions(one.case, one.decisions)
            found.judge(BED, decided)
            found.put(f"{BED}/decisions", np.array([decided.mismatches]))
        if found.killed and not everything:
            return
        run = run_port(one.case, one.weights, make_params(one.case))
        reach = reach_of(one.draws, run.draws)
        found.judge(BED, judge_updates(one.case, one.updates, run.updates, reach))
        found.judge(BED, check_drawn(one.case, run))
        for index, table in enumerate(run.updates):
            for name, value in table.items():
                found.put(f"{BED}/{one.case.name}/{index}/{name}", np.asarray(value))
