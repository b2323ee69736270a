"""The port's own restarts in a replay: every step of every lane draws its start anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parity.engine import replay as module
from parity.engine.pair import BatchStep, Case, Pair
from parity.engine.record import Recording, record_actions, record_cases
from parity.engine.replay import Replay, Shape, replay, shape_of, shared_shape
from tests.parity.walker import LONGEST, walker_pair

LANES = 24


AT_EVERY_STEP = np.repeat(np.arange(LONGEST), LANES // LONGEST)
"""Steps that lanes have behind them: so many lanes end at each step of a replay."""


def wide(pair: Pair) -> Pair:
    """Return a pair whose port begins anywhere among a million places, from which nobody falls off."""
    given = pair.port.step

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        out = given(key, state, action, params)
        done = out.outcome["terminated"] | out.outcome["truncated"]
        start = jax.random.randint(key, done.shape, -(10**6), 0)
        begun = {**out.state, "place": jnp.where(done, start, out.state["place"])}
        return out._replace(state=begun, obs=pair.port.observe(begun, params))

    return replace(pair, port=replace(pair.port, step=step))


def played(seed: int, behind: np.ndarray[Any, np.dtype[Any]] = AT_EVERY_STEP) -> Replay:
    """Replay lanes that walk left."""
    place = np.zeros(LANES, np.int32)
    recording = Recording(
        worlds=place,
        actions=np.zeros((LANES, LONGEST), np.int32),
        lengths=np.full(LANES, LONGEST, np.int32),
        before={"place": place, "steps": behind.astype(np.int32), "begun": place},
        after={},
        injected=True,
        starts=place,
        labels=[""] * LANES,
    )
    return replay(wide(walker_pair()), recording, seed)


def test_each_lane_and_each_seed_begins_elsewhere() -> None:
    once, again, other = played(0), played(0), played(1)
    assert once.restarted.argmax(axis=1).tolist() == (LONGEST - 1 - AT_EVERY_STEP).tolist()
    starts = once.restart["place"]
    assert len(np.unique(starts)) == LANES
    assert np.array_equal(starts, again.restart["place"])
    assert not set(starts.tolist()) & set(other.restart["place"].tolist())
    begun = [played(seed).restart["place"].tolist() for seed in (2, 3, 4, 256, 2**16, 2**31 - 1)]
    assert len({tuple(one) for one in (*begun, starts.tolist(), other.restart["place"].tolist())}) == 8


def test_a_lane_begins_elsewhere_at_each_step() -> None:
    """A key that is the same in every step would lead it to one start, whenever it ends."""
    starts = [played(0, np.full(LANES, behind)).restart["place"] for behind in range(LONGEST)]
    assert len(np.unique(starts)) == LANES * LONGEST


@pytest.mark.parametrize("touched", [False, True])
def test_a_state_with_a_number_that_is_none_is_handed_out_as_it_is_or_is_not(touched: bool) -> None:
    given = walker_pair()
    inject, step = given.port.inject, given.port.step

    def with_none(worlds: Any, fields: Any, params: Any) -> Any:
        state = inject(worlds, fields, params)
        return {**state, "hidden": jnp.where(state["steps"] % 2 == 0, jnp.nan, 1.0)}

    def stepped(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        hidden = state["hidden"]
        out = step(key, {name: state[name] for name in state if name != "hidden"}, action, params)
        later = jnp.where(jnp.isnan(hidden), 1.0, hidden) if touched else hidden
        return out._replace(
            state={**out.state, "hidden": later}, final_state={**out.final_state, "hidden": hidden}
        )

    port = replace(given.port, inject=with_none, step=stepped)
    place = np.zeros(4, np.int32)
    recording = Recording(
        worlds=place,
        actions=np.zeros((4, 2), np.int32),
        lengths=np.full(4, 2, np.int32),
        before={"place": place, "steps": np.arange(4, dtype=np.int32), "begun": place},
        after={},
        injected=True,
        starts=place,
        labels=[""] * 4,
    )
    seen = replay(replace(given, port=port), recording)
    first = [not touched, True, not touched, True]
    assert seen.untouched.tolist() == [[flag, True] for flag in first]


def test_of_two_restarts_of_a_lane_the_first_is_kept() -> None:
    """Lanes begin at the last step of an episode, and walk through another whole one."""
    place = np.arange(3, dtype=np.int32)
    steps = LONGEST + 2
    recording = Recording(
        worlds=place * 0,
        actions=np.zeros((3, steps), np.int32),
        lengths=np.full(3, steps, np.int32),
        before={"place": place, "steps": np.full(3, LONGEST - 1, np.int32), "begun": place},
        after={},
        injected=True,
        starts=place,
        labels=[""] * 3,
    )
    seen = replay(wide(walker_pair()), recording)
    assert [np.flatnonzero(lane).tolist() for lane in seen.restarted] == [[0, LONGEST]] * 3
    assert np.array_equal(seen.restart["place"] - 1, seen.after["place"][:, 1])
    assert seen.restart["steps"].tolist() == [0] * 3
    assert seen.before["place"].tolist() == [0, 1, 2]
    assert seen.after["place"][:, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize("name", ["obs", "place", "steps"])
def test_one_number_that_is_touched_without_a_restart_is_seen(name: str) -> None:
    given = walker_pair()

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        out = given.port.step(key, state, action, params)
        third = jnp.arange(4) == 2
        if name == "obs":
            return out._replace(obs=out.obs + jnp.where(third[:, None], 1.0, 0.0))
        return out._replace(state={**out.state, name: out.state[name] + third.astype(jnp.int32)})

    place = np.zeros(4, np.int32)
    recording = Recording(
        worlds=place,
        actions=np.ones((4, 1), np.int32),
        lengths=np.ones(4, np.int32),
        before={"place": place, "steps": place, "begun": place},
        after={},
        injected=True,
        starts=place,
        labels=[""] * 4,
    )
    seen = replay(replace(given, port=replace(given.port, step=step)), recording)
    assert seen.untouched[:, 0].tolist() == [True, True, False, True]


def test_a_replay_from_starts_is_told_whole() -> None:
    """One lane falls off in its second step, and one is out of time in its last."""
    pair = wide(walker_pair())
    actions = np.zeros((2, LONGEST), np.int32)
    actions[0, :3], actions[1, ::3] = 1, 1
    recording = record_actions(pair, 0, np.array([8, -3], np.int32), actions)
    assert recording.lengths.tolist() == [2, LONGEST]
    seen = replay(pair, recording, 3)
    assert {name: np.round(value * 1.0, 3).tolist() for name, value in seen.before.items()} == {
        "place": [8, -3],
        "steps": [0, 0],
        "begun": [8, -3],
        "obs": [[pytest.approx(2.667), 0], [-1, 0]],
        "masks": [[True, True], [True, True]],
    }
    assert set(seen.after) == {*seen.before, "reward", "terminated", "truncated"}
    for name, value in recording.after.items():
        assert value.dtype == seen.after[name].dtype
        assert np.allclose(value[recording.valid], seen.after[name][recording.valid], 1e-6)
    begun = int(seen.restart["place"][0])
    steps = [1, 2, *range(1, LONGEST - 1)]
    assert begun < 0
    assert seen.after["steps"].tolist() == [steps, list(range(1, LONGEST + 1))]
    moved = [begun + 1 - number for number in range(LONGEST - 2)]
    assert seen.after["place"][0].tolist() == [9, 10, *moved]
    wanted = [place / 7 for place in (9, 10, begun + 1)]
    assert seen.after["reward"][0, :3].tolist() == pytest.approx(wanted, rel=1e-6)
    ends = [[False] * LONGEST, [False] * LONGEST]
    ends[0][1] = ends[1][-1] = True
    assert seen.restarted.tolist() == ends
    assert seen.after["terminated"].tolist() == [ends[0], [False] * LONGEST]
    assert seen.after["truncated"].tolist() == [[False] * LONGEST, ends[1]]
    assert set(seen.restart) == set(seen.before)
    assert seen.restart["steps"].tolist() == [0, 0]
    assert seen.restart["obs"][:, 0].tolist() == pytest.approx(
        [place / 3 for place in seen.restart["place"].tolist()], rel=1e-6
    )
    assert seen.restart["obs"][:, 1].tolist() == [0, 0]
    assert seen.restart["masks"].tolist() == [[place > -10, True] for place in seen.restart["place"]]
    assert seen.untouched.all()
    assert all(isinstance(value, np.ndarray) for value in (*seen.restart.values(), seen.restarted))


def test_a_lane_that_never_ends_keeps_what_it_began_with() -> None:
    pair = walker_pair()
    recording = record_actions(pair, 0, np.array([1, 2], np.int32), np.zeros((2, 2), np.int32))
    seen = replay(pair, recording)
    assert not seen.restarted.any()
    for name, value in seen.before.items():
        assert np.array_equal(seen.restart[name], value), name


def test_what_a_step_returns_stands_for_a_field_of_the_state_of_that_name() -> None:
    """As it does in what is recorded of the reference."""
    given = walker_pair()

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        out = given.port.step(key, state, action, params)
        return out._replace(outcome={**out.outcome, "steps": out.final_state["steps"] * 10})

    def stepped(env: Any, action: int) -> Any:
        return {**given.reference.step(env, action), "steps": np.int32(env.steps * 10)}

    pair = replace(
        given,
        port=replace(given.port, step=step),
        reference=replace(given.reference, step=stepped),
    )
    recording = record_actions(pair, 0, np.array([1, 2], np.int32), np.zeros((2, 3), np.int32))
    seen = replay(pair, recording)
    assert recording.after["steps"].tolist() == seen.after["steps"].tolist() == [[10, 20, 30]] * 2


def test_actions_with_a_fraction_and_of_several_numbers_reach_the_port_as_they_are() -> None:
    given = walker_pair()

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        out = given.port.step(key, state, (action[:, 1] > 0).astype(jnp.int32), params)
        return out._replace(outcome={**out.outcome, "reward": action[:, 0], "taken": action})

    place = np.array([0, 5], np.int32)
    actions = np.array([[[0.7, 1], [-0.25, -2], [3e9, 4]], [[0.1, -1], [7, 0], [0.5, 0.5]]], np.float32)
    recording = Recording(
        worlds=place * 0,
        actions=actions,
        lengths=np.full(2, 3, np.int32),
        before={"place": place, "steps": place * 0, "begun": place},
        after={},
        injected=True,
        starts=place,
        labels=[""] * 2,
    )
    seen = replay(replace(given, port=replace(given.port, step=step)), recording)
    assert np.array_equal(seen.after["reward"], actions[..., 0])
    assert np.array_equal(seen.after["taken"], actions)
    assert seen.after["place"].tolist() == [[1, 0, 1], [4, 3, 4]]


def recordings(pair: Pair) -> tuple[Recording, Recording]:
    """Return two lanes of whole episodes, one of which falls off, and five injected transitions."""
    actions = np.zeros((2, LONGEST), np.int32)
    actions[0, :3], actions[1, ::3] = 1, 1
    states = [{"place": place, "steps": 4 * place % LONGEST, "begun": 0} for place in range(5)]
    cases = [Case(0, state, state["place"] % 2) for state in states]
    return record_actions(pair, 0, np.array([8, -3], np.int32), actions), record_cases(pair, cases)


@pytest.mark.parametrize("which", [0, 1])
def test_a_program_of_a_larger_shape_tells_the_same_of_a_recording(which: int) -> None:
    """But for where lanes begin anew, which is drawn for all of them at once."""
    pair = walker_pair()
    recording = recordings(pair)[which]
    plain, taken = replay(pair, recording, 3), recording.valid
    never = ~plain.restarted.any(1)
    assert which == 0 or never.any()
    steps, lanes = shape_of(recording)
    for more_steps, more_lanes in ((0, 3), (2, 0), (2 * LONGEST, 4)):
        seen = replay(pair, recording, 3, Shape(steps + more_steps, lanes + more_lanes))
        for name in plain.before:
            np.testing.assert_array_equal(seen.before[name], plain.before[name])
            np.testing.assert_array_equal(seen.restart[name][never], plain.restart[name][never])
            assert seen.restart[name].shape == plain.restart[name].shape
        assert np.isin(seen.restart["place"][~never], np.asarray(pair.starts[0])).all()
        for name in plain.after:
            assert seen.after[name].dtype == plain.after[name].dtype
            np.testing.assert_array_equal(seen.after[name][taken], plain.after[name][taken])
        np.testing.assert_array_equal(seen.restarted[taken], plain.restarted[taken])
        np.testing.assert_array_equal(seen.untouched[taken], plain.untouched[taken])


def test_a_shape_is_shared_by_recordings_unless_it_writes_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    episodes, cases = recordings(walker_pair())
    assert (shape_of(episodes), shape_of(cases)) == (Shape(LONGEST, 2), Shape(1, 5))
    assert shared_shape(episodes, cases) == shared_shape(cases, episodes) == Shape(LONGEST, 5)
    assert shared_shape(cases) == Shape(1, 5)
    row = sum(value[0, 0].nbytes for value in episodes.after.values())
    monkeypatch.setattr(module, "MOST_BYTES", 5 * LONGEST * row)
    assert shared_shape(episodes, cases) == Shape(LONGEST, 5)
    monkeypatch.setattr(module, "MOST_BYTES", 5 * LONGEST * row - 1)
    assert shared_shape(episodes, cases) is None


def test_a_shape_that_does_not_hold_a_recording_is_none_of_its() -> None:
    pair = walker_pair()
    episodes, _ = recordings(pair)
    for shape in (Shape(LONGEST - 1, 2), Shape(LONGEST, 1)):
        with pytest.raises(AssertionError):
            replay(pair, episodes, shape=shape)


def test_recordings_of_one_shape_are_traced_once_and_within_what_is_given() -> None:
    pair = walker_pair()
    traced: list[Any] = []

    @contextmanager
    def tracing() -> Iterator[None]:
        traced.append("begins")
        yield
        traced.append("ends")

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> BatchStep:
        traced.append(action.shape)
        return pair.port.step(key, state, action, params)

    own = replace(pair, port=replace(pair.port, step=step))
    episodes, cases = recordings(own)
    shape = shared_shape(episodes, cases)
    replay(own, episodes, 0, shape, tracing())
    first = len(traced) - 2
    assert first > 0
    assert traced == ["begins", *[(5,)] * first, "ends"]
    replay(own, episodes, 0, shape)
    replay(own, cases, 1, shape)
    assert traced == ["begins", *[(5,)] * first, "ends"]
    replay(own, cases)
    assert len(traced) > first + 2
