"""Runs of one side that are not the same: in the last seed, the last case, one field, one form."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from parity import Pair, Port
from parity.harness import cases as make
from parity.harness.contract.forms import (
    FORM_ULPS,
    _distance,
    _drawn_by_the_reference,
    _few,
    _same_seed,
    ask_forms,
    form_distance,
)
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.side import Steps
from tests.parity.harness.lander import pair, program
from tests.parity.harness.sides import tiny
from tests.parity.harness.sides.batched_cartpole import Carts, carts_pair


class Restless(tiny.Tiny):
    """One field of one reset, or of one step of one episode, hangs on how often it was called."""

    calls, field, seed, count_at = 0, "", -1, -1

    def reset(self, seed: int) -> Any:
        self.number = seed
        super().reset(seed)
        return self.told("reset", self.count_at == 0)

    def told(self, what: str, here: bool) -> Any:
        type(self).calls += 1
        seen = self.seen()
        if here and self.field == f"{what} count":
            self.count += self.calls
        if here and self.field == f"{what} obs.near":
            seen["near"] = seen["near"] + [0.0, self.calls]
        return seen

    def step(self, action: int) -> Any:
        _, reward, *others = super().step(action)
        here = self.count == self.count_at
        seen = self.told("step", here)
        return seen, reward + self.calls * (here and self.field == "step reward"), *others


def restless(field: str, count: int, **changes: Any) -> Any:
    class Kind(Restless):
        pass

    Kind.field, Kind.count_at = field, count
    return tiny.side(make=Kind, **changes)


@pytest.mark.parametrize("which", ["reference", "port"])
@pytest.mark.parametrize("field", ["step count", "step obs.near", "step reward"])
def test_a_step_that_does_not_repeat_itself_in_one_case_is_named_with_its_field(
    field: str, which: str
) -> None:
    base = make.visited(tiny.pair(), 160, 0)
    last = int(base.state["count"][-1]) + 1
    rows = np.flatnonzero(base.state["count"] + 1 != last)
    cases = base.rows([*rows[:150], len(base) - 1])
    hint = "; if it draws, give its side reseed, (environment, seed) -> None"
    for reseed, more in ((None, hint), (lambda one, seed: None, "")):
        one = tiny.pair(**{which: restless(field, last, reseed=reseed)})
        judge = Judge(one, cases)
        honest = _same_seed(judge, cases.rows(np.arange(len(cases) - 1)))
        words = "gives the same reset and the same step on each side"
        assert (honest.status, honest.text) == ("same", words)
        answer = _same_seed(judge, cases)
        name = field.removeprefix("step ")
        words = f"the {which}'s step gives another {name} for one seed{more}"
        assert (answer.status, answer.text) == ("different", words)


@pytest.mark.parametrize("which", ["reference", "port"])
@pytest.mark.parametrize("field", ["reset count", "reset obs.near"])
def test_a_reset_that_does_not_repeat_itself_with_one_seed_is_named(field: str, which: str) -> None:
    class Kind(Restless):
        def reset(self, seed: int) -> Any:
            self.count_at = 0 if seed == 31 else -1
            return super().reset(seed)

    Kind.field = field
    one = tiny.pair(**{which: tiny.side(make=Kind)})
    base = make.visited(tiny.pair(), 64, 0)
    answer = _same_seed(Judge(one, base), base)
    name = field.removeprefix("reset ")
    assert answer.text == f"the {which}'s reset gives another {name} for one seed"
    assert answer.status == "different"


@pytest.mark.parametrize("field", ["", "step count", "step obs.near", "step reward"])
def test_an_episode_of_a_side_that_only_plays_is_played_twice(field: str) -> None:
    """What is not repeated is the fourth step of one of its episodes."""

    class Kind(Restless):
        def reset(self, seed: int) -> Any:
            self.count_at = 4 if seed == 7 else -1
            return super().reset(seed)

    Kind.field = field
    base = make.visited(tiny.pair(), 64, 0)
    one = tiny.pair(tiny.side(make=Kind))
    judge = Judge(one, base)
    assert isinstance(one.port, type(one.reference))
    one.port.write = None
    answer = _same_seed(judge, base)
    name = field.removeprefix("step ")
    assert answer.status == ("different" if field else "same")
    if field:
        assert answer.text == (
            f"the port's episode gives another {name} for one seed and the same actions"
        )


def formed(change: Any, form: str, **changes: Any) -> Pair:
    """Return a pair whose port changes what its step leads to in one form, where it is asked."""

    def made() -> Any:
        plain = program()

        def step(key: Any, state: Any, action: Any) -> Any:
            out = plain.step(key, state, action)
            eager = jax.config.jax_disable_jit
            alone = not eager and "Batch" not in type(state.speed).__name__  # not under jax.vmap
            return change(out) if {"eager": eager, "one": alone}[form] else out

        return plain._replace(step=step)

    return pair(Port.functional(made), **changes)


def forms(one: Pair, many: int = 320) -> dict[str, Answer]:
    """Ask without a judge's own probes, which compile for double precision."""
    base = make.visited(one, many, 0)
    judge: Any = SimpleNamespace(pair=one, random=frozenset())
    judge.states = lambda cases, double: Judge.states(judge, cases, double)
    return {answer.question: answer for answer in ask_forms(judge, base)}


NAMES = {"eager": "eager against jitted", "one": "one environment against a batch"}


def late(out: Any) -> Any:
    """Return a step whose reward is another where it is the last that may be taken."""
    return (*out[:2], out[2] + 0.5 * (out[1].steps >= 12), *out[3:])


@pytest.mark.parametrize("form", NAMES)
def test_each_form_is_asked_in_cases_from_the_first_to_the_last(form: str) -> None:
    answers = forms(formed(late, form))
    other = next(name for name in NAMES.values() if name != NAMES[form])
    assert list(answers) == ["the same seed twice", *NAMES.values()]
    assert answers["the same seed twice"].status == answers[other].status == "same"
    assert answers[NAMES[form]].status == "different"
    assert answers[NAMES[form]].text.startswith("reward differs by ")
    assert answers[NAMES[form]].text.endswith(" ulps in 8 cases")


@pytest.mark.parametrize("form", NAMES)
def test_a_form_that_raises_or_rounds_is_told_so(form: str) -> None:
    def fails(out: Any) -> Any:
        raise ValueError("x" * 200)

    answer = forms(formed(fails, form))[NAMES[form]]
    assert (answer.status, answer.text) == ("different", f"raises ValueError: {'x' * 160}")

    def off(by: float) -> Any:
        return lambda out: (*out[:2], out[2] + np.float32(by) * (out[2] < 0.06), *out[3:])

    unit = float(np.spacing(np.float32(0.05)))
    few = forms(formed(off(500 * unit), form))[NAMES[form]]
    words = "the port gives the same but for rounding (up to 500.0 ulps, reward) in 8 cases"
    assert (few.status, few.text) == ("same", words)
    more = forms(formed(off(540 * unit), form))[NAMES[form]]
    assert (more.status, more.text) == ("different", "reward differs by 540 ulps in 8 cases")


def test_what_cannot_be_asked_of_a_form_says_why() -> None:
    one = tiny.pair()
    answers = forms(one)
    for name in NAMES.values():
        assert (answers[name].status, answers[name].text) == (
            "not asked",
            "the port is no pure function",
        )
    carts: Any = carts_pair()
    base = make.visited(carts, 64, 0)
    judge = Judge(carts, base)
    assert [one.status for one in ask_forms(judge, base)] == ["same", "not asked", "same"]
    carts.port.write = None
    last = ask_forms(judge, base)[2]
    assert (last.status, last.text) == (
        "not asked",
        "the port cannot be put in a state (give write)",
    )


@pytest.mark.parametrize("name", ["speed", "reward"])
def test_a_copy_that_hangs_on_the_others_is_told_of_whether_an_episode_ends_or_not(name: str) -> None:
    """The first copy is given what it has where there are others, in steps that end an episode."""

    class Crowded(Carts):
        ends = True

        def step(self, actions: Any) -> Any:
            obs, reward, terminated, truncated, told = super().step(actions)
            crowd = (terminated == self.ends) & (len(actions) > 1)
            if name == "reward":
                reward = reward + crowd
            else:
                self.state[:, 1] += crowd
            return obs, reward, terminated, truncated, told

    class Going(Crowded):
        ends = False

    for kind in (Crowded, Going):
        one = carts_pair(kind)
        base = make.visited(one, 640, 0)
        answer = ask_forms(Judge(one, base), base)[2]
        field = "reward" if name == "reward" else "x_dot"
        if name == "speed" and kind is Crowded:
            assert answer.status == "same"  # there another episode has begun
            continue
        assert answer.status == "different"
        words = f"a copy's step depends on the other copies: {field} is another where it is alone"
        assert answer.text == words


def test_of_copies_eight_ends_and_four_times_as_many_other_steps_are_taken() -> None:
    ended = np.zeros(200, bool)
    ended[[1, 2, 9, 50, 51, 60, 77, 80, 81, 199]] = True
    port = carts_pair().port
    state = {"row": np.arange(200)}
    cases = make.Cases(state, {"action": state["row"]}, np.full(200, "visited"))
    cases.played = SimpleNamespace(ended=ended, rows=lambda rows: None)  # type: ignore[assignment]
    chosen = _few(cases, port).state["row"].tolist()
    ends, others = np.flatnonzero(ended)[:8], np.flatnonzero(~ended)[:32]
    assert chosen == sorted([*ends, *others])
    spread = [0, 28, 56, 85, 113, 142, 170, 199]
    assert _few(cases, pair().port).state["row"].tolist() == spread
    assert _few(replace(cases, played=None), port).state["row"].tolist() == spread
    assert _few(cases.rows(np.arange(3)), pair().port).state["row"].tolist() == [0, 1, 2]


def test_every_field_of_a_step_counts_and_the_farthest_is_named() -> None:
    def steps(**off: float) -> Steps:
        def of(name: str, values: Any) -> Any:
            new = values.copy()
            new[-1] += off.get(name, 0)
            return new

        fields = {name: np.full(4, 1.0) for name in ("x", "obs.y", "reward")}
        flags = {name: np.zeros(4, np.int64) for name in ("terminated", "truncated")}
        new = {name: of(name, value) for name, value in {**fields, **flags}.items()}
        outcome = {name: new[name] for name in ("reward", *flags)}
        return Steps({"x": new["x"]}, {"obs.y": new["obs.y"]}, outcome, np.ones(4, bool))

    for name in ("x", "obs.y", "reward"):
        off = {**dict.fromkeys(("x", "obs.y", "reward"), 2.0**-48), name: 2.0**-40}
        assert _distance(steps(), steps(**off), frozenset()) == (2.0**12, name)
        left_out = frozenset({name})
        assert _distance(steps(), steps(**off), left_out)[0] == 2.0**4
        for flag in ("terminated", "truncated"):
            assert _distance(steps(), steps(**off, **{flag: 1}), frozenset()) == (math.inf, flag)


def test_a_distance_is_in_units_of_the_largest_number_of_its_own_case() -> None:
    one = np.array([[1e-6, 1e-5], [2.0, 1000.0], [np.inf, 1e-6], [3e8, 1.0]], np.float32)
    small = float(np.spacing(np.float32(1e-3)))
    for row, unit in ((0, small), (1, np.spacing(np.float32(1000))), (2, small), (3, 32.0)):
        other = one.copy().astype(np.float64)
        other[row, 0 if row in (0, 1) else 1] += 3 * float(unit)
        assert form_distance(one.astype(np.float64), other) > 1e6 or row == 3
        narrow = other.astype(np.float32)
        assert form_distance(one, narrow) == pytest.approx(3, rel=0.02)
    assert FORM_ULPS == 512
    assert form_distance(np.zeros((4, 0)), np.zeros((4, 0))) == 0
    assert form_distance(np.array([True, False]), np.array([True, True])) == math.inf


def test_only_fields_that_a_judge_leaves_to_draws_are_left_out_and_those_of_any_part() -> None:
    def step(one: Any, action: Any) -> Any:
        seen, reward, *others = one.step(action)
        one.levels = one.levels * (1 + 1e-3 * (getattr(one, "drawn", 0) % 7))
        return {**seen, "near": one.levels * 1.0}, reward + getattr(one, "drawn", 0), *others

    def reseed(one: Any, seed: int) -> None:
        one.drawn = seed

    side = tiny.side(step, reseed=reseed)
    one = tiny.pair(reference=side)
    base = make.visited(one, 32, 0)
    for names in ({"levels"}, {"obs.near", "reward"}, {"count", "reward"}):
        judge = Judge(one, base, frozenset(names))
        assert _drawn_by_the_reference(judge, base) == names - {"count"}
    assert _drawn_by_the_reference(Judge(one, base), base) == frozenset()
    side.write = None
    judge = SimpleNamespace(random=frozenset({"reward"}), pair=one)  # type: ignore[assignment]
    assert _drawn_by_the_reference(judge, base) == frozenset()


@pytest.mark.parametrize("seed", [0, 31])
def test_each_of_the_cases_is_stepped_with_a_seed_of_its_own(seed: int) -> None:
    class Lucky(tiny.Tiny):
        number, calls = -1, 0

        def step(self, action: int) -> Any:
            obs, reward, *others = super().step(action)
            type(self).calls += self.number == seed
            return obs, reward + self.calls * (self.number == seed), *others

    base = make.visited(tiny.pair(), 64, 0)
    judge = Judge(tiny.pair(), base)
    port = tiny.side(make=Lucky, reseed=lambda one, number: setattr(one, "number", number))
    judge.pair = tiny.pair(port)
    assert _same_seed(judge, base).text == "the port's step gives another reward for one seed"


def test_what_the_reference_draws_is_left_out_where_a_copy_is_held_to_the_others() -> None:
    class Paying(Carts):
        def step(self, actions: Any) -> Any:
            obs, reward, *others = super().step(actions)
            return obs, reward + self.rng.random(len(actions)), *others

    one = replace(carts_pair(Paying), reference=carts_pair(Paying).port)
    base = make.visited(one, 64, 0)
    for random, status in ((frozenset({"reward"}), "same"), (frozenset({"x"}), "different")):
        answer = ask_forms(Judge(one, base, random), base)[2]
        assert answer.status == status, answer.text
