"""Verify a pair: every mode and every question of the contract, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import jax

from foundation import provenance
from foundation.errors import InputError
from parity.harness import cases as make
from parity.harness.contract.devices import ask_devices
from parity.harness.contract.ends import ask_ends
from parity.harness.contract.forms import ask_forms
from parity.harness.contract.restarts import ask_restarts
from parity.harness.contract.spaces import ask_spaces
from parity.harness.contract.starts import ask_resets
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge, check_names
from parity.harness.modes import boundaries as about
from parity.harness.modes.draws import Drawn, also_drawn, ask_draws, drawn_fields
from parity.harness.modes.exact_hits import step_exact_hits
from parity.harness.modes.free_run import FreeRun, free_run
from parity.harness.modes.played_port import NO_WAY, UNCHECKED, play_port
from parity.harness.modes.restored import ask_restored
from parity.harness.modes.same_draws import ask_same_draws
from parity.harness.pair import EPISODE_ENDS, Pair
from parity.harness.questions import OF_DRAWS
from parity.harness.report import Report
from parity.harness.sides.adapters import Resets, time_limit
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import Steps
from parity.harness.trees import flags
from parity.harness.verdicts import field_verdicts

VERSIONED = ("jax", "jaxlib", "numpy", "gymnasium", "gymnax", "envparity")
Progress = Callable[[str, int, int], None]
"""(what is done next, steps done, steps in all)."""


def verify(
    pair: Pair,
    *,
    transitions: int = 8_000,
    resets: int = 1_000,
    seed: int = 0,
    place: str = "",
    progress: Progress | None = None,
    stop_early: bool = False,
    devices: int = 0,
) -> Report:
    """Compare both sides of a pair and return what was found.

    Args:
        pair: the pair.
        transitions: steps that both sides take from the same states, half of them in states that the
            reference visits, half in drawn ones; more are added about where episodes end.
        resets: episodes begun on each side for the tests of the reset's distribution.
        seed: of all choices; the same seed gives the same report.
        place: "module:name" of the pair, for command lines in the report.
        progress: called before each part.
        stop_early: whether the contract, the free run and the smallest cases are left out where a
            field differs; the verdict is the same.
        devices: over how many the port's batch is shared out for the question about that, in another
            process that loads ``place``; below 2, it is not asked.

    Raises:
        InputError: the pair does not fit its sides; says what to change.
    """
    for name, value, least, bits in (
        ("transitions", transitions, 32, 31),  # as many seeds are drawn
        ("resets", resets, 50, 31),
        ("seed", seed, 0, 63),  # as reports are read
        ("devices", devices, 0, 31),
    ):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value < 2**bits:
            wanted = f"a whole number from {least} to 2^{bits} - 1"
            raise InputError(f"{name} is {value!r}; it must be {wanted}")
    began = time.perf_counter()
    tell = _teller(progress)
    tell("playing the reference")
    unchecked: list[str] = []
    check_names(pair)
    base, begun = _visited(pair, transitions, seed)
    mine, theirs = drawn_fields(pair, base)
    judge = Judge(pair, base, mine | theirs)
    tell("visited states")
    evidence = [judge.step(base)]
    counts = {"visited": len(base)}
    if not pair.port.can_write:
        unchecked.append(UNCHECKED)
    elif pair.reference.can_write:
        tell("drawn states")
        evidence += _generated(judge, base, transitions - len(base), seed, counts)
    else:
        unchecked.append(
            "states that episodes do not visit: the reference cannot be put in a state (give write)"
        )
    more = also_drawn(judge, evidence)
    cases = [*(one.cases for one in evidence[1:2]), *more.cases[:2]]
    drawn = Drawn(mine | more.reference, theirs | more.port, cases)
    sensitive = "the port's" if pair.port.can_write else "the reference's"
    unchecked += [
        f"rounding by double precision, for {side}: {why}; {sensitive} own sensitivity stands in"
        for side, why in judge.no_double.items()
    ]
    both = pair.reference.can_write and pair.port.can_write
    if both and not pair.state and pair.draw is None:
        unchecked.append("states beyond those that episodes visit: no field has a domain (give state)")
    run, answers = None, list[Answer]()
    brief = stop_early and any(one.wrong(name).any() for one in evidence for name in one.labels)
    if not brief:
        run, answers = _ask(
            judge,
            evidence,
            base,
            drawn,
            resets,
            seed,
            (place, devices),
            begun,
            unchecked,
            tell,
        )
        tell("smallest cases")
    fields, smallest, used = field_verdicts(judge, evidence, place, run, brief)
    unchecked += [
        f"{one.name}: {one.why}" for one in fields if one.verdict == "not compared" and one.passed
    ]
    if judge.random and any(one.question == OF_DRAWS and one.status == "not asked" for one in answers):
        names = ", ".join(sorted(judge.random))
        unchecked.append(f"{names}: drawn within the step, and not compared as draws either")
    seen = {**_seen(judge, evidence), **_unsure(drawn, answers)}
    unchecked += _unchecked_limit(judge, evidence) + _unchecked_info(pair)
    answers, used_answers = _accept(pair, answers)
    return Report(
        pair=pair.name,
        place=place,
        fields=fields,
        answers=answers,
        smallest=smallest,
        free_run=run,
        seen=seen,
        cases=counts,
        unchecked=unchecked,
        unused=[
            f"{', '.join(one.names)}: {one.reason}"
            for one in pair.accepted
            if one not in used and one not in used_answers
        ],
        made={"when": provenance.now(), **provenance.made_with(VERSIONED, jax.devices())},
        settings={"transitions": transitions, "resets": resets, "seed": seed},
        seconds=time.perf_counter() - began,
    )


PARTS = 7
PLAYED = 128
"""Steps of the reference that are taken again from where they were, where the port plays the cases."""
ENDS, CLIPS = 48, 24
"""Boundaries that are looked for: where episodes end, and where a number comes to lie at an end."""


def _ask(
    judge: Judge,
    evidence: list[Evidence],
    base: make.Cases,
    drawn: Drawn,
    resets: int,
    seed: int,
    shared_out: tuple[str, int],
    begun: Steps | None,
    unchecked: list[str],
    tell: Callable[[str], None],
) -> tuple[FreeRun | None, list[Answer]]:
    """Play the free run and ask the questions of the contract."""
    tell("free run")
    run, answers = _free(judge, seed)
    tell("resets")
    asked, shown = ask_resets(judge, resets, seed)
    answers += asked + ask_restarts(judge, evidence, shown, begun)
    tell("the contract")
    answers += ask_ends(judge, evidence) + ask_spaces(judge, evidence) + ask_forms(judge, base)
    answers += [ask_devices(judge, base, *shared_out)]
    answers += [ask_draws(judge, base, drawn, seed)]
    answers += ask_same_draws(judge, base, drawn.reference & drawn.port, seed)
    if isinstance(judge.pair.reference, MutableSide):
        played = base if judge.pair.port.can_write else make.visited(judge.pair, PLAYED, seed)
        answers += [ask_restored(judge, played)]
    return run, answers


def _visited(pair: Pair, transitions: int, seed: int) -> tuple[make.Cases, Steps | None]:
    """Return cases of episodes that the reference plays; the port, where it cannot be put in a state,
    and then its steps that only began another episode.

    Raises:
        InputError: neither side can be put in a state.
    """
    if pair.port.can_write:
        return make.visited(pair, transitions // 2, seed), None
    if not pair.reference.can_write:
        raise InputError(f"{pair.name}: {NO_WAY}")
    played = play_port(pair, transitions, seed)
    return played.cases, played.begun


def _teller(progress: Progress | None) -> Callable[[str], None]:
    done = iter(range(PARTS))

    def tell(what: str) -> None:
        if progress is not None:
            progress(what, next(done), PARTS)

    return tell


def _generated(
    judge: Judge, base: make.Cases, count: int, seed: int, counts: dict[str, int]
) -> list[Evidence]:
    """Step drawn cases, and cases about the boundaries that they straddle."""
    pair = judge.pair
    drawn = make.drawn(pair, base, max(count, 16), seed)
    if not len(drawn):
        raise InputError(
            f"{pair.name}: none of {count} drawn states is possible and legal; see its rules"
        )
    evidence = [judge.step(drawn)]
    counts["drawn"] = len(drawn)
    first = evidence[0].double or evidence[0].native
    # Without double precision, nothing would say on which side of a clip rounding may put a number.
    clips = [
        (1, "clip", about.how_clipped(pair), CLIPS),
        (2, "jump", about.how_jumped(pair), CLIPS),
        (3, "value", about.how_valued(judge.random, first.reference), CLIPS),
    ]
    sought = [] if judge.no_double else clips
    if not judge.random & {"terminated", "truncated"}:
        sought.insert(0, (0, "boundary", about.how_ended, ENDS))
    for number, name, code_of, pairs in sought:
        code = code_of(first.state, first.reference)
        beside = about.boundary(pair, drawn, code, seed, code_of, pairs, number)
        if beside is not None and len(beside):
            evidence.append(judge.step(beside))
            counts[name] = len(beside)
    if judge.fractions and not judge.no_double:
        hits = step_exact_hits(judge, drawn, seed)
        if hits is not None:
            evidence.append(hits)
            counts["exact"] = len(hits.cases)
    return evidence


def _free(judge: Judge, seed: int) -> tuple[FreeRun | None, list[Answer]]:
    question = "free run"
    if judge.random:
        text = "steps draw random numbers, so that episodes part"
        return None, [Answer(question, "not asked", text)]
    run = free_run(judge, seed)
    if not run.compared:
        text = "every step ended in a restart, and the port shows no state before it"
        return run, [Answer(question, "not asked", text)]
    if run.apart:
        text = f"{run.apart}, so a side has something that its state does not show, or a step is wrong"
        return run, [Answer(question, "different", text)]
    played = f"{run.episodes} episodes of up to {run.steps} steps"
    return run, [Answer(question, "same", f"nothing but rounding comes apart in {played}")]


def _accept(pair: Pair, answers: list[Answer]) -> tuple[list[Answer], list[object]]:
    """Mark differences that the pair accepts by the question's name."""
    used: list[object] = []
    marked = []
    for answer in answers:
        for one in pair.accepted:
            if answer.question in one.names and answer.status == "different":
                answer = replace(answer, status="accepted", reason=one.reason)
                used.append(one)
        marked.append(answer)
    return marked, used


def _unsure(drawn: Drawn, answers: list[Answer]) -> dict[str, int]:
    """Return what has to be seen before a field that one side alone draws can be called drawn by chance
    in too few steps: that the other one draws it."""
    if not any(one.question == OF_DRAWS and one.status == "note" for one in answers):
        return {}
    sides = (("reference", drawn.port - drawn.reference), ("port", drawn.reference - drawn.port))
    return {
        f"a step in which the {side} draws {name}": 0 for side, names in sides for name in sorted(names)
    }


def _seen(judge: Judge, evidence: list[Evidence]) -> dict[str, int]:
    """Return how often each branch was taken: that an episode ends, that the reference's time limit
    cuts one off where cases can be placed at it, and those that the pair names."""
    seen = {EPISODE_ENDS: 0, **dict.fromkeys(judge.pair.branches, 0)}
    limit, counter = time_limit(judge.pair.reference), _counter(judge.pair)
    if limit is not None and counter is not None and "truncated" in evidence[0].labels:
        seen[_of_limit(limit, counter)] = _cut_off(evidence, limit, counter)
    for one in evidence:
        arm = one.native
        seen[EPISODE_ENDS] += int(arm.reference.ended.sum())
        for name, where in judge.pair.branches.items():
            taken = where(arm.state, one.cases.action, arm.reference.fields)
            what = f"{judge.pair.name}: the branch {name!r}"
            seen[name] += int(flags(what, taken, len(one.cases)).sum())
    if judge.pair.endless and not seen[EPISODE_ENDS]:
        del seen[EPISODE_ENDS]
    return seen


def _counter(pair: Pair) -> str | None:
    """Return the field of the reference's steps, if cases can be placed at its time limit."""
    both = pair.reference.can_write and pair.port.can_write
    return pair.reference.counter if both and isinstance(pair.reference, MutableSide) else None


def _of_limit(limit: int, counter: str) -> str:
    return f"the reference's time limit of {limit} steps ({counter}) cuts an episode off"


def _cut_off(evidence: list[Evidence], limit: int, counter: str | None) -> int:
    """Return how many steps of the reference cut an episode off at its limit, if that is shown."""
    count = 0
    for one in evidence:
        cut = one.native.reference.outcome["truncated"]
        if counter is not None:
            cut = cut & (one.native.state[counter] >= limit - 1)
        count += int(cut.sum())
    return count


def _unchecked_info(pair: Pair) -> list[str]:
    """Return a sentence on what the reference's resets tell in their info; it is not compared."""
    begin = pair.reference.reset_one if isinstance(pair.reference, MutableSide) else None
    if not (isinstance(begin, Resets) and begin.told):
        return []
    return [f"the info of the reference's reset: {', '.join(sorted(begin.told))}"]


def _unchecked_limit(judge: Judge, evidence: list[Evidence]) -> list[str]:
    """Return a sentence where no case shows the reference's time limit, nor could be placed at it."""
    limit = time_limit(judge.pair.reference)
    if limit is None or "truncated" not in evidence[0].labels or _counter(judge.pair) is not None:
        return []
    if _cut_off(evidence, limit, None):
        return []
    return [f"the reference's time limit of {limit} steps: no case came to it"]
