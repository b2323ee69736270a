"""Observations for the export chain: of real episodes, of all positions, and beyond the clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket
from jax_port.export.golden import center
from jax_port.export.record import record
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP

EXPLORE = 0.1
"""Share of steps at which any allowed action is taken, so that positions of all kinds are recorded."""
BEYOND = 512
"""Observations made of numbers beyond the clip, added to those of episodes."""
PER_PLAY = 64
"""Episodes played together."""
BATCH = 8192
"""Observations in a batch; the last one is smaller."""


@dataclass(frozen=True)
class Batch:
    """Observations float32 (N, D), raw, and masks bool (N, A)."""

    obs: NDArray[np.float32]
    masks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.obs)


def of_episodes(policy: Policy, market: PreparedMarket, least: int, seed: int = 0) -> Iterator[Batch]:
    """Yield observations of episodes until there are at least ``least``, in batches of :data:`BATCH`.

    Starts are spread over the whole market, in an order that the seed draws.
    """
    rng = np.random.default_rng(seed)
    length = policy.config.max_episode_bars
    obs: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []
    waiting = done = 0
    while done < least:
        starts = rng.integers(0, len(market.starts), PER_PLAY if least > PER_PLAY * length // 2 else 8)
        recorded = record(policy, market, starts, explore=EXPLORE, seed=int(rng.integers(1 << 31)))
        obs.append(recorded.obs[recorded.alive])
        masks.append(recorded.masks[recorded.alive])
        waiting += len(obs[-1])
        done += len(obs[-1])
        while waiting >= BATCH or (done >= least and waiting):
            wide, narrow = np.concatenate(obs), np.concatenate(masks)
            yield Batch(wide[:BATCH], narrow[:BATCH])
            obs, masks = [wide[BATCH:]], [narrow[BATCH:]]
            waiting = len(obs[0])


def beyond_the_clip(policy: Policy, like: Batch, count: int = BEYOND, seed: int = 0) -> Batch:
    """Return observations in which one number in eight lies 11 to 30 standard deviations out."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(like), count)
    obs, masks = like.obs[rows].astype(np.float64), like.masks[rows]
    mean, spread = center(policy, like.obs.astype(np.float64))
    sides = rng.choice([-1.0, 1.0], obs.shape)
    away = mean + sides * rng.uniform(CLIP + 1, 30.0, obs.shape) * spread
    return Batch(np.where(rng.random(obs.shape) < 1 / 8, away, obs).astype(np.float32), masks)
