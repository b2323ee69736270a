"""A reference that is put back does what it did there, in every field of every case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.restored import ask_restored
from tests.parity.harness.sides import tiny


def asked(reference: Any, random: frozenset[str] = frozenset()) -> Answer:
    one = tiny.pair(reference=reference)
    base = make.visited(one, 96, 0)
    return ask_restored(Judge(one, base, random), base)


def forgetful(change: Any) -> Any:
    """Return a reference that is put somewhere else in the few states with three steps done."""

    def put(one: tiny.Tiny, state: Any) -> None:
        tiny.write(one, state)
        if one.count == 3:
            change(one)

    return tiny.side(write=put)


def more_steps(one: tiny.Tiny) -> None:
    one.count += 1


def other_level(share: float) -> Any:
    def change(one: tiny.Tiny) -> None:
        one.levels = one.levels * (1 + share)

    return change


def test_a_whole_state_is_the_same_whatever_is_drawn() -> None:
    assert asked(tiny.side()).status == "same"
    assert asked(tiny.side(), frozenset({"levels"})).status == "same"


@pytest.mark.parametrize(
    ("change", "name"),
    [(more_steps, "count"), (other_level(1e-12), "levels"), (other_level(-1e-12), "levels")],
)
def test_what_is_left_out_in_a_few_states_is_found(change: Any, name: str) -> None:
    answer = asked(forgetful(change))
    assert answer.status == "different"
    assert answer.text.startswith(f"put back in a visited state, its step gives {name} ")


def test_rounding_of_what_is_put_back_is_none() -> None:
    assert asked(forgetful(other_level(2.0**-52))).status == "same"


def test_a_field_that_is_drawn_must_be_the_same_for_one_seed() -> None:
    rng = np.random.default_rng(0)

    def step(one: tiny.Tiny, action: Any) -> Any:
        out = one.step(action)
        one.levels[1] += rng.random() * (one.count == 3)
        return one.seen(), *out[1:]

    answer = asked(tiny.side(step), frozenset({"levels", "obs.near"}))
    assert answer.status == "different"
    assert "put in one state twice, with one seed, its step gives another levels" in answer.text


class Gone(tiny.Tiny):
    """Some episodes begin with a level that is no number."""

    def reset(self, seed: int) -> Any:
        super().reset(seed)
        if seed % 4 == 0:
            self.levels[1] = np.nan
        return self.seen()


def test_a_level_that_is_no_number_in_some_states_is_neither_a_difference_nor_an_excuse() -> None:
    put = tiny.side(make=Gone)
    base = make.visited(tiny.pair(reference=put), 96, 0)
    assert np.isnan(base.state["levels"]).any()
    assert asked(put).status == "same"
    assert asked(put, frozenset({"levels", "obs.near", "reward"})).status == "same"
    for share, status in ((2.0**-52, "same"), (1e-12, "different")):
        answer = asked(tiny.side(make=Gone, write=forgetful(other_level(share)).write))
        assert answer.status == status, answer.text


def test_a_field_that_is_drawn_may_hold_no_number() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        out = one.step(action)
        if one.count == 3:
            one.levels = np.array([np.nan, 1.0])
        return one.seen(), *out[1:]

    answer = asked(tiny.side(step), frozenset({"levels", "obs.near"}))
    assert answer.status == "same", answer.text


@pytest.mark.parametrize("biased", [False, True])
def test_what_is_drawn_is_held_to_what_was_drawn_from_the_same_seed(biased: bool) -> None:
    """Where a side is given its seeds, a drawn field is compared as any other."""

    class Drawing(tiny.Tiny):
        rng, bias = np.random.default_rng(0), 0.0

    def step(one: Drawing, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + one.rng.random() + one.bias, *others

    def put(one: Drawing, state: Any) -> None:
        tiny.write(one, state)
        one.bias = 1e-6 * (biased and one.count == 3)

    def reseed(one: Drawing, seed: int) -> None:
        one.rng = np.random.default_rng(seed)

    reference = tiny.side(step, Drawing, write=put, reseed=reseed)
    base = make.visited(tiny.pair(reference=reference), 96, 0)
    assert len(np.unique(base.played.outcome["reward"])) == 96  # type: ignore[union-attr]
    answer = asked(reference, frozenset({"reward"}))
    assert answer.status == ("different" if biased else "same"), answer.text
    assert not biased or "its step gives reward " in answer.text
