"""Records what a port puts out while it is verified, and which functions of its files it enters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from parity.harness.compare import default_rule, differ_in_double
from parity.harness.contract.forms import FORM_ULPS, form_distance
from parity.harness.sides.side import Lanes, Moments, Side, Steps
from parity.harness.trees import Array, Fields

NOTHING, ROUNDING, CHANGED = "no effect", "rounding", "changed"
"""How far two records are apart."""

DOUBLE, STEPPED, ALONG, DECLARED = " double ", " native transition ", " along", " declared "
"""In the names of calls: made in double precision; a step that is made in both; along an episode; what
a space declares."""
NAMES = "names of the info"
"""In the names of calls: what a step's info names."""
FLIPPED = 0.05
"""Share of cases that rounding may put on the other side of a threshold."""

Function = tuple[str, int]
"""File of a function, and its first line."""


@dataclass
class Recorder:
    """What a port put out, call after call.

    Attributes:
        arrays: by the call's number and the field, named ``double`` in front where it was in double
            precision.
        entered: the functions of ``files`` that it entered.
        files: whose functions are noted; none, and nothing is.
    """

    files: Collection[Path] = ()
    arrays: dict[str, Array] = field(default_factory=dict)
    entered: set[Function] = field(default_factory=set)
    _calls: int = 0

    def attach(self, port: Side) -> None:
        """Record whatever a port does from now on."""
        for name in ("reset", "transition", "transition_as", "lanes", "spaces", "native", "functions"):
            if hasattr(port, name):
                setattr(port, name, self._wrapped(name, getattr(port, name)))

    def _wrapped(self, name: str, method: Any) -> Any:
        signature = inspect.signature(method)

        def call(*arguments: Any, **options: Any) -> Any:
            result = self._watched(method, arguments, options)
            double = signature.bind(*arguments, **options).arguments.get("double", False)
            if isinstance(result, Moments | Steps):
                self._note(f"{'double' if double else 'native'} {name}", result)
            elif name == "lanes":
                return _RecordedLanes(result, self, double)
            elif name == "spaces":
                self._note_spaces(result)
            return result

        return call

    def _watched(self, method: Any, arguments: Any, options: Any) -> Any:
        if not self.files:
            return method(*arguments, **options)
        names = {str(file) for file in self.files}

        def note(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call" and frame.f_code.co_filename in names:
                self.entered.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            return method(*arguments, **options)
        finally:
            sys.setprofile(before)

    def _note(self, call: str, result: Moments | Steps) -> None:
        fields: Fields = {**result.state, **result.obs}
        if isinstance(result, Steps):
            fields |= result.outcome
            if result.restart is not None:
                restart = {**result.restart.state, **result.restart.obs}
                fields |= {f"restart {name}": value for name, value in restart.items()}
            fields |= {f"told {name}": value for name, value in result.told.items()}
            fields[NAMES] = np.frombuffer(" ".join(sorted(result.info)).encode(), np.uint8)
        self._calls += 1
        self.arrays |= {f"{self._calls} {call} {name}": np.array(v) for name, v in fields.items()}

    def _note_spaces(self, spaces: Mapping[str, Any]) -> None:
        for which, space in spaces.items():
            for name, leaf in (space or {}).items():
                self.arrays[f"0 declared {which} {name} low"] = np.atleast_1d(leaf.low)
                self.arrays[f"0 declared {which} {name} high"] = np.atleast_1d(leaf.high)
                kind = f"{leaf.kind} {leaf.dtype} {leaf.shape}"
                self.arrays[f"0 declared {which} {name} kind"] = np.frombuffer(kind.encode(), np.uint8)


class _RecordedLanes:
    """Lanes whose steps are recorded."""

    def __init__(self, lanes: Lanes, recorder: Recorder, double: bool) -> None:
        self._lanes, self._recorder = lanes, recorder
        self._precision = "along in double" if double else "along"
        for name in ("restart", "start"):
            if hasattr(lanes, name):
                setattr(self, name, getattr(lanes, name))

    def advance(self, actions: Fields, seeds: Array) -> Steps:
        """Take one step in every lane."""
        steps: Steps = self._recorder._watched(self._lanes.advance, (actions, seeds), {})
        self._recorder._note(self._precision, steps)
        return steps


def apart(one: Mapping[str, Array], two: Mapping[str, Array]) -> tuple[str, str]:
    """Return how far two records of the same calls are apart, and where by more than rounding.

    Returns:
        :data:`NOTHING`: the same to the bit; :data:`ROUNDING`: numbers with a fraction differ as two
        compiled forms of one function may; :data:`CHANGED` else, with the call and the field.
    """
    if list(one) != list(two):
        odd = sorted(set(one) ^ set(two))
        return CHANGED, f"other calls ({odd[0]})" if odd else "calls in another order"
    verdict, in_double = NOTHING, any(DOUBLE in name for name in one)
    differing = [name for name, a in one.items() if not _identical(a, two[name])]
    for name in sorted(differing, key=lambda name: ALONG in name):
        if ALONG in name and verdict == ROUNDING:
            continue  # along an episode rounding grows
        if not _is_rounding(name, one[name], two[name], in_double):
            return CHANGED, name.partition(" ")[2]
        verdict = ROUNDING
    return verdict, ""


def _identical(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _is_rounding(name: str, a: Array, b: Array, in_double: bool) -> bool:
    if (
        a.dtype != b.dtype
        or a.shape != b.shape
        or not a.size
        or DECLARED in name
        or name.endswith(NAMES)
    ):
        return False
    judged_in_double = in_double and STEPPED in name
    if a.dtype.kind != "f":
        # Rounding puts a few cases on the other side of a threshold; double precision tells which.
        flipped = (a != b).reshape(len(a), -1).any(axis=1) if a.ndim else np.array([True])
        return judged_in_double and bool(flipped.mean() < FLIPPED)
    if DOUBLE in name:
        return not differ_in_double(default_rule(a, b), a, b)[0].any()
    return judged_in_double or form_distance(a, b) <= FORM_ULPS
