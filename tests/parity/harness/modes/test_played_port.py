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
from parity.harness.modes.played_port import play_port
from tests.parity.harness.lander import mutable, pair
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
