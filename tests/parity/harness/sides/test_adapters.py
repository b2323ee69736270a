"""Environments of other kinds: one state for all, actions of several parts, restarts of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from foundation.errors import InputError
from parity import Pair, Port, Program, Reference, integer, real, verify
from tests.sentences import refuses

FEW: dict[str, Any] = {"transitions": 200, "resets": 200}


class Tank(gymnasium.Env):  # type: ignore[type-arg]
    """Fills by a rate and a boost: its action has two parts, its state an array and a counter."""

    def __init__(self) -> None:
        box = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = gymnasium.spaces.Dict({"rate": box, "boost": gymnasium.spaces.Discrete(3)})
        self.observation_space = gymnasium.spaces.Box(-100.0, 100.0, (2,), np.float32)
        self.level, self.count = np.zeros(2), 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.level, self.count = self.np_random.uniform(-1, 1, 2), 0
        return self.level.astype(np.float32), {}

    def step(self, action: Any) -> Any:
        self.level = self.level * 0.9 + action["rate"] * (1 + 0.5 * float(action["boost"]))
        self.count += 1
        over = bool((np.abs(self.level) > 3).any())
        return self.level.astype(np.float32), float(self.level.sum()), over, self.count >= 10, {}


@dataclass
class Whole:
    """What the port's functions hand from one to the next."""

    level: Any
    count: Any
    obs: Any
    reward: Any
    done: Any
    cut: Any


jax.tree_util.register_dataclass(Whole, ["level", "count", "obs", "reward", "done", "cut"], [])


class TankPort:
    """The port, with ``reset(key)`` and ``step(state, action)`` that return one state."""

    def __init__(self, decay: float = 0.9) -> None:
        self.decay = decay

    def reset(self, key: Any) -> Whole:
        level = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
        zero, no = jnp.zeros_like(level[0]), jnp.asarray(False)
        return Whole(level, jnp.asarray(0, jnp.int32), level.astype(jnp.float32), zero, no, no)

    def step(self, state: Whole, action: Any) -> Whole:
        level = state.level * self.decay + action["rate"] * (1 + 0.5 * action["boost"])
        count = state.count + 1
        over = (jnp.abs(level) > 3).any()
        return Whole(level, count, level.astype(jnp.float32), level.sum(), over, count >= 10)


def pair(port: TankPort) -> Pair:
    def put(tank: Any, state: dict[str, Any]) -> None:
        tank.level, tank.count = state["level"].copy(), int(state["count"])

    return Pair(
        name="a tank",
        reference=Reference.gymnasium(
            Tank, lambda tank: {"level": tank.level, "count": tank.count}, put
        ),
        port=Port.state_api(
            lambda: port,
            read=lambda state: {"level": state.level, "count": state.count},
            write=lambda state, fields: replace(state, **fields),
            truncated="cut",
        ),
        state={"level": real(-3, 3), "count": integer(0, 9)},
    )


@pytest.mark.costly
def test_array_states_and_actions_of_two_parts_are_compared() -> None:
    report = verify(pair(TankPort()), **FEW)
    assert report.passed, str(report)
    assert report.field("level").verdict == "rounding"
    assert report.answer("restart after an end").status == "not asked"


@pytest.mark.costly
def test_a_fault_in_such_a_port_is_found_with_its_action() -> None:
    report = verify(pair(TankPort(0.9 * (1 + 1e-6))), **FEW)
    assert report.field("level").verdict == "logic"
    case = report.field("level").smallest
    assert case is not None
    assert set(case.action) == {"action.rate", "action.boost"}


@pytest.mark.costly
def test_a_port_that_keeps_its_final_state_to_itself_is_compared_where_it_can_be() -> None:
    """Many environments restart within the step, and show the next episode's first moment."""
    from tests.parity.harness import lander

    class Restarting(lander.Ship):
        count, one_start = 0, False

        def step(self, action: int) -> Any:
            obs, reward, landed, cut, info = super().step(action)
            self.count += not self.one_start
            over = landed or cut
            return (self.reset(self.count) if over else obs), reward, landed, cut, info

    class FromOneStart(Restarting):
        one_start = True

    side = lander.mutable()
    side.make, side.hands_out_final = Restarting, False
    report = verify(lander.pair(side), **FEW)
    height = report.field("height")
    assert report.passed, str(report)
    assert 0 < height.compared < report.field("reward").compared
    assert report.answer("restart after an end").status == "same"
    assert report.answer("final observation").status == "note"
    report = verify(lander.pair(replace(side, make=FromOneStart)), **FEW)
    assert "height" in report.answer("restart after an end").text
    assert report.answer("restart after an end").status == "different"


class Held:
    """An array that is stepped by making another one."""

    def __init__(self) -> None:
        self.level = np.zeros(2)

    def reset(self, seed: int) -> Any:
        self.level = np.random.default_rng(seed).uniform(-1, 1, 2)
        return self.level.astype(np.float32)

    def step(self, action: Any) -> Any:
        self.level = self.level * 0.9 + np.clip(action, -1, 1) * 0.1
        return self.shown(action)

    def shown(self, action: Any) -> Any:
        over = bool(abs(self.level[0]) > 0.9)
        return self.level.astype(np.float32), float(-np.sum(action**2)), over, False, {}


class InPlace(Held):
    """The same, in place: its array and the action that it is handed."""

    def step(self, action: Any) -> Any:
        taken = np.clip(action, -1, 1, out=action)
        self.level *= 0.9
        self.level += taken * 0.1
        return self.shown(action)


def test_what_a_port_changes_in_place_is_its_own() -> None:
    box = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def side(kind: type[Held]) -> Any:
        return Port.mutable(
            make=kind,
            read=lambda held: {"level": held.level},
            write=lambda held, state: setattr(held, "level", state["level"]),
            reset_one=lambda held, seed: held.reset(seed),
            step_one=lambda held, action: held.step(action),
            action_space=lambda held: box,
        )

    report = verify(Pair("held", side(Held), side(InPlace), {"level": real(-1, 1)}), **FEW)
    assert all(one.passed for one in report.fields), str(report)
    wrong = [one.question for one in report.answers if one.status == "different"]
    assert wrong == ["actions beyond the bounds"]  # its reward is of the action that it clipped


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Port.gymnax(3),
            "the factory of a side is of type int; give a function that makes one",
        ),
        (
            lambda: Reference.gymnasium(
                lambda: gymnasium.wrappers.TimeLimit(Tank(), 5), lambda tank: tank.level
            ).reset(np.arange(2)),
            "read returns a value of type ndarray; return a mapping of names to values",
        ),
        (
            lambda: Reference.gymnasium(Tank, lambda tank: {"reward": tank.count}).reset(np.arange(1)),
            "a field of the state is called reward, which a step returns; rename it",
        ),
        (
            lambda: Port.functional(lambda: Program(None, None)).reset(np.arange(1)),  # type: ignore[arg-type]
            "not callable",
        ),
    ],
)
def test_what_is_no_side_is_refused(make: Any, words: str) -> None:
    with pytest.raises((InputError, TypeError), match=words):
        make()


class Chancy:
    """Functions with one state, whose step takes a key; its reward is an array of so many numbers."""

    def __init__(self, rewards: int) -> None:
        self.rewards = rewards

    def init(self, key: Any) -> Whole:
        zero, no = jnp.zeros(self.rewards), jnp.asarray(False)
        return Whole(jnp.zeros(()), jnp.asarray(0, jnp.int32), jnp.zeros(2), zero, no, no)

    def step(self, state: Whole, action: Any, key: Any) -> Whole:
        level = state.level + jax.random.uniform(key)
        gain = level * jnp.arange(1, self.rewards + 1)
        return replace(state, level=level, count=state.count + 1, reward=gain)


@pytest.mark.parametrize("rewards", [1, 2])
def test_a_step_that_takes_a_key_draws_from_its_seed_and_one_reward_in_an_array_is_a_number(
    rewards: int,
) -> None:
    side = Port.state_api(
        lambda: Chancy(rewards),
        read=lambda state: {"level": state.level, "count": state.count},
        write=lambda state, fields: replace(state, **fields),
    )
    state = {"level": np.array([1.0, 2.0, 2.0], np.float32), "count": np.array([3, 4, 4], np.int32)}
    taken = {"action": np.zeros(3, np.int32)}
    one, two = (side.transition(state, taken, np.array(seeds)) for seeds in ([5, 6, 7], [5, 9, 7]))
    moved = one.state["level"] - state["level"]
    assert ((moved > 0) & (moved < 1)).all()
    assert len(set(moved.tolist())) == 3
    assert (one.state["level"] == two.state["level"]).tolist() == [True, False, True]
    assert one.state["count"].tolist() == [4, 5, 5]
    times = np.arange(1, rewards + 1)
    expected = one.state["level"] if rewards == 1 else one.state["level"][:, None] * times
    assert one.outcome["reward"].shape == expected.shape
    assert np.allclose(one.outcome["reward"], expected)
    assert not one.outcome["terminated"].any()
    assert not one.outcome["truncated"].any()


@pytest.mark.parametrize("time", ["time", "steps", None])
def test_the_steps_that_a_limit_has_counted_are_read_and_put_back_as_they_are(time: str | None) -> None:
    def put(tank: Any, state: dict[str, Any]) -> None:
        assert set(state) == {"level"}
        tank.level, tank.count = state["level"].copy(), 0

    side = Reference.gymnasium(
        lambda: gymnasium.wrappers.TimeLimit(Tank(), 5),
        lambda tank: {"level": tank.level},
        put,
        time=time,
    )
    state = {"level": np.zeros((4, 2))}
    if time is not None:
        state[time] = np.array([0, 2, 3, 4])
    taken = {"action.rate": np.zeros((4, 2), np.float32), "action.boost": np.zeros(4, int)}
    done = side.transition(state, taken, np.arange(4))
    assert set(done.state) == {"level", *([time] if time else [])}
    if time is not None:
        assert done.state[time].tolist() == [1, 3, 4, 5]
        assert done.outcome["truncated"].tolist() == [False, False, False, True]
        assert side.reset(np.arange(3)).state[time].tolist() == [0, 0, 0]


def test_limits_in_each_other_are_all_put_at_the_steps_that_are_written() -> None:
    def put(tank: Any, state: dict[str, Any]) -> None:
        tank.level, tank.count = state["level"].copy(), 0

    limits = gymnasium.wrappers.TimeLimit
    for inner, outer in ((5, 9), (9, 5)):
        side = Reference.gymnasium(
            lambda inner=inner, outer=outer: limits(limits(Tank(), inner), outer),
            lambda tank: {"level": tank.level},
            put,
        )
        state = {"level": np.zeros((4, 2)), "time": np.array([4, 0, 3, 4])}
        taken = {"action.rate": np.zeros((4, 2), np.float32), "action.boost": np.zeros(4, int)}
        done = side.transition(state, taken, np.arange(4))
        assert done.state["time"].tolist() == [5, 1, 4, 5]
        assert done.outcome["truncated"].tolist() == [True, False, False, True]


def test_what_a_gymnax_environment_says_of_its_end_is_terminated_unless_it_tells_of_a_limit() -> None:
    class Ended:
        """An environment with gymnax's methods that ends in every second state."""

        default_params = 0

        def reset(self, key: Any, params: Any) -> Any:
            return jnp.zeros(1), {"n": jnp.asarray(0, jnp.int32)}

        def step_env(self, key: Any, state: Any, action: Any, params: Any) -> Any:
            new = {"n": state["n"] + 1}
            return jnp.zeros(1), new, jnp.asarray(0.5), new["n"] % 2 == 0, {}

        step = step_env

        def action_space(self, params: Any) -> Any:
            return gymnasium.spaces.Discrete(2)

        def observation_space(self, params: Any) -> Any:
            return gymnasium.spaces.Box(-1.0, 1.0, (1,))

    class Limited(Ended):
        def is_truncated(self, state: Any, params: Any) -> Any:
            return state["n"] >= 3

    for kind, cut in ((Ended, [False] * 4), (Limited, [False, False, True, True])):
        side = Port.gymnax(kind)
        state = {"n": np.arange(4, dtype=np.int32)}
        done = side.transition(state, {"action": np.zeros(4, int)}, np.arange(4))
        assert done.outcome["terminated"].tolist() == [False, True, False, True]
        assert done.outcome["truncated"].tolist() == cut
        assert done.restart is not None
        assert done.restart.obs["final terminated"].tolist() == [False, True, False, True]
        assert not done.restart.obs["final truncated"].any()


def test_a_state_that_is_called_like_the_steps_of_a_limit_is_refused() -> None:
    def side(**options: Any) -> Any:
        return Reference.gymnasium(
            lambda: gymnasium.wrappers.TimeLimit(Tank(), 5),
            lambda tank: {"level": tank.level, "time": tank.count + 7},
            **options,
        )

    with refuses():
        side().reset(np.arange(2))
    shown = side(time="steps").reset(np.arange(2)).state
    assert (shown["time"].tolist(), shown["steps"].tolist()) == ([7, 7], [0, 0])
    assert side(time=None).reset(np.arange(2)).state["time"].tolist() == [7, 7]


def test_a_step_with_options_by_name_is_given_no_key() -> None:
    class Optional(TankPort):
        def step(self, state: Whole, action: Any, *, loud: Any = False) -> Whole:
            return super().step(state, {"rate": action, "boost": jnp.where(loud, 100, 0)})

    side = Port.state_api(
        Optional,
        read=lambda state: {"level": state.level, "count": state.count},
        write=lambda state, fields: replace(state, **fields),
    )
    state = {"level": np.ones((2, 2), np.float32), "count": np.zeros(2, np.int32)}
    done = side.transition(state, {"action": np.zeros((2, 2), np.float32)}, np.array([5, 6]))
    assert done.state["level"] == pytest.approx(np.full((2, 2), 0.9), rel=1e-6)
