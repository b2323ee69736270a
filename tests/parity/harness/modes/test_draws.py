"""Transitions that draw: distributions are compared, and a slip that is likelier is found."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parity import Pair, Port, Program, integer, verify
from parity.harness.sides.mutable import MutableSide

SIZE, SLIP = 8, 0.3


class Walk:
    """A walk on a ring that slips: the other way, with a chance of 0.3; ends at 0."""

    def __init__(self) -> None:
        self.rng, self.place = np.random.default_rng(0), 1

    def reset(self, seed: int) -> Any:
        self.rng = np.random.default_rng(seed)
        self.place = int(self.rng.integers(1, SIZE))
        return np.int32(self.place)

    def step(self, action: int) -> Any:
        way = 1 if action == 1 else -1
        self.place = (self.place + (-way if self.rng.random() < SLIP else way)) % SIZE
        return np.int32(self.place), float(self.place == 0), self.place == 0, False, {}


class Space:
    n, dtype = 2, np.int64


def reference() -> MutableSide:
    def put(walk: Walk, state: dict[str, Any]) -> None:
        walk.place = int(state["place"])

    def reseed(walk: Walk, seed: int) -> None:
        walk.rng = np.random.default_rng(seed)

    return Port.mutable(
        make=Walk,
        read=lambda walk: {"place": walk.place},
        write=put,
        reseed=reseed,
        reset_one=lambda walk, seed: walk.reset(seed),
        step_one=lambda walk, action: walk.step(action),
        action_space=lambda walk: Space(),
    )


class State(NamedTuple):
    place: Any


def port(slip: float | None = SLIP) -> Any:
    def reset(key: Any) -> Any:
        place = jax.random.randint(key, (), 1, SIZE)
        return place, State(place)

    def step(key: Any, state: State, action: Any) -> Any:
        way = jnp.where(action == 1, 1, -1)
        slips = False if slip is None else jax.random.uniform(key) < slip
        place = ((state.place + jnp.where(slips, -way, way)) % SIZE).astype(jnp.int32)
        return place, State(place), (place == 0) * 1.0, place == 0, jnp.bool_(False), {}

    return Port.functional(lambda: Program(reset, step, None, Space()))


def report(side: Any) -> Any:
    domain = {"place": integer(1, SIZE - 1)}
    return verify(Pair("a walk", reference(), side, domain), transitions=200, resets=300)


@pytest.mark.costly
def test_the_same_chances_are_the_same() -> None:
    same = report(port())
    assert same.passed, str(same)
    assert {one.verdict for one in same.fields if one.name in ("place", "obs")} == {"drawn"}
    assert "chance of a false alarm 1e-06" in same.answer("draws within a step").text
    assert same.answer("free run").status == "not asked"


@pytest.mark.costly
@pytest.mark.parametrize("slip", [0.45, 0.1])
def test_another_chance_is_found_with_the_state_it_is_seen_from(slip: float) -> None:
    other = report(port(slip)).answer("draws within a step")
    assert other.status == "different"
    assert "from state {'place': " in other.text


def test_a_port_that_does_not_draw_is_found() -> None:
    other = report(port(None)).answer("draws within a step")
    assert other.status == "different"
    assert "only the reference draws" in other.text
