"""Orders of transitions: whole, fair, other in each epoch, and in turn where there are groups."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from jax_port.ppo.fast import row_losses
from jax_port.ppo.fast.gpu_update import as_table
from jax_port.ppo.minibatches import ONE_DEVICE, gather_from, group_orders, in_turn, permutations
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import Scale
from jax_port.ppo.settings import TrainSettings
from tests.jax_port.ppo.fast.made_transitions import make_world


def settings(groups: int, n_envs: int = 64, n_steps: int = 96, batch_size: int = 640) -> TrainSettings:
    return TrainSettings(
        n_envs=n_envs, n_steps=n_steps, batch_size=batch_size, n_epochs=3, order_groups=groups
    )


@pytest.mark.costly(keep=2)
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


@pytest.mark.costly(keep=2)
@pytest.mark.parametrize(("n_envs", "groups"), [(1024, 1), (1536, 4), (512, 1), (2049, 1), (2048, 2)])
def test_orders_of_the_trainer_s_own_sizes_are_whole(n_envs: int, groups: int) -> None:
    """Beyond 2^16 and 2^17 transitions: the default is 1,024 environments of 128 steps."""
    asked = TrainSettings().override(n_envs=n_envs, n_epochs=2, order_groups=groups)
    size = n_envs * asked.n_steps
    for order in np.asarray(permutations(jax.random.key(0), asked)):
        np.testing.assert_array_equal(np.sort(order), np.arange(size))
        for group in range(groups):
            own = order[order // (size // groups) == group]
            rising = (np.diff(own) > 0).sum()
            assert abs(rising - (len(own) - 1) / 2) < 5 * np.sqrt((len(own) + 1) / 12)


def test_a_transition_of_the_trainer_s_own_sizes_is_its_own_in_both_forms() -> None:
    """Of 1,024 environments of 100 steps, the last among them; no number is that of 2^16 before it."""
    params, shape, rng = make_world(), (100, 1024), np.random.default_rng(0)
    world, bars = params.obs_size, len(params.market.features)
    prior = rng.normal(size=(bars, 3)).astype(np.float32)
    params = replace(params, market=replace(params.market, prior=prior))

    def drawn(*more: int) -> np.ndarray:
        return rng.normal(size=(*shape, *more)).astype(np.float32)

    masks = rng.random((*shape, 3)) < 0.5
    rollout = Rollout(
        step_idx=rng.integers(100, 1000, shape).astype(np.int32),
        position=drawn(5),
        masks=masks,
        actions=rng.integers(0, 3, shape).astype(np.int8),
        log_probs=drawn(),
        values=drawn(),
        rewards=drawn(),
        episode_starts=masks[..., 0],
        scales=Scale(*(rng.normal(size=(100, world)).astype(np.float32) for _ in range(3))),
    )
    advantages, returns = drawn(), drawn()
    numbers = np.array([0, 99, 100, 65_535, 65_536, 65_537, 100_001, 102_399], np.int32)
    envs, steps = np.divmod(numbers, 100)

    def own(x: np.ndarray) -> np.ndarray:
        return x[steps, envs]

    given = jax.tree.map(jax.numpy.asarray, (rollout, advantages, returns))
    batch = gather_from(*given, params, ONE_DEVICE)(jax.numpy.asarray(numbers))
    scale = Scale(*(x[steps] for x in rollout.scales))
    expected = {
        "obs": reconstruct_obs(own(rollout.step_idx), own(rollout.position), scale, params),
        "actions": own(rollout.actions),
        "masks": own(masks),
        "log_probs": own(rollout.log_probs),
        "values": own(rollout.values),
        "advantages": own(advantages),
        "returns": own(returns),
        "prior": prior[own(rollout.step_idx)],
    }
    assert batch._fields == tuple(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(batch, name), values, name)
    rows = np.asarray(as_table(*given))[numbers]
    flags = own(rollout.actions).astype(np.int32) | own(masks) @ np.int32([256, 512, 1024])
    words = [own(rollout.step_idx), flags, steps]
    reals = np.stack([own(x) for x in (rollout.log_probs, rollout.values, advantages, returns)], axis=1)
    np.testing.assert_array_equal(rows[:, :3], np.stack(words, axis=1))
    both = np.concatenate([reals, own(rollout.position)], axis=1)
    np.testing.assert_array_equal(rows[:, row_losses.LOG_PROB :].copy().view(np.float32), both)


BARS, WINDOW = 200_000, 3


@pytest.mark.parametrize(("each", "form"), [(False, "cpu"), (True, "cpu"), (True, "gpu")])
def test_an_observation_is_its_own_window_and_position_scaled(each: bool, form: str) -> None:
    numbers = np.arange(BARS * 2, dtype=np.int64) * 31 % 65_521
    features = numbers.astype(np.float32).reshape(BARS, 2)
    market = SimpleNamespace(features=jnp.asarray(features))
    params: Any = SimpleNamespace(market=market, window_size=WINDOW, form=form)
    at = np.array([3, 32_768, 32_769, 65_536, 131_073, BARS - 1], np.int32)
    position = np.arange(12, dtype=np.float32).reshape(6, 2) * 100 - 300
    shape = (6, 8) if each else (8,)
    rng = np.random.default_rng(0)
    high = rng.uniform(0, 60_000, shape).astype(np.float32)
    low = rng.uniform(-5, 5, shape).astype(np.float32)
    inv = rng.uniform(1e-4, 1e-3, shape).astype(np.float32)
    raw = np.stack(
        [
            np.concatenate([features[end - WINDOW : end].ravel(), tail])
            for end, tail in zip(at, position, strict=True)
        ]
    )
    far = (raw.astype(np.float64) - high - low) * inv
    assert (np.abs(far) > 10).any()
    assert (np.abs(far) < 10).mean() > 0.3
    scale = Scale(jnp.asarray(high), jnp.asarray(low), jnp.asarray(inv))
    found = reconstruct_obs(jnp.asarray(at), jnp.asarray(position), scale, params)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.clip(far, -10, 10), rtol=1e-5, atol=1e-5)
