"""The gymnax interface: the same steps as the pure functions, and a gymnax trainer trains on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments.environment import Environment

from jax_port.envs import env_phase1_jax as env
from jax_port.envs import env_phase2_jax as phase2
from jax_port.envs.env_phase1_jax import BUY, HOLD
from jax_port.envs.gymnax_api import FiveValueStep, TradingPhase1, TradingPhase2
from jax_port.envs.state import (
    DONE_BAR_LIMIT,
    DONE_DRAWDOWN,
    DONE_END_OF_DATA,
    EnvParams,
    EnvState,
    Outcome,
)
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

MakeWorld = Callable[..., Any]


@pytest.fixture
def trading(world: MakeWorld) -> TradingPhase1:
    return TradingPhase1(world([4000, 4008]).params)


def assert_equal_trees(one: Any, two: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(two)
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_it_is_a_gymnax_environment(trading: TradingPhase1) -> None:
    assert isinstance(trading, Environment)
    assert trading.name == "TradingPhase1"
    assert trading.num_actions == 3
    assert trading.default_params.window_size == 2


def test_reset_and_step_are_the_pure_functions(trading: TradingPhase1) -> None:
    params, key = trading.default_params, jax.random.key(1)
    obs, state = trading.reset(key, params)
    assert_equal_trees((obs, state), jax.jit(env.reset)(key, params))
    result = trading.step(key, state, jnp.int32(BUY), params)
    moved = jax.jit(env.step)(key, state, jnp.int32(BUY), params)
    obs, after, reward, terminated, truncated, info = result
    outcome = moved.outcome
    assert_equal_trees((obs, after, reward), (moved.obs, moved.state, outcome.reward))
    assert_equal_trees((terminated, truncated), (outcome.terminated, outcome.truncated))
    names = set(Outcome._fields) - {"reward"} | {"final_observation"}
    assert set(info) == names
    assert_equal_trees(info["final_observation"], moved.final_obs)
    for name in names - {"final_observation"}:
        assert_equal_trees(info[name], getattr(outcome, name))


def test_params_and_integer_types_may_be_left_to_the_environment(trading: TradingPhase1) -> None:
    key = jax.random.key(0)
    _, state = trading.reset(key)
    given = trading.step(key, state, jnp.int32(BUY), trading.default_params)
    assert_equal_trees(trading.step(key, state, BUY), given)
    assert_equal_trees(trading.step(key, state, jnp.int8(BUY)), given)
    assert_equal_trees(trading.get_obs(state), env.observe(state, trading.default_params))


def test_an_ended_episode_restarts_with_its_last_observation_in_info(world: MakeWorld) -> None:
    trading = TradingPhase1(world(max_episode_bars=1).params)
    params = trading.default_params
    _, state = trading.reset(jax.random.key(0), params)
    obs, after, _, terminated, truncated, info = trading.step(jax.random.key(1), state, BUY, params)
    assert (bool(terminated), bool(truncated)) == (False, True)
    assert int(info["done_reason"]) in (DONE_BAR_LIMIT, DONE_END_OF_DATA)
    assert int(after.time) == 0
    assert int(after.position) == 0
    np.testing.assert_array_equal(obs, env.observe(after, params))
    assert float(obs[-5]) == 0.0
    assert float(info["final_observation"][-5]) == 1.0


def test_step_env_does_not_restart(world: MakeWorld) -> None:
    trading = TradingPhase1(world(max_episode_bars=1).params)
    params = trading.default_params
    _, state = trading.reset_env(jax.random.key(0), params)
    obs, after, reward, terminated, info = trading.step_env(jax.random.key(1), state, BUY, params)
    assert int(after.step_idx) == int(state.step_idx) + 1
    assert np.float32(reward) == np.float32(-0.01)
    assert not bool(terminated)
    assert bool(trading.is_truncated(after, params))
    assert int(info["trade_pnl"]) == 0
    np.testing.assert_array_equal(obs, trading.observe(jax.random.key(1), after, BUY, params))


def test_step_env_with_gymnaxs_own_restart_ends_where_ours_does(
    small_market: Callable[..., Any],
) -> None:
    """gymnax's own ``step`` around ``step_env`` and ``is_truncated`` must see the same ends."""
    params = small_market("ES", max_episode_bars=30, trailing_drawdown_dollars=150.0)
    trading = TradingPhase1(params)
    gymnax_step = partial(Environment.step.__wrapped__, trading)

    @jax.jit
    def run(key: jax.Array) -> Any:
        _, state = trading.reset(key, params)

        def body(state: EnvState, key: jax.Array) -> tuple[EnvState, Any]:
            action = jax.random.randint(key, (), 0, 3)
            ours, theirs = trading.step(key, state, action, params), gymnax_step(
                key, state, action, params
            )  # fmt: skip
            return ours.state, (ours[2:5], theirs[2:5], ours.info["final_observation"], theirs[5])

        return jax.lax.scan(body, state, jax.random.split(key, 1000))[1]

    ours, theirs, final, info = run(jax.random.key(2))
    assert_equal_trees(ours, theirs)
    assert bool(ours[1].any())
    assert bool(ours[2].any())
    np.testing.assert_array_equal(final, info["final_observation"])


def test_is_terminated_knows_a_breach(world: MakeWorld) -> None:
    w = world(trailing_drawdown_dollars=10)
    trading = TradingPhase1(w.params)
    (step,) = w.play(BUY)
    assert bool(trading.is_terminated(step.state, w.params))
    assert not bool(trading.is_terminated(w.reset(), w.params))
    assert float(trading.discount(step.state, w.params)) == 0.0
    assert float(trading.discount(w.reset(), w.params)) == 1.0
    # An account at its floor is not below it; only its bars have come to an end.
    floor, last = int(w.reset().trailing_dd_level), int(w.params.max_episode_bars)
    for balance, below in [(floor, False), (floor - 1, True)]:
        state = w.reset(balance=balance)
        state = state.replace(episode_start=state.step_idx - last)
        assert bool(trading.is_terminated(state, w.params)) == below
        assert bool(trading.is_truncated(state, w.params)) != below


def test_phase_2_is_its_own_functions(world: MakeWorld) -> None:
    w = world([4000, 4020, 4030], phase=2)
    params, key = w.params, jax.random.key(1)
    trading = TradingPhase2(params)
    assert (trading.num_actions, trading.action_space().n) == (6, 6)
    obs, state = trading.reset(key, params)
    assert obs.shape == trading.observation_space(params).shape == (2 * 11 + 8,)
    assert isinstance(state, phase2.EnvState)
    state = w.reset()
    for action in (BUY, phase2.BREAK_EVEN, phase2.TRAIL_ON):
        assert bool(trading.action_masks(state, params)[action])
        obs, after, reward, *_ = trading.step(key, state, action, params)
        moved = jax.jit(phase2.step)(key, state, jnp.int32(action), params)
        assert_equal_trees((obs, after, reward), (moved.obs, moved.state, moved.outcome.reward))
        state = after
    assert bool(state.trailing)
    with jax.numpy_dtype_promotion("standard"):  # gymnax compares a flag with whole numbers
        assert bool(trading.state_space(params).contains(state))


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("number", [2, 1])
def test_parameters_that_are_given_go_before_the_environments_own(
    world: MakeWorld, number: int
) -> None:
    """In every method, the inner ones and the older interface's, which are of the phase as well."""
    trading = (TradingPhase1 if number == 1 else TradingPhase2)(world(phase=number).params)
    other = world([4000, 4020], phase=number, window_size=3, max_episode_bars=5, rows=50).params
    flags, size = 3 * (number - 1), 3 * 11 + 5 + 3 * (number - 1)
    key = jax.random.key(3)
    assert (trading.default_params.obs_size, other.obs_size) == (2 * 11 + 5 + flags, size)
    assert trading.observation_space(other).shape == (size,)
    assert trading.observation_space().shape == (2 * 11 + 5 + flags,)
    for params, rows in ((other, 50), (None, 40)):
        with jax.numpy_dtype_promotion("standard"):
            bars = trading.state_space(params).spaces["step_idx"]
            assert isinstance(bars, gymnax.environments.spaces.Box)
            assert float(bars.high) == rows - 1
    obs, state = trading.reset(key, other)
    inner_obs, inner = trading.reset_env(key, other)
    assert obs.shape == inner_obs.shape == (size,)
    assert_equal_trees((inner_obs, inner), (obs, state))
    assert len(fields(state)) == (15 if number == 1 else 16)
    np.testing.assert_array_equal(trading.get_obs(state, other), obs)
    old = replace(state, episode_start=state.step_idx - 4)  # its fifth bar is its last by the other's
    shut = replace(other, entry_close=jnp.int32(0))
    assert trading.action_masks(old, shut).tolist() == [True, *[number == 1] * 2, *[False] * flags]
    assert trading.action_masks(old).tolist() == [True, True, True, *[False] * flags]
    moved = trading.step(key, old, BUY, other)
    assert (moved.obs.shape, bool(moved.truncated)) == ((size,), True)
    inner_obs, after, reward, terminated, info = trading.step_env(key, old, BUY, other)
    np.testing.assert_array_equal(inner_obs, moved.info["final_observation"])
    assert (float(reward), bool(terminated)) == (float(moved.reward), False)
    assert_equal_trees(info, {k: v for k, v in moved.info.items() if k != "final_observation"})
    assert (int(after.position), bool(trading.is_truncated(after, other))) == (1, True)
    assert not bool(trading.is_truncated(after, trading.default_params))
    older = FiveValueStep(trading).step(key, old, BUY, other)
    assert_equal_trees(older[:3] + older[4:], moved[:3] + moved[5:])
    assert bool(older[3])


def test_parameters_of_the_other_phase_are_refused(world: MakeWorld) -> None:
    with refuses():
        TradingPhase2(world().params)
    with refuses():
        TradingPhase1(world(phase=2).params)


def test_the_mask(world: MakeWorld) -> None:
    w = world()
    trading = TradingPhase1(w.params)
    (step,) = w.play(BUY)
    assert trading.action_masks(w.reset(), w.params).tolist() == [True, True, True]
    assert trading.action_masks(step.state).tolist() == [True, False, False]


def test_spaces(trading: TradingPhase1) -> None:
    params = trading.default_params
    obs, state = trading.reset(jax.random.key(0), params)
    observations, actions, states = (
        trading.observation_space(params),
        trading.action_space(params),
        trading.state_space(params),
    )
    assert (observations.shape, observations.dtype) == (obs.shape, obs.dtype)
    assert bool(observations.contains(obs))
    assert actions.n == 3
    assert all(bool(actions.contains(actions.sample(jax.random.key(k)))) for k in range(5))
    assert not bool(actions.contains(3))
    assert set(states.spaces) == {item.name for item in fields(EnvState)}
    assert bool(states.contains(state))
    assert not bool(states.contains(state.replace(position=jnp.int32(2))))
    space = gymnax.environments.spaces.gymnax_space_to_gym_space(observations)
    assert space.contains(np.asarray(obs))


def test_an_unused_final_observation_is_never_made(small_market: Callable[..., Any]) -> None:
    trading, params = TradingPhase1(small_market("ES")), small_market("ES")
    lanes = 64

    def cost(keep: Callable[[Any], Any]) -> float:
        def step(keys: jax.Array, state: EnvState, action: jax.Array, params: EnvParams) -> Any:
            return keep(jax.vmap(trading.step, in_axes=(0, 0, 0, None))(keys, state, action, params))

        keys = jax.random.split(jax.random.key(0), lanes)
        _, state = jax.vmap(trading.reset, in_axes=(0, None))(keys, params)
        compiled = jax.jit(step).lower(keys, state, jnp.zeros(lanes, jnp.int32), params).compile()
        return float(compiled.cost_analysis()["bytes accessed"])

    without = cost(lambda r: (r.obs, r.state, r.reward, r.terminated, r.truncated))
    with_final = cost(lambda r: (r.obs, r.state, r.reward, r.terminated, r.truncated, r.info))
    # What is saved is at least one write of the observations.
    assert with_final - without > lanes * params.obs_size * 4


def test_every_lane_can_have_parameters_of_its_own(world: MakeWorld) -> None:
    w = world()
    trading = TradingPhase1(w.params)
    axes = jax.tree.map(lambda _: None, w.params).replace(hold_penalty=0, contracts=0)
    contracts = jnp.array([1, 2, 3], jnp.int32)
    # In reward units: -0.01, -0.02 and 0.
    penalties = w.params.hold_penalty * jnp.array([1, 2, 0], jnp.int32)
    lanes = w.params.replace(hold_penalty=penalties, contracts=contracts)
    keys = jax.random.split(jax.random.key(0), 3)
    _, state = jax.vmap(trading.reset, in_axes=(0, axes))(keys, lanes)
    step = jax.jit(jax.vmap(trading.step, in_axes=(0, 0, 0, axes)))
    result = step(keys, state, jnp.full(3, BUY, jnp.int32), lanes)
    np.testing.assert_array_equal(result.reward, np.array([-0.01, -0.02, 0.0], np.float32))
    assert result.state.balance.tolist() == [5_000_000 - 250 * n for n in (1, 2, 3)]


def test_steps_can_be_scanned_and_vmapped(small_market: Callable[..., Any]) -> None:
    params = small_market("ES", max_episode_bars=20)
    trading = TradingPhase1(params)

    @jax.jit
    @partial(jax.vmap, in_axes=(0, None))
    def run(key: jax.Array, params: EnvParams) -> Any:
        _, state = trading.reset(key, params)

        def body(state: EnvState, key: jax.Array) -> tuple[EnvState, Any]:
            result = trading.step(key, state, HOLD, params)
            return result.state, (result.obs, result.truncated)

        return jax.lax.scan(body, state, jax.random.split(key, 60))[1]

    obs, truncated = run(jax.random.split(jax.random.key(0), 8), params)
    assert obs.shape == (8, 60, 225)
    assert truncated.sum(1).tolist() == [3] * 8


def test_five_values_for_older_trainers(world: MakeWorld) -> None:
    trading = TradingPhase1(world(max_episode_bars=1).params)
    older = FiveValueStep(trading)
    assert older.num_actions == 3
    assert older.default_params is trading.default_params
    key = jax.random.key(0)
    obs, state = older.reset(key)
    new_obs, after, reward, done, info = older.step(key, state, HOLD)
    six = trading.step(key, state, HOLD)
    assert_equal_trees((new_obs, after, reward, info), (six.obs, six.state, six.reward, six.info))
    assert bool(done)
    assert obs.shape == (27,)
    lost = world(trailing_drawdown_dollars=10).params  # by the slippage of the entry alone
    *_, done, info = older.step(key, state, BUY, lost)
    assert (bool(done), int(info["done_reason"])) == (True, DONE_DRAWDOWN)
    longer = world().params
    assert not bool(older.step(key, env.reset_at(jnp.int32(0), longer), HOLD, longer)[3])


@pytest.mark.slow
def test_rejax_ppo_trains_on_it(small_market: Callable[..., Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what rejax imports uses deprecated names of JAX
        import rejax

    params = small_market("ES", max_episode_bars=40)
    settings = {"num_envs": 8, "num_steps": 16, "num_minibatches": 2, "num_epochs": 2}
    # rejax promotes dtypes and ranks, which our own tests forbid.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        algorithm = rejax.PPO.create(
            env=FiveValueStep(TradingPhase1(params)),
            env_params=params,
            total_timesteps=4 * 8 * 16,
            eval_freq=2 * 8 * 16,
            skip_initial_evaluation=True,
            normalize_observations=True,
            agent_kwargs={"hidden_layer_sizes": (16,)},
            **settings,
        )
        before = algorithm.init_state(jax.random.key(0))
        after, (lengths, returns) = jax.jit(algorithm.train)(train_state=before)
        values = algorithm.critic.apply(after.critic_ts.params, after.last_obs)

    assert lengths.shape == returns.shape == (2, 128)
    assert (np.asarray(lengths) <= 40).all()
    assert len(np.unique(returns)) > 10
    # A loss that was not finite once would have left no finite parameter behind.
    assert np.isfinite(returns).all()
    assert np.isfinite(values).all()
    for name in ("actor_ts", "critic_ts"):
        old, new = (jax.tree.leaves(getattr(ts, name).params) for ts in (before, after))
        assert all(np.isfinite(leaf).all() for leaf in new)
        assert all((np.asarray(a) != np.asarray(b)).any() for a, b in zip(old, new, strict=True))


def test_every_market_ends_at_its_own_last_bar() -> None:
    made = TradingPhase1.from_bars(
        [synthetic_bars(name, days=2, seed=1) for name in ("ES", "NQ", "YM")]
    )
    params = made.default_params
    assert [one.contract.symbol for one in made.bars] == ["ES", "NQ", "YM"]
    assert made.config == EnvConfig.phase1()
    one = TradingPhase2.from_bars(made.bars[1])
    assert (one.bars, one.config, one.default_params.phase) == (made.bars[1:2], EnvConfig.phase2(), 2)
    assert one.default_params.market.tick_value.tolist() == [500]
    short = EnvConfig.phase2(max_episode_bars=33)
    two = TradingPhase2.from_bars(made.bars[:2], short)
    assert (two.config, int(two.default_params.max_episode_bars)) == (short, 33)
    assert two.default_params.market.num_markets == 2
    _, state = made.reset(jax.random.key(0), params)
    for market, last in enumerate(np.asarray(params.market.last_bar)):
        for step, ended in ((last - 1, False), (last, True)):
            there = replace(
                state,
                market=jnp.int32(market),
                step_idx=jnp.int32(step),
                episode_start=jnp.int32(step - 1),
            )
            assert bool(made.is_truncated(there, params)) == ended
