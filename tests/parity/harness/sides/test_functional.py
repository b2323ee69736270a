"""Pure functions that are stepped in batches: every row counts, whatever fills a batch up."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from parity import Program
from parity.harness.sides.functional import FunctionalSide, _chunks
from tests.parity.harness.lander import CEILING, GRAVITY, THRUST, program
from tests.sentences import refuses


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_every_row_is_in_one_batch_and_once(count: int) -> None:
    chunks = _chunks(count, 4)
    assert [int(row) for rows, size in chunks for row in rows[:size]] == list(range(count))
    assert all(len(rows) == 4 and rows.max() < count for rows, _ in chunks)


def returning(reward: Any, over: Any, cut: Any) -> FunctionalSide:
    """Return a side whose steps return the outcome in another form."""

    def make() -> Program:
        plain = program()

        def changed(step: Any) -> Any:
            def new(key: Any, state: Any, action: Any) -> Any:
                obs, after, gain, terminated, truncated, info = step(key, state, action)
                return obs, after, reward(gain), over(terminated), cut(truncated), info

            return new

        return plain._replace(step=changed(plain.step), auto_step=changed(plain.auto_step))

    return FunctionalSide(make, batch=16)


def test_an_outcome_in_another_form_is_the_same_outcome() -> None:
    count = 12
    plain = FunctionalSide(program, batch=16)
    other = returning(lambda r: r[None], lambda o: o.astype(int), lambda c: c.astype(float)[None, None])
    never = returning(lambda r: r, lambda o: jnp.int32(0), lambda c: c)
    begin = plain.reset(np.arange(count)).state
    begin["height"][::2], begin["steps"][::3] = 0.01, 19
    args: Any = begin, {"action": np.zeros(count, int)}, np.arange(count)
    mine, theirs, missing = (side.transition(*args) for side in (plain, other, never))
    assert 0 < mine.outcome["terminated"].sum() < count
    assert mine.restart is not None
    assert theirs.restart is not None
    for name, value in mine.outcome.items():
        for made in (theirs.outcome[name], theirs.restart.obs[f"final {name}"]):
            assert (made.dtype, made.tolist()) == (value.dtype, value.tolist()), name
    assert missing.outcome["terminated"].dtype == bool
    assert not missing.outcome["terminated"].any()


@pytest.mark.parametrize("count", [3, 4, 9])
def test_cases_of_several_batches_come_to_what_the_rules_say(count: int) -> None:
    side = FunctionalSide(program, batch=4)
    rng = np.random.default_rng(0)
    state = {
        "height": rng.uniform(0.5, 1.0, count),
        "speed": rng.uniform(-0.1, 0.1, count),
        "steps": np.arange(count) + 12,
    }
    action = np.arange(count) % 2
    done = side.transition(state, {"action": action}, np.arange(count), double=True)
    speed = state["speed"] - GRAVITY + THRUST * action
    assert np.allclose(done.state["speed"], speed, rtol=1e-14)
    assert np.allclose(done.state["height"], state["height"] + speed * 0.5, rtol=1e-14)
    assert done.state["height"].max() < CEILING
    assert done.state["steps"].tolist() == [n + 13 for n in range(count)]
    assert done.outcome["truncated"].tolist() == [n + 13 >= 20 for n in range(count)]
    assert done.restart is not None
    for name in ("terminated", "truncated", "reward"):
        assert np.array_equal(done.restart.obs[f"final {name}"], done.outcome[name])
    one = side.transition_as("one", state, {"action": action}, np.arange(count))
    batch = side.transition(state, {"action": action}, np.arange(count))
    for name, value in batch.fields.items():
        assert np.allclose(one.fields[name], value, rtol=1e-5), name
    shown = side.reset(np.arange(count))
    assert np.array_equal(shown.state["height"][:1], side.reset(np.arange(1)).state["height"])
    assert len(np.unique(shown.state["height"])) == count


def test_a_restart_shows_what_begins_and_beside_it_what_ended() -> None:
    side = FunctionalSide(program, batch=4)
    state = {"height": np.array([0.01, 1.0, 1.0]), "speed": np.zeros(3), "steps": np.array([3, 19, 3])}
    seeds, action = np.array([4, 5, 6]), {"action": np.zeros(3, int)}
    done = side.transition(state, action, seeds)
    assert done.ended.tolist() == [True, True, False]
    assert done.restart is not None
    begun = side.reset(seeds)
    for name, value in {**begun.state, **begun.obs}.items():
        shown = {**done.restart.state, **done.restart.obs}[name]
        assert np.array_equal(shown[:2], value[:2]), name
        assert np.array_equal(shown[2:], done.fields[name][2:]), name
        if name in begun.obs:
            assert np.array_equal(done.restart.obs[f"final {name}"], done.obs[name])
    names = {*begun.obs, *(f"final {name}" for name in (*begun.obs, *done.outcome))}
    assert set(done.restart.obs) == names


def test_actions_with_a_fraction_are_handed_over_as_precise_as_the_step_is() -> None:
    def pushed() -> Program:
        plain = program()

        def step(key: Any, state: Any, action: Any) -> Any:
            out = plain.step(key, state, jnp.int32(0))
            return out[0], out[1]._replace(speed=action), *out[2:]

        return plain._replace(step=step, auto_step=None, action_space=Box(-1.0, 1.0, (), np.float32))

    side = FunctionalSide(pushed, batch=4)
    state = {"height": np.ones(2), "speed": np.zeros(2), "steps": np.zeros(2, int)}
    given = np.array([1 / 3, 0.1])
    for double, expected in ((True, given), (False, given.astype(np.float32))):
        done = side.transition(state, {"action": given}, np.arange(2), double)
        assert done.state["speed"].dtype == expected.dtype
        assert done.state["speed"].tolist() == expected.tolist()
        lanes: Any = side.lanes(np.arange(2), state, double)
        assert (
            lanes.advance({"action": given}, np.arange(2)).state["speed"].tolist() == expected.tolist()
        )


@pytest.mark.parametrize("count", [16, 17, 40])
def test_every_row_draws_from_its_own_seed_whatever_the_batch(count: int) -> None:
    """Forty episodes in batches of sixteen are the forty of one batch, and no two begin alike."""

    def make() -> Program:
        plain = program()

        def step(key: Any, state: Any, action: Any) -> Any:
            obs, after, gain, terminated, truncated, info = plain.step(key, state, action)
            return obs, after, gain + jax.random.uniform(key), terminated, truncated, info

        return plain._replace(step=step, auto_step=step)

    small, large = (FunctionalSide(make, batch=batch) for batch in (16, 64))
    seeds = np.arange(100, 100 + count)
    shown = [side.reset(seeds) for side in (small, large)]
    for name, values in shown[1].state.items():
        np.testing.assert_array_equal(shown[0].state[name], values)
    drawn = np.stack([values.reshape(count, -1)[:, 0] for values in shown[1].state.values()], axis=1)
    assert len(np.unique(drawn, axis=0)) == count
    again = {name: np.repeat(values[:1], count, 0) for name, values in shown[1].state.items()}
    actions = {"action": np.zeros(count, np.int64)}
    steps = [side.transition(again, actions, seeds) for side in (small, large)]
    for name, values in steps[1].fields.items():
        np.testing.assert_array_equal(steps[0].fields[name], values, err_msg=name)
    assert len(np.unique(steps[1].fields["reward"])) == count


@pytest.mark.parametrize("lacking", [("speed",), ("steps", "height")])
def test_a_state_without_a_field_is_refused_in_cases_and_in_lanes(lacking: tuple[str, ...]) -> None:
    side = FunctionalSide(program, batch=4)
    whole = {"height": np.ones(2), "speed": np.zeros(2), "steps": np.zeros(2, int)}
    state = {name: value for name, value in whole.items() if name not in lacking}
    with refuses():
        side.transition(state, {"action": np.zeros(2, int)}, np.arange(2))
    with refuses():
        side.lanes(np.arange(2), state)


SPACE = Dict({"push": Box(-1.0, 1.0, (2,), np.float32), "kind": Discrete(3)})
SEEN = Box(-5.0, 6.0, (2,), np.float32)


def keyed() -> Program:
    """A state with a key, which each step moves on by its own key, and with pictures of no account."""

    def reset(key: Any) -> Any:
        draw = jax.random.uniform(key)
        state = {"key": jax.random.wrap_key_data(jnp.array([3, 4], jnp.uint32)), "x": draw}
        return jnp.stack([draw, -draw]), {**state, "n": jnp.int32(0), "picture": draw, "frame": draw}

    def step(key: Any, state: Any, action: Any) -> Any:
        x = state["x"] + action["push"][1] * 10 + action["kind"]
        hidden = jax.random.uniform(state["key"])
        new = {**state, "x": x, "key": jax.random.split(state["key"])[0], "n": state["n"] + 1}
        told: Any = {"deep": {"drawn": jax.random.uniform(key), "hidden": hidden}, "word": None}
        told["frame"] = state["frame"]
        over = new["n"] >= 5
        return (
            jnp.stack([x, -x]),
            new,
            x * 2,
            over,
            over & False,
            told | {"own key": key, "n": new["n"]},
        )

    def auto(key: Any, state: Any, action: Any) -> Any:
        obs, new, reward, over, cut, _ = step(key, state, action)
        begun, fresh = reset(key)
        after = jax.tree.map(lambda a, b: jnp.where(over, a, b), fresh, new)
        shown = jnp.where(over, begun, obs)
        return shown, after, reward + 1, over, cut, {"final_observation": obs, "only here": x_of(obs)}

    return Program(reset, step, auto, SPACE, SEEN)


def x_of(obs: Any) -> Any:
    return obs[0]


def keyed_side(**options: Any) -> FunctionalSide:
    return FunctionalSide(keyed, leave_out=("picture", "frame"), batch=4, **options)


SIDE = keyed_side()
KEYED = {
    "x": np.array([0.5, 1.5, 2.5, 3.5, 4.5]),
    "n": np.array([0, 4, 1, 2, 4]),
    "key": np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]),
}
PUSHED = {
    "action.push": np.array([[9, 0.1], [9, 0.2], [9, 0.3], [9, 0.4], [9, 0.5]], np.float32),
    "action.kind": np.array([0, 1, 2, 0, 1]),
}
KEYS = np.array([11, 12, 13, 14, 2**32 - 1])


def test_keys_are_read_put_and_followed_and_what_is_left_out_is_neither() -> None:
    side = SIDE
    assert side.native() == {"key": np.uint32, "x": np.float32, "n": np.int32}
    done = side.transition(KEYED, PUSHED, KEYS)
    assert set(done.state) == {"key", "x", "n"}
    moved = KEYED["x"] + np.arange(1, 6) + PUSHED["action.kind"]
    assert done.state["x"] == pytest.approx(moved, rel=1e-6)
    assert done.obs["obs"] == pytest.approx(np.stack([moved, -moved], axis=1), rel=1e-6)
    assert done.outcome["reward"] == pytest.approx(moved * 2, rel=1e-6)
    assert done.outcome["terminated"].tolist() == [False, True, False, False, True]
    held = [jax.random.wrap_key_data(jnp.array(row, jnp.uint32)) for row in KEYED["key"]]
    after = [jax.random.key_data(jax.random.split(key)[0]).tolist() for key in held]
    assert done.state["key"].tolist() == after
    assert done.info == {"deep", "word", "own key", "n", "frame"}
    assert set(done.told) == {"deep.drawn", "deep.hidden", "own key", "n", "frame"}
    assert done.told["deep.hidden"].tolist() == [float(jax.random.uniform(key)) for key in held]
    drawn = [float(jax.random.uniform(jax.random.PRNGKey(np.uint32(seed)))) for seed in KEYS]
    assert done.told["deep.drawn"].tolist() == drawn
    assert done.told["frame"].tolist() == drawn  # what is left out begins as the seed has it
    assert done.told["n"].tolist() == [1, 5, 2, 3, 5]


def test_a_restarting_step_is_told_beside_the_plain_one() -> None:
    done = SIDE.transition(KEYED, PUSHED, KEYS)
    assert done.restart is not None
    over = done.ended
    x = [float(jax.random.uniform(jax.random.PRNGKey(np.uint32(seed)))) for seed in KEYS]
    assert done.restart.state["x"].tolist() == np.where(over, x, done.state["x"]).tolist()
    assert done.restart.state["n"].tolist() == [1, 0, 2, 3, 0]
    assert (
        done.restart.obs["obs"][:, 1].tolist()
        == np.where(over, -np.array(x), -done.state["x"]).tolist()
    )
    assert done.restart.obs["final obs"].tolist() == done.obs["obs"].tolist()
    assert done.restart.obs["final reward"].tolist() == (done.outcome["reward"] + 1).tolist()
    assert done.restart.obs["final terminated"].tolist() == over.tolist()


@pytest.mark.costly
@pytest.mark.parametrize("form", ["one", "eager"])
def test_one_by_one_each_row_has_its_own_state_action_and_draws(form: Any) -> None:
    side = keyed_side()
    traced: list[bool] = []
    plain = side.make

    def make() -> Program:
        program = plain()

        def step(key: Any, state: Any, action: Any) -> Any:
            traced.append(isinstance(state["x"], jax.core.Tracer))
            return program.step(key, state, action)

        return program._replace(step=step)

    side.make = make
    batch = side.transition(KEYED, PUSHED, KEYS)
    traced.clear()
    alone = side.transition_as(form, KEYED, PUSHED, KEYS)
    assert traced == ([True] if form == "one" else [False] * 5)
    for name, value in batch.fields.items():
        assert alone.fields[name] == pytest.approx(value, rel=1e-6), name
    for name, value in batch.told.items():
        assert alone.told[name] == pytest.approx(value, rel=1e-6), name


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("put", [True, False])
def test_lanes_go_on_from_what_they_came_to_with_the_draws_of_each_step(put: bool) -> None:
    side = SIDE
    lanes: Any = side.lanes(KEYS, KEYED if put else None)
    first = lanes.advance(PUSHED, KEYS)
    second = lanes.advance(PUSHED, KEYS[::-1].copy())
    drawn = [float(jax.random.uniform(jax.random.PRNGKey(np.uint32(seed)))) for seed in KEYS]
    assert first.told["frame"].tolist() == second.told["frame"].tolist() == drawn
    begun = KEYED if put else side.reset(KEYS).state
    expected = side.transition(begun, PUSHED, KEYS)
    for name, value in expected.fields.items():
        assert first.fields[name].tolist() == pytest.approx(value, rel=1e-6), name
    again = side.transition(first.state, PUSHED, KEYS[::-1].copy())
    for name, value in again.fields.items():
        assert second.fields[name].tolist() == pytest.approx(value, rel=1e-6), name
    assert second.told["deep.drawn"].tolist() == again.told["deep.drawn"].tolist()
    wide: Any = side.lanes(KEYS, KEYED if put else None, True).advance(PUSHED, KEYS)
    assert wide.state["x"].dtype == np.float64
    if put:
        fine = {**KEYED, "x": KEYED["x"] + 1e-9}
        moved: Any = side.lanes(KEYS, fine, True).advance(PUSHED, KEYS)
        assert ((moved.state["x"] - wide.state["x"]) > 0).all()


def test_what_a_side_is_made_of_and_what_it_declares() -> None:
    made = object()
    assert keyed_side().environment() is None
    assert keyed_side(made=lambda: made).environment() is made
    spaces = keyed_side().spaces()
    assert set(spaces["action"] or {}) == {"action.push", "action.kind"}
    ((_, leaf),) = (spaces["obs"] or {}).items()
    assert (leaf.low.min(), leaf.high.max()) == (-5.0, 6.0)
    assert FunctionalSide(program).spaces()["obs"] is None


@pytest.mark.parametrize("double", [False, True])
def test_actions_are_handed_over_in_the_dtypes_that_the_side_declares(double: bool) -> None:
    actions = {"action.push": np.full((2, 2), 0.1), "action.kind": np.array([0, 2], np.int8)}
    two = {name: value[:2] for name, value in KEYED.items()}
    fields, ready = SIDE.inputs(two, actions, double)
    assert ready["action.push"].dtype == (np.float64 if double else np.float32)
    assert (ready["action.kind"].dtype.kind, ready["action.kind"].tolist()) == ("i", [0, 2])
    assert fields["x"].dtype == (np.float64 if double else np.float32)
    undeclared = {"action": np.array([1, 2], np.int64), "other": np.array([0.5, 1 / 3])}
    _, ready = SIDE.inputs(two, undeclared, double)
    assert (ready["action"].dtype, ready["other"].dtype) == (np.int32, np.float64)
    many = {**two, "n": np.array([1, 2**40])}
    with refuses():
        SIDE.inputs(many, actions, double)


LATE = 1_700_000_000_000


def clocked() -> Program:
    """Return a program whose time needs 64 bits, and whose numbers have the precision of JAX."""

    def step(key: Any, state: Any, action: Any) -> Any:
        new = {"time": state["time"] + 1, "x": state["x"] + 0.1 * action}
        return new["x"], new, new["x"] * 2, new["x"] > 9, False, {}

    def reset(key: Any) -> Any:
        state = {"time": jnp.asarray(LATE), "x": jnp.asarray(0.5)}
        return state["x"], state

    return Program(reset, step, None, Discrete(2))


@pytest.mark.parametrize("form", ["batch", "eager", "one", "lanes"])
def test_a_port_is_run_with_the_precision_of_jax_that_the_user_set(form: Any) -> None:
    side = FunctionalSide(clocked, batch=4)
    state = {"time": np.array([LATE, LATE + 5]), "x": np.array([0.1, 1 / 3])}
    actions, seeds = {"action": np.array([1, 0])}, np.arange(2)
    with jax.enable_x64(True):
        assert side.native() == {"time": np.int64, "x": np.float64}
    if form == "batch":  # it stays so
        done = side.transition(state, actions, seeds)
    elif form == "lanes":
        done = side.lanes(seeds, state).advance(actions, seeds)
    else:
        done = side.transition_as(form, state, actions, seeds)
    assert done.state["time"].tolist() == [LATE + 1, LATE + 6]
    assert done.state["x"].tolist() == [0.1 + 0.1, 1 / 3]
    assert done.obs["obs"].dtype == done.outcome["reward"].dtype == np.float64
    assert side.reset(seeds).state["x"].dtype == np.float64
    with pytest.raises(OverflowError):
        FunctionalSide(clocked).native()


def test_a_port_is_run_in_single_precision_where_the_user_set_nothing() -> None:
    assert keyed_side().native()["x"] == np.float32
    assert keyed_side().reset(np.arange(2), True).state["x"].dtype == np.float64
