"""What a port that only plays shows: every step is that of the state and action beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity import Pair, Port, integer
from parity.harness.cases import LANES
from parity.harness.modes.played_port import PlayedPort, play_port
from tests.parity.harness.sides import tiny


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
