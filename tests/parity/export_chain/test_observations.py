"""Observations of episodes: every row that was played comes, once and in order, with its own mask."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket
from jax_port.export.golden import center
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP
from parity.export_chain import observations
from parity.export_chain.observations import BATCH, EXPLORE, Batch, beyond_the_clip, of_episodes
from tests.jax_port.export.made_bundle import made_policy

STARTS = 1000


class Plays:
    """Plays whose rows are numbered through, of episodes of all lengths; what they were asked for."""

    def __init__(self, length: int) -> None:
        self.length, self.asked = length, list[tuple[NDArray[np.int64], float, int]]()
        self.obs, self.masks = list[NDArray[np.float32]](), list[NDArray[np.bool_]]()
        self.next = 0

    def record(self, policy: Any, market: Any, starts: Any, *, explore: float, seed: int) -> Any:
        self.asked.append((starts, explore, seed))
        shape = self.length, len(starts)
        alive = np.arange(self.length)[:, None] < 1 + starts % self.length
        numbers = self.next + np.arange(alive.size).reshape(shape)
        self.next += alive.size
        obs = np.stack([numbers, -numbers], axis=-1).astype(np.float32)
        masks = (numbers[..., None] >> np.arange(6)) % 2 == 0
        self.obs.append(obs[alive])
        self.masks.append(masks[alive])
        return SimpleNamespace(alive=alive, obs=obs, masks=masks)


def played(least: int, length: int, seed: int = 0) -> tuple[Plays, list[Batch]]:
    plays = Plays(length)
    policy = SimpleNamespace(config=SimpleNamespace(max_episode_bars=length))
    market = SimpleNamespace(starts=np.zeros(STARTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observations, "record", plays.record)
        found = list(of_episodes(cast(Policy, policy), cast(PreparedMarket, market), least, seed))
    return plays, found


@pytest.mark.parametrize("least", [1, 100, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH, 100_000])
@pytest.mark.parametrize("length", [1, 40, 400, 1500])
def test_batches_are_all_that_was_played_and_no_row_twice(least: int, length: int) -> None:
    """Also where a play makes several batches, and where several plays make one."""
    plays, found = played(least, length)
    assert np.array_equal(np.concatenate([one.obs for one in found]), np.concatenate(plays.obs))
    assert np.array_equal(np.concatenate([one.masks for one in found]), np.concatenate(plays.masks))
    assert [len(one) for one in found[:-1]] == [BATCH] * (len(found) - 1)
    assert 0 < len(found[-1]) <= BATCH
    sizes = [len(one) for one in plays.obs]
    assert sum(sizes[:-1]) < least <= sum(sizes)


def test_as_many_as_were_asked_for_are_enough() -> None:
    plays, _ = played(1, 40)
    exact = len(plays.obs[0])
    again, found = played(exact, 40)
    assert len(again.obs) == 1
    assert [len(one) for one in found] == [exact]
    assert len(played(exact + 1, 40)[0].obs) == 2


def test_every_play_has_starts_and_a_seed_of_its_own() -> None:
    """Over the whole market; the seed draws them, and the same seed the same."""
    plays, _ = played(30_000, 20)
    starts = np.concatenate([one for one, *_ in plays.asked])
    assert {explore for _, explore, _ in plays.asked} == {EXPLORE}
    assert EXPLORE > 0
    assert len({seed for *_, seed in plays.asked}) == len(plays.asked) > 30
    assert len({tuple(one) for one, *_ in plays.asked}) == len(plays.asked)
    assert starts.min() < STARTS / 100
    assert STARTS * 0.99 < starts.max() < STARTS
    again, other = played(30_000, 20)[0], played(30_000, 20, seed=1)[0]
    assert repr(again.asked) == repr(plays.asked)
    assert not {seed for *_, seed in plays.asked} & {seed for *_, seed in other.asked}


def test_a_batch_s_rows_are_counted() -> None:
    assert len(Batch(np.zeros((3, 2), np.float32), np.ones((3, 6), np.bool_))) == 3


@pytest.mark.parametrize("normalised", [True, False], ids=["statistics", "raw"])
def test_beyond_the_clip_one_number_in_eight_lies_far_out_on_either_side(normalised: bool) -> None:
    policy = made_policy(2) if normalised else replace(made_policy(2), statistics=None)
    rng = np.random.default_rng(3)
    mean, spread = center(made_policy(2), np.zeros((1, 1)))
    obs = (mean + spread * rng.normal(size=(600, len(mean)))).astype(np.float32)
    like = Batch(obs, (np.arange(600)[:, None] >> np.arange(10)) % 2 == 0)
    made = beyond_the_clip(policy, like, 300)
    again, other = beyond_the_clip(policy, like, 300), beyond_the_clip(policy, like, 300, seed=1)
    assert np.array_equal(made.obs, again.obs)
    assert not np.array_equal(made.obs, other.obs)
    assert len(made) == 300
    assert len(beyond_the_clip(policy, like)) == observations.BEYOND

    rows = (made.obs[:, None, :8] == obs[None, :, :8]).sum(axis=2).argmax(axis=1)
    kept = made.obs == obs[rows]
    assert kept.mean() == pytest.approx(7 / 8, abs=0.01)
    assert kept.sum(axis=1).min() > 0.7 * len(mean)
    assert np.array_equal(made.masks, like.masks[rows])
    assert len(np.unique(rows)) > 200
    middle, width = center(policy, obs.astype(np.float64))
    far = ((made.obs - middle) / width)[~kept]
    assert np.abs(far).min() > CLIP + 0.9
    assert 29 < np.abs(far).max() < 30.1
    assert (far > 0).mean() == pytest.approx(0.5, abs=0.02)
