"""Orders of transitions: whole, fair, other in each epoch, and in turn where there are groups."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import kstest

from jax_port.ppo.minibatches import group_orders, in_turn, permutations
from jax_port.ppo.settings import TrainSettings


def settings(groups: int, n_envs: int = 64, n_steps: int = 96, batch_size: int = 640) -> TrainSettings:
    return TrainSettings(
        n_envs=n_envs, n_steps=n_steps, batch_size=batch_size, n_epochs=3, order_groups=groups
    )


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_orders_are_whole_and_as_good_as_drawn_one_by_one(groups: int, seed: int) -> None:
    """A random order rises at half of its steps; one of too few different words rises more often."""
    orders = np.asarray(group_orders(jax.random.key(seed), settings(groups)))
    size = 64 * 96 // groups
    assert orders.shape == (3, groups, size)
    own = orders.reshape(-1, size)
    for order in own:
        assert sorted(order.tolist()) == list(range(size))
        rising = (np.diff(order) > 0).sum()
        assert abs(rising - (size - 1) / 2) < 5 * np.sqrt((size + 1) / 12)
        neighbours = (order[1:].astype(np.int64) - order[:-1]) % size
        assert kstest(neighbours / size, "uniform").pvalue > 1e-4
    assert len({order.tobytes() for order in own}) == len(own)
    both = np.abs(np.corrcoef(own)[np.triu_indices(len(own), 1)])
    assert both.max() < 5 / np.sqrt(size)


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize(
    ("groups", "n_steps", "batch_size"), [(4, 96, 640), (4, 95, 640), (8, 33, 1000), (2, 7, 30)]
)
def test_every_minibatch_has_as_many_of_each_group(groups: int, n_steps: int, batch_size: int) -> None:
    asked = settings(groups, n_steps=n_steps, batch_size=batch_size)
    key = jax.random.key(2)
    made, orders = np.asarray(permutations(key, asked)), np.asarray(group_orders(key, asked))
    total = 64 * n_steps
    size = total // groups
    assert made.shape == (3, total)
    for epoch, order in enumerate(made):
        assert sorted(order.tolist()) == list(range(total))
        for first in range(0, total, batch_size):
            batch = order[first : first + batch_size] // size
            counts = np.bincount(batch, minlength=groups)
            assert len(set(counts.tolist())) == 1
        for group in range(groups):  # in the order of its own
            own = order[order // size == group] - group * size
            assert own.tolist() == orders[epoch, group].tolist()
    np.testing.assert_array_equal(in_turn(orders[:, :1], batch_size), orders[:, 0])


@pytest.mark.parametrize("n_envs", [512, 1024, 2049])
def test_orders_of_the_trainer_s_own_sizes_are_whole(n_envs: int) -> None:
    """Beyond 2^16 and 2^17 transitions: the default is 1,024 environments of 128 steps."""
    asked = TrainSettings().override(n_envs=n_envs, n_epochs=2)
    size = n_envs * asked.n_steps
    for order in np.asarray(permutations(jax.random.key(0), asked)):
        np.testing.assert_array_equal(np.sort(order), np.arange(size))
        rising = (np.diff(order) > 0).sum()
        assert abs(rising - (size - 1) / 2) < 5 * np.sqrt((size + 1) / 12)
