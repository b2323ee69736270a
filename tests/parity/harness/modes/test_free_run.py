"""A free run takes what may be taken where it has come to, and an infinite number hides no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness.fields import close, exact, integer
from parity.harness.modes.free_run import LANES, _gone_on, _growth, _jump, _play, free_run
from parity.harness.sides.side import Moments, Steps
from parity.harness.trees import Fields


def side(error: float) -> Any:
    """Return a side whose second step makes a number infinite and the other one wrong."""

    def advance(action: Any, seeds: Any) -> Any:
        steps.append(1)
        late = len(steps) > 1
        x = np.array([[np.inf if late else 1.0, 1.0 + error * late]] * 2)
        flags = np.zeros(2, bool)
        return Steps({"x": x}, {}, {"terminated": flags, "truncated": flags}, ~flags)

    steps: list[int] = []
    lanes = SimpleNamespace(advance=advance)
    return SimpleNamespace(can_write=True, lanes=lambda *_: lanes)


def test_an_infinite_number_hides_no_difference() -> None:
    seeds = np.arange(2)
    stay = {"action": np.zeros(2, np.int64)}
    for error in (0.0, 0.5):
        judge: Any = SimpleNamespace(
            pair=SimpleNamespace(reference=side(0.0), port=side(error)),
            states=lambda cases, double: cases.state,
            skipped={},
            random=frozenset(),
            rule=lambda name, x, y: close(),
        )
        start = Moments({"x": np.zeros((2, 2))}, {})
        apart, *_ = _play(judge, start, seeds, lambda step, now: stay, 2, True)
        assert bool(_jump(apart)) is (error > 0)


class Counter:
    """A side that counts up to twelve; what it does where an action is not legal is its own."""

    can_write = True

    def __init__(self, elsewhere: int) -> None:
        self.elsewhere, self.taken = elsewhere, list[tuple[int, int]]()

    def spaces(self) -> dict[str, None]:
        return {"action": None}

    def reset(self, seeds: np.ndarray) -> Moments:
        count = np.zeros(len(seeds), np.int64)
        return Moments({"count": count}, {"obs": count})

    def lanes(self, seeds: np.ndarray, state: Fields, double: bool) -> Any:
        self.count = state["count"]
        return self

    def advance(self, action: Fields, seeds: np.ndarray) -> Steps:
        legal = may({"count": self.count}, action)
        going = self.count < 12
        self.taken += [
            (int(at), int(one)) for at, one in zip(self.count, action["action"], strict=True) if at < 12
        ]
        self.count = self.count + np.where(legal | ~going, 1, self.elsewhere)
        ends = np.asarray(self.count >= 12)
        outcome = {"reward": self.count * 0.0, "terminated": ends, "truncated": ends & False}
        return Steps({"count": self.count}, {"obs": self.count}, outcome, np.ones(len(seeds), bool))


def may(state: Fields, action: Fields) -> np.ndarray:
    """Return whether actions are legal: the count's last two bits, and none where it has ended."""
    return np.asarray((action["action"] == state["count"] % 4) & (state["count"] < 12))


def judge_of(
    mine: Any, theirs: Any, fractions: bool = False, actions: int = 2, **chosen_by: Any
) -> Any:
    """Return a judge of two sides whose actions are whole numbers, chosen as they may be."""
    pair = {"legal": None, "policy": None, **chosen_by}
    return SimpleNamespace(
        pair=SimpleNamespace(
            name="sides", reference=mine, port=theirs, action=integer(0, actions - 1), **pair
        ),
        fractions=fractions,
        no_double={},
        states=lambda cases, double: cases.state,
        skipped={},
        random=frozenset(),
        rule=lambda name, x, y: close() if fractions and x.dtype.kind == "f" else exact(),
    )


@pytest.mark.parametrize("by", ["legal", "policy"])
def test_every_action_is_one_that_may_be_taken_where_it_is_played(by: str) -> None:
    """Else sides that differ only where nothing is defined would be told apart."""
    reference, port = Counter(2), Counter(3)
    ways: dict[str, Any] = {"legal": may, "policy": lambda rng, obs, state: obs["obs"] % 4}
    judge = judge_of(reference, port, actions=4, **{by: ways[by]})
    assert free_run(judge, 0).apart == ""
    assert sorted(reference.taken) == [(at, at % 4) for at in range(12) for _ in range(LANES)]


class Scripted:
    """A side that shows what it was told to, step by step; fields (steps, lanes, ...)."""

    can_write = True

    def __init__(self, shown: Fields, ended: np.ndarray, final: np.ndarray) -> None:
        self.shown, self.ended, self.final, self.at = shown, ended, final, 0
        self.pays = ended * 0

    def reset(self, seeds: np.ndarray) -> Moments:
        return Moments({name: np.zeros_like(value[0]) for name, value in self.shown.items()}, {})

    def spaces(self) -> dict[str, None]:
        return {"action": None}

    def lanes(self, *_: Any) -> Any:
        self.at = 0
        return self

    def advance(self, action: Fields, seeds: np.ndarray) -> Steps:
        now, self.at = self.at, self.at + 1
        state = {name: value[now] for name, value in self.shown.items()}
        ends = self.ended[now]
        outcome = {"reward": self.pays[now], "terminated": ends, "truncated": ends & False}
        return Steps(state, {}, outcome, self.final[now])


STEPS = 6


def scripts(fractions: bool = False) -> tuple[Scripted, Scripted]:
    made = []
    for _ in range(2):
        shown: Fields = {
            "first": np.ones((STEPS, LANES), np.int64),
            "second": np.ones((STEPS, LANES, 3)),
        }
        if not fractions:
            shown["second"] = shown["second"].astype(np.int64)
        flags = np.zeros((STEPS, LANES), bool)
        made.append(Scripted(shown, flags.copy(), ~flags))
    return made[0], made[1]


PLACES = [(0, 0), (0, 7), (3, LANES - 1), (STEPS - 1, 5)]


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize(("step", "lane"), PLACES)
def test_one_lane_that_comes_apart_in_one_step_is_named(
    step: int, lane: int, name: str, fractions: bool
) -> None:
    mine, theirs = scripts(fractions)
    assert free_run(judge_of(mine, theirs, fractions), 0, STEPS).apart == ""
    theirs.shown[name][step:, lane] += 4
    text = free_run(judge_of(mine, theirs, fractions), 0, STEPS).apart
    if fractions and name == "second":
        assert text == (
            f"second comes apart within step {step + 1} of an episode, by 4.0e+00 of its size "
            "in double precision"
        )
    else:
        values = ("1", "5") if name == "first" else ("[1, 1, 1]", "[5, 5, 5]")
        assert text == (
            f"{name} comes apart at step {step + 1} of an episode ({values[0]} on the reference, "
            f"{values[1]} on the port)"
        )


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("name", ["first", "second"])
def test_the_step_that_ends_an_episode_counts_and_those_after_it_do_not(
    name: str, fractions: bool
) -> None:
    for ender in (0, 1):
        sides = scripts(fractions)
        sides[ender].ended[2, 4] = True
        sides[1].shown[name][3:, 4] += 4
        judge = judge_of(*sides, fractions)
        assert "terminated comes apart at step 3 " in free_run(judge, 0, STEPS).apart
        judge.skipped = {"terminated": "left out, to see what else counts"}
        assert free_run(judge, 0, STEPS).apart == ""
        sides[1].shown[name][5:, 6] += 5  # another lane goes on
        text = free_run(judge, 0, STEPS).apart
        assert "at step 6" in text.replace("within", "at")
        assert ("6 on the port" in text) or ("6]" in text) or ("by 5.0e+00" in text)
        sides[1].shown[name][2:, 4] += 4
        assert "at step 3" in free_run(judge, 0, STEPS).apart.replace("within", "at")
        sides[ender].final[2, 4] = False  # what is handed out there is not of the episode
        assert "at step 6" in free_run(judge, 0, STEPS).apart.replace("within", "at")


def test_a_difference_that_jumps_is_told_of_the_field_in_which_it_is_largest() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        step, lane = int(rng.integers(5)), int(rng.integers(3))
        small, large = np.full((5, 3), 1e-14), np.full((5, 3), 1e-14)
        assert _jump({"a": small, "b": large}) == ""
        small[step:, lane], large[step:, lane] = 1e-5, 1e-3
        for apart in ({"a": small, "b": large}, {"b": large, "a": small}):
            assert _jump(apart).startswith(
                f"b comes apart within step {step + 1} of an episode, by 1.0e-03"
            )
        alone = {"a": small, "c": np.full((5, 3), np.nan)}
        assert _jump(alone).startswith(
            f"a comes apart within step {step + 1} of an episode, by 1.0e-05"
        )
    slow = 1e-14 * 100.0 ** np.arange(6)[:, None]  # it grows, and nowhere at once
    assert _jump({"a": slow}) == ""
    assert _jump({}) == ""


def test_the_growth_of_rounding_is_its_factor_a_step() -> None:
    grown = 1e-12 * 2.0 ** np.arange(20)[:, None] * np.ones(4)
    assert _growth(grown) == pytest.approx(2.0)
    grown[3, 1], grown[:, 2] = np.nan, 0.0
    assert _growth(grown) == pytest.approx(2.0)
    assert _growth(grown[:7]) is None


@pytest.mark.parametrize("going", [0b0000, 0b0110, 0b1111])
def test_a_lane_whose_episode_has_ended_stays_where_it_was(going: int) -> None:
    flags = np.array([bool(going >> lane & 1) for lane in range(4)])
    old, new = (np.full((4, 2), value) for value in (1, 2))
    ends = np.zeros(4, bool)
    steps = Steps({"x": new}, {"obs": new * 10}, {"terminated": ends, "truncated": ends}, ~ends)
    shown = _gone_on(Moments({"x": old}, {"obs": old * 10}), steps, flags)
    assert shown.state["x"][:, 1].tolist() == np.where(flags, 2, 1).tolist()
    assert np.array_equal(shown.obs["obs"], shown.state["x"] * 10)


def test_actions_are_chosen_by_what_was_before_the_end_where_an_episode_has_ended() -> None:
    mine, theirs = scripts()
    for one in (mine, theirs):
        one.shown["first"] = np.arange(STEPS * LANES).reshape(STEPS, LANES)
        one.ended[2, 4] = True
    seen = list[int]()

    def choose(step: int, now: Moments) -> Fields:
        seen.append(int(now.state["first"][4]))
        return {"action": np.zeros(LANES, int)}

    judge = judge_of(mine, theirs, fractions=False)
    apart, discrete, _ = _play(
        judge, mine.reset(np.arange(LANES)), np.arange(LANES), choose, STEPS, False
    )
    assert (apart, discrete) == ({}, "")
    # it is asked twice at the start; the end is come to in the third step
    assert seen == [0, 0, 4, LANES + 4, LANES + 4, LANES + 4, LANES + 4]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("which", [0, 1])
def test_a_number_that_is_none_on_one_side_alone_comes_apart(which: int, value: float) -> None:
    sides = scripts(fractions=True)
    for one in sides:
        one.shown["second"][1:, 2, 0] = value  # on both sides it is no difference
    assert free_run(judge_of(*sides, fractions=True), 0, STEPS).apart == ""
    sides[which].shown["second"][3:, 5, 1] = value
    text = free_run(judge_of(*sides, fractions=True), 0, STEPS).apart
    assert text.startswith("second comes apart within step 4 of an episode, by inf of its size")


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("name", ["terminated", "reward"])
def test_what_a_step_returns_counts_where_no_last_state_is_shown(name: str, fractions: bool) -> None:
    """As of a port that begins another episode in the step that ends one."""
    mine, theirs = scripts(fractions)
    for one in (mine, theirs):
        one.ended[3, 5] = True
    theirs.final[3, 5] = False
    theirs.shown["second"][3, 5] += 4
    assert free_run(judge_of(mine, theirs, fractions), 0, STEPS).apart == ""
    mine.ended[3, 5] = name == "reward"
    if name == "terminated":
        words = (
            "terminated comes apart at step 4 of an episode (False on the reference, True on the port)"
        )
    else:
        theirs.pays = np.zeros((STEPS, LANES), np.int64)
        theirs.pays[3, 5] = 2
        words = "reward comes apart at step 4 of an episode (0 on the reference, 2 on the port)"
    assert free_run(judge_of(mine, theirs, fractions), 0, STEPS).apart == words


def test_steps_of_the_longest_episode_and_those_that_were_compared_are_counted() -> None:
    sides = scripts()
    assert (free_run(judge_of(*sides), 0, STEPS).steps, STEPS) == (6, 6)
    assert free_run(judge_of(*sides), 0, STEPS).compared == 6 * LANES
    for one in sides:
        one.ended[0] = True
        one.ended[0, 2] = False
        one.ended[3, 2] = True
    run = free_run(judge_of(*sides), 0, STEPS)
    assert (run.steps, run.compared, run.episodes) == (4, LANES + 3, LANES)
    assert run.to_dict()["compared"] == LANES + 3
    sides[1].final[:] = ~sides[1].ended
    assert free_run(judge_of(*sides), 0, STEPS).compared == LANES + 3 - LANES
