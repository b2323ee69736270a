"""What adapters hand on of environments: draws, parameters, precision, spaces, modules of the code."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from parity import Port, Program, Reference
from parity.harness.sides.adapters import modules_of
from tests.parity.harness import lander
from tests.parity.harness.sides.test_adapters import TankPort, Whole

SEEDS = np.array([5, 8, 6])


class Dice(gymnasium.Env):  # type: ignore[type-arg]
    """Adds what it draws within a step to a level of its precision."""

    action_space, observation_space = Discrete(3), Box(-4.0, 9.0, (1,), np.float32)
    wide: Any = np.float32

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.level = self.wide(self.np_random.uniform(0, 1))
        return np.array([self.level]), {}

    def step(self, action: Any) -> Any:
        self.level = self.wide(self.level + self.np_random.uniform(0, 1) + 10 * action)
        return np.array([self.level]), float(self.level), False, False, {}


class WideDice(Dice):
    wide = np.float64


def put(env: Any, state: Any) -> None:
    env.level = state["level"]


def dice(**options: Any) -> Any:
    return Reference.gymnasium(
        lambda: gymnasium.wrappers.TimeLimit(Dice(), 7),
        lambda env: {"level": env.level},
        put,
        make_double=WideDice,
        **options,
    )


def test_a_gymnasium_step_draws_from_its_rows_seed() -> None:
    side = dice()
    state = {"level": np.array([1.5, 2.5, 3.5]), "time": np.array([0, 3, 6])}
    drawn = [np.random.Generator(np.random.PCG64(int(seed))).uniform(0, 1) for seed in SEEDS]
    for steps in (
        side.transition(state, {"action": np.array([0, 1, 2])}, SEEDS),
        side.lanes(SEEDS + 1, state).advance({"action": np.array([0, 1, 2])}, SEEDS),
    ):
        assert steps.state["level"] == pytest.approx([1.5 + drawn[0], 12.5 + drawn[1], 23.5 + drawn[2]])
        assert steps.state["time"].tolist() == [1, 4, 7]
        assert steps.outcome["truncated"].tolist() == [False, False, True]
    begun = [Dice().reset(seed=int(seed))[0][0] for seed in SEEDS]
    assert side.reset(SEEDS).state["level"].tolist() == begun


def test_what_a_gymnasium_side_is_told_and_declares_is_handed_on() -> None:
    side = dice(language="C++ behind Gymnasium")
    assert side.language == "C++ behind Gymnasium"
    assert side.reset(SEEDS, True).state["level"].dtype == np.float64
    assert side.reset(SEEDS).state["level"].dtype == np.float32
    spaces = side.spaces()
    ((_, action),), ((_, seen),) = ((spaces[name] or {}).items() for name in ("action", "obs"))
    assert (int(action.low), int(action.high)) == (0, 2)
    assert (seen.low.min(), seen.high.max()) == (-4.0, 9.0)
    assert side.sources == (__name__,)
    assert type(side.environment().unwrapped) is Dice
    unwritable = Reference.gymnasium(Dice, lambda env: {"level": env.level})
    assert (unwritable.can_write, unwritable.language) == (False, "Gymnasium")


class Scaled:
    """An environment with gymnax's methods, whose parameter scales its step; it keeps a picture."""

    default_params = 3.0

    def __init__(self, six: bool = False) -> None:
        self.six = six

    def reset(self, key: Any, params: Any) -> Any:
        level = jax.random.uniform(key) + params
        return jnp.stack([level]), {"level": level, "picture": level * 2}

    def step_env(self, key: Any, state: Any, action: Any, params: Any) -> Any:
        level = state["level"] + params * action + jax.random.uniform(key)
        new = {"level": level, "picture": level * 2}
        return jnp.stack([level]), new, level, level > 100, {"scale": params}

    def step(self, key: Any, state: Any, action: Any, params: Any) -> Any:
        obs, new, gain, over, info = self.step_env(key, state, action, params)
        new = {**new, "level": jnp.where(over, -1.0, new["level"])}
        if self.six:
            return obs, new, gain, over, level_is_odd(gain), info
        return obs, new, gain, over, info

    def action_space(self, params: Any) -> Any:
        return Discrete(int(params))

    def observation_space(self, params: Any) -> Any:
        return Box(-params, params + 1, (1,), np.float32)


def level_is_odd(level: Any) -> Any:
    return jnp.floor(level) % 2 == 1


@pytest.mark.parametrize(("params", "scale", "six"), [(None, 3.0, False), (5.0, 5.0, True)])
def test_a_gymnax_side_steps_with_its_parameters(params: Any, scale: float, six: bool) -> None:
    made: Any = Scaled(six) if params is None else (Scaled(six), params)
    side = Port.gymnax(
        lambda: made, leave_out=("picture",), convert_action=lambda action: action + 1, language="JAX"
    )
    assert (side.language, side.sources) == ("JAX", (__name__,))
    assert isinstance(side.environment(), Scaled)
    spaces = side.spaces()
    ((_, action),), ((_, seen),) = ((spaces[name] or {}).items() for name in ("action", "obs"))
    assert int(action.high) == scale - 1
    assert (seen.low.min(), seen.high.max()) == (-scale, scale + 1)
    state = {"level": np.array([1.0, 2.0, 99.0], np.float32)}
    done = side.transition(state, {"action": np.array([0, 1, 1], np.int32)}, SEEDS)
    drawn = np.array([float(jax.random.uniform(jax.random.PRNGKey(seed))) for seed in SEEDS])
    level = state["level"] + scale * np.array([1, 2, 2]) + drawn
    assert list(done.state) == ["level"]
    assert done.state["level"] == pytest.approx(level, rel=1e-6)
    assert done.outcome["terminated"].tolist() == [False, False, True]
    assert not done.outcome["truncated"].any()
    assert done.told["scale"].tolist() == [scale] * 3
    assert done.restart is not None
    assert done.restart.state["level"].tolist() == pytest.approx([*level[:2], -1.0], rel=1e-6)
    cut = [six and math.floor(one) % 2 == 1 for one in level]
    assert done.restart.obs["final truncated"].tolist() == cut
    assert done.restart.obs["final terminated"].tolist() == [False, False, True]
    begun = [scale + float(jax.random.uniform(jax.random.PRNGKey(seed))) for seed in SEEDS]
    assert side.reset(SEEDS).state["level"] == pytest.approx(begun, rel=1e-6)


class Both(TankPort):
    """It has both ways to begin, of which ``reset`` counts; what it returns has other names."""

    def init(self, key: Any) -> Any:
        raise AssertionError

    def step(self, state: Whole, action: Any) -> Whole:
        return super().step(state, {"rate": action, "boost": 0})


def whole(**options: Any) -> Any:
    return Port.state_api(
        Both,
        read=lambda state: {"level": state.level, "count": state.count, "picture": state.obs},
        write=lambda state, fields: replace(state, **fields),
        leave_out=("picture",),
        convert_action=lambda action: action * 2,
        **options,
    )


def test_parts_of_one_state_are_those_of_the_step_under_their_names() -> None:
    side = whole(truncated="cut", language="brax")
    assert (side.language, side.sources) == ("brax", (__name__,))
    assert isinstance(side.environment(), Both)
    state = {"level": np.array([[1.0, 1.5], [3.0, 2.0], [0.5, 1]], np.float32)}
    state["count"] = np.array([3, 4, 9], np.int32)
    push = np.array([[0.25, 0], [0.5, 0.1], [0, 0]], np.float32)
    done = side.transition(state, {"action": push}, SEEDS)
    level = state["level"] * 0.9 + push * 2
    assert set(done.state) == {"level", "count"}
    assert done.state["level"] == pytest.approx(level, rel=1e-6)
    assert done.obs["obs"].tolist() == done.state["level"].tolist()
    assert done.outcome["reward"] == pytest.approx(level.sum(axis=1), rel=1e-6)
    assert done.outcome["terminated"].tolist() == [False, True, False]
    assert done.outcome["truncated"].tolist() == [False, False, True]
    other = whole(obs="count", reward="level", terminated="cut").transition(
        state, {"action": push}, SEEDS
    )
    assert other.obs["obs"].tolist() == [4, 5, 10]
    assert other.outcome["reward"] == pytest.approx(level, rel=1e-6)
    assert other.outcome["terminated"].tolist() == [False, False, True]
    assert not other.outcome["truncated"].any()


def test_a_functional_side_hands_on_all_that_it_is_told() -> None:
    def read(state: Any) -> Any:
        return {"high": state.height, "speed": state.speed, "steps": state.steps, "none": state.steps}

    side = Port.functional(
        lander.program,
        read,
        lambda state, fields: state._replace(height=fields["high"] * 2, speed=fields["speed"]),
        leave_out=("none", "steps"),
        convert_action=lambda action: 1 - action,
        language="C",
    )
    assert side.language == "C"
    assert side.sources == ("tests.parity.harness.lander", __name__)
    state = {"high": np.array([0.25, 0.5]), "speed": np.array([0.1, 0.0])}
    done = side.transition(state, {"action": np.array([1, 0])}, SEEDS[:2], double=True)
    speed = state["speed"] - lander.GRAVITY + lander.THRUST * np.array([0, 1])
    assert list(done.state) == ["high", "speed"]
    assert done.state["speed"] == pytest.approx(speed)
    assert done.state["high"] == pytest.approx(state["high"] * 2 + speed * 0.5)


def test_modules_are_told_once_each_in_order_and_no_adapter_s_own() -> None:
    assert modules_of(lander.program, dice, Program, put) == (
        "parity.harness.sides.functional",
        "tests.parity.harness.lander",
        __name__,
    )
    assert modules_of(modules_of, object()) == ()  # type: ignore[arg-type]


def test_of_a_partial_function_the_whole_counts_and_of_a_built_in_one_nothing() -> None:
    """What is read by ``vars`` has no module whose source could be bound."""
    twice = functools.partial(functools.partial(lander.program, gravity=0.2), thrust=0.1)
    assert modules_of(twice, vars) == ("tests.parity.harness.lander",)
    side = Reference.gymnasium(functools.partial(Dice), vars)
    assert side.sources == (__name__,)
