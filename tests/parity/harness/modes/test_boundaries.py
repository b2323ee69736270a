"""Cases are placed where a step makes a number jump, as the wrap of an angle does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Pair, Port, integer, near, real, verify
from parity.harness import cases as make
from parity.harness.modes.boundaries import (
    FEW_VALUES,
    OFFSETS,
    boundary,
    how_clipped,
    how_ended,
    how_jumped,
    how_valued,
)
from parity.harness.sides.side import Steps
from parity.harness.trees import take
from tests.parity.harness.sides import tiny


class Wheel:
    """A wheel that turns by its speed; its angle is from -pi up to pi."""

    late = 0.0

    def __init__(self) -> None:
        self.angle, self.speed = np.float64(0), np.float64(0)

    def reset(self, seed: int) -> Any:
        self.angle, self.speed = np.random.default_rng(seed).uniform(-1, 1, 2)
        return np.array([np.cos(self.angle), np.sin(self.angle)])

    def step(self, action: int) -> Any:
        self.speed = np.clip(self.speed + 0.1 * (action - 1), -2.0, 2.0)
        self.angle = self.angle + self.speed
        if self.angle >= np.pi + self.late:
            self.angle -= 2 * np.pi
        if self.angle < -np.pi:
            self.angle += 2 * np.pi
        seen = np.array([np.cos(self.angle), np.sin(self.angle)])
        return seen, float(-(self.speed**2)), bool(abs(self.speed) > 1.9), False, {}


def wheel_pair(late: float) -> Pair:
    class Late(Wheel):
        pass

    Late.late = late

    def write(wheel: Wheel, state: Any) -> None:
        wheel.angle, wheel.speed = state["angle"], state["speed"]

    side = Port.mutable(
        make=Wheel,
        read=lambda wheel: {"angle": wheel.angle, "speed": wheel.speed},
        write=write,
        reset_one=lambda wheel, seed: wheel.reset(seed),
        step_one=lambda wheel, action: wheel.step(action),
    )
    state = {"angle": real(-np.pi, np.pi), "speed": real(-2, 2)}
    return Pair("a wheel", side, replace(side, make=Late), state, action=integer(0, 2))


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("late", [0.0, 1e-4, 1e-6])
def test_an_angle_that_wraps_a_little_late_is_logic(late: float) -> None:
    report = verify(wheel_pair(late), transitions=300, resets=100)
    assert report.cases["jump"] > 20
    assert report.field("angle").verdict == ("logic" if late else "equal")


def test_a_jump_is_more_than_half_of_the_domain() -> None:
    before = {"angle": np.array([3.0, 3.0, -3.0]), "speed": np.zeros(3)}
    after = {"angle": np.array([3.1, -3.1, 0.2]), "speed": np.zeros(3)}
    steps = Steps(after, {}, {}, np.ones(3, bool))
    assert how_jumped(wheel_pair(0.0))(before, steps).tolist() == [0, 1, 1]


class Paid(Wheel):
    """It pays by where the wheel stands, and says whether it may be braked."""

    prize, brake = 0.3, 1.5

    def step(self, action: int) -> Any:
        seen, _, over, cut, _ = super().step(action)
        told = {"may_brake": np.array([True, abs(self.speed) < self.brake])}
        return seen, 1.0 if self.angle > self.prize else -1.0, over, cut, told


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(
    ("prize", "brake"), [(0.3, 1.5), (0.300001, 1.5), (0.3, 1.500001), (0.299999, 1.5)]
)
def test_a_reward_and_a_flag_are_tried_beside_where_they_change(prize: float, brake: float) -> None:
    class Wrong(Paid):
        pass

    Wrong.prize, Wrong.brake = prize, brake
    honest = wheel_pair(0.0)
    reference, port = (replace(honest.port, make=make) for make in (Paid, Wrong))  # type: ignore[type-var]
    report = verify(replace(honest, reference=reference, port=port), transitions=300, resets=100)
    assert report.cases["value"] > 20
    assert report.field("reward").verdict == ("logic" if prize != 0.3 else "equal")
    told = report.answer("info values")
    assert told.status == ("different" if brake != 1.5 else "same"), told.text


def steps_of(count: int, **parts: Any) -> Steps:
    none = np.zeros(count, bool)
    outcome = {"reward": np.zeros(count), "terminated": none, "truncated": none}
    outcome |= parts.pop("outcome", {})
    return Steps(
        parts.get("state", {}), parts.get("obs", {}), outcome, ~none, told=parts.get("told", {})
    )


def test_every_way_to_end_an_episode_is_one_of_its_own() -> None:
    flags = {"terminated": np.array([0, 1, 0, 1], bool), "truncated": np.array([0, 0, 1, 1], bool)}
    assert how_ended({}, steps_of(4, outcome=flags)).tolist() == [0, 1, 2, 3]


def test_a_number_at_an_end_or_an_aim_of_its_domain_was_clipped_in_any_place() -> None:
    state = {"angle": real(-1, 1) | near(0.5), "speed": real(0, 2), "count": integer(0, 3)}
    one = replace(wheel_pair(0.0), state=state)
    angles = np.array([[0.1, 0.2], [-1.0, 0.2], [0.2, 1.0], [0.1, 0.5], [0.1, 0.2], [0.1, 0.2]])
    speeds = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 2.0])
    after = {"angle": angles, "speed": speeds, "count": np.zeros(6, int)}
    code = how_clipped(one)({}, steps_of(6, state=after))
    assert code.tolist() == [0, 1, 2, 3, 4, 5]


def test_any_number_of_an_array_may_jump() -> None:
    one = replace(wheel_pair(0.0), state={"angle": real(-1, 1)})
    before = {"angle": np.zeros((4, 3))}
    after = np.zeros((4, 3))
    after[1, 0], after[2, 1], after[3, 2] = 1.1, -1.1, 0.9
    code = how_jumped(one)(before, steps_of(4, state={"angle": after}))
    assert code.tolist() == [0, 1, 1, 0]


KINDS: dict[str, Any] = {
    "reward": lambda values: {"outcome": {"reward": values.astype(float)}},
    "obs": lambda values: {"obs": {"obs": values}},
    "told": lambda values: {"told": {"may": np.stack([values * 0, values], axis=1)}},
}


@pytest.mark.parametrize("kinds", [1, 2, FEW_VALUES, FEW_VALUES + 1])
@pytest.mark.parametrize("what", KINDS)
def test_a_number_of_few_values_is_taken_for_one_that_jumps(what: str, kinds: int) -> None:
    values = np.r_[np.zeros(20, int), np.arange(kinds)]
    steps = steps_of(len(values), **KINDS[what](values))
    code = how_valued(frozenset(), steps)({}, steps)
    jumps = 2 <= kinds <= FEW_VALUES
    number = 2 if what == "told" else 1  # of the column that has few values
    assert code.tolist() == (((values != 0) & jumps) * number).tolist()
    name = {"reward": "reward", "obs": "obs", "told": "info may"}[what]
    assert not how_valued(frozenset({name}), steps)({}, steps).any()
    steps.outcome["terminated"] = np.arange(len(values)) == len(values) - 1
    assert how_valued(frozenset(), steps)({}, steps)[-1] == 0


def test_each_number_that_jumps_has_a_code_of_its_own() -> None:
    rewards, flags = np.array([0, 0, 0, 1, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1, 0])
    steps = steps_of(7, outcome={"reward": rewards.astype(float)}, obs={"flags": flags})
    assert how_valued(frozenset(), steps)({}, steps).tolist() == [0, 0, 0, 1, 2, 1, 0]


@pytest.mark.parametrize("search", range(3))
def test_a_boundary_that_is_seldom_crossed_is_sought_in_a_half_of_the_cases_in_turn(
    search: int,
) -> None:
    """One state of 200 is above nine on the first level alone."""
    one = tiny.pair(state={"levels": real(0, 20)})
    base = make.visited(one, 64, 0)
    levels = np.random.default_rng(1).uniform([0, 0], [8, 20], (200, 2))
    levels[7] = 18, 1
    state = {**take(base.state, np.arange(200) % 64), "levels": levels}
    known = make.Cases(state, take(base.action, np.arange(200) % 64), np.full(200, "drawn"))

    def over(before: Any, steps: Steps | None) -> np.ndarray:
        first, second = before["levels"].T
        return np.where(second > 9, 1, np.where(first > 9, 2, 0))

    beside = boundary(one, known, over(state, None), 0, over, 16, search)
    assert beside is not None
    first, second = beside.state["levels"][: len(beside) // (1 + len(OFFSETS))].T
    at = np.abs(second - 9) < 1e-3, np.abs(first - 9) < 1e-3
    often, seldom = (int(some.sum()) for some in at)
    assert often + seldom == 16
    assert seldom in (4, 5)  # by chance alone, hardly one


@pytest.mark.parametrize("reverse", [False, True])
def test_cases_lie_on_both_sides_of_many_boundaries_and_close_by(reverse: bool) -> None:
    """An episode of the small pair is cut off where the second level comes to be above nine."""
    one = tiny.pair(state={"levels": real(0, 20)})
    base = make.visited(one, 64, 0)
    rng = np.random.default_rng(0)
    levels = rng.uniform(0, 20, (200, 2))
    state = {**take(base.state, np.arange(200) % 64), "levels": levels, "count": np.zeros(200, int)}
    known = make.Cases(state, take(base.action, np.arange(200) % 64), np.full(200, "drawn"))

    def over(before: Any, steps: Steps) -> np.ndarray:
        cut = steps.outcome["truncated"]
        return (~cut if reverse else cut).astype(int)

    steps = one.reference.transition(state, known.action, np.zeros(200, int), double=True)
    beside = boundary(one, known, over(state, steps), 0, over, pairs=16)
    assert beside is not None
    assert set(beside.source) == {"boundary"}
    there = one.reference.transition(
        beside.state, beside.action, np.zeros(len(beside), int), double=True
    )
    count = len(beside) // (1 + len(OFFSETS))
    code = over(beside.state, there).reshape(-1, count)
    for offset, row in zip((0.0, *OFFSETS), code, strict=True):
        assert row.tolist() == [int(offset > 0)] * count, offset
    crossed = there.state["levels"][:, 1].reshape(-1, count)
    assert np.abs(crossed - 9.0).max() < 2e-3
    assert len(np.unique(beside.state["levels"].reshape(-1, count, 2)[0], axis=0)) > 8
    assert boundary(one, known, np.zeros(200, int), 0, over) is None
    assert boundary(one, known, np.ones(200, int), 0, over) is None


def test_where_every_step_ends_its_episode_no_value_is_looked_for() -> None:
    values = {"reward": np.array([1.0, 2.0, 1.0]), "terminated": np.ones(3, bool)}
    obs = {"obs.grid": np.ones((3, 2, 2), int), "obs.none": np.zeros((3, 0), int)}
    for over, expected in ((True, [0, 0, 0]), (False, [0, 1, 0])):
        steps = steps_of(3, outcome={**values, "terminated": np.full(3, over)}, obs=obs)
        assert how_valued(frozenset(), steps)({}, steps).tolist() == expected


@pytest.mark.parametrize("fault", [0.0, 1e-9])
def test_a_pair_whose_episodes_last_one_step_is_compared(fault: float) -> None:
    def over(by: float) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            obs, reward, _, cut, info = one.step(action)
            return obs, reward * (1 + by), True, cut, info

        return tiny.side(step)

    report = verify(tiny.pair(over(fault), reference=over(0.0)), transitions=64, resets=60)
    assert report.verdict == ("different" if fault else "same")
    assert report.field("reward").verdict == ("contract" if fault else "equal")
    assert report.field("reward").compared == sum(report.cases.values())


def test_every_search_of_a_verification_chooses_states_of_its_own() -> None:
    """Though all of them may choose among the same."""
    one = tiny.pair(state={"levels": real(0, 20)})
    base = make.visited(one, 64, 0)
    rng = np.random.default_rng(0)
    state = {**take(base.state, np.arange(200) % 64), "levels": rng.uniform(0, 20, (200, 2))}
    known = make.Cases(state, take(base.action, np.arange(200) % 64), np.full(200, "drawn"))

    def over(before: Any, steps: Steps) -> np.ndarray:
        return steps.outcome["truncated"].astype(int)

    steps = one.reference.transition(state, known.action, np.zeros(200, int), double=True)
    code = over(state, steps)
    found = [boundary(one, known, code, 0, over, 16, search) for search in (0, 1, 2, 3, 0)]
    first = [{tuple(row) for row in some.state["levels"]} for some in found if some is not None]
    assert first[0] == first[-1]
    for number, some in enumerate(first[:-1]):
        assert all(not some & others for others in first[:number])


@pytest.mark.costly
def test_searches_of_a_verification_have_numbers_of_their_own(monkeypatch: Any) -> None:
    searches = list[int]()

    def noted(*given: Any) -> Any:
        searches.append(given[-1])
        return boundary(*given)

    monkeypatch.setattr("parity.harness.modes.boundaries.boundary", noted)
    report = verify(tiny.pair(), transitions=128, resets=50)
    assert report.passed
    assert len(searches) == len(set(searches)) == 4


@pytest.mark.parametrize("shown", [False, True])
def test_a_port_that_restarts_in_every_step_is_held_to_what_it_shows(shown: bool) -> None:
    """Where each step ends its episode and begins another, no state before that is ever seen."""

    def over(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, _, cut, info = one.step(action)
        return obs, reward, True, cut, info

    def again(one: tiny.Tiny, action: Any) -> Any:
        obs, *others, info = over(one, action)
        return one.reset(len(str(obs))), *others, {"final_obs": obs} if shown else info

    port = tiny.side(again, hands_out_final=False)
    report = verify(tiny.pair(port, reference=tiny.side(over)), transitions=64, resets=60)
    lacking = ["levels", "count", "open", *([] if shown else ["obs.near", "obs.count"])]
    assert [one.name for one in report.fields if one.verdict == "unseen"] == lacking
    assert report.missing == sorted(f"a step after which {name} can be compared" for name in lacking)
    assert report.answer("free run").status == "not asked"
    assert {one.name for one in report.fields if one.verdict == "equal"} >= {"reward", "terminated"}
