"""Resets and steps from the same random numbers: what the reference drew is handed to the port.

Two samples of starts differ visibly only where their distributions do so by some hundredths. With the
same draws the start is a function like a step, and every digit of it is compared in double precision.
Draws beside a limit that they are compared with are tried on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from foundation.errors import InputError
from parity.harness.cases import Cases
from parity.harness.compare import differ_in_double, farthest, spacing
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.aimed_draws import Aimed, aimed
from parity.harness.modes.recorded_draws import KINDS, Draws, Handed, recording
from parity.harness.modes.replayed_draws import Given, replaying
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide, Watch
from parity.harness.sides.side import OUTCOME, outcome_of
from parity.harness.trees import Array, Fields, cast, flatten, join

RESET, STEP = "reset from the same draws", "step from the same draws"
CASES, STEPS = 64, 256
CORRELATED = 0.9
"""Rank correlation of what other draws change on either side, from which on they are put to one use."""
LESS = 0.5
"""Share of the numbers that other draws would change, below which draws are put to the same use."""

COARSE_ULPS = 8
"""Units in the last place of the largest number by which what is made of a rounded state may differ."""

What = Literal["reset", "step"]
Use = Literal["same", "other", "unknown"]


def ask_same_draws(judge: Judge, cases: Cases, drawn: frozenset[str], seed: int) -> list[Answer]:
    """Ask whether resets, and steps that draw, come out alike where the draws are the same.

    Args:
        judge: of the pair.
        cases: visited ones.
        drawn: fields that both sides draw within a step.
        seed: of the choice of seeds and cases.
    """
    rng = np.random.default_rng([seed, 8])
    answers = [_ask(judge, "reset", None, rng)]
    if not judge.pair.port.can_write:
        text = "the port cannot be put in a state (give write)"
        answers.append(Answer(STEP, "not asked", text))
    elif drawn:
        rows = rng.choice(len(cases), min(STEPS, len(cases)), replace=False)
        answers.append(_ask(judge, "step", cases.rows(rows), rng))
    else:
        answers.append(Answer(STEP, "not asked", "steps draw nothing"))
    return answers


def _ask(judge: Judge, what: What, cases: Cases | None, rng: np.random.Generator) -> Answer:
    question = RESET if what == "reset" else STEP
    reference = judge.pair.reference
    if not isinstance(reference, MutableSide):
        return Answer(question, "not asked", "draws are recorded of objects alone")
    if judge.no_double:
        return Answer(question, "not asked", "it is asked in double precision, which a side lacks")
    seeds = rng.choice(2**31, CASES if cases is None else len(cases), replace=False)
    draws = [Draws() for _ in seeds]
    mine = _step(reference, judge, cases, seeds, lambda row: recording(draws[row]))
    counts = draws[0].counts
    odd = sorted(set().union(*(one.others for one in draws)))
    if odd:
        return Answer(question, "not asked", f"the reference calls {', '.join(odd)}")
    if not any(sum(one.counts.values()) for one in draws):
        return Answer(question, "not asked", "the reference draws nothing from a generator of NumPy")
    if any(one.counts != counts for one in draws):
        return Answer(
            question, "not asked", "how many numbers the reference draws depends on the state"
        )
    numbers = {kind: np.array([one.numbers[kind] for one in draws]) for kind in KINDS}

    def run(rows: Array, handed_over: dict[str, Array]) -> Fields:
        some = None if cases is None else cases.rows(rows)
        return _replayed(reference, judge, some, seeds[rows], handed_over)[1]

    rows = np.arange(len(seeds))
    parts = [Aimed(rows, {kind: np.roll(values, 1, axis=0) for kind, values in numbers.items()})]
    beside = aimed(run, numbers, rng)
    if beside is not None:
        parts.insert(0, beside)
    mine = join([mine, *(run(*part) for part in parts)])
    rows = np.concatenate([rows, *(part.rows for part in parts)])
    numbers = {
        kind: np.concatenate([values, *(part.numbers[kind] for part in parts)])
        for kind, values in numbers.items()
    }
    some = None if cases is None else cases.rows(rows)
    try:
        asked, theirs = _hand(judge, what, some, seeds[rows], numbers)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign port raises is its answer
        words = f"given the reference's draws, the port raises {type(error).__name__}: {error}"
        return Answer(question, "different", words[:300])
    unlike = [one for one in asked if one.others or one.used != counts]
    if unlike:
        one = unlike[0]
        others = f", and calls {', '.join(sorted(one.others))}" if one.others else ""
        words = f"the reference draws {_words(counts)}, the port {_words(one.used)}{others}"
        return Answer(question, "not asked", words)
    return _compare(judge, question, mine, theirs, len(draws), counts)


def _words(counts: dict[str, int]) -> str:
    parts = [f"{count} {kind}" for kind, count in counts.items() if count]
    return " and ".join(parts) if parts else "none that can be handed over"


def _step(side: MutableSide, judge: Judge, cases: Cases | None, seeds: Array, watch: Watch) -> Fields:
    """Return the fields that an object comes to in double precision, by resets or in cases (N,)."""
    if cases is None:
        shown = side.reset(seeds, True, watch)
        return {**shown.state, **shown.obs}
    return side.transition(judge.states(cases, True), cases.action, seeds, True, watch).fields


def _replayed(
    side: MutableSide, judge: Judge, cases: Cases | None, seeds: Array, numbers: dict[str, Array]
) -> tuple[list[Given], Fields]:
    """Return what an object asked for in each row, and the fields it comes to with numbers (N, ...)."""
    given = [Given({kind: numbers[kind][row].tolist() for kind in KINDS}) for row in range(len(seeds))]
    return given, _step(side, judge, cases, seeds, lambda row: replaying(given[row]))


def _hand(
    judge: Judge, what: What, cases: Cases | None, seeds: Array, numbers: dict[str, Array]
) -> tuple[Sequence[Given | Handed], Fields]:
    """Return what the port asked for, and the fields it comes to with the draws handed over."""
    port = judge.pair.port
    if isinstance(port, BatchedSide):
        port = port.one()
    if isinstance(port, MutableSide):
        return _replayed(port, judge, cases, seeds, numbers)
    assert isinstance(port, FunctionalSide)
    handed, fields = _handed(port, judge, what, cases, numbers)
    return [handed], fields


def _handed(
    port: FunctionalSide, judge: Judge, what: What, cases: Cases | None, numbers: dict[str, Array]
) -> tuple[Handed, Fields]:
    """Return what the port asked for, and the fields it comes to with the draws handed over."""
    last: list[Handed] = []
    with jax.enable_x64(True):
        program = port.make()  # another one: what was traced before draws by itself
        key = jax.random.PRNGKey(0)

        def reset(given: Any) -> Any:
            last.append(Handed(given))
            with last[-1].in_place():
                obs, state = program.reset(key)
            return {**port.fields_of(state), **flatten(obs, "obs")}

        def step(given: Any, fields: Any, action: Any) -> Any:
            state = port.placed(program.reset(key)[1], fields)
            last.append(Handed(given))
            with last[-1].in_place():
                obs, new, reward, terminated, truncated, _ = program.step(
                    key, state, port.convert_action(action)
                )
            outcome = {"reward": reward, "terminated": terminated, "truncated": truncated}
            return {**port.fields_of(new), **flatten(obs, "obs"), **outcome}

        if cases is None:
            out = jax.jit(jax.vmap(reset))(numbers)
        else:
            fields, ready = port.inputs(judge.states(cases, True), cases.action, True)
            out = jax.jit(jax.vmap(step))(numbers, fields, port.nested(ready, slice(None)))
    fields = {name: np.asarray(value) for name, value in out.items()}
    return last[-1], fields | outcome_of({name: fields[name] for name in OUTCOME if name in fields})


def _compare(
    judge: Judge,
    question: str,
    mine: Fields,
    theirs: Fields,
    many: int,
    counts: dict[str, int],
) -> Answer:
    """Compare what both sides come to from the same draws; see :func:`_use` for ``many``."""
    apart: dict[Use, dict[str, str]] = {"same": {}, "other": {}, "unknown": {}}
    fields = judge.pair.reference.native()
    coarse = _coarse(mine, fields)
    for name, a in mine.items():
        if name in judge.skipped or name not in theirs:
            continue
        b = theirs[name]
        if a.dtype.kind != "f" and b.dtype.kind != "f":
            b = cast(name, b, a.dtype) if a.dtype.kind != b.dtype.kind else b
        rule = judge.rule(name, a, b)
        differs, by = differ_in_double(rule, a, b)
        if coarse and name not in fields:
            differs = differs & (by > coarse)
        if not differs.any():
            continue
        row = farthest(differs, by)
        text = f"{name}: {a[row].tolist()} on the reference and {b[row].tolist()} on the port"
        apart[_use(a, b, differs, many)][name] = text
    numbers = _words(counts)
    if apart["other"] or (apart["unknown"] and not apart["same"]):
        return Answer(
            question,
            "note",
            f"{numbers}, the same on both sides, lead to another "
            f"{', '.join([*apart['other'], *apart['unknown']])}: drawn in "
            "another order, or put to another use; their distributions are what is compared",
        )
    if apart["same"]:
        wrong = [*apart["same"].values(), *apart["unknown"].values()]
        return Answer(question, "different", f"from the same {numbers}, {'; '.join(wrong[:3])}")
    rows = len(next(iter(mine.values())))
    return Answer(
        question, "same", f"equal in double precision in {rows} cases, from {numbers} handed over"
    )


def _coarse(mine: Fields, state: Mapping[str, Any]) -> float:
    """Return by how much what is computed from the state may differ where the reference rounds its
    state to less than double precision first, as Gymnasium's Acrobot does; 0 where it does not."""
    narrow = [
        value.dtype
        for name, value in mine.items()
        if name in state and value.dtype.kind == "f" and value.dtype.itemsize < 8
    ]
    if not narrow:
        return 0.0
    sizes = [np.abs(value.astype(np.float64)) for value in mine.values()]
    finite = [float(size[np.isfinite(size)].max(initial=0.0)) for size in sizes]
    dtype = min(narrow, key=lambda one: one.itemsize)
    return COARSE_ULPS * float(spacing(np.array(max(finite)), dtype))


def _use(a: Array, b: Array, differs: Array, many: int) -> Use:
    """Say whether the port puts the draws to the reference's use in every number that differs.

    To the same: other draws change it as they change the reference's; or it is equal more often by far
    than what the reference comes to from other draws. Unknown where no draw changes the number.

    Args:
        a, b: what the reference, and the port, came to, (N, ...).
        differs: where that is another, (N, ...).
        many: the first so many rows are as recorded, the last so many the same with other draws.
    """
    from scipy.stats import spearmanr

    x, y = (side.reshape(len(side), -1).astype(np.float64) for side in (a, b))
    wrong, seen = differs.reshape(len(a), -1), False
    for column in np.flatnonzero(wrong.any(axis=0)):
        changed, moved = (side[:many, column] - side[-many:, column] for side in (x, y))
        numbers = np.isfinite(changed) & np.isfinite(
            moved
        )  # what is none says nothing of how others move
        changed, moved = changed[numbers], moved[numbers]
        if not changed.any() and not moved.any():
            continue
        seen = True
        if wrong[:many, column].mean() < LESS * (changed != 0).mean():
            continue
        if np.ptp(changed) == 0 or np.ptp(moved) == 0:
            return "other"
        if not float(spearmanr(changed, moved).statistic) >= CORRELATED:
            return "other"
    return "same" if seen else "unknown"
