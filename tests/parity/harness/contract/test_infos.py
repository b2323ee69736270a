"""Numbers that steps tell in their info are compared, in objects and in pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Port
from parity.harness import cases as make
from parity.harness.contract.infos import ask_info
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide
from tests.parity.harness.lander import mutable, pair, program


def telling(factor: float = 1.0, more: Any = None) -> MutableSide:
    side = mutable()

    def step(ship: Any, action: Any) -> Any:
        out = side.step_one(ship, action)
        info = {"engine": {"heat": factor * float(ship.speed) ** 2}, "name": "a ship"}
        return (*out[:4], {**info, **(more(ship) if more is not None else {})})

    return replace(side, step_one=step)


def telling_jax(factor: float) -> FunctionalSide:
    def made() -> Any:
        plain = program()

        def step(key: Any, state: Any, action: Any) -> Any:
            out = plain.step(key, state, action)
            return (*out[:5], {"engine": {"heat": factor * out[1].speed ** 2}, "name": "a ship"})

        return plain._replace(step=step)

    side: FunctionalSide = Port.functional(made)
    return side


def ask(reference: MutableSide, port: Any, random: frozenset[str] = frozenset()) -> Answer:
    one = replace(pair(), reference=reference, port=port)
    base = make.visited(one, 64, 0)
    judge = Judge(one, base, random)
    return ask_info(judge, [judge.step(base)])[1]


@pytest.mark.parametrize("port", [telling, telling_jax])
@pytest.mark.parametrize(("factor", "status"), [(1.0, "same"), (1 + 1e-6, "different")])
def test_numbers_that_are_told_are_compared(port: Any, factor: float, status: str) -> None:
    answer = ask(telling(), port(factor))
    assert answer.status == status, answer.text
    assert "engine.heat" in answer.text
    assert "name" not in answer.text


def test_what_one_side_alone_tells_or_only_at_times_is_not_compared() -> None:
    assert ask(mutable(), telling()).status == "not asked"
    at_times = telling(2.0, lambda ship: {"late": 1} if ship.steps > 3 else {})
    answer = ask(telling(1.0, lambda ship: {"late": 2}), at_times)
    assert answer.status == "different"
    assert "late" not in answer.text


def test_another_shape_is_told() -> None:
    wide = telling(1.0, lambda ship: {"map": np.ones(2)})
    answer = ask(wide, telling(1.0, lambda ship: {"map": 1}))
    assert answer.status == "different"
    assert answer.text == "map has shape (2,) on the reference and () on the port"
