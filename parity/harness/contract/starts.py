"""Questions about how episodes begin: the reset's distribution, and the one after a restart."""

from __future__ import annotations

import numpy as np

from parity.harness.compare import default_rule, differ_in_double, discrete, narrower, spacing
from parity.harness.contract.forms import FORM_ULPS
from parity.harness.contract.samples import ALPHA, Comparison, compare_samples
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.sides.side import Moments, join_moments, take_moments
from parity.harness.trees import Array, Fields

FLIPPED = 0.05
"""Share of ends that two compiled forms may put on different sides of a threshold, by rounding."""


def ask_resets(judge: Judge, count: int, seed: int) -> tuple[list[Answer], Moments]:
    """Ask whether both sides' resets come from one distribution; return the reference's resets too."""
    pair = judge.pair
    rng = np.random.default_rng([seed, 5])
    mine = pair.reference.reset(rng.choice(2**31, count, replace=False))
    theirs = pair.port.reset(rng.choice(2**31, count, replace=False))
    result = compare_samples(*_comparable(judge, mine, theirs))
    return [_answer("reset distribution", result, count, count)], mine


def ask_restarts(judge: Judge, evidence: list[Evidence], resets: Moments) -> list[Answer]:
    """Ask whether the port's own restart begins an episode as a reset does, and hands out the end."""
    steps = [(one.native.port, one.native.reference) for one in evidence]
    restarts = [
        take_moments(port.restart, np.flatnonzero(port.ended))
        for port, _ in steps
        if port.restart is not None
    ]
    question, final = "restart after an end", "final observation"
    if not restarts:
        text = "the port does not restart by itself within a step"
        return [Answer(question, "not asked", text), Answer(final, "not asked", text)]
    answers = [_kept_where_none_ended(evidence)]
    began = join_moments(restarts)
    ends = len(next(iter(began.state.values()))) if began.state else 0
    if ends < 20:
        answers.append(
            Answer(question, "not asked", f"only {ends} episodes of the port ended; 20 are needed")
        )
    else:
        obs = {name: value for name, value in began.obs.items() if not name.startswith("final ")}
        mine, theirs = _comparable(judge, resets, Moments(began.state, obs))
        answers.append(
            _answer(question, compare_samples(mine, theirs), len(next(iter(mine.values()))), ends)
        )
    answers.append(_final_observation(evidence))
    return answers


def _comparable(judge: Judge, mine: Moments, theirs: Moments) -> tuple[Fields, Fields]:
    a, b = {**mine.state, **mine.obs}, {**theirs.state, **theirs.obs}
    names = [name for name in a if name in b and a[name].shape[1:] == b[name].shape[1:]]
    return {name: a[name] for name in names}, {name: b[name] for name in names}


def _answer(question: str, result: Comparison, mine: int, theirs: int) -> Answer:
    power = (
        f"{result.tests} two-sample tests on {mine:,} and {theirs:,} draws, chance of a false alarm "
        f"{ALPHA:g} in all; gaps of {result.smallest:.2f} between distribution functions are seen"
    )
    if not result.differs:
        return Answer(question, "same", f"no difference in {power}")
    first = [f"{name}: {text}" for name, text in result.differs.items()]
    more = f"; and {len(first) - 4} more" if len(first) > 4 else ""
    return Answer(question, "different", f"{'; '.join(first[:4])}{more}. {power[0].upper()}{power[1:]}")


def _kept_where_none_ended(evidence: list[Evidence]) -> Answer:
    """Ask whether the step that restarts is the same step as the one that does not."""
    question = "restart only at an end"
    for one in evidence:
        arm = one.double or one.native
        steps = arm.port
        if steps.restart is None:
            continue
        restart = {**steps.restart.state, **steps.restart.obs}
        ends = restart["final terminated"] | restart["final truncated"]
        going = ~steps.ended & ~ends
        for name, value in {**steps.state, **steps.obs}.items():
            if going.any() and _parted(arm, name, value[going], restart[name][going]):
                return Answer(
                    question, "different", f"{name} changes in a step that does not end the episode"
                )
        for name, value in steps.outcome.items():
            other = restart[f"final {name}"]
            same = ends == steps.ended
            for flag in ("terminated", "truncated"):
                same &= steps.outcome[flag] == restart[f"final {flag}"]
            apart = same.any() and _parted(arm, name, value[same], other[same])
            flips = int((~same & (one.cases.source != "boundary")).sum())
            if apart or flips > FLIPPED * max(int((~going).sum()), 40):
                text = f"{name} is another in the step that restarts than in the one that does not"
                return Answer(question, "different", text)
    return Answer(
        question, "same", "where no episode ended, state and observation are those of the step"
    )


def _parted(arm: Arm, name: str, a: Array, b: Array) -> bool:
    """Say whether two compiled forms of the port's step, in the same cases (N, ...), part by more than
    they round: of a number that is what larger ones left when they cancelled, by more than those do.
    """
    if discrete(a, b):
        return not np.array_equal(a, b)
    largest = np.zeros(a.shape[1:])
    for values in (arm.port.fields[name], arm.state.get(name)):
        if values is not None:
            size = np.abs(values.astype(np.float64))
            largest = np.maximum(largest, np.where(np.isfinite(size), size, 0.0).max(0, initial=0.0))
    if narrower(a, b).itemsize == 8:
        return bool(differ_in_double(default_rule(a, b), a, b, largest)[0].any())
    allowed = FORM_ULPS * spacing(np.maximum(largest, 1e-3), narrower(a, b))
    return bool((default_rule(a, b).apart(a, b) > allowed).any())


def _final_observation(evidence: list[Evidence]) -> Answer:
    question = "final observation"
    ends = 0
    for one in evidence:
        arm = one.double or one.native
        steps = arm.port
        if steps.restart is None:
            continue
        ended = steps.ended
        ends += int(ended.sum())
        for name, value in steps.obs.items():
            shown = steps.restart.obs.get(f"final {name}")
            if shown is None:
                return Answer(
                    question, "note", f"the port's restart does not hand out the final {name}"
                )
            if ended.any() and _parted(arm, name, value[ended], shown[ended]):
                return Answer(question, "different", f"the final {name} handed out is not the last one")
    return Answer(question, "same", f"handed out as it was at {ends:,} ends")
