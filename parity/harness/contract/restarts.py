"""Questions about a port that begins another episode by itself: when, where, and what it hands out."""

from __future__ import annotations

import warnings

import numpy as np

from parity.harness.compare import default_rule, differ_in_double, discrete, narrower, spacing
from parity.harness.contract.ends import only_at_ends
from parity.harness.contract.forms import FORM_ULPS
from parity.harness.contract.samples import compare_samples
from parity.harness.contract.starts import answer_of, comparable
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.side import Moments, Steps, any_flag, join_moments, take_moments
from parity.harness.trees import Array, Fields, digits, join, take

FLIPPED = 0.05
"""Share of ends that two compiled forms may put on different sides of a threshold, by rounding."""
MOST = 0.9
"""Share of ends that show when a port begins another episode."""
ENDS, NEEDED = 400, 20
"""Ends that are looked at where a port begins another episode in the step after, and fewest of them."""
ONLY, AGAIN, FINAL = "restart only at an end", "restart after an end", "final observation"


def ask_restarts(
    judge: Judge, evidence: list[Evidence], resets: Moments, played: Steps | None = None
) -> list[Answer]:
    """Ask whether the port's own restart begins an episode as a reset does, and hands out the end.

    Args:
        judge, evidence: of the pair.
        resets: what the reference's resets showed.
        played: steps that only began another episode, of a port that cannot be put in a state.
    """
    port = judge.pair.port
    unsaid = _begun_unsaid(judge, evidence, resets)
    if unsaid:
        return [Answer(AGAIN, "different", unsaid), Answer(FINAL, "not asked", "see the restart")]
    if isinstance(port, BatchedSide) and port.restarts == "next step":
        text = "the step that ends an episode shows its last observation, which is compared as a field"
        return [
            _in_the_next_step(judge, port, evidence, resets, played),
            Answer(FINAL, "not asked", text),
        ]
    parts = [one.native.port for one in evidence if one.native.port.restart is not None]
    if not parts:
        text = "the port does not restart by itself within a step"
        return [Answer(AGAIN, "not asked", text), Answer(FINAL, "not asked", text)]
    if has_two_steps(evidence):
        return [_kept_where_none_ended(evidence), _begun(judge, parts, resets), _last(evidence)]
    late = _begun_late(judge, evidence)
    begun = Answer(AGAIN, "different", late) if late else _begun(judge, parts, resets)
    text = "the port has one step alone, which restarts: its fields are compared with the reference's"
    return [Answer(ONLY, "not asked", text), begun, _last_of_one_step(evidence)]


def has_two_steps(evidence: list[Evidence]) -> bool:
    """Say whether the port has a step that restarts beside one that does not."""
    restarts = [one.native.port.restart for one in evidence]
    return any(one is not None and "final terminated" in one.obs for one in restarts)


def _begun(judge: Judge, steps: list[Steps], resets: Moments) -> Answer:
    """Compare the moments that a port went on from where an episode ended with resets."""
    moments = [
        Moments(part.state, {n: v for n, v in part.obs.items() if not n.startswith("final ")})
        for one in steps
        if one.restart is not None
        for part in [take_moments(one.restart, np.flatnonzero(one.ended))]
    ]
    began = join_moments(moments)
    return _like_resets(judge, began, resets)


def _like_resets(judge: Judge, began: Moments, resets: Moments) -> Answer:
    ends = len(next(iter(began.state.values()))) if began.state else 0
    if ends < NEEDED:
        text = f"only {ends} episodes of the port ended; {NEEDED} are needed"
        return Answer(AGAIN, "not asked", text)
    mine, theirs = comparable(judge, resets, began)
    drawn = len(next(iter(mine.values())))
    return answer_of(AGAIN, compare_samples(mine, theirs), drawn, ends)


def _begun_unsaid(judge: Judge, evidence: list[Evidence], resets: Moments) -> str:
    """Return a sentence where a port whose steps are said to show the end shows the next episode's
    start instead: states wrong in nearly every end and hardly elsewhere, and spread as resets are."""
    shown: list[Fields] = []
    wrong = ends = elsewhere = going = 0
    for one in evidence:
        arm = one.native
        if arm.port.restart is not None and not has_two_steps(evidence):
            return ""
        if set(arm.port.state) & set(judge.skipped):
            return ""
        bad = ~_close(arm.reference.state, arm.port.state)
        over = arm.port.ended & arm.reference.ended
        wrong, ends = wrong + int((bad & over).sum()), ends + int(over.sum())
        elsewhere, going = elsewhere + int((bad & ~over).sum()), going + int((~over).sum())
        shown.append(take(arm.port.state, np.flatnonzero(over)))
    if ends < NEEDED or wrong < MOST * ends or elsewhere > (1 - MOST) * going:
        return ""
    began = Moments({n: np.concatenate([part[n] for part in shown]) for n in shown[0]}, {})
    if _like_resets(judge, began, resets).status != "same":
        return ""
    return (
        f"in {wrong:,} of {ends:,} ends the step shows another episode's first state instead of the "
        "last one: the port restarts within the step (Gymnasium's SAME_STEP); if it is meant to, say "
        "so (hands_out_final=False, or restarts='same step')"
    )


def _begun_late(judge: Judge, evidence: list[Evidence]) -> str:
    """Return a sentence where a port that is said to restart within a step shows the end instead."""
    late = ends = 0
    for one in evidence:
        arm = one.native
        if arm.port.restart is None:
            continue
        rows = np.flatnonzero(arm.port.ended & arm.reference.ended & arm.reference.final)
        near = _close(take(arm.reference.state, rows), take(arm.port.restart.state, rows))
        late, ends = late + int(near.sum()), ends + len(rows)
    if ends < NEEDED or late < MOST * ends:
        return ""
    words = f"in {late:,} of {ends:,} ends the step shows the last state, not another episode's first"
    if not judge.pair.port.can_write:
        return f"{words}: the port restarts a step late, or not at all"
    _, state, action = _ends(evidence)
    after, on = _after_the_end(judge, state, action)
    if _close(after.state, on.state).mean() >= MOST:
        return f"{words}: the port does not restart, a further step goes on"
    return f"{words}: the port restarts a step late (Gymnasium's NEXT_STEP)"


def _close(a: Fields, b: Fields) -> Array:
    """Say which of N states are the same but for rounding: bool (N,)."""
    same = [
        np.isclose(a[name].astype(np.float64), b[name].astype(np.float64), 1e-4, 1e-6, equal_nan=True)
        for name in a
    ]
    return np.all([part.all(axis=tuple(range(1, part.ndim))) for part in same], axis=0)


def _ends(evidence: list[Evidence]) -> tuple[int, Fields, Fields]:
    """Return how many states end an episode of the port, the states, and the actions that do it."""
    rows = [np.flatnonzero(one.native.port.ended) for one in evidence]
    pairs = list(zip(evidence, rows, strict=True))
    state = join([take(one.native.state, some) for one, some in pairs])
    action = join([take(one.cases.action, some) for one, some in pairs])
    count = min(sum(len(some) for some in rows), ENDS)
    return count, take(state, slice(0, count)), take(action, slice(0, count))


def _after_the_end(judge: Judge, state: Fields, action: Fields) -> tuple[Steps, Steps]:
    """Return the step that a port takes after one that ended an episode, and what its step is when it
    is put where the episode ended, not knowing that it did."""
    port = judge.pair.port
    seeds = np.arange(len(next(iter(action.values()))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # environments warn of just this
        lanes = port.lanes(seeds, state)
        first = lanes.advance(action, seeds)
        last = first.state if first.restart is None else first.restart.state
        after = lanes.advance(action, seeds + len(seeds))
        on = port.transition(last, action, seeds)
    return after, on


def _in_the_next_step(
    judge: Judge,
    port: BatchedSide,
    evidence: list[Evidence],
    resets: Moments,
    played: Steps | None,
) -> Answer:
    """Ask a port that restarts in the step after an end whether that step begins an episode."""
    count, state, action = _ends(evidence)
    if not port.can_write:
        count = 0 if played is None else len(played.final)
    if count < NEEDED:
        return Answer(AGAIN, "not asked", f"only {count} episodes ended; {NEEDED} are needed")
    if port.can_write or played is None:
        after, on = _after_the_end(judge, state, action)
        if _close(after.state, on.state).mean() >= MOST:
            text = "the step after an end goes on from the last state: the port does not restart"
            return Answer(AGAIN, "different", text)
    else:
        after = played
    if after.ended.any():
        text = f"the step that begins another episode ends it in {after.ended.sum()} of {count} cases"
        return Answer(AGAIN, "different", text)
    given = np.flatnonzero(after.outcome["reward"] != 0)
    if len(given):
        reward = after.outcome["reward"][given[0]]
        text = (
            f"the step that begins another episode gives a reward of {digits(reward)}; it must give 0"
        )
        return Answer(AGAIN, "different", text)
    return _like_resets(judge, Moments(after.state, after.obs), resets)


def _kept_where_none_ended(evidence: list[Evidence]) -> Answer:
    """Ask whether the step that restarts is the same step as the one that does not."""
    question = ONLY
    kept = 0
    for one in evidence:
        arm = one.double or one.native
        steps = arm.port
        if steps.restart is None:
            continue
        restart = {**steps.restart.state, **steps.restart.obs}
        ends = any_flag(restart["final terminated"]) | any_flag(restart["final truncated"])
        going = ~steps.ended & ~ends
        kept += int(going.sum())
        for name, value in {**steps.state, **steps.obs}.items():
            if going.any() and _parted(arm, name, value[going], restart[name][going]):
                return Answer(
                    question, "different", f"{name} changes in a step that does not end the episode"
                )
        for name, value in steps.outcome.items():
            other = restart[f"final {name}"]
            same = ends == steps.ended
            for flag in ("terminated", "truncated"):
                same &= any_flag(steps.outcome[flag]) == any_flag(restart[f"final {flag}"])
            apart = same.any() and _parted(arm, name, value[same], other[same])
            flips = int((~same & (one.cases.source != "boundary")).sum())
            if apart or flips > FLIPPED * max(int((~going).sum()), 40):
                text = f"{name} is another in the step that restarts than in the one that does not"
                return Answer(question, "different", text)
    if not kept:
        return Answer(question, "not asked", "every step ended an episode")
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


def _last(evidence: list[Evidence]) -> Answer:
    question = FINAL
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
    if not ends:
        return Answer(question, "not asked", "no episode of the port ended")
    return Answer(question, "same", f"handed out as it was at {ends:,} ends")


def _last_of_one_step(evidence: list[Evidence]) -> Answer:
    """Ask whether what a port hands out as an episode's last observation is the reference's."""
    ports = [one.native.port for one in evidence]
    ends = sum(int((one.ended & one.final_of("obs")).sum()) for one in ports)
    if not any(one.ended.any() for one in ports):
        return Answer(FINAL, "not asked", "no episode of the port ended")
    if not ends:
        text = "the port restarts within the step and does not hand out the final observation"
        return Answer(FINAL, "note", text)
    for name in (name for name in evidence[0].labels if name.partition(".")[0] == "obs"):
        if only_at_ends(evidence, name):
            wrong = sum(int(one.wrong(name).sum()) for one in evidence)
            text = f"the final {name} handed out is not the last one in {wrong:,} of {ends:,} ends"
            return Answer(FINAL, "different", text)
    return Answer(FINAL, "same", f"handed out as it was at {ends:,} ends")
