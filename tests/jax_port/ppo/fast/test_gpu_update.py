"""Transitions as rows of words, and weights as lines of numbers, say what they were made of."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import gpu_update, row_losses
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.gpu_network import GpuNetwork
from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.losses import Batch
from jax_port.ppo.minibatches import ONE_DEVICE, Layout, gather_from
from jax_port.ppo.networks import Network
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import Scale
from jax_port.ppo.settings import HyperParams, hyper_params
from jax_port.ppo.update import LearnerState, init_learner_state, loss_gradients, run_epochs
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
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


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("length", [7, 1, 4, 128])
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


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("devices", [3, 2])
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


LAYERS = {"policy_0": (27, 4), "action_head": (4, 3), "value_0": (27, 2), "value_head": (2, 1)}
"""Layers without an activation, which are soon compiled."""
RATES: LayerLearningRates = (("policy_0", 0.25), ("value_0", 0.0))


def _linear(weights: Any, x: jax.Array, *names: str) -> jax.Array:
    for name in names:
        layer = weights["params"][name]
        x = x @ layer["kernel"] + layer["bias"][None]
    return x


LINEAR = Network(
    policy=lambda w, x: _linear(w, x, "policy_0", "action_head"),
    value=lambda w, x: _linear(w, x, "value_0", "value_head")[:, 0],
)


def _gpu_linear() -> GpuNetwork:
    def same(x: Any) -> Any:
        return x

    def both(weights: Any, x: jax.Array) -> jax.Array:
        return jnp.concatenate([LINEAR.policy(weights, x), LINEAR.value(weights, x)[:, None]], axis=1)

    def forward(weights: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        return jax.vjp(lambda weights: both(weights, x), weights)

    def backward(weights: Any, x: jax.Array, back: Any, out: jax.Array) -> Any:
        return back(out)[0]

    return GpuNetwork(same, same, same, same, both, forward, backward, 5)


def _transitions(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Any, ...]:
    """A rollout, advantages and returns; steps have scales of their own, and some moves are forced."""

    def normal(*more: int) -> Any:
        return rng.normal(size=(*shape, *more)).astype(np.float32)

    free, width = rng.random(shape) < 0.7, (shape[0], 27)
    scales = rng.normal(size=width), rng.normal(size=width) * 1e-3, rng.uniform(0.01, 0.5, width)
    rollout = Rollout(
        step_idx=rng.integers(100, 600, shape).astype(np.int32),  # type: ignore[arg-type]
        position=normal(5),
        masks=np.stack([np.ones(shape, bool), free, free], axis=-1),  # type: ignore[arg-type]
        actions=np.where(free, rng.integers(0, 3, shape), 0).astype(np.int8),  # type: ignore[arg-type]
        log_probs=np.where(free, -1.1 + 0.1 * normal(), 0.0).astype(np.float32),  # type: ignore[arg-type]
        values=normal(),
        rewards=normal(),
        episode_starts=free,  # type: ignore[arg-type]
        scales=Scale(*(x.astype(np.float32) for x in scales)),  # type: ignore[arg-type]
    )
    return rollout, normal() + 3.0, 2.0 * normal()


def test_an_update_is_its_definition_in_all_that_it_returns() -> None:
    """Two epochs of minibatches of 6, 6 and 3 transitions, once whole and once ended by target_kl.

    A layer is slower and one is held, and moments go on from earlier steps.
    """
    config, rng = EnvConfig.phase1(window_size=2), np.random.default_rng(4)
    params = make_params(stack([prepare(synthetic_bars("ES", days=2, seed=1), config)]), config)
    weights = {
        "params": {
            name: {
                kind: (0.02 if "head" in name else 0.3) * rng.normal(size=size)
                for kind, size in (("kernel", shape), ("bias", shape[1:]))
            }
            for name, shape in LAYERS.items()
        }
    }
    weights, first, second = (
        jax.tree.map(lambda x, how=how: how(x).astype(np.float32), weights)
        for how in (lambda x: x, lambda x: 0.1 * x, lambda x: 0.001 + 0.01 * x * x)
    )
    begun = LearnerState(weights, optax.ScaleByAdamState(np.int32(3), first, second))  # type: ignore[arg-type]
    orders = np.stack([rng.permutation(15) for _ in range(2)]).astype(np.int32)

    @jax.jit
    def both_ways(begun: LearnerState, orders: Any, transitions: Any, hyper: HyperParams) -> Any:
        gather = gather_from(*transitions, params, ONE_DEVICE)
        definition = run_epochs(begun, orders, gather, 6, loss_gradients(LINEAR), hyper, RATES)
        gpu = gpu_update.run_epochs(
            begun, orders, *transitions, params, 6, _gpu_linear(), hyper, RATES, ONE_DEVICE
        )
        return definition, gpu

    given = (begun, orders, _transitions(rng, (5, 3)))
    numbers = {"learning_rate": 0.1, "max_grad_norm": 10.0, "ent_coef": 0.3, "vf_coef": 0.7}
    target_kl, wanted = None, 6
    for _ in range(2):
        hyper = hyper_params(**numbers, clip_range_vf=1.0, target_kl=target_kl)
        definition, gpu = jax.tree.map(np.asarray, both_ways(*given, hyper))
        chex.assert_trees_all_equal_shapes_and_dtypes(gpu, definition)
        chex.assert_trees_all_close(gpu, definition, rtol=5e-4, atol=5e-5)
        ours, records = definition
        assert records.applied.ravel().tolist() == [number < wanted for number in range(6)]
        assert ours.opt_state.count == 3 + wanted
        for name, kinds in weights["params"].items():
            for kind, before in kinds.items():
                learns = name != "value_0"
                assert (ours.params["params"][name][kind] != before).any() == learns
                assert records.gradients["params"][name][kind].any() == learns
        squares = [np.square(x).reshape(6, -1).sum(1) for x in jax.tree.leaves(records.gradients)]
        assert 1 <= (sum(squares) > 10.0**2).sum() < 6  # some are clipped, not all
        far = records.terms.approx_kl.ravel()
        wanted = next(n for n in (4, 3, 2, 1) if far[n] > 1.02 * far[:n].max())
        target_kl = float(far[wanted]) / 1.51


def test_transitions_lie_whole_on_every_device_and_minibatches_divided() -> None:
    """Told by how a layout is asked, of which nothing is computed; the partial minibatch as well."""
    config, rng = EnvConfig.phase1(window_size=2), np.random.default_rng(4)
    params = make_params(stack([prepare(synthetic_bars("ES", days=2, seed=1), config)]), config)
    asked: dict[str, set[Any]] = {"whole": set(), "split": set()}

    def noting(name: str) -> Any:
        def note(tree: Any) -> Any:
            asked[name] |= {leaf.shape for leaf in jax.tree.leaves(tree)}
            return tree

        return note

    layout = Layout(noting("whole"), noting("split"))
    weights = {
        "params": {
            name: {"kernel": np.zeros(shape, np.float32), "bias": np.zeros(shape[1], np.float32)}
            for name, shape in LAYERS.items()
        }
    }
    orders = np.stack([rng.permutation(15) for _ in range(2)]).astype(np.int32)
    given = (init_learner_state(weights), orders, *_transitions(rng, (5, 3)))

    def learn(learner: LearnerState, orders: Any, *transitions: Any) -> Any:
        return gpu_update.run_epochs(
            learner, orders, *transitions, params, 6, _gpu_linear(), hyper_params(), (), layout
        )

    jax.eval_shape(learn, *given)
    assert asked["whole"] == {(15, 12), (5, 27)}
    assert asked["split"] == {(6, 12), (6, 27), (3, 12), (3, 27)}
    asked["whole"].clear()
    asked["split"].clear()
    prior = jnp.zeros((len(params.market.features), 3), jnp.float32)
    advised = replace(params, market=replace(params.market, prior=prior))

    def gathered(numbers: Any, *transitions: Any) -> Any:
        return gather_from(*transitions, advised, layout)(numbers)

    jax.eval_shape(gathered, np.arange(6, dtype=np.int32), *given[2:])
    assert asked["whole"] == {(5, 27), (15,), (15, 5), (15, 3)}
    assert asked["split"] == {(6,), (6, 27), (6, 3)}


@pytest.mark.parametrize("devices", [2, 3])
def test_devices_find_the_gradients_of_all_of_a_minibatch(devices: int) -> None:
    """By advantages that lie elsewhere in every share."""
    rng, size = np.random.default_rng(devices), 12

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    free = rng.random(size) < 0.6
    batch = Batch(
        obs=normal(size, 27),
        actions=np.where(free, rng.integers(0, 3, size), 0).astype(np.int32),  # type: ignore[arg-type]
        masks=np.stack([np.ones(size, bool), free, free], axis=1),  # type: ignore[arg-type]
        log_probs=np.where(free, -1.0 + 0.3 * normal(size), 0.0).astype(np.float32),  # type: ignore[arg-type]
        values=normal(size),
        advantages=normal(size) * np.arange(1, 13, dtype=np.float32) + np.arange(12, dtype=np.float32),
        returns=normal(size),
        prior=normal(size, 3),
    )
    weights = {
        "params": {
            name: {"kernel": np.float32(0.2) * normal(*shape), "bias": normal(*shape[1:])}
            for name, shape in LAYERS.items()
        }
    }
    hyper = hyper_params(clip_range=0.1, clip_range_vf=0.3, ent_coef=0.2, vf_coef=0.7)

    def gradients(axis: str | None, batch: Batch) -> Any:
        def gather(numbers: jax.Array) -> Batch:
            return jax.tree.map(lambda x: x[numbers], batch)

        find = loss_gradients(LINEAR) if axis is None else cpu_gradients(LINEAR, axis)
        return find(weights, jnp.arange(len(batch.actions), dtype=jnp.int32), gather, hyper)

    shares = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
    found, whole = jax.jit(
        lambda shares, batch: (
            jax.vmap(partial(gradients, AXIS), axis_name=AXIS)(shares),
            gradients(None, batch),
        )
    )(shares, batch)
    for device in range(devices):
        own = jax.tree.map(lambda x, at=device: np.asarray(x)[at], found)
        chex.assert_trees_all_close(own, jax.tree.map(np.asarray, whole), rtol=1e-4, atol=1e-5)
