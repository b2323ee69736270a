"""Evaluation and training ask the phase, and so play Phase 2 by its own rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.envs import batch
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs import env_phase2_jax as phase2
from jax_port.envs.fast_rng import spread_bits
from jax_port.envs.registry import PHASES, phase_of
from jax_port.envs.state import EnvParams
from jax_port.evaluation.evaluate import evaluate
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.rollout import collect
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.train_ppo_jax import init_agent
from markets import Bars, EnvConfig
from tests.jax_port.conftest import FIRST
from tests.jax_port.made_policy import make_policy

CLIMB = [
    *[(4004, 3996, 4000)] * 23,  # bought on the last of these at 4001
    (4014, 4006, 4010),  # break-even: the stop at 4002
    (4016, 4008, 4012),  # trailing on, 8 ticks below: 4004
    (4024, 4016, 4020),  # 9 ticks below: 4011
    (4019, 4012, 4015),
    (4016, 4011, 4013),  # touched
    *[(4004, 3996, 4000)] * 12,
]


def test_a_configuration_and_its_parameters_are_of_one_phase(
    small_market: Callable[..., EnvParams],
) -> None:
    for number, config in ((1, EnvConfig.phase1()), (2, EnvConfig.phase2())):
        phase = PHASES[number]
        assert phase_of(config) is phase_of(small_market("ES", phase=number)) is phase
        assert phase.number == number
        assert small_market("ES", phase=number).obs_size == 220 + phase.position_features


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("number", [2, 1])
def test_a_batch_is_of_the_phase_of_its_parameters(world: Callable[..., Any], number: int) -> None:
    """And its members are those of one environment, with each its own start where it begins anew."""
    w, phase, count, key = world([4000, 4020], phase=number), PHASES[number], 12, jax.random.key(4)
    starts = phase1.draw_start(spread_bits(key, count), w.params)
    assert len(np.unique(starts)) > 3
    wanted = jax.vmap(phase.reset_at, in_axes=(0, None))(starts, w.params)
    made = batch.make_params(w.params.market, EnvConfig.phase1() if number == 1 else EnvConfig.phase2())
    assert (made.phase, type(made)) == (number, type(w.params))
    module = {1: phase1, 2: phase2}[number]
    for reset in (batch.batch_reset, module.batch_reset):
        obs, state = reset(key, w.params, count)
        assert obs.shape == (count, w.params.obs_size)
        jax.tree.map(np.testing.assert_array_equal, state, wanted)
    observe = jax.jit(jax.vmap(phase.observe, in_axes=(0, None)))
    np.testing.assert_array_equal(obs, observe(state, w.params))

    # A trade that has just reached break-even; of every other environment the last bar of its episode.
    held = {"position": 1, "entry_price": 3990, "sl_price": 3990, "tp_price": 4090, "num_trades": 1}
    one = w.reset(**held, position_entry_step=FIRST - 1, **({"trailing": 0} if number == 2 else {}))
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count,)), one)
    ends = jnp.arange(count) % 2 == 1
    state = replace(state, episode_start=jnp.where(ends, FIRST - 9, FIRST))
    action = jnp.arange(count, dtype=jnp.int32) // 2
    masks = jax.vmap(phase.action_masks, in_axes=(0, None))(state, w.params)
    for ask in (batch.batch_action_masks, module.batch_action_masks):
        np.testing.assert_array_equal(ask(state, w.params), masks)
    assert masks.shape == (count, 3 * number)
    final, outcome = jax.jit(jax.vmap(phase.advance, in_axes=(0, 0, None)))(state, action, w.params)
    np.testing.assert_array_equal(outcome.truncated, ends)
    following = jax.tree.map(lambda new, old: jnp.where(ends, new, old), wanted, final)
    if number == 2:
        assert final.trailing.tolist() == [place // 2 == 4 for place in range(count)]
    for step in (batch.batch_step, module.batch_step):
        moved = jax.jit(step)(key, state, action, w.params)
        jax.tree.map(np.testing.assert_array_equal, moved.outcome, outcome)
        jax.tree.map(np.testing.assert_array_equal, moved.final_state, final)
        jax.tree.map(np.testing.assert_array_equal, moved.state, following)
        np.testing.assert_array_equal(moved.final_obs, observe(final, w.params))
        np.testing.assert_array_equal(moved.obs, observe(following, w.params))


def test_an_evaluation_manages_its_stop(make_bars: Callable[..., Bars]) -> None:
    config = EnvConfig.phase2(warmup_bars=20, window_size=2, session="all", max_episode_bars=6)
    market = prepare(make_bars(CLIMB), config)
    policy = make_policy(market, config, spread=0.0)
    # Whatever it may do of these: break-even, trailing on, buy; else it holds.
    policy.params["params"]["action_head"]["bias"][:] = [0.0, 1.0, -1.0, 2.0, 2.0, -1.0]
    result = evaluate(policy, market, rows=[22])
    (trade,) = result.trades.to_dict("records")
    # Ten ticks of $12.50, less twice $2.50.
    assert (trade["side"], trade["exit_code"], trade["pnl"]) == ("long", 1, 120.0)
    assert (trade["entry_price"], trade["exit_price"]) == (1000.25, 1002.75)
    assert (trade["entry_step"], trade["exit_step"]) == (22, 27)
    (episode,) = result.episodes.to_dict("records")
    assert episode["reward"] == pytest.approx(-5 * 0.01 + 1.2 + 0.5)


@pytest.mark.costly
def test_a_rollout_has_the_phases_masks_and_features(small_market: Callable[..., EnvParams]) -> None:
    settings = TrainSettings(n_envs=16, n_steps=60).override(pi=(8,), vf=(8,))
    params = small_market("ES", phase=2, max_episode_bars=40)

    @jax.jit
    def roll(seed: jax.Array, params: EnvParams) -> tuple[jax.Array, ...]:
        agent = init_agent(seed, params, settings)
        network = network_of(settings, phase_of(params).num_actions)
        key = jax.random.wrap_key_data(agent.key)
        weights = agent.learner.params
        _, rollout, _, ends = collect(agent.actor, key, weights, network, params, 60, jnp.float32(0.99))
        return rollout.masks, rollout.position, rollout.actions, ends.actions

    masks, position, actions, counts = map(np.asarray, roll(jnp.int32(0), params))
    assert masks.shape == (60, 16, 6)
    assert position.shape == (60, 16, 8)
    assert np.take_along_axis(masks, actions[..., None].astype(int), axis=-1).all()
    np.testing.assert_array_equal(counts, np.bincount(actions.reshape(-1), minlength=6))
    assert (counts > 0).all()
    np.testing.assert_array_equal(position[..., 5] == 1, masks[..., 1])  # can enter now
    np.testing.assert_array_equal(position[..., 7] == 1, masks[..., 5])  # trailing on
