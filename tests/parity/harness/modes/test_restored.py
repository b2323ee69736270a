"""A reference that is put back does what it did there, in every field of every case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.restored import CASES, ULPS, ask_restored
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


HONEST = tiny.pair()
BASE = make.visited(HONEST, 480, 0)


class Forgetting(tiny.Tiny):
    """Something of it is not read, and so is not put back; it shows where a level is one of these."""

    levels_of: tuple[float, ...] = ()
    field = "reward"

    def step(self, action: int) -> Any:
        here = self.put and float(self.levels[1]) in self.levels_of
        obs, reward, *others = super().step(action)
        if here and self.field == "count":
            self.count += 2
        if here and self.field == "levels":
            self.levels = self.levels * [1.0, 2.0]
        if here and self.field in ("count", "levels"):
            obs = self.seen()
        if here and self.field == "obs.near":
            obs = {**obs, "near": obs["near"] + [0.0, 1.0]}
        return obs, reward - 0.5 * (here and self.field == "reward"), *others

    put = False


def remembered(field: str, rows: list[int], **changes: Any) -> Any:
    class Kind(Forgetting):
        pass

    Kind.field = field
    Kind.levels_of = tuple(float(BASE.state["levels"][row, 1]) for row in rows)

    def put(one: Kind, state: Any) -> None:
        tiny.write(one, state)
        one.put = True

    one = tiny.pair(reference=tiny.side(make=Kind, write=put, **changes))
    judge = Judge(HONEST, BASE)
    judge.pair = one
    return ask_restored(judge, BASE)


@pytest.mark.parametrize(
    ("field", "more"), [("levels", 0), ("count", 2), ("obs.near", [0.0, 1.0]), ("reward", -0.5)]
)
def test_the_first_case_that_is_another_is_shown_wherever_it_stands(field: str, more: Any) -> None:
    tried = np.unique(np.linspace(0, 479, 128).astype(int))
    assert len(BASE) == 480
    assert CASES == len(tried) == 128
    same = remembered(field, [])
    words = "put back in 128 visited states, it does what it did there"
    assert (same.status, same.text) == ("same", words)
    assert (
        remembered(field, [int(tried[3]) + 1]).status == "same"
    )  # which is none of those that are tried
    played = BASE.played
    assert played is not None
    for rows in ([479], [0], [int(tried[90]), 479], [int(tried[5]), int(tried[90])]):
        was = played.fields[field][rows[0]]
        now = was * np.array([1, 2]) if field == "levels" else was + np.array(more)
        answer = remembered(field, rows)
        assert answer.status == "different"
        assert answer.text == (
            f"put back in a visited state, its step gives {field} {now.tolist()} where it gave "
            f"{was.tolist()}: read or write leaves something out"
        )


@pytest.mark.parametrize("played", [False, True])
def test_without_what_was_played_or_a_way_to_put_it_back_it_is_not_asked(played: bool) -> None:
    one = tiny.pair(reference=tiny.side(write=None if played else tiny.write))
    judge = Judge(HONEST, BASE)
    judge.pair = one
    cases = BASE if played else make.Cases(BASE.state, BASE.action, BASE.source)
    answer = ask_restored(judge, cases)
    assert (answer.status, answer.text) == ("not asked", "the reference cannot be put in a state")


@pytest.mark.parametrize(("ulps", "status"), [(0.9 * ULPS, "same"), (1.1 * ULPS, "different")])
@pytest.mark.parametrize("sign", [1, -1])
def test_putting_back_may_change_a_number_by_rounding_of_the_field_s_largest(
    sign: int, ulps: float, status: str
) -> None:
    played = BASE.played
    assert played is not None
    tried = np.unique(np.linspace(0, 479, 128).astype(int))
    unit = float(np.spacing(played.outcome["reward"][tried].max()))

    def off(one: Any, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + sign * ulps * unit * (one.count == 7), *others

    judge = Judge(HONEST, BASE)
    judge.pair = tiny.pair(reference=tiny.side(off))
    assert ask_restored(judge, BASE).status == status


def test_of_fields_that_are_drawn_one_that_does_not_repeat_is_named_and_others_are_compared() -> None:
    """Without a way to seed it; in the last case alone, where it counts how often it is stepped."""
    last = float(BASE.state["levels"][-1, 1])

    class Counting(tiny.Tiny):
        calls, wrong = 0, 0.0

        def step(self, action: int) -> Any:
            here = float(self.levels[1]) == last
            obs, reward, *others = super().step(action)
            type(self).calls += here
            more = self.calls * here
            return obs, reward + more + self.wrong, *others

    def answer(names: set[str], wrong: float = 0.0, **changes: Any) -> Any:
        Counting.calls, Counting.wrong = 0, wrong
        one = tiny.pair(reference=tiny.side(make=Counting, **changes))
        judge = Judge(HONEST, BASE, frozenset(names))
        judge.pair = one
        return ask_restored(judge, BASE)

    told = answer({"reward"})
    assert told.status == "different"
    assert told.text == (
        "put in one state twice, with one seed, its step gives another reward: read or write leaves "
        "something out, or it draws and has no reseed, (environment, seed) -> None"
    )
    # what is not drawn is held to what was played, and so is all that is drawn of a side with seeds
    assert answer({"levels"}).text.startswith("put back in a visited state, its step gives reward ")
    seeded = answer({"reward"}, reseed=lambda one, seed: None)
    assert seeded.text.startswith("put back in a visited state, its step gives reward ")
    assert answer({"reward"}, 0.25, reseed=lambda one, seed: None).status == "different"


def test_what_is_left_of_the_case_before_is_not_taken_for_part_of_a_state() -> None:
    class Stained(tiny.Tiny):
        left = 0.0

        def reset(self, seed: int) -> Any:
            self.left = 0.0
            return super().reset(seed)

        def step(self, action: int) -> Any:
            obs, reward, *others = super().step(action)
            reward, self.left = reward + self.left, float(self.count)
            return obs, reward, *others

    one = tiny.pair(reference=tiny.side(make=Stained))
    base = make.visited(one, 160, 0)
    assert base.played is not None
    last = int(np.flatnonzero(base.played.ended)[-1])
    cases = base.rows(np.arange(last - 30, last + 1))
    judge = Judge(one, base, frozenset({"reward"}))
    # what is left of the end before, a reset takes away: nothing is, in the same order
    one.reference.transition(cases.state, cases.action, np.arange(31))
    answer = ask_restored(judge, cases)
    assert answer.status == "different"
    assert "put in one state twice, with one seed, its step gives another reward" in answer.text
