"""Resets and steps from the same random numbers: what the reference drew is handed to the port.

Two samples of starts differ visibly only where their distributions do so by some hundredths. With the
same draws the start is a function like a step, and every digit of it is compared in double precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import jax
import numpy as np

from parity.harness.cases import Cases
from parity.harness.compare import differ_in_double, spacing
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.recorded_draws import KINDS, Draws, Handed, recording
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import action_tree
from parity.harness.trees import Array, Fields, cast, flatten

RESET, STEP = "reset from the same draws", "step from the same draws"
CASES = 64
CORRELATED = 0.99
"""Rank correlation from which on a number of the port is made of the same draw as the reference's."""

COARSE_ULPS = 8
"""Units in the last place of the largest number by which what is made of a rounded state may differ."""

What = Literal["reset", "step"]


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
    if drawn:
        rows = rng.choice(len(cases), min(CASES, len(cases)), replace=False)
        answers.append(_ask(judge, "step", cases.rows(rows), rng))
    else:
        answers.append(Answer(STEP, "not asked", "steps draw nothing"))
    return answers


def _ask(judge: Judge, what: What, cases: Cases | None, rng: np.random.Generator) -> Answer:
    question = RESET if what == "reset" else STEP
    reference, port = judge.pair.reference, judge.pair.port
    if not (isinstance(reference, MutableSide) and isinstance(port, FunctionalSide)):
        return Answer(question, "not asked", "draws are handed from an object to pure functions alone")
    if judge.no_double:
        return Answer(question, "not asked", "it is asked in double precision, which a side lacks")
    seeds = rng.choice(2**31, CASES if cases is None else len(cases), replace=False)
    draws, mine = _recorded(reference, judge, cases, seeds)
    counts = draws[0].counts
    odd = sorted(set().union(*(one.others for one in draws)))
    if odd:
        return Answer(question, "not asked", f"the reference calls {', '.join(odd)}")
    if not sum(counts.values()):
        return Answer(question, "not asked", "the reference draws nothing from a generator of NumPy")
    if any(one.counts != counts for one in draws):
        return Answer(
            question, "not asked", "how many numbers the reference draws depends on the state"
        )
    numbers = {kind: np.array([one.numbers[kind] for one in draws]) for kind in KINDS}
    handed, theirs = _handed(port, judge, what, cases, numbers)
    if handed.others or handed.used != counts:
        others = f", and calls {', '.join(sorted(handed.others))}" if handed.others else ""
        words = f"the reference draws {_words(counts)}, the port {_words(handed.used)}{others}"
        return Answer(question, "not asked", words)
    return _compare(judge, question, mine, theirs, counts)


def _words(counts: dict[str, int]) -> str:
    parts = [f"{count} {kind}" for kind, count in counts.items() if count]
    return " and ".join(parts) if parts else "none that can be handed over"


def _recorded(
    reference: MutableSide, judge: Judge, cases: Cases | None, seeds: Array
) -> tuple[list[Draws], Fields]:
    """Return what the reference drew in each row, and the fields it came to, in double precision."""
    draws = [Draws() for _ in seeds]

    def watch(row: int) -> Any:
        return recording(draws[row])

    if cases is None:
        shown = reference.reset(seeds, True, watch)
        return draws, {**shown.state, **shown.obs}
    state = judge.states(cases, True)
    return draws, reference.transition(state, cases.action, seeds, True, watch).fields


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
            out = jax.jit(jax.vmap(step))(numbers, fields, action_tree(ready, slice(None)))
    return last[-1], {name: np.asarray(value) for name, value in out.items()}


def _compare(
    judge: Judge, question: str, mine: Fields, theirs: Fields, counts: dict[str, int]
) -> Answer:
    apart: dict[str, str] = {}
    elsewhere: list[str] = []
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
        row = int(np.argmax(by.reshape(len(a), -1).max(axis=1)))
        text = f"{name}: {a[row].tolist()} on the reference and {b[row].tolist()} on the port"
        if _from_the_same(a, b, differs):
            apart[name] = text
        else:
            elsewhere.append(name)
    numbers = _words(counts)
    if elsewhere:
        return Answer(
            question,
            "note",
            f"{numbers}, the same on both sides, lead to another {', '.join(elsewhere)}: drawn in "
            "another order, or put to another use; their distributions are what is compared",
        )
    if apart:
        words = f"from the same {numbers}, {'; '.join(list(apart.values())[:3])}"
        return Answer(question, "different", words)
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
    sizes = [np.abs(value.astype(np.float64)).max(initial=0.0) for value in mine.values()]
    finite = [size for size in sizes if np.isfinite(size)]
    dtype = min(narrow, key=lambda one: one.itemsize)
    return COARSE_ULPS * float(spacing(np.array(max(finite, default=0.0)), dtype))


def _from_the_same(a: Array, b: Array, differs: Array) -> bool:
    """Say whether every number that differs goes up and down with the reference's, or against it."""
    from scipy.stats import spearmanr

    x, y = (side.reshape(len(side), -1).astype(np.float64) for side in (a, b))
    columns = np.flatnonzero(differs.reshape(len(a), -1).any(axis=0))
    for column in columns:
        one, two = x[:, column], y[:, column]
        if np.ptp(one) == 0 or np.ptp(two) == 0:
            return False
        if not abs(float(spearmanr(one, two).statistic)) >= CORRELATED:
            return False
    return True
