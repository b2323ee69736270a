"""The trainer's parts: what is rebuilt, what is skipped and what is shuffled."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.form import Form
from jax_port.envs.state import EnvParams
from jax_port.ppo.fast import microbatch as chunks
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.losses import Batch, LossTerms
from jax_port.ppo.minibatches import ONE_DEVICE, gather_from, permutations
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.rollout import collect
from jax_port.ppo.running_statistics import normalize, scale_of
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import (
    PRECISION,
    TrainState,
    annealed,
    init_agent,
    init_agents,
    make_train,
    traced_update,
    update,
)
from jax_port.ppo.update import GradientFn, loss_gradients
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

SETTINGS = TrainSettings(n_envs=32, n_steps=16, batch_size=100).override(pi=(16,), vf=(16,))
CONFIG = EnvConfig.phase1(max_episode_bars=9)


@pytest.fixture(scope="module")
def params() -> EnvParams:
    return env.make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), CONFIG)]), CONFIG)


@pytest.fixture(scope="module")
def agent(params: EnvParams) -> TrainState:
    return jax.jit(init_agent, static_argnums=2)(jnp.int32(0), params, SETTINGS)


@pytest.mark.costly
def test_rebuilt_observations_are_the_environments_own(params: EnvParams, agent: TrainState) -> None:
    state = agent.actor.env_state
    obs = jax.vmap(env.observe, in_axes=(0, None))(state, params)
    position = jax.vmap(env.observe_position, in_axes=(0, None))(state, params)
    scale = scale_of(agent.actor.moments)
    rebuilt = reconstruct_obs(state.step_idx, position, scale, params)
    np.testing.assert_array_equal(rebuilt, normalize(scale, obs))


@pytest.mark.costly
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_skipping_forced_moves_changes_nothing(params: EnvParams, share: float) -> None:
    """Portions, the value's too, against the loss's own gradients: equal but for rounding."""
    network = network_of(SETTINGS)
    weights = network_weights(params)
    size, key = 1100, jax.random.key(1)
    keys = jax.random.split(key, 6)
    free = jax.random.uniform(keys[0], (size,)) < share
    masks = jnp.stack([jnp.ones(size, bool), free, free], axis=1)
    obs = jax.random.normal(keys[1], (size, params.obs_size))
    batch = Batch(
        obs=obs,
        actions=jnp.where(free, jax.random.randint(keys[2], (size,), 0, 3), 0),
        masks=masks,
        log_probs=jnp.where(free, -1.0, 0.0),
        values=jax.random.normal(keys[3], (size,)),
        advantages=jax.random.normal(keys[4], (size,)),
        returns=jax.random.normal(keys[5], (size,)),
    )

    def gradients(find: GradientFn) -> tuple[object, LossTerms]:
        def gather(numbers: jax.Array) -> Batch:
            return jax.tree.map(lambda x: x[numbers], batch)

        numbers = jnp.arange(size, dtype=jnp.int32)
        return find(weights, numbers, gather, hyper_params(ent_coef=0.01))

    assert chunks.chunk_size(size) < size
    assert chunks.value_chunk_size(size) < size
    chunked = jax.jit(lambda: gradients(cpu_gradients(network)))()
    whole = jax.jit(lambda: gradients(loss_gradients(network)))()
    for ours, theirs in zip(jax.tree.leaves(chunked), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-7)


def network_weights(params: EnvParams) -> object:
    return jax.jit(init_agent, static_argnums=2)(jnp.int32(3), params, SETTINGS).learner.params


def test_sparse_logits_are_the_logits_where_there_is_a_choice(params: EnvParams) -> None:
    network, weights = network_of(SETTINGS), network_weights(params)
    obs = jax.random.normal(jax.random.key(0), (1500, params.obs_size))
    free = jax.random.uniform(jax.random.key(1), (1500,)) < 0.3
    masks = jnp.stack([jnp.ones(1500, bool), free, free], axis=1)
    sparse = chunks.choices_alone(network)(weights, obs, masks)
    dense = network.policy(weights, obs)
    np.testing.assert_allclose(sparse[free], dense[free], rtol=1e-5, atol=1e-6)
    asked = int(jnp.any(sparse != 0.0, axis=1).sum())  # whole chunks, so a few more than the choices
    assert int(free.sum()) <= asked < int(free.sum()) + chunks.chunk_size(1500)


def test_every_row_with_a_choice_is_asked_for_however_many_there_are(params: EnvParams) -> None:
    """At the ends of portions, of which the last may hold one row, also at the trainer's own 1,024."""
    network, weights = network_of(SETTINGS), network_weights(params)
    for size in (1024, 1500):
        obs = jax.random.normal(jax.random.key(0), (size, params.obs_size))
        dense = np.asarray(network.policy(weights, obs))
        ask = jax.jit(chunks.choices_alone(network))
        chunk = chunks.chunk_size(size)
        for count in (0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 1, size - 1, size):
            free = np.zeros(size, bool)
            free[np.random.default_rng(count).permutation(size)[:count]] = True
            masks = np.stack([np.ones(size, bool), free, free], axis=1)
            sparse = np.asarray(ask(weights, obs, jnp.asarray(masks)))
            np.testing.assert_allclose(sparse[free], dense[free], rtol=1e-5, atol=1e-6)


@pytest.mark.costly
def test_a_forced_move_has_probability_one(params: EnvParams, agent: TrainState) -> None:
    actor, rollout, _, _ = jax.jit(collect, static_argnums=(3, 5))(
        agent.actor,
        jax.random.key(0),
        agent.learner.params,
        network_of(SETTINGS),
        params,
        16,
        jnp.float32(0.99),
    )
    forced = ~np.asarray(rollout.masks)[..., 1]
    assert forced.any()
    assert not np.asarray(rollout.log_probs)[forced].any()
    assert (np.asarray(rollout.actions)[forced] == 0).all()
    assert actor.moments.mean.dtype == jnp.float64


def test_minibatches_are_numbered_environment_by_environment(
    params: EnvParams, agent: TrainState
) -> None:
    _, rollout, _, _ = jax.jit(collect, static_argnums=(3, 5))(
        agent.actor,
        jax.random.key(0),
        agent.learner.params,
        network_of(SETTINGS),
        params,
        16,
        jnp.float32(0.99),
    )
    take = gather_from(rollout, rollout.values, rollout.rewards, params, ONE_DEVICE)
    batch = take(jnp.array([5 * 16 + 3], jnp.int32))  # environment 5, step 3
    assert float(batch.values[0]) == float(rollout.values[3, 5])
    assert int(batch.actions[0]) == int(rollout.actions[3, 5])
    scale = jax.tree.map(lambda x: x[3], rollout.scales)
    expected = reconstruct_obs(
        rollout.step_idx[3, 5][None], rollout.position[3, 5][None], scale, params
    )
    np.testing.assert_array_equal(batch.obs, expected)


def test_every_epoch_has_its_own_order_of_all_transitions() -> None:
    orders = permutations(jax.random.key(0), SETTINGS)
    assert orders.shape == (4, 512)
    assert (jnp.sort(orders, axis=1) == jnp.arange(512)[None]).all()
    assert len({tuple(order.tolist()) for order in orders}) == 4
    # Where a transition lands is as good as uniform: its mean place over many orders.
    many = jax.vmap(lambda k: permutations(k, SETTINGS)[0])(jax.random.split(jax.random.key(1), 400))
    places = jnp.argsort(many, axis=1)[:, 7]
    assert abs(float(jnp.mean(places.astype(jnp.float32))) - 255.5) < 4 * 512 / (12 * 400) ** 0.5


def test_annealing_counts_the_rollout_and_ends_at_zero() -> None:
    settings = replace(SETTINGS, anneal=True, total_timesteps=1000)
    hyper = hyper_params(learning_rate=1.0, clip_range=0.2)
    rates = [float(annealed(hyper, jnp.int32(k), settings).learning_rate) for k in (0, 1)]
    assert rates == pytest.approx([1 - 512 / 1000, 0.0])
    assert float(annealed(hyper, jnp.int32(0), settings).clip_range) == pytest.approx(0.0976)
    assert annealed(hyper, jnp.int32(1), SETTINGS) is hyper
    # Late in a long run, where float32 counts no single rollouts any more.
    long = replace(settings, total_timesteps=512 * 20_000_001)
    for done in (19_999_998, 19_999_999, 20_000_000, 20_000_001):
        left = (20_000_001 - done) / 20_000_001
        late = annealed(hyper, jnp.int32(done - 1), long)
        assert float(late.learning_rate) == pytest.approx(left, rel=1e-6)
        assert float(late.clip_range) == pytest.approx(0.2 * left, rel=1e-6)


def test_agents_of_several_seeds_are_those_of_each(params: EnvParams) -> None:
    seeds = jnp.array([5, 0, 3], jnp.int32)
    agents = jax.jit(init_agents, static_argnums=2)(seeds, params, SETTINGS)
    for number, seed in enumerate(seeds):
        alone = jax.jit(init_agent, static_argnums=2)(seed, params, SETTINGS)
        for ours, its in zip(jax.tree.leaves(agents), jax.tree.leaves(alone), strict=True):
            np.testing.assert_array_equal(ours[number], its)


def test_no_decomposition_is_batched_where_agents_begin(params: EnvParams) -> None:
    """Two batched ones can wait for each other for ever on two cores."""

    def shapes(fresh: Callable[..., Any]) -> set[int]:
        lowered = jax.jit(fresh).lower(jnp.arange(3, dtype=jnp.int32)).as_text()
        calls = [line for line in lowered.splitlines() if "custom_call @lapack_sgeqrf" in line]
        assert calls
        return {line.rpartition("-> (tensor<")[2].partition(">")[0].count("x") for line in calls}

    assert shapes(lambda seeds: init_agents(seeds, params, SETTINGS)) == {2}
    assert shapes(jax.vmap(lambda seed: init_agent(seed, params, SETTINGS))) == {2}
    its = flax.linen.initializers.orthogonal()
    assert shapes(jax.vmap(lambda seed: its(jax.random.key(seed), (8, 8)))) == {3}


@pytest.mark.slow
def test_several_updates_in_one_call_are_the_same_as_one_by_one(params: EnvParams) -> None:
    def fresh() -> TrainState:
        seeds = jnp.arange(1, dtype=jnp.int32)
        return jax.jit(init_agents, static_argnums=2)(seeds, params, SETTINGS)

    hyper = jax.tree.map(lambda x: x[None], hyper_params())
    together, metrics = make_train(SETTINGS, 3, 1)(fresh(), hyper, params)
    one, agent = make_train(SETTINGS, 1, 1), fresh()
    for _ in range(3):
        agent, _ = one(agent, hyper, params)
    assert metrics.loss.shape == (3, 1)
    assert int(together.updates[0]) == int(agent.updates[0]) == 3
    for ours, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(agent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_bf16_keeps_float32_weights(params: EnvParams) -> None:
    settings = replace(SETTINGS, precision="bf16")
    seeds = jnp.arange(1, dtype=jnp.int32)
    agent = jax.jit(init_agents, static_argnums=2)(seeds, params, settings)
    hyper = jax.tree.map(lambda x: x[None], hyper_params())
    agent, metrics = make_train(settings, 1, 1)(agent, hyper, params)
    assert {leaf.dtype for leaf in jax.tree.leaves(agent.learner.params)} == {jnp.dtype("float32")}
    assert np.isfinite(metrics.loss).all()


def test_products_in_float32_are_whole_on_every_device() -> None:
    """A GPU computes what is less than the highest in tf32, of which a CPU shows nothing."""
    for precision, asked in (("float32", "HIGHEST"), ("tf32", "DEFAULT"), ("bf16", "DEFAULT")):
        with jax.default_matmul_precision(PRECISION[precision]):
            text = jax.jit(jnp.matmul).lower(jnp.ones((2, 2)), jnp.ones((2, 2))).as_text()
        assert f"precision = [{asked}, {asked}]" in text


@pytest.mark.costly
def test_a_policy_with_a_prior_is_trained_by_the_form_that_knows_it() -> None:
    """Whatever form is asked for: the GPU's would leave the prior out."""
    settings = TrainSettings(n_envs=2, n_steps=4, batch_size=8, n_epochs=1).override(pi=(4,), vf=(4,))
    config = EnvConfig.phase1(max_episode_bars=5)
    market = prepare(synthetic_bars("ES", days=2, seed=0), config)
    texts = {}
    for advised in (False, True):
        prior = np.zeros((len(market), 3), np.float32) if advised else None
        own = replace(market, advised="prior" if advised else "", prior=prior)
        params = env.make_params(stack([own]), config)
        agent = jax.jit(init_agent, static_argnums=2)(jnp.int32(0), params, settings)
        for form in ("cpu", "gpu"):
            program = jax.jit(partial(update, settings=settings, form=form))
            texts[advised, form] = program.lower(agent, hyper_params(), params).as_text()
    assert texts[True, "gpu"] == texts[True, "cpu"]
    assert texts[False, "gpu"] != texts[False, "cpu"]


@pytest.mark.costly
@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_rewards_are_normalised_only_where_that_is_asked_for(form: Form) -> None:
    config = EnvConfig.phase1(max_episode_bars=5, hold_penalty=-0.25)
    params = env.make_params(stack([prepare(synthetic_bars("ES", days=2, seed=0), config)]), config)
    found = {}
    for norm_reward in (False, True):
        settings = TrainSettings(
            n_envs=2, n_steps=4, batch_size=8, n_epochs=1, norm_reward=norm_reward
        ).override(pi=(4,), vf=(4,))
        agent = init_agent(jnp.int32(0), params, settings)
        program = jax.jit(partial(traced_update, settings=settings, form=form))
        _, _, trace = program(agent, hyper_params(gamma=0.0), params)
        found[norm_reward] = np.asarray(trace.rollout.rewards)
    assert not np.allclose(found[True], found[False])
    config_penalty = np.float32(-0.25)
    assert (found[False] == config_penalty).any()
