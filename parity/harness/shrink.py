"""Make a failing case as simple as it can be: one value after another is replaced by a simpler one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.cases import Cases, possible, simpler_actions
from parity.harness.findings import SmallestCase
from parity.harness.judge import Evidence, Judge, subset
from parity.harness.pair import Pair
from parity.harness.trees import Array, Fields

SWEEPS, MOST_KINDS = 3, 6
PLACES = 16
"""Numbers of an array up to which each is made simpler by itself."""


def smallest_cases(judge: Judge, evidence: list[Evidence], command: str = "") -> list[SmallestCase]:
    """Return one small case for each set of fields that are wrong together, the most frequent set
    first.

    Faults of different kinds mostly differ in which fields they reach.

    Args:
        judge: steps the pair.
        evidence: of cases, some of which are wrong.
        command: a program's name and the pair's place, before the options that name the case.
    """
    kinds: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for part, one in enumerate(evidence):
        wrong = {name: one.wrong(name) for name in one.labels}
        rows = np.flatnonzero(np.any(list(wrong.values()), axis=0))
        for row in rows:
            kind = tuple(name for name, flags in wrong.items() if flags[row])
            kinds.setdefault(kind, []).append((part, int(row)))
    most = sorted(kinds, key=lambda kind: -len(kinds[kind]))[:MOST_KINDS]
    return [_smallest(judge, evidence, kind, kinds[kind], command) for kind in most]


def wrong_in(evidence: Evidence, kind: tuple[str, ...]) -> Array:
    """Return where exactly these fields are wrong: bool (N,)."""
    flags = [evidence.wrong(name) == (name in kind) for name in evidence.labels]
    return np.asarray(np.all(flags, axis=0))


def _smallest(
    judge: Judge,
    evidence: list[Evidence],
    kind: tuple[str, ...],
    places: list[tuple[int, int]],
    command: str,
) -> SmallestCase:
    part, row = min(places[:200], key=lambda place: _simplicity(evidence[place[0]].cases, place[1]))
    case, final = subset(evidence[part], np.array([row])), evidence[part]
    both = judge.pair.reference.can_write and judge.pair.port.can_write
    if both and wrong_in(judge.step(case), kind)[0]:
        for _ in range(SWEEPS):
            before = _plain(case)
            for where in ("state", "action"):
                for field, values in getattr(case, where).items():
                    for place in range(values[0].size if values[0].size <= PLACES else 0):
                        case = _simplify(judge, case, where, field, kind, place)
            if _plain(case) == before:
                break
        final, row = judge.step(case), 0
    arm = final.shown(kind, row)
    state, action = _plain(case)
    line: Any = ""
    if judge.pair.command is not None:
        line = judge.pair.command(state, action)
        if not isinstance(line, str):
            raise InputError(
                f"{judge.pair.name}: command returns a value of type {type(line).__name__}; return the "
                "line as a text"
            )
    elif command and both:
        line = f"{command} --state {_option(state)} --action {_option(action)}"
    return SmallestCase(
        state=state,
        action=action,
        reference={name: arm.reference.fields[name][row].tolist() for name in kind},
        port={name: arm.port.fields[name][row].tolist() for name in kind},
        cases=len(places),
        source=str(case.source[0]),
        command=line,
        described=_described(judge.pair, case),
    )


def _option(value: Any) -> str:
    """Return plain values as JSON for a shell; what JSON has no number for is a word, such as "nan"."""

    def told(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: told(part) for name, part in one.items()}
        if isinstance(one, list):
            return [told(part) for part in one]
        return str(one) if isinstance(one, float) and not math.isfinite(one) else one

    text = json.dumps(told(value), allow_nan=False).replace("'", "'\"'\"'")
    return f"'{text}'"


def _described(pair: Pair, case: Cases) -> dict[str, Any]:
    """Return the pair's own words for the state of a case."""
    if pair.describe is None:
        return {}
    words: Any = pair.describe({name: value[0] for name, value in case.state.items()})
    if not isinstance(words, Mapping):
        kind = type(words).__name__
        raise InputError(
            f"{pair.name}: describe returns a value of type {kind}; return words by name, "
            "{'where': ...}"
        )
    return {str(name): str(value) for name, value in words.items()}


def _simplicity(cases: Cases, row: int) -> int:
    """Return how long a case is when written down; shorter is simpler."""
    return len(json.dumps([value[row].tolist() for value in cases.state.values()], default=str))


def _plain(case: Cases) -> tuple[dict[str, Any], Any]:
    state = {name: value[0].tolist() for name, value in case.state.items()}
    action = {name: value[0].tolist() for name, value in case.action.items()}
    return state, action["action"] if list(action) == ["action"] else action


def _simplify(
    judge: Judge, case: Cases, part: str, field: str, kind: tuple[str, ...], place: int
) -> Cases:
    """Return the case with the simplest number in a place of a field with which the same fields are
    wrong."""
    pair = judge.pair
    old: Array = getattr(case, part)[field]
    value = old.reshape(-1)[place].item()
    if part == "action":
        space = pair.reference.spaces()["action"] or pair.port.spaces()["action"] or {}
        options = simpler_actions(space, field, value, pair.action, place)
    else:
        options = pair.state[field].simpler(value) if field in pair.state else []
    if not options:
        return case
    many = _repeat(case, len(options))
    new = np.array(options, np.float64 if old.dtype.kind == "f" else old.dtype)
    changed = np.repeat(old, len(options), axis=0)
    changed.reshape(len(options), -1)[:, place] = new.astype(old.dtype)
    getattr(many, part)[field] = changed
    allowed = possible(pair, Cases(many.state, many.action, np.arange(len(options))))
    if not len(allowed):
        return case
    rows = allowed.source
    tried = judge.step(Cases(allowed.state, allowed.action, many.source[rows]))
    wrong = np.flatnonzero(wrong_in(tried, kind))
    return subset(tried, wrong[:1]) if len(wrong) else case


def _repeat(case: Cases, count: int) -> Cases:
    def repeated(fields: Fields) -> Fields:
        return {name: np.repeat(value, count, axis=0) for name, value in fields.items()}

    return Cases(repeated(case.state), repeated(case.action), np.repeat(case.source, count))
