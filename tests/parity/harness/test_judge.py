"""What a judge hands to both sides beside states and actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.judge import Judge
from tests.parity.harness.lander import pair


def test_no_two_sets_of_cases_draw_from_the_same_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    one = pair()
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    seen: list[np.ndarray[Any, Any]] = []
    side = type(one.port)
    given: Callable[..., Any] = side.transition

    def transition(self: Any, state: Any, action: Any, seeds: Any, *more: Any) -> Any:
        if self is one.port:
            seen.append(np.asarray(seeds))
        return given(self, state, action, seeds, *more)

    monkeypatch.setattr(side, "transition", transition)
    for _ in range(2):
        judge.step(base)
    first, second = (set(seeds.tolist()) for seeds in (seen[0], seen[-1]))
    assert len(first) == len(second) == 64
    assert not first & second
