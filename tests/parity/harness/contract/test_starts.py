"""How episodes begin: states and observations, and that the seed is heeded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.samples import Comparison
from parity.harness.contract.starts import OTHERS, answer_of, ask_resets, comparable
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.side import Moments
from parity.harness.trees import Array
from tests.parity.harness.sides import tiny


def asked(change: Any) -> Answer:
    """Ask of a port whose reset is followed by a change."""

    class Other(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            return change(self)

    one = tiny.pair(tiny.side(make=Other))
    judge = Judge(one, make.visited(one, 16, 0))
    (answer,), _ = ask_resets(judge, 400, 0)
    return answer


def honest(one: Any) -> Any:
    return one.seen()


def other_state(one: Any) -> Any:
    one.levels[1] = one.levels[1] * 0.9
    return one.seen()


def other_view(one: Any) -> Any:
    return {**one.seen(), "near": one.levels * [1.0, 0.9]}


def other_count(one: Any) -> Any:
    return {**one.seen(), "count": one.count + int(one.levels[1] > 1.7)}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (honest, set()),
        (other_state, {"levels[1]", "obs.near[1]"}),
        (other_view, {"obs.near[1]"}),
        (other_count, {"obs.count"}),
    ],
)
def test_a_start_that_is_another_in_any_field_is_found(change: Any, names: set[str]) -> None:
    answer = asked(change)
    assert answer.status == ("different" if names else "same"), answer.text
    assert all(f"{name}: " in answer.text for name in names)
    assert "on 400 and 400 draws" in answer.text


def test_a_port_that_begins_the_same_whatever_the_seed_is_found() -> None:
    one = tiny.pair()
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset

    def reset(numbers: Any, double: bool = False) -> Any:
        return given(range(len(numbers)), double)  # type: ignore[arg-type]

    one.port.reset = reset  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == "different"
    assert "ignores its seed" in answer.text


@pytest.mark.parametrize("deaf", [False, True])
def test_a_level_that_is_never_a_number_does_not_hide_that_the_seed_is_not_heeded(deaf: bool) -> None:
    class Gone(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels[0] = np.nan
            return self.seen()

    one = tiny.pair(tiny.side(make=Gone), reference=tiny.side(make=Gone))
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset
    if deaf:
        one.port.reset = lambda numbers, double=False: given(np.arange(len(numbers)), double)  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == ("different" if deaf else "same"), answer.text
    assert ("ignores its seed" in answer.text) == deaf


def test_a_port_whose_starts_are_all_alike_ignores_no_seed_where_the_reference_does_too() -> None:
    class Still(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(0)
            self.levels[0] = np.nan
            return self.seen()

    for reference, status in ((Still, "same"), (tiny.Tiny, "different")):
        one = tiny.pair(tiny.side(make=Still), reference=tiny.side(make=reference))
        (answer,), _ = ask_resets(Judge(one, make.visited(one, 16, 0)), 400, 0)
        assert answer.status == status, answer.text
        assert "ignores its seed" not in answer.text


@pytest.mark.parametrize("ignored", [False, True])
def test_a_port_that_ignores_its_seed_is_found_though_a_field_holds_no_number(ignored: bool) -> None:
    class Unset(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(seed)
            self.levels = np.array([np.nan, self.levels[1]])
            return self.seen()

    one = tiny.pair(tiny.side(make=Unset), reference=tiny.side(make=Unset))
    judge = Judge(one, make.visited(one, 16, 0))
    given = one.port.reset
    if ignored:
        one.port.reset = lambda seeds, double=False: given(np.arange(len(seeds)), double)  # type: ignore[method-assign]
    (answer,), _ = ask_resets(judge, 400, 0)
    assert answer.status == ("different" if ignored else "same"), answer.text
    assert ("ignores its seed" in answer.text) == ignored


@pytest.mark.parametrize("gap", [1.5, np.nan])
def test_a_port_with_one_start_alone_is_told_by_its_fields_and_not_by_its_seeds(gap: float) -> None:
    class Same(tiny.Tiny):
        def reset(self, seed: int) -> Any:
            super().reset(0)
            self.levels = np.array([gap, 2.0])
            return self.seen()

    one = tiny.pair(tiny.side(make=Same))
    (answer,), _ = ask_resets(Judge(one, make.visited(one, 16, 0)), 400, 0)
    assert answer.status == "different"
    assert "ignores its seed" not in answer.text
    assert answer.text.startswith("levels[0]: ")


Shown = tuple[list[list[int]], list[list[int]], Answer, Moments]


class Drawing:
    """A side whose resets draw two numbers; it notes the seeds that it was given."""

    def __init__(self, reset: Any = None) -> None:
        self.given, self.own = list[list[int]](), reset

    def reset(self, seeds: Array) -> Moments:
        self.given.append([int(seed) for seed in seeds])
        if self.own is not None:
            return Moments(*self.own(seeds))
        numbers = np.array([np.random.default_rng(seed).random(2) for seed in self.given[-1]])
        return Moments({"x": numbers[:, 0], "y": numbers[:, 1]}, {"obs": numbers[:, 0] > 0.5})


def both_asked(
    mine: Drawing, theirs: Drawing, seed: int = 0, many: int = 300
) -> tuple[Answer, Moments]:
    judge: Any = SimpleNamespace(pair=SimpleNamespace(reference=mine, port=theirs))
    (answer,), shown = ask_resets(judge, many, seed)
    return answer, shown


def test_each_side_is_asked_with_seeds_of_its_own_and_others_again() -> None:
    by_seed = []
    for seed in (0, 0, 1):
        mine, theirs = Drawing(), Drawing()
        answer, shown = both_asked(mine, theirs, seed)
        assert answer.status == "same"
        assert [len(block) for block in mine.given] == [len(block) for block in theirs.given]
        assert [len(block) for block in mine.given] == [300, OTHERS]
        for block in (*mine.given, *theirs.given):
            assert len(set(block)) == len(block)
        assert mine.given[1] == theirs.given[1]
        blocks = [set(mine.given[0]), set(theirs.given[0]), set(mine.given[1])]
        assert not any(a & b for a, b in ((blocks[0], blocks[1]), (blocks[0], blocks[2])))
        again = Drawing().reset(np.array(mine.given[0]))  # the reference's moments are handed on
        assert shown.state["y"].tolist() == again.state["y"].tolist()
        assert shown.obs["obs"].tolist() == again.obs["obs"].tolist()
        by_seed.append(mine.given)
    assert by_seed[0] == by_seed[1]
    assert not {*by_seed[0][0]} & {*by_seed[2][0]}


def deaf(names: str, values: Any = None) -> Any:
    """Return a reset whose named fields hang on the place in the batch alone."""

    def reset(seeds: Array) -> Any:
        heard = np.array([np.random.default_rng(int(seed)).random(2) for seed in seeds])
        place = np.array([np.random.default_rng(n).random(2) for n in range(len(seeds))])
        kept = place if values is None else np.full_like(place, values)
        state = {
            name: (kept if name in names else heard)[:, column] for column, name in enumerate("xy")
        }
        return state, {"obs": state["x"] > 0.5}

    return reset


IGNORES = f"the port's reset ignores its seed: other seeds give the same {OTHERS} starts, one by one"


@pytest.mark.parametrize("names", ["", "x", "y", "xy"])
def test_a_port_that_hears_its_seed_in_one_field_does_not_ignore_it(names: str) -> None:
    answer, _ = both_asked(Drawing(), Drawing(deaf(names)))
    assert (answer.status, answer.text == IGNORES) == (
        ("different", True) if names == "xy" else ("same", False)
    )
    both, _ = both_asked(Drawing(deaf("xy")), Drawing(deaf("xy")))  # as the reference does
    assert both.status == "same"
    still, _ = both_asked(Drawing(), Drawing(deaf("xy", 0.25)))  # that is another difference
    assert still.status == "different"
    assert "ignores" not in still.text
    assert "x: from " in still.text


def test_fields_of_state_and_observation_of_one_name_and_shape_are_compared() -> None:
    mine = Moments(
        {"a": np.zeros((3, 2)), "b": np.zeros(3)}, {"obs": np.ones(3), "obs.more": np.ones(3)}
    )
    theirs = Moments({"a": np.ones((4, 2)), "b": np.zeros((4, 1))}, {"obs": np.zeros(4)})
    judge: Any = None
    one, two = comparable(judge, mine, theirs)
    assert list(one) == list(two) == ["a", "obs"]
    assert (one["a"].tolist(), two["a"].tolist()) == ([[0, 0]] * 3, [[1, 1]] * 4)
    assert (one["obs"].tolist(), two["obs"].tolist()) == ([1] * 3, [0] * 4)


@pytest.mark.parametrize("many", [0, 1, 4, 5, 9])
def test_four_differences_are_told_and_the_others_counted(many: int) -> None:
    result = Comparison({f"f{n}": f"is {n}" for n in range(many)}, 17, 0.1259)
    answer = answer_of("a question", result, 1200, 345)
    power = (
        "17 two-sample tests on 1,200 and 345 draws, chance of a false alarm 1e-06 in all; gaps of "
        "0.13 between distribution functions are seen"
    )
    told = "; ".join(f"f{n}: is {n}" for n in range(min(many, 4)))
    more = f"; and {many - 4} more" if many > 4 else ""
    assert answer.question == "a question"
    assert answer.status == ("different" if many else "same")
    assert answer.text == (f"{told}{more}. {power}" if many else f"no difference in {power}")


def test_the_first_starts_alone_may_be_alike_and_the_port_still_hear_its_seed() -> None:
    """Only where the reference's starts are others is a seed looked for at all."""

    def some(seeds: Array) -> Any:
        state, obs = deaf("xy")(seeds)
        state["y"][OTHERS - 1] = np.random.default_rng(int(seeds[OTHERS - 1])).random()
        return state, obs

    assert both_asked(Drawing(), Drawing(some))[0].status == "same"
