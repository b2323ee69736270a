"""Ports of many copies that restart by themselves: true ones pass, each planted fault has its name."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from examples.pairs.cartpole import NAMES, pair
from parity import Port, Report, verify
from parity.harness.sides.restarting import final_rows
from tests.parity.harness.sides.batched_cartpole import Carts, LateCarts, carts_pair
from tests.sentences import refuses

FEW: dict[str, Any] = {"transitions": 320, "resets": 300}
AGAIN, FINAL = "restart after an end", "final observation"


def different(report: Report) -> dict[str, str]:
    return {one.question: one.text for one in report.answers if one.status == "different"}


def test_a_true_port_that_restarts_within_the_step_is_the_same() -> None:
    report = verify(carts_pair(), **FEW)
    assert report.passed, str(report)
    assert {one.verdict for one in report.fields} == {"equal"}
    assert [report.answer(one).status for one in (AGAIN, FINAL)] == ["same", "same"]
    assert report.answer("one environment against a batch").status == "same"
    assert report.answer("reset from the same draws").status == "same"
    assert report.answer("step after the end").port.endswith("(Gymnasium's SAME_STEP)")
    state, obs = report.field("x"), report.field("obs")
    assert 0 < state.compared < obs.compared == report.field("reward").compared


def test_an_outcome_in_another_form_is_the_same_outcome() -> None:
    def step(carts: Carts, actions: Any) -> Any:
        obs, reward, terminated, truncated, info = carts.step(actions)
        return obs, reward[:, None], terminated.astype(int)[:, None], truncated.astype(float), info

    state = {name: np.linspace(-0.3, 0.3, 8) for name in NAMES} | {"time": np.arange(8)}
    args: Any = state, {"action": np.ones(8, int)}, np.arange(8)
    plain, other = (
        carts_pair(**options).port.transition(*args).outcome for options in ({}, {"step_all": step})
    )
    assert 0 < plain["terminated"].sum() < 8
    for name, value in plain.items():
        assert (other[name].dtype, other[name].tolist()) == (value.dtype, value.tolist()), name


@pytest.mark.costly
def test_restarts_of_several_batches_begin_apart() -> None:
    report = verify(carts_pair(), transitions=1_000, resets=1_000, seed=3)
    assert report.passed, str(report)


def test_a_port_that_keeps_the_last_observation_is_compared_where_it_can_be() -> None:
    report = verify(carts_pair(functools.partial(Carts, handed_out=False)), **FEW)
    assert report.passed, str(report)
    assert report.answer(FINAL).status == "note"
    assert report.field("obs").compared == report.field("x").compared


@pytest.mark.costly
def test_a_true_port_that_restarts_in_the_next_step_is_the_same() -> None:
    report = verify(carts_pair(LateCarts, restarts="next step"), **FEW)
    assert report.passed, str(report)
    assert report.answer(AGAIN).status == "same"
    assert report.field("x").compared == report.field("reward").compared


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(
    ("fault", "question", "words"),
    [
        ("stale", AGAIN, "theta_dot: from -0.0"),
        ("final", FINAL, "the final obs handed out is not the last one in"),
        ("late", AGAIN, "the port restarts a step late (Gymnasium's NEXT_STEP)"),
        ("ended", "terminated or truncated", "end an episode on both sides and do not say the same"),
    ],
)
def test_a_fault_in_how_it_restarts_is_named(fault: str, question: str, words: str) -> None:
    report = verify(carts_pair(functools.partial(Carts, fault=fault)), **FEW)
    wrong = {one.name: one.verdict for one in report.fields if not one.passed}
    assert set(different(report)) == {question}, str(report)
    assert words in different(report)[question]
    assert wrong == {
        "final": {"obs": "contract"},
        "ended": {"terminated": "contract", "truncated": "contract"},
    }.get(fault, {})


class Together(Carts):
    """Where one copy's episode ended, all begin another."""

    def begin(self, which: Any) -> None:
        super().begin(np.full(len(which), which.any()))


class Turned(Carts):
    """The last copy takes the first one's action, and so on."""

    def step(self, actions: Any) -> Any:
        return super().step(actions[::-1])


class Seedless(Carts):
    """Its copies begin apart, and the same with every seed."""

    def reset(self, seed: Any) -> Any:
        return super().reset(0)


class Alike(Carts):
    """All copies that begin at once begin in one state."""

    def begin(self, which: Any) -> None:
        super().begin(which)
        self.state = np.where(which[:, None], self.state[np.argmax(which)], self.state)


class Counting(Carts):
    """Its count of steps outlives a restart."""

    def begin(self, which: Any) -> None:
        before = self.time
        super().begin(which)
        self.time = before


class Before(Carts):
    """What it hands out as the last observation is the one before."""

    def step(self, actions: Any) -> Any:
        before = self.state.astype(np.float32)
        *out, info = super().step(actions)
        return *out, {"final_obs": before} if info else info


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(
    ("kind", "question", "words"),
    [
        (Together, "one environment against a batch", "a copy's step depends on the other copies"),
        (Turned, "one environment against a batch", "a copy's step depends on the other copies"),
        (Seedless, "reset distribution", "the port's reset ignores its seed"),
        (Alike, "reset distribution", "on the port"),
        (Counting, AGAIN, "time: always 0 on the reference; from 1 to 500"),
        (Before, FINAL, "the final obs handed out is not the last one"),
    ],
)
def test_faults_of_many_copies_are_named(kind: Any, question: str, words: str) -> None:
    report = verify(carts_pair(kind), **FEW)
    assert words in different(report)[question], str(report)


@pytest.mark.costly
def test_a_speed_that_outlives_a_restart_in_the_next_step_is_named() -> None:
    stale = functools.partial(LateCarts, fault="stale")
    report = verify(carts_pair(stale, restarts="next step"), **FEW)
    assert set(different(report)) == {AGAIN}
    assert "theta_dot" in different(report)[AGAIN]


def test_a_restart_within_the_step_that_the_pair_does_not_say_is_named() -> None:
    report = verify(carts_pair(restarts="never"), **FEW)
    assert "restarts within the step (Gymnasium's SAME_STEP)" in different(report)[AGAIN]


def test_gymnasium_s_own_batched_cartpole_is_the_same() -> None:
    """It restarts in the next step; what it differs in from the single one, no pair must accept."""

    def write(env: Any, state: Any) -> None:
        env.state = np.stack([state[name] for name in NAMES])
        env.steps = state["time"].astype(env.steps.dtype)

    port = Port.batched(
        make=lambda copies: gymnasium.make_vec(
            "CartPole-v1", copies, vectorization_mode="vector_entry_point"
        ),
        read=lambda env: {
            **dict(zip(NAMES, env.unwrapped.state, strict=True)),
            "time": env.unwrapped.steps,
        },
        write=lambda env, state: write(env.unwrapped, state),
        reset_all=lambda env, seeds: env.reset(seed=int(seeds[0]))[0],
        restarts="next step",
        action_space=lambda env: env.single_action_space,
        observation_space=lambda env: env.single_observation_space,
    )
    report = verify(replace(pair, port=port), **FEW)
    print(report)
    assert report.passed, str(report)


def test_final_observations_of_other_forms_are_read() -> None:
    obs, ended = {"obs": np.zeros((3, 2), np.float32)}, np.array([False, True, False])
    objects = np.array([None, np.array([1.0, 2.0]), None], object)
    rows = final_rows(obs, ended, objects)
    assert rows is not None
    assert rows["obs"][1].tolist() == [1.0, 2.0]
    assert final_rows(obs, ended, None) is None
    assert final_rows(obs, ended, np.zeros((3, 5))) is None
    assert final_rows(obs, ended, np.array([None, None, None], object)) is None
    assert final_rows(obs, ended & False, None) is not None


@pytest.mark.parametrize(
    "options",
    [
        {"make": 3},
        {"restarts": "sometimes"},
        {"read": lambda carts: {"x": 3.0}},
    ],
    ids=["make", "restarts", "read"],
)
def test_what_is_no_batched_side_is_refused(options: Any) -> None:
    made = carts_pair()
    port: Any = made.port
    with refuses():
        verify(replace(made, port=replace(port, **options)), **FEW)


class Tellers:
    """Copies that count, and tell a number and an array each."""

    def __init__(self, copies: int) -> None:
        self.count = np.zeros(copies, np.int64)

    def reset(self, seed: Any) -> Any:
        self.count[:] = np.asarray(seed) % 7
        return self.count * 1.0

    def step(self, actions: Any) -> Any:
        self.count += actions
        flags = np.zeros(len(self.count), bool)
        told = {"heat": self.count * 2, "map": self.count[:, None] * np.ones(3), "few": np.ones(2)}
        return self.count * 1.0, self.count * 0.5, flags, flags, told | {"_heat": flags}


@pytest.mark.parametrize("many", [1, 3, 4, 9])
def test_every_copy_of_every_batch_shows_and_tells_its_own(many: int) -> None:
    def write(env: Any, state: Any) -> None:
        env.count[:] = state["count"]

    side = Port.batched(Tellers, lambda env: {"count": env.count}, write, batch=4, restarts="never")
    counts, action = np.arange(many) * 10, np.arange(many) % 2
    done = side.transition({"count": counts}, {"action": action}, np.arange(many))
    after = counts + action
    assert done.state["count"].tolist() == done.obs["obs"].tolist() == after.tolist()
    assert done.outcome["reward"].tolist() == (after / 2).tolist()
    assert set(done.told) == {"heat", "map"}
    assert done.told["heat"].tolist() == (2 * after).tolist()
    assert done.told["map"].tolist() == [[value] * 3 for value in after]
    assert done.info == {"heat", "map", "few"}
    shown = side.reset(np.arange(many))
    assert shown.state["count"].tolist() == [seed % 7 for seed in range(many)]
    lanes: Any = side.lanes(np.arange(many), {"count": counts})
    assert lanes.start.state["count"].tolist() == counts.tolist()
    assert lanes.advance({"action": action}, np.arange(many)).state["count"].tolist() == after.tolist()


class Uneven(Tellers):
    """What it tells has as many columns as the first copy has counted."""

    def step(self, actions: Any) -> Any:
        *out, told = super().step(actions)
        return *out, {"heat": told["heat"], "map": np.ones((len(self.count), int(self.count[0]) + 1))}


def test_what_every_call_tells_in_one_shape_is_told() -> None:
    def write(env: Any, state: Any) -> None:
        env.count[:] = state["count"]

    side = Port.batched(Uneven, lambda env: {"count": env.count}, write, batch=2, restarts="never")
    done = side.transition({"count": np.arange(5)}, {"action": np.zeros(5, int)}, np.arange(5))
    assert done.told.keys() == {"heat"}
    assert done.told["heat"].tolist() == [0, 2, 4, 6, 8]
    assert done.info == {"heat", "map"}
    alike = side.transition({"count": np.full(5, 2)}, {"action": np.zeros(5, int)}, np.arange(5))
    assert alike.told["map"].shape == (5, 3)
