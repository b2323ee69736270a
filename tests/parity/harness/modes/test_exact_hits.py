"""A threshold itself: cases in which both sides come to it to the bit, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import Pair, near, real
from parity.harness import cases as make
from parity.harness.judge import Evidence, Judge
from parity.harness.modes.exact_hits import PLACES, step_exact_hits
from tests.parity.harness import lander
from tests.parity.harness.sides import tiny


class Line:
    """A place that moves by a quarter, and ends where it is at the goal or beyond."""

    def reset(self, seed: int) -> Any:
        self.place = float(np.random.default_rng(seed).uniform(0, 0.5))
        return np.float64(self.place)

    def over(self) -> bool:
        return self.place >= 0.75

    def step(self, action: int) -> Any:
        self.place += 0.25 if action == 1 else -0.25
        return np.float64(self.place), 0.0, self.over(), False, {}


class Later(Line):
    """The goal itself is not reached."""

    def over(self) -> bool:
        return self.place > 0.75


class Beside(Later):
    """In half of its states it lies one unit in the last place beside where it should."""

    def step(self, action: int) -> Any:
        self.place += (0.25 if action == 1 else -0.25) + (2.0**-53 if action == 1 else 0.0)
        return np.float64(self.place), 0.0, self.over(), False, {}


def line(kind: Any) -> Any:
    def put(one: Line, state: Any) -> None:
        one.place = float(state["place"])

    return tiny.side(make=kind, read=lambda one: {"place": one.place}, write=put)


def hits(kind: Any, domain: Any) -> Evidence | None:
    one = Pair("a line", line(Line), line(kind), {"place": domain})
    base = make.visited(one, 64, 0)
    return step_exact_hits(Judge(one, base), base, 0)


@pytest.mark.parametrize("high", [2.0, 0.75])
def test_a_goal_that_counts_on_one_side_alone_is_wrong_in_every_hit(high: float) -> None:
    """Also where the goal is the domain's end."""
    domain = real(-1, high) | near(0.75)
    honest, wrong = hits(Line, domain), hits(Later, domain)
    assert honest is not None
    assert wrong is not None
    places = wrong.native.reference.state["place"]
    assert set(places.tolist()) == {0.0, 0.75}
    assert wrong.wrong("terminated").tolist() == (places == 0.75).tolist()
    assert not any(honest.wrong(name).any() for name in honest.labels)


def test_a_port_that_comes_beside_the_goal_is_not_held_to_it_there() -> None:
    found = hits(Beside, real(-1, 2) | near(0.75))
    assert found is not None
    for arm in (found.double, found.native):
        assert arm is not None
        for steps in (arm.reference, arm.port):
            assert set(steps.state["place"].tolist()) <= {0.0, 0.75}
        assert (arm.reference.state["place"] == arm.port.state["place"]).all()
    assert found.wrong("terminated").any()


def test_without_a_value_to_aim_at_there_are_none() -> None:
    assert hits(Later, real(0.5, 2)) is None


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (real(-1, 2) | near(0.75, 0.25, -0.5), {0.0, 0.75, 0.25, -0.5}),
        (real(0, 2) | near(0.5), {0.0, 0.5}),
        (real(-2, 0) | near(-0.5), {0.0, -0.5}),
        (real(-1, 2) | near(1.0, 5.0, -3.0), {0.0, 1.0}),
    ],
)
def test_every_value_aimed_at_within_the_domain_is_come_to_and_zero_at_its_end_too(
    domain: Any, values: set[float]
) -> None:
    found = hits(Line, domain)
    assert found is not None
    assert set(found.native.reference.state["place"].tolist()) == values
    assert set(found.cases.source.tolist()) == {"boundary"}


class Lit(Line):
    """A line with a lamp that burns by its own hours, and pays for them."""

    def reset(self, seed: int) -> Any:
        self.hours = float(np.random.default_rng([seed, 1]).uniform(0.5, 5))
        return super().reset(seed)

    def step(self, action: int) -> Any:
        place, _, *others = super().step(action)
        self.hours = self.hours + 0.125
        return place, self.hours, *others


def lit(**changes: Any) -> Pair:
    def put(one: Lit, state: Any) -> None:
        one.place, one.hours = float(state["place"]), float(state["hours"])

    def side() -> Any:
        return tiny.side(make=Lit, read=lambda one: {"place": one.place, "hours": one.hours}, write=put)

    domains = {"place": real(-1, 2) | near(0.75), "hours": real(0.25, 6) | near(0.25, 5.5)}
    return Pair("a lamp", side(), side(), **{"state": domains, **changes})


def lit_hits(seed: int = 0, random: frozenset[str] = frozenset(), **changes: Any) -> Evidence | None:
    one = lit(**changes)
    base = make.visited(one, 64, 0)
    found = step_exact_hits(Judge(one, base, random), base, seed)
    if found is not None:
        after, double = found.native.reference.state, found.double
        assert double is not None
        at = np.isin(after["place"], (0, 0.25, 0.75)) | np.isin(after["hours"], (0.25, 5.5))
        assert at.all()
        assert set(found.cases.source.tolist()) == {"boundary"}
    return found


def test_each_field_is_brought_to_its_values_from_states_that_are_others_otherwise() -> None:
    found = lit_hits()
    assert found is not None
    before, after = found.cases.state, found.native.reference.state
    for name, values in (("place", (0.0, 0.75)), ("hours", (5.5,))):
        for value in values:
            rows = after[name] == value
            assert rows.sum() > 10
            other = "hours" if name == "place" else "place"
            assert len(np.unique(before[other][rows])) > 8
    assert not (after["hours"] == 0.25).any()  # before it the lamp would be below its domain
    assert before["hours"].min() >= 0.25
    again, others = lit_hits(), lit_hits(seed=1)
    assert again is not None
    assert others is not None
    assert np.array_equal(again.cases.state["hours"], before["hours"])
    assert not np.array_equal(others.cases.state["hours"], before["hours"])


def test_a_field_that_is_drawn_is_brought_nowhere() -> None:
    found = lit_hits(random=frozenset({"place"}))
    assert found is not None
    assert (found.native.reference.state["hours"] == 5.5).all()
    assert lit_hits(random=frozenset({"place", "hours"})) is None


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("count", [3, 40])
def test_each_number_of_an_array_is_brought_to_a_goal_by_itself(place: int, count: int) -> None:
    """Of a large array sixteen are; a goal that counts in one place on one side alone is found."""

    class Many(Line):
        place: Any

        def reset(self, seed: int) -> Any:
            self.place = np.random.default_rng(seed).uniform(0, 0.5, count)
            return self.place.copy()

        def step(self, action: int) -> Any:
            self.place = self.place + 0.25
            return self.place.copy(), 0.0, bool(self.over()), False, {}

        def over(self) -> bool:
            return self.place[place] >= 0.75

    class Later(Many):
        def over(self) -> bool:
            return self.place[place] > 0.75

    def side(kind: Any) -> Any:
        def put(one: Any, state: Any) -> None:
            one.place = state["place"].copy()

        return tiny.side(make=kind, read=lambda one: {"place": one.place}, write=put)

    one = Pair("a field of them", side(Many), side(Later), {"place": real(-1, 2) | near(0.75)})
    base = make.visited(one, 64, 0)
    found = step_exact_hits(Judge(one, base), base, 0)
    assert found is not None
    hit = found.native.reference.state["place"] == 0.75
    assert hit.any(axis=0).sum() == min(count, PLACES)
    assert found.wrong("terminated").tolist() == hit[:, place].tolist()
    assert count > PLACES or hit[:, place].any()


def test_states_that_cannot_occur_are_left_out_and_the_low_end_itself_is_come_to() -> None:
    found = lit_hits(possible=lambda state: state["place"] < 0.9)
    assert found is not None
    place = found.native.reference.state["place"]
    assert (place == 0.75).any()
    assert found.cases.state["place"].max() < 0.9
    assert (found.cases.action["action"][place == 0.75] == 1).all()
    low = {"place": real(0.25, 2) | near(0.25), "hours": real(0, 6)}
    ends = lit_hits(state=low)
    assert ends is not None
    assert set(ends.native.reference.state["place"].tolist()) == {0.25}
    assert set(ends.cases.state["place"].tolist()) == {0.5}


def test_both_sides_come_to_a_value_in_double_precision_though_the_port_holds_fewer_digits() -> None:
    one = lander.pair()
    base = make.visited(one, 64, 0)
    found = step_exact_hits(Judge(one, base), base, 0)
    assert found is not None
    assert found.double is not None
    for side in (found.double.reference, found.double.port):
        assert (side.state["speed"] == 0).sum() > 10
    assert (found.native.reference.state["speed"] != 0).any()
