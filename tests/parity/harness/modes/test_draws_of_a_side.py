"""Which fields a side draws, and whether two sides draw alike, on objects that draw in one state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from parity import Pair
from parity.harness import cases as make
from parity.harness.findings import Answer
from parity.harness.judge import Evidence, Judge
from parity.harness.modes.draws import (
    SEEDS,
    Drawn,
    _joint,
    _varies,
    also_drawn,
    ask_draws,
    drawn_fields,
)
from parity.harness.sides.side import Steps
from parity.harness.trees import Array, Fields
from tests.parity.harness.sides import tiny

Draw = Callable[[np.random.Generator, Array, int], Array]
"""(generator, counts of steps, how many) -> levels."""


def even(rng: np.random.Generator, counts: Array, many: int) -> Array:
    return rng.random(many)


@dataclass
class Windy:
    """A side whose step draws a level, or a flag, or both; all rows at once."""

    draw: Draw = even
    names: tuple[str, ...] = ("level",)
    stream: int = 0
    wrong: int = 0
    seen: list[tuple[int, ...]] = field(default_factory=list)
    can_write = True

    def native(self) -> dict[str, np.dtype[Any]]:
        return {"level": np.dtype(np.float64), "open": np.dtype(bool), "count": np.dtype(np.int64)}

    def transition(self, state: Fields, actions: Fields, seeds: Array, double: bool = False) -> Steps:
        many, count = len(seeds), state["count"]
        self.seen.append(tuple(int(seed) for seed in seeds))
        rng = np.random.default_rng([self.stream, *self.seen[-1]])
        drawn = self.draw(rng, count, many)
        new = {"level": state["level"] * 0.5, "open": count > 3, "count": count + 1}
        if "level" in self.names:
            new["level"] = drawn
        if "open" in self.names:
            new["open"] = drawn < 0.5
        flags = np.zeros(many, bool)
        outcome = {"reward": count * 1.0 + self.wrong, "terminated": flags, "truncated": flags}
        return Steps(new, {"obs": new["level"]}, outcome, ~flags)


def base_of(count: int = 96) -> make.Cases:
    counts = np.arange(count) % 6
    state = {"level": np.linspace(0, 1, count), "open": counts > 2, "count": counts}
    return make.Cases(state, {"action": counts % 2}, np.full(count, "visited"))


def begun(reference: Any, port: Any) -> tuple[Pair, make.Cases, frozenset[str], frozenset[str]]:
    one = Pair("a wind", reference, port)
    base = base_of()
    return one, base, *drawn_fields(one, base)


def asked(reference: Any, port: Any) -> Answer:
    one, base, mine, theirs = begun(reference, port)
    return ask_draws(Judge(one, base, mine | theirs), base, Drawn(mine, theirs, []), 0)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_one_number_of_one_seed_makes_a_field_drawn(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for kind in (np.float64, np.int64, bool):
        values = np.zeros((4 * SEEDS, *shape), kind)
        assert not _varies(values, SEEDS)
        for _ in range(10):
            one = values.copy()
            row = int(rng.integers(4)) * SEEDS + 1 + int(rng.integers(SEEDS - 1))
            one.reshape(len(one), -1)[row, rng.integers(max(1, values[0].size))] = 1
            assert _varies(one, SEEDS)
    still = np.repeat(np.arange(4.0), SEEDS)
    assert not _varies(still, SEEDS)
    still[:SEEDS] = np.nan  # no number is the same whatever the seed, and hides no other state
    assert not _varies(still, SEEDS)
    still[-1] = 9.0
    assert _varies(still, SEEDS)


def test_what_each_side_draws_is_told_apart() -> None:
    both, flag, none = Windy(names=("level", "open")), Windy(names=("open",)), Windy(names=())
    levels = {"level", "obs"}
    assert begun(none, none)[2:] == (frozenset(), frozenset())
    assert begun(both, flag)[2:] == ({*levels, "open"}, {"open"})
    assert begun(flag, both)[2:] == ({"open"}, {*levels, "open"})
    assert asked(none, none).status == "same"
    assert asked(both, flag).text.startswith("only the reference draws level, obs; level: from ")
    assert asked(flag, both).text.startswith("only the port draws level, obs; level: always ")
    assert asked(none, both).status == asked(both, none).status == "different"
    text = asked(flag, Windy()).text
    assert text.startswith("only the reference draws open; only the port draws level, obs; level: ")


OTHERS: dict[str, Draw] = {
    "range": lambda rng, counts, many: rng.random(many) * 0.9,
    "shape": lambda rng, counts, many: rng.random(many) ** 1.7,
    "one value": lambda rng, counts, many: np.where(rng.random(many) < 0.4, 0.25, rng.random(many)),
    "no number": lambda rng, counts, many: np.where(rng.random(many) < 0.1, np.nan, rng.random(many)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_distribution_is_found_on_either_side(name: str) -> None:
    assert asked(Windy(), Windy(stream=1)).status == "same"
    mine, theirs = Windy(), Windy(OTHERS[name])
    for answer in (asked(mine, theirs), asked(theirs, mine)):
        assert answer.status == "different", answer.text
        assert "level: " in answer.text


def test_the_first_state_in_which_the_draws_differ_is_named() -> None:
    shown = []
    for count in range(6):

        def other(rng: np.random.Generator, counts: Array, many: int, at: int = count) -> Array:
            return np.where(counts >= at, rng.random(many) ** 3, rng.random(many))

        answer = asked(Windy(), Windy(other))
        assert answer.status == "different"
        assert "12 states, 600 draws each" in answer.text
        state = answer.text.partition("from state ")[2]
        shown.append(int(state.partition("'count': ")[2].partition("}")[0]))
        assert shown[-1] >= count
    rng = np.random.default_rng([0, 6])  # the states are tried in the order that they are chosen in
    chosen = base_of().rows(rng.choice(96, 12, replace=False)).state["count"]
    assert shown == [next(int(one) for one in chosen if one >= count) for count in range(6)]


def test_no_two_samples_come_from_the_same_seeds() -> None:
    """Else one chance would be tried again and again."""
    mine, theirs = Windy(), Windy()
    one, base, drawn, _ = begun(mine, theirs)
    judge = Judge(one, base, drawn)
    mine.seen.clear(), theirs.seen.clear()
    ask_draws(judge, base, Drawn(drawn, drawn, []), 0)
    blocks = {*mine.seen, *theirs.seen}
    assert len(mine.seen) == len(theirs.seen) == 12
    assert len(blocks) == 24
    assert all(len(set(block)) == 600 for block in blocks)


def test_combinations_that_come_more_often_are_seen_though_each_number_comes_alike() -> None:
    rng = np.random.default_rng(0)
    first, second, third = (rng.random((3, 4000)) < 0.5).astype(int)
    odd = {"a": first, "b": second, "c": first ^ second}
    free = {"a": first, "b": second, "c": third}
    other = {"a": third, "b": first, "c": second}
    assert _joint(free, other, 1e-6) == ""
    for a, b in ((odd, free), (free, odd)):
        text = _joint(a, b, 1e-6)
        assert text.startswith("one outcome comes in ")
    assert " 0.0% of the reference's draws and " in _joint(odd, free, 1e-6)
    never = {"a": np.where(first == 1, 2, 0)}
    assert _joint({"a": first * 2}, never, 1e-6) == ""
    some = {"a": np.r_[np.ones(60, int), np.zeros(3940, int)]}
    assert _joint({"a": np.zeros(4000, int)}, some, 1e-6)  # one side never comes to it
    real = {"a": 0.1 + 0.2 * first}
    assert _joint(real, {"a": np.nextafter(real["a"].astype(np.float32), np.float32(0))}, 1e-6) == ""
    assert _joint(real, {"a": 0.1 + 0.2 * (first & second)}, 1e-6)
    assert _joint({"a": rng.random(4000)}, {"a": rng.random(4000)}, 1e-6) == ""  # far too many


def test_fields_drawn_in_few_states_are_found_where_they_differ_and_no_others() -> None:
    """A port that is wrong besides is not excused by draws elsewhere."""

    def rarely(rng: np.random.Generator, counts: Array, many: int) -> Array:
        return np.where(counts == 5, rng.random(many), 0.25)

    one, base = Pair("a wind", Windy(rarely), Windy(rarely, stream=1, wrong=1)), base_of()
    judge = Judge(one, base)
    evidence = [judge.step(base)]
    more = also_drawn(judge, evidence)
    assert (more.reference, more.port) == ({"level", "obs"}, {"level", "obs"})
    assert "level" not in evidence[0].labels
    assert evidence[0].wrong("reward").all()
    assert judge.random == {"level", "obs"}
    assert all((part.state["count"] == 5).all() for part in more.cases)


def test_outcomes_that_one_side_alone_comes_to_are_no_rare_ones() -> None:
    """Else what each side comes to alone would be put together and look the same."""
    mine = {"a": np.r_[np.zeros(3900, int), np.full(100, 1)]}
    theirs = {"a": np.r_[np.zeros(3900, int), np.full(100, 2)]}
    assert _joint(mine, mine, 1e-6) == ""
    assert _joint(mine, theirs, 1e-6)
    assert _joint(theirs, mine, 1e-6)


def seldom(chance: float, stream: int, at: int | None = None) -> Any:
    """Return a side of objects that pays 1 more with a chance, after so many steps or after any."""

    class Drawing(tiny.Tiny):
        rng = np.random.default_rng(0)

    def step(one: Any, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        lucky = one.rng.random() < chance and at in (None, one.count)
        return obs, reward + lucky, *others

    def reseed(one: Any, seed: int) -> None:
        one.rng = np.random.default_rng([seed, stream])

    return tiny.side(step, Drawing, reseed=reseed)


def judged_draws(mine: Any, theirs: Any) -> tuple[Judge, list[Evidence], Drawn]:
    one = tiny.pair(theirs, reference=mine)
    base = make.visited(one, 640, 0)
    judge = Judge(one, base, frozenset().union(*drawn_fields(one, base)))
    evidence = [judge.step(base)]
    return judge, evidence, also_drawn(judge, evidence)


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize(
    ("chances", "status", "text"),
    [
        ((0.004, 0.004), "same", "both draw reward from the same distributions: "),
        ((0.004, 0.0), "note", "only the reference draws reward, so seldom that it may be chance: "),
        ((0.0, 0.004), "note", "only the port draws reward, so seldom that it may be chance: "),
        ((0.5, 0.0), "different", "only the reference draws reward; reward: from "),
        ((0.0, 0.5), "different", "only the port draws reward; reward: always "),
    ],
)
def test_what_comes_seldom_is_called_chance_as_far_as_it_may_be(
    chances: tuple[float, float], status: str, text: str
) -> None:
    """It differs where either side happened to draw it, and with no other seed."""
    judge, evidence, drawn = judged_draws(seldom(chances[0], 1), seldom(chances[1], 2))
    seen = [bool({"reward"} & names) for names in (drawn.reference, drawn.port)]
    if max(chances) < 0.5:
        assert seen == [chance > 0 for chance in chances]
        assert not any(one.wrong(name).any() for one in evidence for name in one.labels)
    mine, theirs = (frozenset(["reward"] if chance else []) for chance in chances)
    answer = ask_draws(judge, evidence[0].cases, Drawn(mine, theirs, drawn.cases), 0)
    assert (answer.status, answer.text[: len(text)]) == (status, text)


def test_a_difference_that_stays_whatever_the_seed_is_not_excused_by_draws() -> None:
    def wrong(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        return obs, reward + (one.count == 3), *others

    _, evidence, drawn = judged_draws(tiny.side(), tiny.side(wrong))
    assert (drawn.reference, drawn.port, drawn.cases) == (frozenset(), frozenset(), [])
    wrong_in = evidence[0].wrong("reward")
    assert wrong_in.tolist() == (evidence[0].cases.state["count"] == 2).tolist()


def test_the_states_that_are_probed_draw_from_other_seeds_each() -> None:
    """What comes with one seed in a hundred shows in one of a hundred steps."""
    side = Windy()
    begun(side, side)
    assert [len(block) for block in side.seen] == [len(set(block)) for block in side.seen] == [144, 144]
    for at in range(12):
        mine, theirs = drawn_fields(
            tiny.pair(seldom(0.03, at), reference=seldom(0.03, 99 + at)),
            make.visited(tiny.pair(), 96, 0),
        )
        assert (mine, theirs) == ({"reward"}, {"reward"})


def test_a_reference_that_cannot_be_put_in_a_state_is_not_said_to_draw_nothing() -> None:
    mine = seldom(0.5, 1)
    mine.write = None
    one = tiny.pair(seldom(0.5, 2), reference=mine)
    base = make.visited(one, 96, 0)
    drawn = drawn_fields(one, base)
    assert drawn == (frozenset(), {"reward"})
    answer = ask_draws(Judge(one, base, drawn[1]), base, Drawn(*drawn, []), 0)
    assert (answer.status, "give write" in answer.text) == ("not asked", True)
