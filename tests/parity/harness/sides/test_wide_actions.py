"""Actions are handed over in the precision that an environment takes them in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.spaces import Dict as DictSpace

from parity import Pair, Port, real, verify
from parity.harness.cases import Cases
from parity.harness.precision import why_not_double


def strict(batched: bool, least: float = -1.0) -> Any:
    """Return a side in double precision whose step refuses every action but one of float32 beyond
    ``least``."""
    space = Box(-1.0, 1.0, (), np.float32)

    def step(one: Any, action: Any) -> Any:
        assert action.dtype == np.float32, "float32 alone"
        if (action < least).any():
            raise ValueError("too little")
        one.level = one.level + action
        none = np.zeros_like(one.level, bool)
        return one.level.copy(), np.zeros_like(one.level), none, none, {}

    def put(one: Any, state: Any) -> None:
        one.level = state["level"]

    def made(copies: int = 0) -> Any:
        return SimpleNamespace(level=np.zeros(copies) if copies else np.float64(0.0))

    def begin(one: Any, seed: Any) -> Any:
        one.level = np.random.default_rng(seed).uniform(size=np.shape(one.level))
        return np.array(one.level)

    values: dict[str, Any] = {
        "make": made,
        "read": lambda one: {"level": one.level},
        "write": put,
        "action_space": lambda one: space,
    }
    if batched:
        return Port.batched(**values, reset_all=begin, step_all=step, restarts="never", batch=8)
    return Port.mutable(**values, reset_one=begin, step_one=step)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(("least", "first"), [(-1.0, 0.3), (-0.5, -0.9)])
def test_actions_that_a_side_holds_against_its_space_are_handed_over_as_declared(
    batched: bool, least: float, first: float
) -> None:
    """An action that is refused in itself says nothing of its precision."""
    one = strict(batched, least)
    given = {"action": np.array([first, 0.3], np.float32)}
    state = {"level": np.array([0.1, 0.2])}
    why = "it takes no actions in double precision (AssertionError: float32 alone)"
    assert why_not_double(one, Cases(state, given, np.array(["visited"] * 2))) == why
    ready = {"action": np.abs(given["action"])}
    done = one.transition(state, ready, np.arange(2), True)
    along = one.lanes(np.arange(2), state, True).advance(ready, np.arange(2))
    for steps in (done, along):
        assert steps.state["level"].tolist() == (state["level"] + ready["action"]).tolist()


class Asserting(gymnasium.Env):  # type: ignore[type-arg]
    """It computes in double precision, and holds each action against a space of float32."""

    action_space = DictSpace({"kind": Discrete(2), "push": Box(-1.0, 1.0, (1,), np.float32)})
    level = 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.level = self.np_random.uniform()
        return np.array([self.level]), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.level = self.level + action["push"][0] * 0.1
        return np.array([self.level]), self.level, False, False, {"wide": action["push"].itemsize}


def test_an_environment_that_asserts_its_actions_takes_them_in_double_in_a_wider_space() -> None:
    def put(env: Any, state: Any) -> None:
        env.level = float(state["level"])

    side = Port.gymnasium(
        lambda: gymnasium.wrappers.OrderEnforcing(Asserting()), lambda e: {"level": e.level}, put
    )
    level, push = [0.1, 0.2], np.array([[0.1], [0.7]], np.float32)
    state = {"level": np.array(level)}
    given = {"action.kind": np.array([0, 1]), "action.push": push}
    assert why_not_double(side, Cases(state, given, np.array(["visited"] * 2))) == ""
    for double, kind in ((True, np.float64), (False, np.float32)):
        done = side.transition(state, given, np.arange(2), double)
        along = side.lanes(np.arange(2), state, double).advance(given, np.arange(2))
        expected = [x + kind(by) * 0.1 for x, by in zip(level, push[:, 0], strict=True)]
        for steps in (done, along):
            assert steps.told["wide"].tolist() == [np.dtype(kind).itemsize] * 2
            assert steps.state["level"].tolist() == expected
    assert Asserting.action_space["push"].dtype == np.float32


def test_an_environment_that_asserts_its_actions_against_itself_passes() -> None:
    pair = Pair("strict", strict(False), strict(True), {"level": real(0, 1)})
    report = verify(pair, transitions=96, resets=100)
    assert report.differences == [], str(report)
    assert {one.verdict for one in report.fields} == {"equal"}
    assert "takes no actions in double precision" in str(report)
