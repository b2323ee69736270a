"""One case shown field by field: both sides' values, and whether what differs is rounding or logic."""

from __future__ import annotations

from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness import cases as make
from parity.harness.findings import FieldVerdict
from parity.harness.judge import Judge, check_names
from parity.harness.modes.draws import drawn_fields
from parity.harness.pair import Pair
from parity.harness.trees import Fields


def show_case(pair: Pair, state: Any, action: Any) -> tuple[list[str], bool]:
    """Put both sides in a state, take an action; return a table's lines and whether anything is wrong.

    Args:
        pair: the pair.
        state: value of every field, numbers or nested lists.
        action: a number or nested list; for an action of several parts, such by name.

    Raises:
        InputError: a field is missing, unknown or of another shape.
    """
    check_names(pair)
    base = make.visited(pair, 32, 0)
    judge = Judge(pair, base, frozenset().union(*drawn_fields(pair, base)))
    judge.step(base)  # so that it is known how large numbers are
    given = (
        action if isinstance(action, dict) and list(base.action) != ["action"] else {"action": action}
    )
    case = make.Cases(
        _fields("--state", state, base.state),
        _fields("--action", given, base.action),
        np.array(["given"]),
    )
    evidence = judge.step(case)
    arm = evidence.shown(evidence.labels, 0)
    precision = "double precision" if arm is evidence.double else "native precision"
    lines = [f"{'field':>14}  {'verdict':9}  reference, port ({precision})"]
    wrong = False
    for name in evidence.labels:
        a, b = arm.reference.fields[name][0].tolist(), arm.port.fields[name][0].tolist()
        label = evidence.label_of(name, 0)
        if label == "logic" and evidence.accepted[name][0]:
            label = "accepted"
        wrong |= bool(evidence.wrong(name)[0])
        lines.append(f"{name:>14}  {label:9}  {a!r}, {b!r}")
    for name, why in judge.skipped.items():
        one = FieldVerdict(name, "", ("", ""), "not compared", why=why)
        wrong |= not one.passed
        lines.append(f"{name:>14}  {one.verdict}: {why}")
    return lines, wrong


def _fields(option: str, given: Any, form: Fields) -> Fields:
    if not isinstance(given, dict):
        raise InputError(f"{option} is no mapping of names to values; give {', '.join(form)}")
    odd = sorted(set(given) ^ set(form))
    if odd:
        raise InputError(f"{option}: {odd[0]} is missing or unknown; give {', '.join(form)}")
    fields = {}
    for name, old in form.items():
        try:
            if None in np.asarray(given[name], object).ravel().tolist():
                raise TypeError("nothing is no number, though NumPy takes it for one")
            value = np.asarray(given[name], np.float64 if old.dtype.kind == "f" else old.dtype)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{option}: {name} is {given[name]!r}, which is no {old.dtype}") from None
        if value.shape != old.shape[1:]:
            raise InputError(f"{option}: {name} has shape {value.shape}; it must be {old.shape[1:]}")
        if old.dtype.kind != "f" and not np.array_equal(value, np.asarray(given[name])):
            wanted = "true or false" if old.dtype.kind == "b" else "a whole number"
            raise InputError(f"{option}: {name} is {given[name]!r}; it must be {wanted}")
        fields[name] = value[None]
    return fields
