"""A port that restarts in the step after an end is told from one that goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from parity.harness import cases as make
from parity.harness.contract.ends import ask_ends
from parity.harness.judge import Judge
from tests.parity.harness.lander import mutable, pair


def test_a_restart_in_the_step_after_an_end_is_named() -> None:
    plain = mutable()

    def step(ship: Any, action: Any) -> Any:
        if getattr(ship, "over", False):
            ship.over = False
            return ship.reset(9), 0.0, False, False, {}
        out = plain.step_one(ship, action)
        ship.over = out[2] or out[3]
        return out

    def write(ship: Any, state: Any) -> None:
        ship.over = False
        assert plain.write is not None
        plain.write(ship, state)

    one = pair()
    one = replace(one, reference=mutable(), port=replace(plain, step_one=step, write=write))
    base = make.visited(one, 320, 0)
    judge = Judge(one, base)
    answer = ask_ends(judge, [judge.step(base)])[2]
    assert answer.status == "note"
    assert answer.port.startswith("begins another episode (Gymnasium's NEXT_STEP)"), answer.text
    assert answer.reference.startswith("goes on"), answer.text
