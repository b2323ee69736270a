"""Parity checks of a pair: replayed episodes, generated states, restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engine.compare import Comparison, Tolerance, compare
from parity.engine.generate import seeded_cases
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases, record_episodes, resets_at
from parity.engine.replay import Replay, replay

EPISODE_REWARD = "episode reward"
"""What a mismatch names where the sums of an episode's rewards are too far apart."""

SHOWN_EPISODES = 6
"""Equity curves kept for the report."""


@dataclass(frozen=True)
class Mismatch:
    """One number on which the sides disagree.

    Attributes:
        lane: episode or case.
        step: step within it; -1 before the first.
        field: name; ``index`` is the place within it where it is an array.
        reference, port: the two values.
    """

    lane: int
    step: int
    field: str
    index: tuple[int, ...]
    reference: int | float | bool
    port: int | float | bool


@dataclass
class CheckResult:
    """What one check of one world saw.

    Attributes:
        check: replay, generated, restart, or a suite's own name.
        world: name of the world.
        compared: transitions, resets or rows compared; of restarts, those held against a reset.
        fields: statistics by field.
        first: the first disagreement, None if there is none.
        coverage: how often each branch was taken.
        notes: further numbers for the report.
        error: why the check could not be carried out, if it could not.
        measures: errors by what was compared, where the sides may round differently.
    """

    check: str
    world: str
    compared: int
    fields: dict[str, Comparison] = field(default_factory=dict)
    first: Mismatch | None = None
    coverage: Counter[str] = field(default_factory=Counter)
    notes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    measures: dict[str, Comparison] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """Numbers compared."""
        fields = sum(stats.compared for stats in self.fields.values())
        return fields + sum(measure.compared for measure in self.measures.values())

    @property
    def mismatches(self) -> int:
        """Numbers on which the sides disagree, and measures beyond their limits."""
        far = sum(not measure.passed for measure in self.measures.values())
        return sum(stats.mismatches for stats in self.fields.values()) + far

    @property
    def passed(self) -> bool:
        """Whether nothing disagreed and the check was carried out."""
        return self.mismatches == 0 and self.first is None and not self.error

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "check": self.check,
            "world": self.world,
            "compared": self.compared,
            "numbers": self.numbers,
            "fields": {name: one.counts() for name, one in self.fields.items()},
            "first": None if self.first is None else asdict(self.first),
            "coverage": dict(self.coverage),
            "notes": self.notes,
            "error": self.error,
            "measures": {name: one.largest() for name, one in self.measures.items()},
            "mismatches": self.mismatches,
            "passed": self.passed,
        }


def compare_fields(
    rules: Mapping[str, Tolerance], reference: Fields, port: Fields, valid: NDArray[np.bool_]
) -> tuple[dict[str, Comparison], list[Mismatch]]:
    """Compare all fields of two sets of lanes.

    Args:
        rules: tolerance by field name.
        reference, port: fields of shape (N, ...) or (N, L, ...).
        valid: bool (N,) or (N, L), which of them count.

    Returns:
        Statistics by field, and the first mismatch of every field in order of lane and step.

    Raises:
        ValueError: a side reads a field that the other doesn't, or that has no rule.
    """
    if set(reference) != set(port) or not set(reference) <= set(rules):
        odd = sorted((set(reference) ^ set(port)) | (set(reference) - set(rules)))
        raise ValueError(f"fields without a counterpart or a rule: {', '.join(odd)}")
    stats, firsts = {}, []
    for name in reference:
        a, b = reference[name], port[name]
        differs, stats[name] = compare(rules[name], a, b, valid)
        if differs.any():
            where = tuple(int(i) for i in np.argwhere(differs)[0])
            step = where[1] if valid.ndim == 2 else -1
            place = where[valid.ndim :]
            firsts.append(Mismatch(where[0], step, name, place, a[where].item(), b[where].item()))
    return stats, firsts


def check_recording(pair: Pair, recording: Recording, played: Replay, check: str) -> CheckResult:
    """Hold a replay against its recording, every field of every step."""
    world = pair.worlds[int(recording.worlds[0])]
    lanes = np.ones(len(recording.worlds), bool)
    try:
        stats, firsts = compare_fields(pair.rules, recording.before, played.before, lanes)
        after, more = compare_fields(pair.rules, recording.after, played.after, recording.valid)
    except ValueError as error:
        return CheckResult(check, world, recording.transitions, error=str(error))
    for name, value in after.items():
        if name in stats:
            stats[name].merge(value)
        else:
            stats[name] = value
    order = sorted(firsts + more, key=lambda m: (m.lane, m.step))
    result = CheckResult(check, world, recording.transitions, stats, order[0] if order else None)
    before = shifted(recording.before, recording.after)
    taken = recording.valid
    result.coverage = Counter(
        pair.coverage(
            {name: value[taken] for name, value in before.items()},
            recording.actions[taken],
            {name: value[taken] for name, value in recording.after.items()},
        )
    )
    return result


def shifted(before: Fields, after: Fields) -> Fields:
    """Return the fields before each step, (N, L, ...): those of ``before``, then of ``after``."""
    return {
        name: np.concatenate([first[:, None], after[name][:, :-1]], axis=1)
        for name, first in before.items()
    }


def check_restarts(
    pair: Pair,
    recording: Recording,
    played: Replay,
    check: str = "restart",
    most: int | None = None,
) -> CheckResult:
    """Hold the port's restarts against the reference's reset at the start the port chose.

    Where an episode ended the port must have restarted, at one of the world's starts, with what
    the reference shows there; where none ended, it must hand out the final state untouched.

    Args:
        pair: the pair; its reference is reset.
        recording, played: what both sides did.
        check: name of the check.
        most: how many restarts are held against a reset; all by default.
    """
    world = int(recording.worlds[0])
    taken = recording.valid
    ended = recording.after["terminated"] | recording.after["truncated"]
    result = CheckResult(check, pair.worlds[world], 0)
    wrong = (played.restarted != ended) & taken
    if wrong.any():
        lane, step = (int(i) for i in np.argwhere(wrong)[0])
        values = float(ended[lane, step]), float(played.restarted[lane, step])
        result.first = Mismatch(lane, step, "restarted", (), *values)
        return result
    if not (played.untouched | ~taken).all():
        lane, step = (int(i) for i in np.argwhere(~played.untouched & taken)[0])
        result.first = Mismatch(lane, step, "state handed out without a restart", (), 1.0, 0.0)
        return result
    lanes = np.flatnonzero((ended & taken).any(1))[:most]
    result.compared = len(lanes)
    restart = {name: value[lanes] for name, value in played.restart.items()}
    worlds, starts = pair.begun(restart)
    expected = {name: value[:0] for name, value in restart.items()}
    places = np.zeros(0, int)
    for number in np.unique(worlds):
        here = worlds == number
        known = np.isin(starts, np.asarray(pair.starts[number])) & here
        if (known != here).any():
            bad = int(np.argmax(known != here))
            result.first = Mismatch(int(lanes[bad]), -1, "restarted at", (), -1.0, float(starts[bad]))
            return result
        shown = resets_at(pair, int(number), starts[here])
        if len(places):  # of a world before this one
            shown = {name: np.concatenate([expected[name], value]) for name, value in shown.items()}
        expected, places = shown, np.concatenate([places, np.flatnonzero(here)])
    expected = {name: value[np.argsort(places)] for name, value in expected.items()}
    every = np.ones(len(lanes), bool)
    try:
        result.fields, firsts = compare_fields(pair.rules, expected, restart, every)
    except ValueError as error:
        result.error = str(error)
        return result
    if firsts:
        first = min(firsts, key=lambda one: one.lane)
        result.first = replace(first, lane=int(lanes[first.lane]))
    result.coverage["restarts"] = len(lanes)
    result.notes["distinct_starts"] = len(np.unique(starts))
    return result


def episode_rewards(after: Fields, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the sum of each lane's rewards in float64, (N,)."""
    return np.asarray(np.where(valid, after["reward"].astype(np.float64), 0).sum(1))


def check_replay(pair: Pair, world: int, episodes: int, seed: int) -> list[CheckResult]:
    """Replay seeded episodes on both sides; return the replay's result and the restarts'."""
    rng = np.random.default_rng([seed, world, 1])
    recording = record_episodes(pair, world, episodes, rng)
    return judge_replay(pair, recording, replay(pair, recording, seed))


def judge_replay(pair: Pair, recording: Recording, played: Replay) -> list[CheckResult]:
    """Compare a replay with its recording: every field, the episodes' rewards, the restarts."""
    result = check_recording(pair, recording, played, "replay")
    result.notes["episodes"] = len(recording.labels)
    result.notes["policies"] = dict(Counter(recording.labels))
    if result.error:
        why = "not carried out, as the replay could not be compared"
        return [result, CheckResult("restart", result.world, 0, error=why)]
    mine = episode_rewards(recording.after, recording.valid)
    theirs = episode_rewards(played.after, recording.valid)
    # Rewards that cancel leave a sum of which rounding alone is a large part.
    rewards = np.abs(recording.after["reward"].astype(np.float64))
    travelled = np.where(recording.valid, rewards, 0).sum(1)
    size = np.maximum(np.abs(mine), np.maximum(1e-5 * travelled, 1e-9))
    deviation = np.abs(theirs - mine) / size
    result.notes["reward_deviation_max"] = float(deviation.max())
    result.notes["reward_deviation_limit"] = pair.max_deviation
    result.notes["curves"] = [
        _curve(pair, recording, played, lane) for lane in range(min(SHOWN_EPISODES, len(mine)))
    ]
    if not deviation.max() <= pair.max_deviation and result.first is None:
        lane = int(deviation.argmax())
        result.first = Mismatch(lane, -1, EPISODE_REWARD, (), mine[lane], theirs[lane])
    return [result, check_restarts(pair, recording, played)]


def _curve(pair: Pair, recording: Recording, played: Replay, lane: int) -> dict[str, Any]:
    """Return both sides' curve of one episode: balance, or rewards where there is none."""
    end = int(recording.lengths[lane])
    name = "balance" if "balance" in recording.after else "reward"
    return {
        "field": name,
        "policy": recording.labels[lane],
        "start": int(recording.starts[lane]),
        "reference": recording.after[name][lane, :end].astype(float).tolist(),
        "port": played.after[name][lane, :end].astype(float).tolist(),
    }


def check_generated(
    pair: Pair,
    world: int,
    count: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[CheckResult, list[Case]]:
    """Step generated cases on both sides; return the result and the cases."""
    cases = seeded_cases(pair, world, count, np.random.default_rng([seed, world, 2]))
    recording = record_cases(pair, cases)
    if progress:
        progress(count)
    return judge_cases(pair, recording, replay(pair, recording, seed)), cases


def judge_cases(pair: Pair, recording: Recording, played: Replay) -> CheckResult:
    """Compare injected transitions and count the corners they came from."""
    result = check_recording(pair, recording, played, "generated")
    result.notes["corners"] = dict(Counter(recording.labels))
    return result


def diverges(pair: Pair, cases: Sequence[Case]) -> NDArray[np.bool_]:
    """Return which cases the two sides disagree on: bool (N,)."""
    recording = record_cases(pair, cases)
    played = replay(pair, recording)
    bad = np.zeros(len(cases), bool)
    for mine, theirs in ((recording.before, played.before), (recording.after, played.after)):
        for name, value in mine.items():
            differs, _ = compare(pair.rules[name], value, theirs[name])
            bad |= differs.reshape(len(cases), -1).any(1)
    return bad
