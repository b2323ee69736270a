"""A reference that is put back: the first and the last of many cases, each field, each sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.judge import Judge
from parity.harness.modes.restored import CASES, ULPS, ask_restored
from tests.parity.harness.sides import tiny

HONEST = tiny.pair()
BASE = make.visited(HONEST, 480, 0)


class Remembering(tiny.Tiny):
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


def asked(field: str, rows: list[int], **changes: Any) -> Any:
    class Kind(Remembering):
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
    same = asked(field, [])
    words = "put back in 128 visited states, it does what it did there"
    assert (same.status, same.text) == ("same", words)
    assert asked(field, [int(tried[3]) + 1]).status == "same"  # which is none of those that are tried
    played = BASE.played
    assert played is not None
    for rows in ([479], [0], [int(tried[90]), 479], [int(tried[5]), int(tried[90])]):
        was = played.fields[field][rows[0]]
        now = was * np.array([1, 2]) if field == "levels" else was + np.array(more)
        answer = asked(field, rows)
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
