"""Judge a learner: the port's updates against the reference's, in every number on the way.

Weights alone are a weak gate (a wrong deviation of advantages moves them by 3e-6 while it moves
gradients by 3e-3), so rollouts, loss terms, raw gradients, Adam's moments and weights are all compared,
in relative terms and after every update. Source: section 13 of ``docs/learner.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from parity.engine.compare import Comparison, compare, exact
from parity.engine.measure import measure_table, of_error, relative_error
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult, Mismatch
from parity.learner.cases import LearnerCase
from parity.learner.port import Draws, part_of

LIMITS: Mapping[str, float] = {
    "observations": 2e-7,
    "values": 6e-6,
    "log probabilities": 1e-6,
    "rewards": 4e-6,
    "advantages": 5e-6,
    "returns": 4e-6,
    "observation statistics": 4e-7,
    "observation statistics, float32 batches": 5e-5,
    "reward statistics": 2e-6,
    "policy loss": 2e-6,
    "value loss": 6e-6,
    "entropy loss": 1e-6,
    "approximate KL": 2e-6,
    "clip fraction": 1e-7,
    "last loss": 3e-6,
    "explained variance": 1e-5,
    "learning rate": 3e-7,
    "clip range": 3e-7,
    "gradients": 0.0001,
    "first moments": 3e-5,
    "second moments": 2.5e-5,
    "weights": 3e-5,
}
"""Largest relative error allowed of each thing compared: a few times what an honest port reaches."""

SCALARS = {
    "policy loss": 0.1,
    "value loss": 0.0,
    "entropy loss": 0.0,
    "approximate KL": 0.01,
    "clip fraction": 1.0,
    "last loss": 0.1,
    "explained variance": 1.0,
    "learning rate": 0.0,
    "clip range": 0.0,
}
"""Numbers of a whole update, and the size below which their error is not taken relative to them.

The policy's loss is a mean of standardised advantages, whose size is one, that nearly cancel.
"""

SHARE = 0.01
"""A tensor's length counts as at least this share of all gradients', or moments'."""

WEIGHT_SHARE = 0.001
"""Likewise of all weights'; a single bias may be near zero while it is moved by rounding."""

WHEN_TRAINED = ("gradient steps", "adam steps")
AT_ROLLOUTS_END = ("terminations", "truncations")
EQUAL = ("masks", "episode_starts", "actions", *AT_ROLLOUTS_END, *WHEN_TRAINED)


class Reach(NamedTuple):
    """How far two runs drew the same, so that their numbers mean the same.

    Attributes:
        updates: whole updates.
        steps: of the next update, in which both took the same actions in the same places.
        ordered: whether the next update's minibatches have the same order.
    """

    updates: int
    steps: int
    ordered: bool


def reach_of(recorded: Draws, drawn: Draws) -> Reach:
    """Return how far a run drew what was recorded; a port with a fault soon draws something else."""
    count, length = recorded.actions.shape[:2]
    acted = (recorded.actions == drawn.actions).all(-1).reshape(-1)
    begun = (recorded.starts >= 0) & (drawn.starts >= 0) & (recorded.starts != drawn.starts)
    placed = ~begun.any(-1)
    same = np.append(acted, True) & placed
    for number in range(count):
        here = same[number * length : (number + 1) * length + 1]
        ordered = bool((recorded.orders[number] == drawn.orders[number]).all())
        steps = length if here.all() else int(np.argmin(here[:-1])) if not here[:-1].all() else length
        if not (here.all() and ordered):
            return Reach(number, steps, ordered)
    return Reach(count, 0, True)


def judge_updates(
    case: LearnerCase,
    reference: Sequence[Fields],
    port: Sequence[Fields],
    reach: Reach | None = None,
) -> CheckResult:
    """Compare updates, each with everything that led to it.

    Args:
        case: what was done.
        reference, port: tables of its updates.
        reach: how far to compare; to the end by default.
    """
    result = CheckResult("learner", case.name, 0)
    judge = _Judge(case, result)
    if not (reference or port):
        result.error = "there is no update to compare"
    try:
        for number, (theirs, ours) in enumerate(zip(reference, port, strict=True)):
            length = len(theirs["rewards"])
            if reach is None or number < reach.updates:
                judge.rollout(number, theirs, ours, length)
                judge.training(number, theirs, ours)
            elif number == reach.updates:
                judge.rollout(number, theirs, ours, reach.steps)
                if reach.steps == length and reach.ordered:
                    judge.training(number, theirs, ours)
    except ValueError as error:
        result.error = str(error)
    return result


def judge_end(case: LearnerCase, reference: Fields, port: Fields) -> CheckResult:
    """Compare where several updates in one call of the trainer's program lead to."""
    result = CheckResult("learner, trainer's program", case.name, 0)
    judge = _Judge(case, result)
    judge.tables(case.updates - 1, reference, port, ("first moments", "second moments", "weights"))
    judge.statistics(case.updates - 1, reference, port)
    judge.equal(case.updates - 1, "adam steps", reference, port)
    result.compared = case.updates
    return result


class _Judge:
    """Adds one update after another to a result."""

    def __init__(self, case: LearnerCase, result: CheckResult) -> None:
        self._case, self._result = case, result

    def rollout(self, number: int, theirs: Fields, ours: Fields, steps: int) -> None:
        """Compare a rollout: all of it, or the steps that were the same and what the next one saw."""
        length = len(theirs["rewards"])
        shown = min(steps + 1, length)
        where = f"update {number + 1}"
        for name in ("masks", "episode_starts"):
            self.equal(number, name, theirs, ours, shown)
        self.equal(number, "actions", theirs, ours, steps)
        same = theirs["actions"] == ours["actions"]
        for what, name, count in (
            ("observations", "obs", shown),
            ("values", "values", shown),
            ("log probabilities", "log_probs", shown),
            ("rewards", "rewards", steps),
        ):
            a, b = theirs[name][:count], ours[name][:count]
            if name == "log_probs":  # of the same action; not all need be in the last of these steps
                a, b = a[same[:count]], b[same[:count]]
            self._put(what, relative_error(a, b), a.size, where)
        self._result.compared += steps * theirs["rewards"].shape[1]
        if steps < length:
            return
        for what, name in (
            ("values", "last_values"),
            ("advantages", "advantages"),
            ("returns", "returns"),
        ):
            self._put(what, relative_error(theirs[name], ours[name]), theirs[name].size, where)
        for name in AT_ROLLOUTS_END:
            self.equal(number, name, theirs, ours)
        self.statistics(number, theirs, ours)

    def statistics(self, number: int, theirs: Fields, ours: Fields) -> None:
        """Compare running statistics; means in deviations, which is what they are divided by."""
        where = f"update {number + 1}"
        for what, prefix in (
            ("observation statistics", "obs"),
            ("observation statistics, float32 batches", "float32 obs"),
        ):
            if f"{prefix} mean" not in theirs:
                continue
            var = theirs[f"{prefix} var"] + 1e-8
            errors = {
                "mean": np.abs(ours["obs mean"] - theirs[f"{prefix} mean"]) / np.sqrt(var),
                "variance": np.abs(ours["obs var"] - theirs[f"{prefix} var"]) / var,
            }
            for name, error in errors.items():
                self._put(what, float(error.max()), error.size, f"{where}, {name}")
        error = relative_error(theirs["obs count"], ours["obs count"])
        self._put("observation statistics", error, 1, f"{where}, count")
        if self._case.settings.norm_reward:
            # Running returns are a few numbers that may all be small, right after episodes have ended.
            deviation = float(np.sqrt(theirs["return var"]))
            for name, floor in (
                ("return var", 0.0),
                ("return count", 0.0),
                ("running returns", deviation),
            ):
                error = relative_error(theirs[name], ours[name], floor)
                self._put("reward statistics", error, theirs[name].size, f"{where}, {name}")

    def training(self, number: int, theirs: Fields, ours: Fields) -> None:
        """Compare what was learnt: loss terms, gradients, moments, weights."""
        for name in WHEN_TRAINED:
            self.equal(number, name, theirs, ours)
        for name, floor in SCALARS.items():
            size = max(abs(float(theirs[name])), floor)
            apart = abs(float(ours[name]) - float(theirs[name]))
            error = 0.0 if apart == 0 else apart / size if size else float("inf")
            self._put(name, error, 1, f"update {number + 1}")
        self._gradients(number, theirs, ours)
        self.tables(number, theirs, ours, ("first moments", "second moments", "weights"))

    def _gradients(self, number: int, theirs: Fields, ours: Fields) -> None:
        mine, other = part_of(theirs, "gradients"), part_of(ours, "gradients")
        steps = min(len(x) for table in (mine, other) for x in table.values())
        for step in range(steps):
            where = f"update {number + 1}, minibatch {step + 1}, "
            a = {name: value[step] for name, value in mine.items()}
            b = {name: value[step] for name, value in other.items()}
            self._add("gradients", measure_table(a, b, LIMITS["gradients"], SHARE, where))

    def tables(self, number: int, theirs: Fields, ours: Fields, parts: Sequence[str]) -> None:
        """Compare tables of tensors."""
        for part in parts:
            share = WEIGHT_SHARE if part == "weights" else SHARE
            where = f"update {number + 1}, "
            mine, other = part_of(theirs, part), part_of(ours, part)
            self._add(part, measure_table(mine, other, LIMITS[part], share, where))

    def equal(
        self, number: int, name: str, theirs: Fields, ours: Fields, count: int | None = None
    ) -> None:
        """Compare what must be equal; where it is an array, its first ``count`` steps."""
        a, b = np.asarray(theirs[name]), np.asarray(ours[name])
        if count is not None:
            a, b = a[:count], b[:count]
        differs, stats = compare(exact(), a.astype(np.int64), b.astype(np.int64))
        if name in self._result.fields:
            self._result.fields[name].merge(stats)
        else:
            self._result.fields[name] = stats
        if differs.any() and self._result.first is None:
            place = tuple(int(i) for i in np.argwhere(differs)[0])
            step = place[0] if place else -1
            values = float(a[place]), float(b[place])
            self._result.first = Mismatch(number, step, name, place[1:], *values)

    def _put(self, name: str, error: float, compared: int, where: str) -> None:
        self._add(name, of_error(error, LIMITS[name], compared, where))

    def _add(self, name: str, measure: Comparison) -> None:
        measures = self._result.measures
        known = measures.get(name)
        measures[name] = measure if known is None else known.merge(measure)
        if not measure.passed and all(one.passed for key, one in measures.items() if key != name):
            # What first went wrong comes first; the rest follows from it.
            self._result.measures = {name: measures[name], **measures}
