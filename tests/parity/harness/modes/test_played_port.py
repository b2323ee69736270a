"""Ports that cannot be put in a state: they play, and the reference is put in what they show."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from examples.pairs.cartpole import NAMES
from parity import Pair, Port, Report, integer, verify
from parity.harness import cases as make
from parity.harness.cases import LANES
from parity.harness.judge import Judge
from parity.harness.modes.played_port import PlayedPort, play_port
from tests.parity.harness.lander import mutable, pair
from tests.parity.harness.sides import tiny
from tests.parity.harness.sides.batched_cartpole import Carts, LateCarts, carts_pair
from tests.sentences import refuses

FEW: dict[str, Any] = {"transitions": 480, "resets": 300}
AGAIN = "restart after an end"


def wrong(report: Report) -> set[str]:
    """Return fields and questions that fail the pair."""
    fields = {one.name for one in report.fields if not one.passed}
    return fields | {one.question for one in report.answers if one.status == "different"}


def sealed(kind: Any = Carts, **options: Any) -> Pair:
    """Return carts whose state can be read to the last digit, and not set."""
    one = carts_pair(kind, **options)
    port: Any = one.port
    return replace(one, port=replace(port, write=None))


class Observed:
    """Copies of CartPole that hand out observations alone, as EnvPool does, and count their steps."""

    def __init__(self, copies: int, kind: Any = Carts) -> None:
        self._carts = kind(copies)
        self.obs, self.time = np.zeros((copies, 4), np.float32), np.zeros(copies, np.int64)

    def reset(self, seeds: Any) -> Any:
        self.obs, self.time = self._carts.reset(seeds), np.zeros_like(self.time)
        return self.obs

    def step(self, actions: Any) -> Any:
        self.obs, reward, terminated, truncated, info = self._carts.step(actions)
        self.time = np.where(terminated | truncated, 0, self.time + 1)
        return self.obs, reward, terminated, truncated, info


def read(carts: Observed) -> dict[str, Any]:
    return {**dict(zip(NAMES, carts.obs.T, strict=True)), "time": carts.time}


def observed(kind: Any = Carts) -> Pair:
    one = carts_pair(functools.partial(Observed, kind=kind))
    port: Any = one.port
    return replace(one, port=replace(port, write=None, read=read))


class Heavy(Carts):
    """Pushes a little harder."""

    share = 1e-6

    def move(self, actions: Any) -> None:
        before = self.state[:, 1].copy()
        super().move(actions)
        self.state[:, 1] = before + (1 + self.share) * (self.state[:, 1] - before)


class Heavier(Heavy):
    """By so much that observations show it."""

    share = 1e-3


def test_a_true_port_is_the_same_and_what_is_not_checked_is_told() -> None:
    report = verify(sealed(), **FEW)
    assert report.passed, str(report)
    assert {one.verdict for one in report.fields} == {"equal"}
    assert report.cases == {"visited": 480}
    assert report.free_run is not None
    asked = {one.question: one.status for one in report.answers}
    assert asked["free run"] == asked["reset distribution"] == asked[AGAIN] == "same"
    assert asked["the same seed twice"] == asked["final observation"] == "same"
    assert asked["the reference's state is complete"] == "same"
    assert "not checked: drawn states, states about boundaries, and smaller cases" in str(report)
    assert report.seen["an episode ends"] > 5


def test_a_true_port_that_shows_observations_alone_differs_by_rounding() -> None:
    report = verify(observed(), **FEW)
    assert report.passed, str(report)
    assert report.field("x_dot").verdict == "rounding"
    assert "it shows its state in single precision" in str(report)
    assert "the reference's own sensitivity stands in" in str(report)


class Glasses:
    """Hourglasses that run out one by one, and go on below zero until all are reset."""

    def __init__(self, copies: int) -> None:
        self.left, self.seeds = np.ones(copies, np.int64), np.zeros(copies, np.int64)

    def reset(self, seeds: Any) -> Any:
        self.left = np.asarray(seeds) % 7 + 2
        return self.left.copy()

    def step(self, actions: Any) -> Any:
        self.left = self.left - 1
        over = self.left <= 0
        return self.left.copy(), self.seeds % 1000, over, over & False, {}


def test_where_copies_never_restart_only_steps_within_an_episode_are_cases() -> None:
    side = Port.batched(
        make=Glasses,
        read=lambda glasses: {"left": glasses.left},
        reset_all=lambda glasses, seeds: glasses.reset(seeds),
        reseed=lambda glasses, seeds: setattr(glasses, "seeds", np.array(seeds)),
        restarts="never",
        batch=8,
    )
    played = play_port(Pair("glasses", side, side, action=integer(0, 1)), 400, 0)
    before, done = played.cases.state["left"], played.cases.played
    assert done is not None
    assert (len(before) >= 400, before.min(), before.max()) == (True, 1, 8)
    assert done.state["left"].tolist() == (before - 1).tolist()
    assert done.ended.tolist() == (before == 1).tolist()
    assert played.cases.seeds is not None
    assert done.outcome["reward"].tolist() == (played.cases.seeds % 1000).tolist()
    episodes = int(done.ended.sum())
    assert episodes >= 2 * make.LANES  # and more were begun when all had run out
    assert played.begun is None or not len(played.begun.final)


@pytest.mark.costly
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 12))])
def test_a_true_port_raises_no_alarm_with_other_seeds(seed: int) -> None:
    for one in (sealed(), observed(), sealed(LateCarts, restarts="next step")):
        report = verify(one, seed=seed, **FEW)
        assert report.passed, str(report)


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize(
    ("one", "words"),
    [
        (sealed(Heavy), {"x_dot", "free run", "obs"}),
        (observed(Heavier), {"x_dot", "obs"}),
        (sealed(functools.partial(Carts, fault="stale")), {AGAIN}),
        (observed(functools.partial(Carts, fault="stale")), {AGAIN}),
        (sealed(functools.partial(LateCarts, fault="stale"), restarts="next step"), {AGAIN}),
    ],
)
def test_a_fault_is_found_where_the_port_only_plays(one: Pair, words: set[str]) -> None:
    report = verify(one, **FEW)
    assert wrong(report) & words, str(report)
    assert wrong(report) <= words, str(report)
    for case in report.smallest:
        assert case.source == "visited"
        assert not case.command


def test_a_port_that_restarts_late_is_told_so() -> None:
    """What the step that begins another episode then shows is another episode's, and differs too."""
    report = verify(sealed(functools.partial(Carts, fault="late")), **FEW)
    assert report.answer(AGAIN).status == "different"
    assert "the port restarts a step late, or not at all" in report.answer(AGAIN).text


def test_an_object_of_one_environment_plays_too() -> None:
    def ships(**changed: Any) -> Pair:
        side = mutable(**changed)
        side.write = None
        return pair(side)

    report = verify(ships(), **FEW)
    assert report.passed, str(report)
    assert {one.verdict for one in report.fields} == {"equal"}
    assert verify(ships(gravity=0.1 * (1 + 1e-6)), **FEW).field("speed").verdict == "logic"
    assert verify(ships(limit=19), **FEW).field("truncated").verdict in ("logic", "contract")


def test_steps_that_only_begin_an_episode_are_no_cases() -> None:
    played = play_port(sealed(LateCarts, restarts="next step"), 480, 0)
    steps = played.cases.played
    assert steps is not None
    assert played.begun is not None
    assert len(played.begun.final) >= steps.ended.sum() - 16 > 0
    assert (played.begun.state["time"] == 0).all()
    assert (steps.state["time"] == played.cases.state["time"] + 1).all()


def test_an_episode_that_one_seed_does_not_repeat_is_found() -> None:
    class Restless(Carts):
        """Draws its starts from a generator that no seed reaches."""

        live = np.random.default_rng(0)

        def begin(self, which: Any) -> None:
            self.rng = self.live
            super().begin(which)

    report = verify(sealed(Restless), **FEW)
    assert report.answer("the same seed twice").status == "different"


def test_without_a_way_into_either_side_one_sentence_says_what_to_do() -> None:
    one = sealed()
    side = mutable()
    side.write = None
    with refuses():
        verify(pair(side, reference=side), **FEW)
    base = make.visited(one, 32, 0)
    with refuses():
        Judge(one, replace(base, played=None))


@pytest.mark.parametrize("seed", [0, 5])
def test_it_plays_other_episodes_than_the_reference_does_beside_it(seed: int) -> None:
    one = pair(replace(mutable(), write=None))
    played, beside = play_port(one, 256, seed).cases, make.visited(one, 128, seed)
    begun = [one.state["height"][one.state["steps"] == 0] for one in (played, beside)]
    assert min(map(len, begun)) >= LANES
    assert not np.isin(*begun).any()


class Seeded(tiny.Tiny):
    """Pays what its seed says, and may begin another episode within the step that ends one."""

    at_once = False
    number = 0

    def step(self, action: int) -> Any:
        _, _, over, cut, _ = super().step(action)
        paid = float(np.random.default_rng([self.number, 7]).random())
        obs = self.seen()
        if (over or cut) and self.at_once:
            self.reset(int(self.levels[0]) % 2**31)
            return self.seen(), paid, over, cut, {"final_obs": obs}
        return obs, paid, over, cut, {}


def seeded(at_once: bool = False) -> Any:
    class Kind(Seeded):
        pass

    Kind.at_once = at_once
    return tiny.side(
        make=Kind,
        write=None,
        reseed=lambda one, seed: setattr(one, "number", seed),
        hands_out_final=not at_once,
    )


def stepped(played: PlayedPort, row: int) -> tuple[Seeded, Any]:
    """Return a copy that was put where the port was, after the step, and what that returned."""
    one, cases = Seeded(), played.cases
    tiny.write(one, {name: value[row] for name, value in cases.state.items()})
    assert cases.seeds is not None
    one.number = int(cases.seeds[row])
    return one, one.step(int(cases.action["action"][row]))


@pytest.mark.parametrize("at_once", [False, True])
def test_every_step_is_that_of_its_state_action_and_seed(at_once: bool) -> None:
    asked = list[set[str]]()

    def policy(rng: np.random.Generator, obs: Any, state: Any) -> Any:
        asked.append(set(obs))
        return (rng.random(LANES) < 0.5) * 1 if len(asked) % 2 else np.arange(LANES) % 2

    one = replace(tiny.pair(seeded(at_once)), policy=policy)
    played = play_port(one, 400, 0)
    cases, steps = played.cases, played.cases.played
    assert steps is not None
    assert len(cases) == 400
    assert set(cases.source.tolist()) == {"visited"}
    assert played.begun is None
    assert cases.seeds is not None
    assert len(np.unique(cases.seeds)) == 400
    for row in range(400):
        copy, (obs, reward, over, cut, _) = stepped(played, row)
        ended = over or cut
        assert steps.outcome["reward"][row] == reward
        assert (steps.outcome["terminated"][row], steps.outcome["truncated"][row]) == (over, cut)
        if not (at_once and ended):
            assert steps.state["levels"][row].tolist() == copy.levels.tolist()
            assert (steps.state["count"][row], steps.state["open"][row]) == (copy.count, copy.open)
        assert steps.obs["obs.near"][row].tolist() == obs["near"].tolist()
        assert steps.obs["obs.count"][row] == obs["count"]
        assert bool(steps.final[row]) is not (at_once and ended)
        assert steps.final_of("obs")[row]
        if row < 400 - LANES:  # where the lane goes on from; another episode begins after an end
            after = {name: value[row + LANES] for name, value in cases.state.items()}
            assert after["count"] == (0 if ended else copy.count)
            assert ended or after["levels"].tolist() == copy.levels.tolist()
    starts = cases.state["levels"][cases.state["count"] == 0]
    assert len(starts) > 2 * LANES
    assert len(np.unique(starts[:, 1])) == len(starts)
    assert all(names == {"obs.near", "obs.count"} for names in asked)


def test_it_plays_at_least_as_many_steps_as_are_asked_for_and_others_with_another_seed() -> None:
    one = tiny.pair(seeded())
    for wanted, many in ((1, 16), (16, 16), (17, 32), (33, 48)):
        assert len(play_port(one, wanted, 0).cases) == many
    first, again, other = (play_port(one, 64, seed).cases for seed in (0, 0, 1))
    assert first.seeds is not None
    assert again.seeds is not None
    assert other.seeds is not None
    assert first.seeds.tolist() == again.seeds.tolist()
    assert not {*first.seeds.tolist()} & {*other.seeds.tolist()}
    assert not np.isin(first.state["levels"][:16], other.state["levels"]).any()


class Bells:
    """Copies that ring once after so many steps, and count on until all are reset, or begin anew."""

    anew = False

    def __init__(self, copies: int) -> None:
        self.left, self.over = np.ones(copies, np.int64), np.zeros(copies, bool)
        self.turn = 0

    def reset(self, seeds: Any) -> Any:
        self.left, self.over = np.asarray(seeds) % 5 + 2, np.zeros(len(seeds), bool)
        return self.left.copy()

    def step(self, actions: Any) -> Any:
        again = self.over if self.anew else self.over & False
        self.turn += 1
        fresh = (np.arange(len(actions)) * 7 + self.turn) % 5 + 2
        self.left = np.where(again, fresh, self.left - 1)
        rings = (self.left == 0) & ~again
        self.over = rings
        return self.left.copy(), self.left * 1.0 - 50 * again, rings, rings & False, {}


def bells(anew: bool) -> Any:
    class Kind(Bells):
        pass

    Kind.anew = anew
    return Port.batched(
        make=Kind,
        read=lambda one: {"left": one.left},
        reset_all=lambda one, seeds: one.reset(seeds),
        restarts="next step" if anew else "never",
        batch=8,
    )


@pytest.mark.parametrize("anew", [False, True])
def test_copies_that_have_ended_once_are_left_out_until_they_begin_again(anew: bool) -> None:
    side = bells(anew)
    played = play_port(Pair("bells", side, side, action=integer(0, 1)), 300, 0)
    before, done = played.cases.state["left"], played.cases.played
    assert done is not None
    assert len(before) >= 300
    assert before.min() == 1  # none of those that count below zero
    assert done.state["left"].tolist() == (before - 1).tolist()
    assert done.outcome["reward"].tolist() == (before - 1.0).tolist()
    assert done.outcome["terminated"].tolist() == (before == 1).tolist()
    by_length = np.bincount(before, minlength=7)
    assert by_length[6] > 3
    # an episode that begins with six rings but for those that are under way when enough is played
    assert all(by_length[n] >= by_length[n + 1] - LANES for n in range(1, 6))
    assert by_length[1] >= by_length[6]
    if anew:
        assert played.begun is not None
        begun = played.begun
        assert (begun.outcome["reward"] < -40).all()
        assert (begun.state["left"] >= 2).all()
        assert not begun.ended.any()
        assert by_length[1] - LANES <= len(begun.final) <= by_length[1]
        assert len(np.unique(begun.state["left"])) == 5
    else:
        assert played.begun is None or not len(played.begun.final)
