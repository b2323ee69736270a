"""Transitions as rows of words, and weights as lines of numbers, say what they were made of."""

from __future__ import annotations

from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import gpu_update, row_losses
from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates
from jax_port.ppo.rollout import Rollout
from tests.jax_port.ppo.fast.made_transitions import QUICK, Given, learnt, made_up, make_world

STEPS, ENVS, ACTIONS, POSITION = 3, 4, 3, 2


def _rollout() -> Rollout:
    keys = iter(jax.random.split(jax.random.key(0), 9))
    shape = (STEPS, ENVS)
    values = dict.fromkeys(Rollout._fields)
    values |= {
        "step_idx": jnp.arange(STEPS * ENVS, dtype=jnp.int32).reshape(shape) + 70_000,
        "actions": jax.random.randint(next(keys), shape, 0, ACTIONS, jnp.int8),
        "masks": jax.random.uniform(next(keys), (*shape, ACTIONS)) < 0.5,
        "position": jax.random.normal(next(keys), (*shape, POSITION)),
        "log_probs": jax.random.normal(next(keys), shape),
        "values": jax.random.normal(next(keys), shape),
    }
    return Rollout(**values)  # type: ignore[arg-type]


def test_every_word_of_a_transition_is_found_again() -> None:
    rollout = _rollout()
    advantages, returns = jnp.full((STEPS, ENVS), -0.0), jnp.arange(12.0).reshape(STEPS, ENVS)
    table = gpu_update.as_table(rollout, advantages, returns)
    assert table.dtype == jnp.int32
    assert table.shape == (STEPS * ENVS, row_losses.POSITION + POSITION)
    by_env = [np.asarray(x).swapaxes(0, 1).reshape(STEPS * ENVS, -1)[:, 0] for x in (
        rollout.step_idx, rollout.actions, rollout.log_probs, rollout.values, advantages, returns,
    )]  # fmt: skip
    step, action, log_prob, value, advantage, gain = by_env
    np.testing.assert_array_equal(table[:, row_losses.STEP], step)
    np.testing.assert_array_equal(table[:, row_losses.TIME], np.tile(np.arange(STEPS), ENVS))
    np.testing.assert_array_equal(table[:, row_losses.FLAGS] & 0xFF, action)
    masks = np.asarray(rollout.masks).swapaxes(0, 1).reshape(-1, ACTIONS)
    bits = np.asarray(table)[:, row_losses.FLAGS, None] >> (row_losses.MASK + np.arange(ACTIONS)) & 1
    np.testing.assert_array_equal(bits != 0, masks)
    for place, wanted in (
        (row_losses.LOG_PROB, log_prob),
        (row_losses.VALUE, value),
        (row_losses.ADVANTAGE, advantage),
        (row_losses.RETURN, gain),
    ):
        found = np.asarray(row_losses.as_real(table[:, place]))
        assert found.tobytes() == wanted.tobytes()  # zeros keep their sign
    position = np.asarray(rollout.position).swapaxes(0, 1).reshape(-1, POSITION)
    np.testing.assert_array_equal(row_losses.as_real(table[:, row_losses.POSITION :]), position)


@pytest.mark.parametrize("length", [1, 4, 7, 128])
def test_lines_of_weights_are_turned_back(length: int) -> None:
    tree = {"a": jnp.arange(12.0).reshape(3, 4), "b": jnp.arange(5.0) + 50, "c": jnp.float32(9.0)}
    lines = gpu_update.lines_of(tree, length)
    assert lines.shape[1] == length
    assert len(lines) == sum(-(-leaf.size // length) for leaf in jax.tree.leaves(tree))
    chex.assert_trees_all_equal(gpu_update.tree_from(lines, tree), tree)
    assert float(lines.sum()) == sum(float(leaf.sum()) for leaf in jax.tree.leaves(tree))


def test_the_deviation_of_advantages_is_the_sample_s() -> None:
    advantages = jax.random.normal(jax.random.key(0), (2, 9)) + 3.0
    for one, row in zip(zip(*gpu_update.standard_of(advantages), strict=True), advantages, strict=True):
        np.testing.assert_allclose(one, (np.mean(row), np.std(row, ddof=1)), rtol=1e-6)


@pytest.mark.parametrize("devices", [2, 3])
def test_devices_standardise_by_all_of_a_minibatch(devices: int) -> None:
    shares = jax.random.normal(jax.random.key(1), (devices, 8)) * 3.0 + 1.0
    found = jax.vmap(partial(gpu_update.standard_of, axis=AXIS), axis_name=AXIS)(shares)
    for one, whole in zip(found, gpu_update.standard_of(shares.reshape(-1)), strict=True):
        np.testing.assert_allclose(one, jnp.full(devices, whole), rtol=1e-6)


@pytest.fixture(scope="module")
def world() -> EnvParams:
    return make_world()


@pytest.mark.costly
@pytest.mark.parametrize(
    "rates",
    [(("policy_0", 0.0), ("value_0", 0.25)), (), (("value_0", 0.0), ("value_head", 0.0))],
    ids=["one held", "all alike", "a network held"],
)
def test_both_forms_of_an_update_learn_the_same(world: EnvParams, rates: LayerLearningRates) -> None:
    """Two minibatches of 48 and one of 32; all are clipped, and a held layer is not in the norm."""
    given = made_up(world)

    def both(world: EnvParams, given: Given) -> Any:
        return [learnt(form, world, given, 48, rates=rates) for form in ("cpu", "gpu")]

    cpu, gpu = jax.jit(both, compiler_options=QUICK)(world, given)
    apart = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max() / jnp.abs(b).max()), gpu, cpu)
    assert max(jax.tree.leaves(apart)) < 1e-5
