"""The GPU's program sees what the environment shows, to the last bit, and steps as the definition."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo import rollout
from jax_port.ppo.fast import gpu_rollout
from jax_port.ppo.fast.gpu_network import gpu_network
from jax_port.ppo.fast.gpu_rollout import raw_observations
from jax_port.ppo.fast.program import network_of, program_of
from jax_port.ppo.policy import make_network
from jax_port.ppo.rollout import RolloutState, collect, init_rollout_state
from jax_port.ppo.running_statistics import init_moments, update_moments
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import init_agent
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize(
    "config", [EnvConfig.phase1(), EnvConfig.phase2(window_size=7)], ids=["1", "2"]
)
def test_observations_are_the_environment_s(config: EnvConfig) -> None:
    phase = phase_of(config)
    markets = [prepare(synthetic_bars(name, days=2, seed=3), config) for name in ("ES", "RTY")]
    params = phase.make_params(stack(markets), config)
    starts = params.market.starts[:, 0]
    places = jnp.arange(0, len(starts), 97, dtype=jnp.int32)
    first, last = config.window_size, params.market.features.shape[0] - 1
    bars = jnp.concatenate([starts[places], jnp.array([first, last], jnp.int32)])
    places = jnp.concatenate([places, jnp.zeros(2, jnp.int32)])
    states = jax.vmap(phase.reset_at, in_axes=(0, None))(places, params)
    states = replace(states, step_idx=bars)
    position = jax.vmap(phase.observe_position, in_axes=(0, None))(states, params)
    seen = raw_observations(states.step_idx, position, params)
    assert seen.dtype == jnp.float32
    shown = jax.vmap(phase.observe, in_axes=(0, None))(states, params)
    np.testing.assert_array_equal(seen, shown)
    features = np.asarray(params.market.features)
    width = config.window_size * features.shape[1]
    for row, bar in zip(np.asarray(seen), np.asarray(bars), strict=True):
        window = features[bar - config.window_size : bar].ravel()
        np.testing.assert_array_equal(row[:width], window)


def test_raw_observations_of_a_long_market_are_those_of_its_own_bars() -> None:
    """Of so many numbers that neither float32 nor 24 bits count them."""
    bars, window = 1_600_000, 20
    numbers = np.arange(bars * 11, dtype=np.int64) * 31 % 65_521
    table = numbers.astype(np.float32).reshape(bars, 11)
    at = np.array([20, 65_555, 65_556, 1_525_201, 1_525_222, bars - 1], np.int32)
    position = -np.arange(1, 31, dtype=np.float32).reshape(6, 5)
    market = SimpleNamespace(features=jnp.asarray(table))
    params: Any = SimpleNamespace(market=market, window_size=window)
    expected = [
        np.concatenate([table[end - window : end].ravel(), tail])
        for end, tail in zip(at, position, strict=True)
    ]
    found = raw_observations(jnp.asarray(at), jnp.asarray(position), params)
    np.testing.assert_array_equal(found, expected)


def decided(config: EnvConfig) -> tuple[EnvParams, RolloutState, Any, TrainSettings]:
    """A world in which chance decides nothing: one start, and a policy that all but never draws.

    Statistics are of a few observations, so that each step moves them far.
    """
    phase = phase_of(config)
    params = phase.make_params(stack([prepare(synthetic_bars("ES", days=2, seed=3), config)]), config)
    settings = TrainSettings(n_envs=4, n_steps=7).override(pi=(8,), vf=(8,))
    module = make_network(settings.network, num_actions=phase.num_actions)
    weights: Any = module.init(jax.random.key(4), jnp.zeros((1, params.obs_size), jnp.float32))
    weights["params"]["action_head"]["bias"] += 60.0 * np.arange(phase.num_actions, dtype=np.float32)
    actor = init_rollout_state(jax.random.key(2), params, settings.n_envs)
    states = jax.vmap(phase.reset_at, in_axes=(0, None))(jnp.array([5, 80, 160, 240]), params)
    obs = jax.vmap(phase.observe, in_axes=(0, None))(states, params)
    moments = update_moments(init_moments((params.obs_size,)), obs)
    actor = replace(actor, env_state=states, moments=moments)
    market = replace(params.market, starts=params.market.starts[40:41])
    return replace(params, market=market), actor, weights, settings


def test_both_forms_leave_the_same_kinds_of_numbers_of_six_actions_and_eight_features() -> None:
    """Nothing of it is computed: shapes and dtypes alone."""
    config = EnvConfig.phase2(max_episode_bars=3, window_size=2)
    market = stack([prepare(synthetic_bars("ES", days=2, seed=3), config)])
    params = phase_of(config).make_params(market, config)
    settings = TrainSettings(n_envs=4, n_steps=7).override(pi=(8,), vf=(8,))
    network = network_of(settings, 6)
    program = program_of("gpu", settings, 6, params.obs_size)

    def both(seed: jax.Array, key: jax.Array, gamma: jax.Array) -> Any:
        agent = init_agent(seed, params, settings)
        given = agent.actor, key, agent.learner.params
        ours = program.collect(*given, params, gamma)
        return ours, collect(*given, network, params, settings.n_steps, gamma)

    ours, definition = jax.eval_shape(both, jnp.int32(0), jax.random.key(1), jnp.float32(0.75))
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, definition)
    _, made, _, ends = ours
    assert (made.masks.shape, made.position.shape) == ((7, 4, 6), (7, 4, 8))
    assert (made.actions.dtype, made.rewards.dtype) == (jnp.int8, jnp.float32)
    assert (ends.actions.shape, ends.reasons.shape) == ((6,), (5,))


def test_truncations_are_valued_on_the_devices_that_environments_are_split_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In both forms; with the scale that follows the step, of the bar that follows it."""
    config = EnvConfig.phase1(max_episode_bars=3, window_size=2)
    market = stack([prepare(synthetic_bars("ES", days=2, seed=3), config)])
    params = phase_of(config).make_params(market, config)
    settings = TrainSettings(n_envs=4, n_steps=7).override(pi=(8,), vf=(8,))
    seen: list[Any] = []

    def valued(cut: Any, weights: Any, network: Any, params: Any, *rest: Any, **named: Any) -> Any:
        assert cut.position.shape == (7, 4, 5)
        assert {leaf.shape for leaf in cut.scale} == {(7, 27)}
        seen.append((rest, named))
        return jnp.zeros(cut.truncated.shape)

    for module in (rollout, gpu_rollout):
        monkeypatch.setattr(module, "value_of_cut", valued)
    mesh: Any = "mesh"
    gpu = gpu_network(settings, 3, params.obs_size)

    def both(seed: jax.Array, key: jax.Array) -> Any:
        agent, gamma = init_agent(seed, params, settings), jnp.float32(0.75)
        given = agent.actor, key
        weights = agent.learner.params
        one = collect(*given, weights, network_of(settings), params, 7, gamma, mesh=mesh)
        return one, gpu_rollout.collect(*given, gpu.pack(weights), gpu, params, 7, gamma, mesh=mesh)

    jax.eval_shape(both, jnp.int32(0), jax.random.key(1))
    assert seen == [((), {"mesh": mesh}), ((gpu_rollout.BOOTSTRAP_ROWS, mesh), {})]


@pytest.mark.costly
@pytest.mark.parametrize("norm_reward", [False, True])
@pytest.mark.parametrize("phase", [1, 2])
def test_a_rollout_is_the_definition_s_in_every_number(phase: int, norm_reward: bool) -> None:
    """Where chance decides nothing, for the two draw otherwise."""
    make = {1: EnvConfig.phase1, 2: EnvConfig.phase2}[phase]
    params, actor, weights, settings = decided(make(max_episode_bars=3, window_size=2))
    settings = replace(settings, norm_reward=norm_reward)
    actions, gamma = phase_of(params).num_actions, jnp.float32(0.75)
    program, network = (
        program_of("gpu", settings, actions, params.obs_size),
        network_of(settings, actions),
    )

    @jax.jit
    def both(key: jax.Array) -> Any:
        ours = program.collect(actor, key, weights, params, gamma)
        steps = settings.n_steps
        return ours, collect(actor, key, weights, network, params, steps, gamma, norm_reward)

    ours, definition = both(jax.random.key(1))
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, definition)
    chex.assert_trees_all_close(ours, definition, rtol=2e-5, atol=2e-5)
    ends = definition[3]
    assert int(ends.reasons[4]) >= 2 * settings.n_envs  # truncated, early and late
    assert (np.asarray(ends.actions) > 0).sum() >= 2
