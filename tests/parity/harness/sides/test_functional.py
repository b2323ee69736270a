"""Pure functions that are stepped in batches: every row counts, whatever fills a batch up."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box

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
