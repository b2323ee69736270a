"""A free run in which one number becomes infinite still shows how far the others come apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from parity.harness.fields import close
from parity.harness.modes.free_run import _jump, _play


def side(error: float) -> Any:
    """Return a side whose second step makes a number infinite and the other one wrong."""

    def advance(action: Any, seeds: Any) -> Any:
        steps.append(1)
        late = len(steps) > 1
        x = np.array([[np.inf if late else 1.0, 1.0 + error * late]] * 2)
        return SimpleNamespace(
            fields={"x": x}, state={"x": x}, final=np.ones(2, bool), ended=np.zeros(2, bool)
        )

    steps: list[int] = []
    lanes = SimpleNamespace(advance=advance)
    return SimpleNamespace(can_write=True, lanes=lambda *_: lanes)


def test_an_infinite_number_hides_no_difference() -> None:
    seeds = np.arange(2)
    for error in (0.0, 0.5):
        judge: Any = SimpleNamespace(
            pair=SimpleNamespace(reference=side(0.0), port=side(error)),
            states=lambda cases, double: cases.state,
            skipped={},
            random=frozenset(),
            rule=lambda name, x, y: close(),
        )
        plan = [{"action": np.zeros(2, np.int64)}] * 2
        apart, _ = _play(judge, {"x": np.zeros((2, 2))}, seeds, plan, True)
        assert bool(_jump(apart)) is (error > 0)
