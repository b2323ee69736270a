"""The reference's draws handed to the port: starts and steps are compared digit by digit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parity import Pair, Port, Program, integer, real
from parity.harness import cases as make
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.recorded_draws import Draws, Handed, recording
from parity.harness.modes.replayed_draws import Given, replaying
from parity.harness.modes.restored import ask_restored
from parity.harness.modes.same_draws import ask_same_draws
from parity.harness.sides.mutable import MutableSide


class Space:
    n, dtype = 2, np.int64


class Drift:
    """A place that drifts: the start is drawn, and so is the wind of every step."""

    def reset(self, seed: int) -> Any:
        self.rng = np.random.default_rng(seed)
        self.place = self.rng.uniform(-0.5, 0.25)
        self.kind = float(self.rng.integers(2, 6))
        return np.float64(self.place)

    def step(self, action: int) -> Any:
        wind = 0.1 * self.rng.standard_normal()
        self.place = self.place + 0.5 * action + wind
        return np.float64(self.place), 0.0, self.rng.random() < 0.125, False, {}


def reference() -> MutableSide:
    def write(one: Drift, state: Any) -> None:
        one.place, one.kind = state["place"], state["kind"]

    def reseed(one: Drift, seed: int) -> None:
        one.rng = np.random.default_rng(seed)

    return MutableSide(
        Drift,
        lambda one: {"place": one.place, "kind": one.kind},
        lambda one, seed: one.reset(seed),
        lambda one, action: one.step(action),
        write,
        reseed,
        action_space=lambda one: Space(),
    )


def port(low: float = -0.5, wind: float = 0.1, order: bool = False, more: bool = False) -> Any:
    def reset(key: Any) -> Any:
        place, kind = jax.random.split(key)
        drawn = jax.random.uniform(place, minval=low, maxval=0.25)
        state = {"place": drawn, "kind": jax.random.randint(kind, (), 2, 6) * 1.0}
        return drawn, state

    def step(key: Any, state: Any, action: Any) -> Any:
        first, second, third = jax.random.split(key, 3)
        blown = state["place"] + 0.5 * action + wind * jax.random.normal(first)
        gone = jax.random.bernoulli(second, 0.125)
        if more:
            gone &= jax.random.uniform(third) < 2.0
        return blown, {**state, "place": blown}, jnp.zeros(()), gone, jnp.bool_(False), {}

    def other_order(key: Any) -> Any:
        draws = jax.random.uniform(key, (2,))
        return draws[0], {"place": 0.75 * draws[1] - 0.5, "kind": jnp.ones(())}

    return Port.functional(lambda: Program(other_order if order else reset, step, None, Space()))


def ask(**fault: Any) -> tuple[Answer, Answer]:
    pair = Pair("a drift", reference(), port(**fault), {"place": real(-1, 1)})
    base = make.visited(pair, 64, 0)
    drawn = frozenset({"place", "obs", "terminated"})
    first, second = ask_same_draws(Judge(pair, base, drawn), base, drawn, 0)
    return first, second


def test_resets_and_steps_from_the_same_draws_are_equal() -> None:
    first, second = ask()
    assert first.status == "same", first.text
    assert "1 uniform and 1 whole" in first.text
    assert second.status == "same", second.text
    assert "1 uniform and 1 normal" in second.text


@pytest.mark.parametrize(
    ("fault", "which"), [({"low": -0.5 * (1 + 1e-6)}, 0), ({"wind": 0.1 * (1 + 1e-6)}, 1)]
)
def test_a_millionth_in_what_is_drawn_is_found(fault: Any, which: int) -> None:
    answer = ask(**fault)[which]
    assert answer.status == "different", answer.text
    assert "place" in answer.text


def test_other_numbers_of_draws_are_told_and_not_judged() -> None:
    answer = ask(more=True)[1]
    assert answer.status == "not asked"
    assert answer.text == "the reference draws 1 uniform and 1 normal, the port 2 uniform and 1 normal"


def test_draws_recorded_lie_where_they_were_drawn_from() -> None:
    draws = Draws()
    with recording(draws):
        rng = np.random.default_rng(3)
        number = rng.uniform(2.0, 4.0)
        many = rng.uniform(np.zeros(3), 2.0)
        bell = rng.normal(10.0, 2.0, size=2)
        die = rng.integers(1, 7, 4)
    assert 2.0 <= number < 4.0
    plain = np.random.default_rng(3)
    assert number == plain.uniform(2.0, 4.0)
    np.testing.assert_array_equal(many, plain.uniform(np.zeros(3), 2.0))
    np.testing.assert_array_equal(bell, plain.normal(10.0, 2.0, size=2))
    np.testing.assert_array_equal(die, plain.integers(1, 7, 4))
    assert draws.counts == {"uniform": 4, "whole": 4, "normal": 2}
    assert draws.numbers["uniform"][0] == (number - 2.0) / 2.0
    assert draws.numbers["whole"] == [value - 1 for value in die]
    assert not draws.others
    with recording(draws):
        np.random.default_rng(3).permutation(4)
    assert "np_random.permutation" in draws.others
    assert type(np.random.default_rng(3)) is np.random.Generator


def test_functions_that_cannot_be_handed_draws_are_named() -> None:
    before = jax.random.uniform
    handed = Handed({kind: np.array([0.25]) for kind in ("uniform", "whole", "normal")})
    with handed.in_place():
        assert float(jax.random.uniform(jax.random.PRNGKey(0), minval=2.0, maxval=4.0)) == 2.5
        jax.random.permutation(jax.random.PRNGKey(0), 4)
    assert handed.others == {"jax.random.permutation"}
    assert handed.used == {"uniform": 1, "whole": 0, "normal": 0}
    assert jax.random.uniform is before


class Ferry:
    """A boat on a row of cells that the wind may push on, once in five steps; cell 2 ends the trip."""

    def __init__(self, wind: float = 0.2, reverse: bool = False) -> None:
        self.wind, self.reverse = wind, reverse

    def reset(self, seed: int) -> Any:
        self.rng = np.random.default_rng(seed)
        self.cell = int(self.rng.integers(0, 40))
        return np.float64(self.cell)

    def step(self, action: int) -> Any:
        share = self.rng.random()
        blown = share > 1 - self.wind if self.reverse else share < self.wind
        self.cell = min(self.cell + int(action) + int(blown), 39)
        return np.float64(self.cell), 0.0, self.cell == 2, False, {}


def ferry(**fault: Any) -> MutableSide:
    def write(one: Ferry, state: Any) -> None:
        one.cell = int(state["cell"])

    def reseed(one: Ferry, seed: int) -> None:
        one.rng = np.random.default_rng(seed)

    return MutableSide(
        lambda: Ferry(**fault),
        lambda one: {"cell": one.cell},
        lambda one, seed: one.reset(seed),
        lambda one, action: one.step(action),
        write,
        reseed,
        action_space=lambda one: Space(),
    )


def ask_ferry(port: Any) -> tuple[Answer, Answer]:
    pair = Pair("a ferry", ferry(), port, {"cell": integer(0, 39)})
    base = make.visited(pair, 512, 0)
    drawn = frozenset({"cell", "obs"})
    judge = Judge(pair, base, drawn)
    return ask_same_draws(judge, base, drawn, 0)[1], ask_restored(judge, base)


def test_a_port_in_numpy_is_handed_draws_too() -> None:
    answer, restored = ask_ferry(ferry())
    assert answer.status == "same", answer.text
    assert "1 uniform" in answer.text
    assert restored.status == "same", restored.text  # that a trip ends is drawn in one state alone


def test_a_chance_that_is_off_by_a_millionth_is_found() -> None:
    answer = ask_ferry(ferry(wind=0.2 * (1 + 1e-6)))[0]
    assert answer.status == "different", answer.text
    assert "cell" in answer.text


def test_draws_that_are_put_to_another_use_are_not_called_different() -> None:
    answer = ask_ferry(ferry(reverse=True))[0]
    assert answer.status == "note", answer.text


def test_a_generator_that_replays_returns_what_was_drawn() -> None:
    draws = Draws()

    def draw() -> list[Any]:
        rng = np.random.default_rng(3)
        return [
            rng.random(),
            rng.random(2).tolist(),
            rng.uniform(2.0, 4.0, (2, 1)).tolist(),
            rng.integers(5),
            rng.integers(2, 9, 3).tolist(),
            rng.normal(10.0, 2.0),
            rng.standard_normal(2).tolist(),
        ]

    with recording(draws):
        first = draw()
    given = Given(draws.numbers)
    with replaying(given):
        again = draw()
        more = np.random.default_rng(3).random()
        np.random.default_rng(3).permutation(4)
    assert str(again) == str(first)
    assert more == 0.0
    assert given.used == {**draws.counts, "uniform": draws.counts["uniform"] + 1}
    assert "numpy's Generator.permutation" in given.others


class Gusts(Ferry):
    """In one cell of forty it draws once more."""

    def step(self, action: int) -> Any:
        if self.cell == 11:
            self.rng.random()
        return super().step(action)


def test_a_reference_that_draws_more_in_some_states_is_not_asked() -> None:
    side = ferry()
    pair = Pair("gusts", replace(side, make=Gusts), side, {"cell": integer(0, 39)})
    base = make.visited(pair, 512, 0)
    drawn = frozenset({"cell", "obs"})
    answer = ask_same_draws(Judge(pair, base, drawn), base, drawn, 0)[1]
    assert answer.status == "not asked"
    assert answer.text == "how many numbers the reference draws depends on the state"


class Fleet(Ferry):
    """Each boat draws from a generator that the harbour's has spawned."""

    def reset(self, seed: int) -> Any:
        self.rng = np.random.default_rng(seed).spawn(1)[0]
        self.cell = int(self.rng.integers(0, 40))
        return np.float64(self.cell)


@pytest.mark.parametrize(("wind", "status"), [(0.2, "same"), (0.2 * (1 + 1e-6), "different")])
def test_a_reference_that_spawns_generators_is_asked_as_any_other(wind: float, status: str) -> None:
    def reseed(one: Ferry, seed: int) -> None:
        one.rng = np.random.default_rng(seed).spawn(1)[0]

    side = replace(ferry(), make=Fleet, reseed=reseed)
    pair = Pair("a fleet", side, ferry(wind=wind), {"cell": integer(0, 39)})
    base = make.visited(pair, 512, 0)
    drawn = frozenset({"cell", "obs"})
    first, second = ask_same_draws(Judge(pair, base, drawn), base, drawn, 0)
    assert (first.status, second.status) == ("same", status)
    assert "1 whole" in first.text
    assert "1 uniform" in second.text
