"""Cases are placed where a step makes a number jump, as the wrap of an angle does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Pair, Port, integer, real, verify
from parity.harness.modes.boundaries import how_jumped
from parity.harness.sides.side import Steps


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
