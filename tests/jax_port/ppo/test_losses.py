"""The loss and its gradients: the definition, and every way in which a program finds them."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.fast.gpu_update import gradients_of, terms_of
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.fast.row_losses import MASK, as_word, numbers_of
from jax_port.ppo.gae import standardize
from jax_port.ppo.losses import Batch, LossTerms, clipped_values, ppo_loss
from jax_port.ppo.networks import Network
from jax_port.ppo.policy import functions_of, make_network
from jax_port.ppo.settings import HyperParams, TrainSettings, hyper_params
from jax_port.ppo.update import loss_gradients

SIZE, OBS, ACTIONS = 1280, 61, 3
HYPER = {"clip_range": 0.1, "clip_range_vf": 0.3, "ent_coef": 0.02, "vf_coef": 0.7}


def settings_of(pi: tuple[int, ...], vf: tuple[int, ...], activation: str) -> TrainSettings:
    return TrainSettings().override(pi=pi, vf=vf, activation=activation)


def weights_of(settings: TrainSettings) -> Any:
    network = make_network(settings.network, num_actions=ACTIONS)
    weights: Any = network.init(jax.random.key(0), jnp.zeros((1, OBS)))
    weights["params"]["action_head"]["kernel"] *= 100.0  # logits apart, as late in training
    return weights


def make_batch(network: Network, weights: Any) -> Batch:
    """Transitions with forced moves, ratios on both sides of the clip, and values that clip."""
    keys = jax.random.split(jax.random.key(1), 6)
    free = jax.random.uniform(keys[0], (SIZE,)) < 0.4
    obs = jax.random.normal(keys[1], (SIZE, OBS))
    noise = 0.2 * jax.random.normal(keys[2], (SIZE,))
    values = network.value(weights, obs) + jax.random.normal(keys[3], (SIZE,))
    return Batch(
        obs=obs,
        actions=jnp.where(free, jax.random.randint(keys[4], (SIZE,), 0, 3), 0),
        masks=jnp.stack([jnp.ones(SIZE, bool), free, free], axis=1),
        log_probs=jnp.where(free, -1.1 + noise, 0.0),
        values=values,
        advantages=jax.random.normal(keys[5], (SIZE,)) + 0.3,
        returns=values + noise,
    )


def by_definition(
    settings: TrainSettings, weights: Any, batch: Batch, hyper: HyperParams
) -> tuple[Any, LossTerms]:
    network = functions_of(make_network(settings.network, num_actions=ACTIONS))
    return jax.grad(ppo_loss, has_aux=True)(weights, network, batch, hyper)


def by_cpu(
    settings: TrainSettings, weights: Any, batch: Batch, hyper: HyperParams
) -> tuple[Any, LossTerms]:
    def gather(numbers: jax.Array) -> Batch:
        return jax.tree.map(lambda x: x[numbers], batch)

    numbers = jnp.arange(SIZE, dtype=jnp.int32)
    return cpu_gradients(network_of(settings, ACTIONS))(weights, numbers, gather, hyper)


def by_gpu(
    settings: TrainSettings, weights: Any, batch: Batch, hyper: HyperParams
) -> tuple[Any, LossTerms]:
    network = gpu_network(settings, ACTIONS, OBS)
    flags = batch.actions
    for number in range(ACTIONS):
        flags |= batch.masks[:, number].astype(jnp.int32) << (MASK + number)
    zero = jnp.zeros(SIZE, jnp.int32)
    reals = (batch.log_probs, batch.values, batch.advantages, batch.returns)
    rows = jnp.stack([zero, flags, zero, *(as_word(x) for x in reals)], axis=1)
    mean, deviation = jnp.mean(batch.advantages), jnp.std(batch.advantages, ddof=1)
    numbers = numbers_of(mean, deviation, hyper)
    packed = network.rounded(network.pack(weights))
    grads, means = gradients_of(packed, network.inputs(batch.obs), rows, numbers, network)
    return network.unpack(grads), terms_of(means, numbers)


WAYS = {
    "cpu": by_cpu,
    "gpu": by_gpu,
}


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("pi", "vf", "activation"),
    [((64, 64), (64, 64), "relu"), ((32,), (32,), "tanh"), ((16, 24), (8,), "relu")],
)
def test_every_way_finds_the_loss_s_own_gradients(
    way: str, pi: tuple[int, ...], vf: tuple[int, ...], activation: str
) -> None:
    settings, hyper = settings_of(pi, vf, activation), hyper_params(**HYPER)
    weights = weights_of(settings)
    batch = make_batch(network_of(settings, ACTIONS), weights)
    grads, terms = jax.jit(lambda: by_definition(settings, weights, batch, hyper))()
    ours, its = jax.jit(lambda: WAYS[way](settings, weights, batch, hyper))()
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, grads)
    for name, a, b in zip(LossTerms._fields, its, terms, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6, err_msg=name)
    assert 0.05 < float(terms.clip_fraction) < 0.95
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(grads), strict=True):
        assert float(jnp.linalg.norm(a - b)) <= 2e-5 * float(jnp.linalg.norm(b))
        assert float(jnp.linalg.norm(b)) > 0


@pytest.mark.costly
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees a value loss that is one per cent off."""
    settings, hyper = settings_of((32,), (32,), "tanh"), hyper_params(**HYPER)
    weights = weights_of(settings)
    batch = make_batch(network_of(settings, ACTIONS), weights)
    _, terms = jax.jit(lambda: by_definition(settings, weights, batch, hyper))()

    def faulty(values: jax.Array, before: jax.Array, clip_range: jax.Array) -> jax.Array:
        return clipped_values(values, before, clip_range * 1.01)

    monkeypatch.setattr("jax_port.ppo.fast.row_losses.clipped_values", faulty)
    _, its = jax.jit(lambda: by_gpu(settings, weights, batch, hyper))()
    assert abs(float(its.value_loss - terms.value_loss)) > 2e-5 * float(terms.value_loss)


def test_the_terms_are_their_equations() -> None:
    """On two transitions, worked out by hand."""
    logits = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]]))
    network = Network(policy=lambda w, obs: logits, value=lambda w, obs: jnp.array([1.0, 2.0]))
    batch = Batch(
        obs=jnp.zeros((2, 1)),
        actions=jnp.array([0, 1]),
        masks=jnp.array([[True, True, True], [True, True, False]]),
        log_probs=jnp.log(jnp.array([0.25, 0.6])),
        values=jnp.array([1.0, 0.0]),
        advantages=jnp.array([2.0, 0.0]),
        returns=jnp.array([0.0, 3.0]),
    )
    loss, terms = ppo_loss(None, network, batch, hyper_params(**HYPER, target_kl=None))
    half = 2**-0.5  # standardised: 1 / sqrt(2) and its negative
    np.testing.assert_allclose(standardize(batch.advantages), [half, -half], rtol=1e-5)
    # Ratios 2 and 1: the first is clipped to 1.1 where it would gain.
    assert float(terms.policy_loss) == pytest.approx(-(half * 1.1 - half) / 2, rel=1e-4)
    entropies = [-(0.5 * np.log(0.5) + 0.5 * np.log(0.25)), -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))]
    assert float(terms.entropy_loss) == pytest.approx(-np.mean(entropies), rel=1e-5)
    # Values 1 and 0 + 0.3: the second is clipped.
    assert float(terms.value_loss) == pytest.approx((1.0 + 2.7**2) / 2, rel=1e-5)
    kl = [2.0 - 1.0 - np.log(2.0), 0.0]
    assert float(terms.approx_kl) == pytest.approx(np.mean(kl), rel=1e-4)
    assert float(terms.clip_fraction) == 0.5
    whole = terms.policy_loss + 0.02 * terms.entropy_loss + 0.7 * terms.value_loss
    assert float(loss) == float(terms.loss) == pytest.approx(float(whole), rel=1e-6)


@pytest.mark.costly
def test_the_definition_s_gradients_are_those_of_the_gathered_batch() -> None:
    settings, hyper = settings_of((16,), (16,), "tanh"), hyper_params(**HYPER)
    weights, network = weights_of(settings), network_of(settings, ACTIONS)
    batch = make_batch(network, weights)
    numbers = jnp.array([5, 900, 3, 17], jnp.int32)
    some = jax.tree.map(lambda x: x[numbers], batch)

    def gather(numbers: jax.Array) -> Batch:
        return jax.tree.map(lambda x: x[numbers], batch)

    ours, _ = loss_gradients(network)(weights, numbers, gather, hyper)
    theirs, _ = jax.grad(ppo_loss, has_aux=True)(weights, network, some, hyper)
    chex.assert_trees_all_equal(ours, theirs)


def test_a_value_is_held_near_the_old_one_on_either_side_or_not_at_all() -> None:
    values, before = jnp.array([5.0, -5.0, 0.25, 0.1]), jnp.array([1.0, 2.0, 0.0, 1e8])
    near = clipped_values(values, before, jnp.float32(0.5))
    assert near.tolist() == [1.5, 1.5, 0.25, 1e8]  # half less than 1e8 is 1e8 in float32
    free = clipped_values(values, before, jnp.float32(jnp.inf))
    np.testing.assert_array_equal(free, values)  # to the last bit, however far the old one is
