"""Draws of one object handed to another: which are counted, which fields are held, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from parity import Pair, Port, integer
from parity.harness import cases as make
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.replayed_draws import ReplayingGenerator
from parity.harness.modes.same_draws import CASES, STEPS, ask_same_draws
from tests.parity.harness.sides import tiny


@pytest.fixture(autouse=True)
def _few_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for limits in fewer rows, which takes less time."""
    monkeypatch.setattr("parity.harness.modes.aimed_draws.PAIRS", 24)


class Kite:
    """A height and a count that gusts change; it shows twice the height, and is lost high up."""

    def reset(self, seed: int) -> Any:
        self.rng = np.random.default_rng(seed)
        self.height, self.count = float(self.rng.uniform(1.0, 3.0)), int(self.rng.integers(2, 12))
        return self.seen()

    def seen(self) -> Any:
        return {"height": np.float64(2 * self.height), "flag": np.bool_(self.height > 2)}

    def step(self, action: int) -> Any:
        gust, late = self.rng.random(), self.rng.normal(1.0, 0.25)
        self.gust = gust
        self.height = self.height + 0.5 * gust + 0.125 * action
        self.count += 1
        return self.seen(), late * gust, self.height > 4, gust > 0.9, {}


def kite(kind: Any = Kite, **changes: Any) -> Any:
    def put(one: Kite, state: Any) -> None:
        one.height, one.count = float(state["height"]), int(state["count"])

    values: dict[str, Any] = {
        "make": kind,
        "read": lambda one: {"height": one.height, "count": one.count},
        "write": put,
        "reseed": lambda one, seed: setattr(one, "rng", np.random.default_rng(seed)),
        "reset_one": lambda one, seed: one.reset(seed),
        "step_one": lambda one, action: one.step(action),
        "action_space": lambda one: tiny.Two(),
    }
    return Port.mutable(**{**values, **changes})


DRAWN = frozenset({"height", "obs.height", "obs.flag", "reward", "terminated", "truncated"})


def asked(port: Any, reference: Any = None, many: int = 96, seed: int = 0) -> tuple[Answer, Answer]:
    one = Pair("a kite", kite() if reference is None else reference, port, {"count": integer(0, 99)})
    base = make.visited(one, many, 0)
    first, second = ask_same_draws(Judge(one, base, DRAWN), base, DRAWN, seed)
    return first, second


def test_every_case_is_stepped_with_its_own_draws_another_s_and_some_beside_limits() -> None:
    first, second = asked(kite())
    assert (first.question, second.question) == (
        "reset from the same draws",
        "step from the same draws",
    )
    assert (first.status, second.status) == ("same", "same")
    words, many = first.text.removeprefix("equal in double precision in ").split(" cases, ")
    assert many == "from 1 uniform and 1 whole handed over"
    assert int(words) % 12 == 2 * CASES % 12  # what is aimed at comes in twelve distances
    assert int(words) > 2 * CASES
    words, many = second.text.removeprefix("equal in double precision in ").split(" cases, ")
    assert many == "from 1 uniform and 1 normal handed over"
    assert 2 * 96 < int(words) < 2 * STEPS
    words = asked(kite(), many=400)[1].text.removeprefix("equal in double precision in ")
    assert int(words.split()[0]) > 2 * STEPS
    assert (CASES, STEPS) == (64, 256)


class ShownAndCut(Kite):
    """Its first observation is off, and it is cut off a little later."""

    def reset(self, seed: int) -> Any:
        obs = super().reset(seed)
        return {**obs, "height": obs["height"] + 1e-7}

    def step(self, action: int) -> Any:
        obs, reward, over, cut, info = super().step(action)
        return obs, reward, over, cut and self.gust > 0.90001, info


class CountedAndPaid(Kite):
    """Its first count is off where it is the largest, and it pays a little more."""

    def reset(self, seed: int) -> Any:
        obs = super().reset(seed)
        self.count += self.count > 10
        return obs

    def step(self, action: int) -> Any:
        obs, reward, *others = super().step(action)
        return obs, reward * (1 + 1e-7), *others


class DimAndLost(Kite):
    """What it first shows is off beside where its height is two, and so is where it is lost."""

    def reset(self, seed: int) -> Any:
        return {**super().reset(seed), "flag": np.bool_(self.height > 2 + 1e-5)}

    def step(self, action: int) -> Any:
        obs, reward, over, cut, info = super().step(action)
        return obs, reward, over or self.height > 3.9999, cut, info


@pytest.mark.parametrize(
    ("kind", "reset", "step"),
    [
        (ShownAndCut, {"obs.height"}, {"truncated"}),
        (CountedAndPaid, {"count"}, {"reward"}),
        (DimAndLost, {"obs.flag"}, {"terminated"}),
    ],
)
def test_a_field_that_differs_from_the_same_draws_is_named_and_no_other(
    kind: Any, reset: set[str], step: set[str]
) -> None:
    for answer, names in zip(asked(kite(kind)), (reset, step), strict=True):
        assert answer.status == "different", answer.text
        told = answer.text.partition(", ")[2]
        assert {part.partition(": ")[0] for part in told.split("; ")} == names
        assert answer.text.startswith("from the same 1 uniform and 1 ")


class Shuffling(Kite):
    """After three steps it draws in a way that cannot be handed over."""

    def step(self, action: int) -> Any:
        out = super().step(action)
        if self.count % 8 == 5:
            self.rng.exponential()
        return out


class More(Kite):
    """Where its count is of some, it draws once more."""

    def step(self, action: int) -> Any:
        if self.count % 8 == 5:
            self.rng.random()
        return super().step(action)


class Lifted(Kite):
    """Where it is as high as few are, it draws once more."""

    def step(self, action: int) -> Any:
        if self.height > 3.75:
            self.rng.random()
        return super().step(action)


class Seldom(Kite):
    """It draws where its count is of some, and nowhere else."""

    def step(self, action: int) -> Any:
        if self.count % 8 == 5:
            self.height += self.rng.random()
        return self.seen(), 0.0, False, False, {}


class Never(Kite):
    def step(self, action: int) -> Any:
        return self.seen(), 0.0, False, False, {}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Shuffling, "the reference calls np_random.exponential"),
        (More, "how many numbers the reference draws depends on the state"),
        (Lifted, "how many numbers the reference draws depends on the state"),
        (Seldom, "how many numbers the reference draws depends on the state"),
        (Never, "the reference draws nothing from a generator of NumPy"),
    ],
)
def test_draws_of_a_reference_that_cannot_be_handed_over_in_some_states_are_not_asked(
    kind: Any, words: str
) -> None:
    answer = asked(kite(), kite(kind))[1]
    assert (answer.status, answer.text) == ("not asked", words)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            Shuffling,
            "the port 1 uniform and 1 normal, and calls numpy's Generator.exponential",
        ),
        (More, "the port 2 uniform and 1 normal"),
        (Never, "the port none that can be handed over"),
    ],
)
def test_a_port_that_draws_otherwise_in_some_state_is_not_held_to_the_reference_s_draws(
    kind: Any, words: str
) -> None:
    answer = asked(kite(kind))[1]
    text = f"the reference draws 1 uniform and 1 normal, {words}"
    assert (answer.status, answer.text) == ("not asked", text)


def test_a_port_that_raises_on_what_is_handed_over_differs_and_bad_input_is_refused() -> None:
    class Fails(Kite):
        failing: Exception | None = None

        def step(self, action: int) -> Any:
            if isinstance(self.rng, ReplayingGenerator) and self.failing is not None:
                raise self.failing
            return super().step(action)

    Fails.failing = ValueError("x" * 400)
    answer = asked(kite(Fails))[1]
    assert answer.status == "different"
    words = "given the reference's draws, the port raises ValueError: "
    assert answer.text == (words + "x" * 400)[:300]
    Fails.failing = InputError("a field is missing")
    with pytest.raises(InputError, match="a field is missing"):
        asked(kite(Fails))


def test_what_is_not_asked_says_why() -> None:
    one = Pair("a kite", kite(), kite(), {"count": integer(0, 99)})
    base = make.visited(one, 96, 0)
    judge = Judge(one, base, DRAWN)
    for lacking in ("the reference", "the port"):
        judge.no_double = {lacking: "why"}
        for answer in ask_same_draws(judge, base, DRAWN, 0):
            words = "it is asked in double precision, which a side lacks"
            assert (answer.status, answer.text) == ("not asked", words)
    judge.no_double = {}
    nothing = ask_same_draws(judge, base, frozenset(), 0)
    assert [one.status for one in nothing] == ["same", "not asked"]
    assert nothing[1].text == "steps draw nothing"
    judge.pair = replace(one, port=kite(write=None))
    sealed = ask_same_draws(judge, base, DRAWN, 0)
    assert [one.status for one in sealed] == ["same", "not asked"]
    assert sealed[1].text == "the port cannot be put in a state (give write)"


class Kites:
    """The same for many copies at once; ``off``: how much more a gust lifts them."""

    off = 0.0

    def __init__(self, copies: int) -> None:
        self.height, self.count = np.ones(copies), np.zeros(copies, np.int64)
        self.rng = np.random.default_rng(0)

    def reset(self, seeds: Any) -> Any:
        self.rng = np.random.default_rng(seeds)
        self.height = self.rng.uniform(1.0, 3.0, len(seeds))
        self.count = self.rng.integers(2, 12, len(seeds))
        return self.seen()

    def seen(self) -> Any:
        return {"height": 2 * self.height, "flag": self.height > 2}

    def step(self, actions: Any) -> Any:
        gust, late = self.rng.random(len(actions)), self.rng.normal(1.0, 0.25, len(actions))
        self.height = self.height + (0.5 + self.off) * gust + 0.125 * actions
        self.count = self.count + 1
        return self.seen(), late * gust, self.height > 4, gust > 0.9, {}


@pytest.mark.parametrize("off", [0.0, 1e-7])
def test_copies_are_handed_draws_one_by_one(off: float) -> None:
    class Kind(Kites):
        pass

    Kind.off = off

    def put(one: Kites, state: Any) -> None:
        one.height, one.count = state["height"], state["count"]

    port = Port.batched(
        make=Kind,
        read=lambda one: {"height": one.height, "count": one.count},
        write=put,
        reset_all=lambda one, seeds: one.reset(seeds),
        reseed=lambda one, seeds: setattr(one, "rng", np.random.default_rng(seeds)),
        restarts="never",
        batch=32,
    )
    first, second = asked(port)
    assert first.status == "same", first.text
    assert second.status == ("different" if off else "same"), second.text
    if off:
        assert "from the same 1 uniform and 1 normal, height: " in second.text


def test_other_cases_are_taken_with_another_seed_and_the_same_with_the_same() -> None:
    seen: dict[int, list[Any]] = {}
    for run, seed in enumerate((0, 0, 1)):
        noted = seen.setdefault(run, [])

        def reseed(one: Any, number: int, noted: Any = noted) -> None:
            noted.append(int(number))
            one.rng = np.random.default_rng(number)

        one = Pair("a kite", kite(), kite(), {"count": integer(0, 99)})
        base = make.visited(one, 96, 0)
        judge = Judge(one, base, DRAWN)
        judge.pair = replace(one, reference=kite(reseed=reseed))
        ask_same_draws(judge, base, DRAWN, seed)
    assert seen[0] == seen[1]
    first, other = set(seen[0]), set(seen[2])
    assert len(first) == 96
    assert not first & other
