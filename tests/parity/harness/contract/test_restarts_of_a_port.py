"""Ports that begin another episode by themselves: as they say, a step early or late, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity import Pair, Port, integer
from parity.harness import cases as make
from parity.harness.contract.restarts import (
    ENDS,
    _begun_late,
    _begun_unsaid,
    _close,
    _ends,
    ask_restarts,
    has_two_steps,
)
from parity.harness.findings import Answer
from parity.harness.judge import Arm, Evidence, Judge
from parity.harness.modes.played_port import play_port
from parity.harness.sides.side import Moments, Steps
from tests.parity.harness.sides import tiny


class Again(tiny.Tiny):
    """Begins another episode in the step that ends one, in the step after, or never."""

    when, shown, over, bias = "same step", True, False, 1.0

    def begin(self) -> Any:
        self.reset(int(self.levels[0] * 1e3) % 2**31)
        self.levels = self.levels * self.bias
        return self.seen()

    def step(self, action: int) -> Any:
        if self.when == "next step" and self.over:
            self.over = False
            return self.begin(), 0.0, False, False, {}
        obs, reward, over, cut, _ = super().step(action)
        self.over = bool(over or cut)
        told = {"final_obs": obs} if self.over and self.shown else {}
        if self.over and self.when == "same step":
            obs = self.begin()
        return obs, reward, over, cut, told


def put(one: Any, state: Any) -> None:
    one.over = False
    tiny.write(one, state)


def again(said: bool = True, sealed: bool = False, **how: Any) -> Any:
    """Return a port; ``said``: whether it is said to restart within the step."""

    class Kind(Again):
        pass

    for name, value in how.items():
        setattr(Kind, name, value)
    return tiny.side(make=Kind, hands_out_final=not said, write=None if sealed else put)


def asked(port: Any) -> list[Answer]:
    one = tiny.pair(port)
    base = make.visited(one, 640, 0) if port.can_write else play_port(one, 640, 0).cases
    judge = Judge(one, base)
    evidence = judge.step(base)
    answers = ask_restarts(judge, [evidence], one.reference.reset(np.arange(1000, 1400)))
    ends = int(evidence.native.port.ended.sum())
    assert ends > 30
    for answer in answers:
        answer.text = answer.text.replace(f" {ends} ", " N ")
    return answers


ONLY, AGAIN, FINAL = "restart only at an end", "restart after an end", "final observation"


def test_a_port_that_does_as_it_says_is_the_same_and_one_that_never_restarts_is_not_asked() -> None:
    only, begun, final = asked(again())
    assert [one.question for one in (only, begun, final)] == [ONLY, AGAIN, FINAL]
    assert [one.status for one in (only, begun, final)] == ["not asked", "same", "same"]
    assert only.text == (
        "the port has one step alone, which restarts: its fields are compared with the reference's"
    )
    assert " tests on 400 and N draws" in begun.text
    assert final.text == "handed out as it was at N ends"
    hidden = asked(again(shown=False))
    words = "the port restarts within the step and does not hand out the final observation"
    assert [one.status for one in hidden] == ["not asked", "same", "note"]
    assert hidden[2].text == words
    plain = asked(again(said=False, when="never", shown=False))
    words = "the port does not restart by itself within a step"
    assert [(one.question, one.status, one.text) for one in plain] == [
        (AGAIN, "not asked", words),
        (FINAL, "not asked", words),
    ]


@pytest.mark.parametrize("sealed", [False, True])
def test_a_port_that_begins_elsewhere_than_a_reset_does_differs(sealed: bool) -> None:
    _, begun, final = asked(again(bias=1.5, sealed=sealed))
    assert (begun.status, final.status) == ("different", "same")
    assert begun.text.startswith("levels[0]: from ")
    assert "levels[1]: from " in begun.text


def test_a_port_that_restarts_within_the_step_and_does_not_say_so_is_told_so() -> None:
    begun, final = asked(again(said=False, shown=False))
    assert (begun.question, begun.status, final.question) == (AGAIN, "different", FINAL)
    assert begun.text.startswith(
        "in N of N ends the step shows another episode's first state instead of"
    )
    assert begun.text.endswith("say so (hands_out_final=False, or restarts='same step')")
    assert (final.status, final.text) == ("not asked", "see the restart")


LATE: dict[str, Any] = {
    "goes on": ({"when": "never"}, "the port does not restart, a further step goes on"),
    "a step late": ({"when": "next step"}, "the port restarts a step late (Gymnasium's NEXT_STEP)"),
    "only plays": (
        {"when": "next step", "sealed": True},
        "the port restarts a step late, or not at all",
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_a_port_that_is_said_to_restart_within_the_step_and_does_not_is_told_what_it_does(
    name: str,
) -> None:
    how, words = LATE[name]
    only, begun, _ = asked(again(**how))
    assert (only.status, begun.status) == ("not asked", "different")
    first = "in N of N ends the step shows the last state, not another episode's first"
    if name != "only plays":  # else steps that begin another episode are taken for steps
        assert begun.text == f"{first}: {words}"
    assert begun.text.endswith(f": {words}")


def shown(ended: Any, x: Any, restart: Any = None, final: Any = None) -> Steps:
    flags = np.asarray(ended)
    outcome = {"reward": x * 0, "terminated": flags, "truncated": flags & False}
    final = np.ones(len(flags), bool) if final is None else final
    later = None if restart is None else Moments({"x": restart}, {})
    return Steps({"x": x}, {}, outcome, final, later)


def judge_of(port: Any = None, skipped: Any = ()) -> Any:
    port = SimpleNamespace(can_write=False) if port is None else port
    return SimpleNamespace(
        pair=SimpleNamespace(port=port, rules={}), skipped=dict.fromkeys(skipped, "why")
    )


def halves(mine: Steps, theirs: Steps) -> list[Evidence]:
    """Return two unequal sets of cases."""
    count = len(mine.final)
    parts = []
    for rows in (np.arange(count // 3), np.arange(count // 3, count)):
        both = []
        for steps in (mine, theirs):
            one = steps.rows(rows)
            if steps.restart is not None:
                one.restart = Moments({"x": steps.restart.state["x"][rows]}, {})
            both.append(one)
        state = {"x": np.zeros(len(rows))}
        cases = make.Cases(state, {"action": rows}, np.full(len(rows), "visited"))
        parts.append(Evidence(cases, Arm(state, *both), None, {}))
    return parts


def unsaid(ends: int = 40, wrong: int = 40, elsewhere: int = 0, spread: float = 1.0) -> str:
    rng = np.random.default_rng(0)
    ended = np.zeros(ends + 555, bool)
    ended[rng.choice(len(ended), ends, replace=False)] = True
    mine = np.arange(len(ended)) + 100.0
    theirs = mine.copy()
    theirs[np.flatnonzero(ended)[:wrong]] = spread * rng.random(wrong)
    theirs[np.flatnonzero(~ended)[:elsewhere]] += 5
    resets = Moments({"x": rng.random(1000)}, {})
    evidence = halves(shown(ended, mine), shown(ended, theirs))
    return _begun_unsaid(judge_of(), evidence, resets)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, True),
        ({"ends": 20, "wrong": 20}, True),
        ({"ends": 19, "wrong": 19}, False),
        ({"wrong": 36}, True),
        ({"wrong": 35}, False),
        ({"elsewhere": 55}, True),
        ({"elsewhere": 56}, False),
        ({"spread": 0.5}, False),
    ],
)
def test_a_start_in_place_of_an_end_is_told_where_nearly_every_end_is_one_and_hardly_another_step(
    how: dict[str, Any], told: bool
) -> None:
    text = unsaid(**how)
    ends = how.get("ends", 40)
    assert bool(text) is told
    assert not told or text.startswith(f"in {how.get('wrong', 40)} of {ends} ends the step shows ")


def test_no_start_is_looked_for_where_a_port_says_it_restarts_or_states_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    ended, x = np.ones(60, bool), rng.random(60)
    resets = Moments({"x": rng.random(1000)}, {})
    mine, theirs = shown(ended, x + 100), shown(ended, x)
    assert _begun_unsaid(judge_of(), halves(mine, theirs), resets)
    assert not _begun_unsaid(judge_of(skipped=["x"]), halves(mine, theirs), resets)
    evidence = halves(mine, theirs)
    evidence[1].native.port.restart = Moments({"x": x[20:]}, {})
    assert not has_two_steps(evidence)
    assert not _begun_unsaid(judge_of(), evidence, resets)
    evidence[1].native.port.restart.obs["final terminated"] = ended[20:]
    assert has_two_steps(evidence)
    assert _begun_unsaid(judge_of(), evidence, resets)
    # where one side alone ends, nothing is said of an end
    one_side = halves(shown(ended & False, x + 100), theirs)
    assert not _begun_unsaid(judge_of(), one_side, resets)


@pytest.mark.parametrize(
    ("ends", "late", "told"),
    [(60, 60, True), (60, 54, True), (60, 53, False), (20, 18, True), (19, 19, False)],
)
def test_an_end_in_place_of_a_start_is_told_where_nearly_every_end_is_one(
    ends: int, late: int, told: bool
) -> None:
    count = ends + 30
    ended = np.arange(count) >= 30
    x = np.arange(count) + 100.0
    restart = np.where(np.arange(count) < 30 + late, x, 0.5)
    evidence = halves(shown(ended, x), shown(ended, x, restart))
    text = _begun_late(judge_of(), evidence)
    assert text == (
        f"in {late} of {ends} ends the step shows the last state, not another episode's first: the "
        "port restarts a step late, or not at all"
        if told
        else ""
    )
    final = np.ones(count, bool)
    final[-1] = False  # of an end that the reference does not show nothing is known
    hidden = halves(shown(ended, x, final=final), shown(ended, x, restart))
    fewer = _begun_late(judge_of(), hidden)
    assert fewer.startswith(f"in {min(late, ends - 1)} of {ends - 1} ends") or not fewer
    assert not _begun_late(judge_of(), halves(shown(ended & False, x), shown(ended, x, restart)))


def test_states_are_close_in_every_number_of_every_field() -> None:
    a = {"x": np.array([[1.0, 1e6], [0.0, np.nan], [2.0, 3.0]]), "n": np.array([3, 4, 5])}
    assert _close(a, a).tolist() == [True] * 3
    for name, row, column, off, same in (
        ("x", 0, 1, 99.0, True),
        ("x", 0, 1, 101.0, False),
        ("x", 0, 0, 99e-6, True),
        ("x", 0, 0, 103e-6, False),
        ("x", 1, 0, 0.9e-6, True),
        ("x", 1, 0, 1.1e-6, False),
        ("x", 1, 1, 1.0, True),
        ("x", 2, 1, 1.0, False),
        ("n", 2, None, 1, False),
    ):
        b = {key: value.copy() for key, value in a.items()}
        b[name][(row,) if column is None else (row, column)] += off
        assert _close(a, b).tolist() == [same or n != row for n in range(3)]
    none = {**a, "x": np.where(np.isnan(a["x"]), 1.0, a["x"])}
    assert _close(a, none).tolist() == _close(none, a).tolist() == [True, False, True]


class Timers:
    """Clocks that run down, of which one that has run down begins anew in the step after."""

    fault = ""

    def __init__(self, copies: int) -> None:
        self.left, self.over = np.ones(copies), np.zeros(copies, bool)
        self.rngs = [np.random.default_rng(0)] * copies

    def reset(self, seeds: Any) -> Any:
        self.rngs = [np.random.default_rng(seed) for seed in seeds]
        self.left, self.over = self.drawn(4), np.zeros(len(seeds), bool)
        return self.left * 1.0

    def drawn(self, most: float) -> Any:
        return np.array([rng.uniform(2, most) for rng in self.rngs])

    def step(self, actions: Any) -> Any:
        again = self.over if self.fault != "goes on" else self.over & False
        fresh = self.drawn(2.5 if self.fault == "narrow" else 4)
        self.left = np.where(again, fresh, self.left - 1)
        ended = (self.left <= 0) & ~again
        at_once = again & (fresh > 3.9) & (self.fault == "ends")
        reward = np.where(again, 0.25 * (fresh > 3.9) * (self.fault == "pays"), self.left)
        self.over = ended
        return self.left * 1.0, reward, ended | at_once, ended & False, {}


def timers(fault: str = "", sealed: bool = False) -> Any:
    class Kind(Timers):
        pass

    Kind.fault = fault

    def write(one: Timers, state: Any) -> None:
        one.left, one.over = state["left"] * 1.0, np.zeros(len(state["left"]), bool)

    return Port.batched(
        make=Kind,
        read=lambda one: {"left": one.left},
        write=None if sealed else write,
        reset_all=lambda one, seeds: one.reset(seeds),
        restarts="next step",
        batch=64,
    )


FAULTS: dict[str, Callable[[str], bool]] = {
    "": lambda text: "tests on 400 and " in text,
    "goes on": lambda text: (
        text == "the step after an end goes on from the last state: the port does not restart"
    ),
    "narrow": lambda text: text.startswith("left: from 2."),
    "ends": lambda text: text.startswith("the step that begins another episode ends it in "),
    "pays": lambda text: text.endswith("gives a reward of 0.25; it must give 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_step_after_an_end_begins_an_episode_as_a_reset_does(fault: str) -> None:
    one = Pair("timers", timers(), timers(fault), action=integer(0, 1))
    base = make.visited(one, 960, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base)]
    count, state, action = _ends(evidence)
    ended = evidence[0].native.port.ended
    assert count == min(ended.sum(), ENDS) > 60
    assert state["left"].tolist() == evidence[0].native.state["left"][ended][:ENDS].tolist()
    assert action["action"].tolist() == base.action["action"][ended][:ENDS].tolist()
    begun, final = ask_restarts(judge, evidence, one.reference.reset(np.arange(1000, 1400)))
    assert (begun.question, final.question, final.status) == (AGAIN, FINAL, "not asked")
    assert begun.status == ("different" if fault else "same"), begun.text
    assert FAULTS[fault](begun.text), begun.text
    few = [replace(evidence[0], native=Arm(*few_ends(evidence[0], 19)))]
    none = ask_restarts(judge, few, one.reference.reset(np.arange(50)))[0]
    words = "only 19 episodes ended; 20 are needed"
    assert (none.status, none.text) == ("not asked", words)


def few_ends(one: Evidence, many: int) -> tuple[Any, Steps, Steps]:
    """Return an arm in which the port ends so many episodes alone."""
    steps = one.native.port
    flags = steps.outcome["terminated"].copy()
    flags[np.flatnonzero(flags)[many:]] = False
    outcome = {**steps.outcome, "terminated": flags}
    return one.native.state, one.native.reference, replace(steps, outcome=outcome)


def test_starts_of_every_set_of_cases_are_held_to_resets() -> None:
    """Those of the second set alone are others."""
    rng = np.random.default_rng(0)
    ended, x = np.ones(90, bool), rng.random(90)
    resets = Moments({"x": rng.random(1000)}, {})
    judge = judge_of()
    judge.skipped = {"x": "its steps are not what is asked of here"}
    for more, status in ((0.0, "same"), (1.0, "different")):
        restart = x + more * (np.arange(90) >= 30)
        evidence = halves(shown(ended, x + 100), shown(ended, x + 100, restart, ended & False))
        begun = ask_restarts(judge, evidence, resets)[1]
        assert (begun.question, begun.status) == (AGAIN, status)
        assert "on 1,000 and 90 draws" in begun.text
