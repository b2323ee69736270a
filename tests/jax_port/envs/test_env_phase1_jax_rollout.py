"""Section 7 on random actions over several markets; restarts; compiled forms of the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, STOP, TARGET, prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.registry import PHASES
from jax_port.envs.state import (
    DONE_END_OF_DATA,
    EXIT_LATE,
    RUNNING,
    EnvParams,
    EnvState,
)
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.envs.hand_made_steps import (
    START,
    MakeWorld,
)

# 7: invariants, on random actions over several markets, one scan

LANES, BARS = 96, 300


@pytest.fixture(scope="module")
def rollout(small_market: Callable[..., EnvParams]) -> dict[str, Any]:
    """One scan of random actions, legal or not, with a floor near enough to be hit."""
    params = small_market(
        "ES",
        "NQ",
        "RTY",
        trailing_drawdown_dollars=700.0,
        tp_sl_ratio=1.2,
        invalid_action_penalty=-1.0,
        max_episode_bars=120,
    )

    def body(state: EnvState, key: jax.Array) -> tuple[EnvState, Any]:
        action_key, step_key = jax.random.split(key)
        # Mostly hold, so that trades live long enough to meet every exit.
        drawn = jax.random.randint(action_key, (LANES,), -20, 4)
        action = jnp.where(drawn < -1, HOLD, drawn)
        moved = env.batch_step(step_key, state, action, params)
        held, held_outcome = jax.vmap(env.advance, in_axes=(0, 0, None))(
            state, jnp.full_like(action, HOLD), params
        )
        return moved.state, (state, action, moved, held, held_outcome)

    @jax.jit
    def run(key: jax.Array) -> Any:
        first, rest = jax.random.split(key)
        _, state = env.batch_reset(first, params, LANES)
        return jax.lax.scan(body, state, jax.random.split(rest, BARS))[1]

    before, action, moved, held, held_outcome = jax.tree.map(np.asarray, run(jax.random.key(11)))
    return {
        "params": params,
        "before": before,
        "action": action,
        "moved": moved,
        "held": held,
        "held_outcome": held_outcome,
    }


def test_the_rollout_meets_every_exit_and_every_end(rollout: dict[str, Any]) -> None:
    outcome = rollout["moved"].outcome
    assert set(np.unique(outcome.exit_code)) == {0, 1, 2, 3, 4}
    assert {0, 1, 2, 4} <= set(np.unique(outcome.done_reason))
    assert set(np.unique(rollout["moved"].final_state.market)) == {0, 1, 2}


def test_money_adds_up_to_the_cent(rollout: dict[str, Any]) -> None:
    state = rollout["moved"].final_state
    side = np.asarray(rollout["params"].market.commission)[state.market]
    is_open = state.position != 0
    np.testing.assert_array_equal(state.balance, START + state.total_pnl - np.where(is_open, side, 0))
    np.testing.assert_array_equal(
        state.num_trades, state.winning_trades + state.losing_trades + is_open.astype(np.int32)
    )


def test_a_terminated_episode_ends_flat(rollout: dict[str, Any]) -> None:
    outcome, state = rollout["moved"].outcome, rollout["moved"].final_state
    assert outcome.terminated.any()
    assert (state.position[outcome.terminated] == 0).all()
    assert not (outcome.terminated & outcome.truncated).any()
    for name in ("entry_price", "sl_price", "tp_price", "position_entry_step"):
        assert (getattr(state, name)[state.position == 0] == 0).all()


def test_the_floor_never_falls_nor_exceeds_its_lock(rollout: dict[str, Any]) -> None:
    before, after = rollout["before"], rollout["moved"].final_state
    assert (after.trailing_dd_level >= before.trailing_dd_level).all()
    assert (after.trailing_dd_level <= START + 10_000).all()
    assert (after.trailing_dd_level > before.trailing_dd_level).any()
    assert (after.highest_balance >= before.highest_balance).all()


def test_the_stop_of_an_open_trade_stays(rollout: dict[str, Any]) -> None:
    before, after = rollout["before"], rollout["moved"].final_state
    same = (before.position != 0) & (after.position != 0)
    assert same.any()
    assert (before.sl_price[same] == after.sl_price[same]).all()


def test_a_forbidden_action_changes_the_reward_alone(rollout: dict[str, Any]) -> None:
    moved, held, held_outcome = rollout["moved"], rollout["held"], rollout["held_outcome"]
    outcome = moved.outcome
    forbidden = outcome.forbidden
    masks = (rollout["before"].position == 0) | (rollout["action"] == HOLD)
    masks &= (rollout["action"] >= 0) & (rollout["action"] < 3)
    np.testing.assert_array_equal(forbidden, ~masks)
    assert forbidden.any()
    for name in moved.final_state.__dataclass_fields__:
        one, two = getattr(moved.final_state, name), getattr(held, name)
        np.testing.assert_array_equal(one[forbidden], two[forbidden], err_msg=name)
    np.testing.assert_allclose(
        outcome.reward[forbidden], held_outcome.reward[forbidden] - 1, rtol=1e-6, atol=1e-6
    )
    for name in ("terminated", "truncated", "exit_code", "done_reason", "trade_pnl", "violation"):
        one, two = getattr(outcome, name), getattr(held_outcome, name)
        np.testing.assert_array_equal(one[forbidden], two[forbidden], err_msg=name)


def test_observations_are_finite(rollout: dict[str, Any]) -> None:
    assert np.isfinite(rollout["moved"].obs).all()
    assert np.isfinite(rollout["moved"].final_obs).all()


# Restart


def test_an_episode_that_ends_restarts_and_hands_out_its_last_observation(
    rollout: dict[str, Any],
) -> None:
    moved, params = rollout["moved"], rollout["params"]
    done = moved.outcome.terminated | moved.outcome.truncated
    assert done.any()
    starts = {tuple(row) for row in np.asarray(params.market.starts).tolist()}
    fresh = jax.tree.map(lambda leaf: leaf[done], moved.state)
    drawn = list(zip(fresh.step_idx.tolist(), fresh.market.tolist(), strict=True))
    assert set(drawn) <= starts
    assert len(set(drawn)) > len(drawn) // 2
    assert (fresh.episode_start == fresh.step_idx).all()
    assert (fresh.balance == START).all()
    assert (fresh.position == 0).all()
    assert (fresh.num_trades == 0).all()
    for name in moved.state.__dataclass_fields__:
        running, final = getattr(moved.state, name)[~done], getattr(moved.final_state, name)[~done]
        np.testing.assert_array_equal(running, final)
    observe = jax.jit(jax.vmap(env.observe, in_axes=(0, None)))
    last = jax.tree.map(lambda leaf: jnp.asarray(leaf[done]), moved.final_state)
    np.testing.assert_array_equal(moved.final_obs[done], observe(last, params))
    np.testing.assert_array_equal(moved.obs[done], observe(jax.tree.map(jnp.asarray, fresh), params))
    np.testing.assert_array_equal(moved.obs[~done], moved.final_obs[~done])


def test_a_restart_stays_within_its_markets_bars(rollout: dict[str, Any]) -> None:
    params, state = rollout["params"], rollout["moved"].state
    first, last = (np.asarray(getattr(params.market, n)) for n in ("first_bar", "last_bar"))
    assert (state.step_idx - params.window_size >= first[state.market] + 100).all()
    assert (state.step_idx <= last[state.market]).all()


# Several markets


@pytest.mark.parametrize("number", [1, 2])
def test_each_market_trades_its_own_contract_on_its_own_bars(number: int) -> None:
    """Of other sizes and costs, not the first alone: an entry, its late close, and the end of bars."""
    configure = EnvConfig.phase1 if number == 1 else EnvConfig.phase2
    far = {"sl_atr_mult": 60.0, "trailing_drawdown_dollars": 90_000.0}
    config = configure(
        flat_by_minute=0, contracts=3, max_episode_bars=25, initial_balance_dollars=200_000.0, **far
    )
    contracts = [
        get_contract("ES"),
        get_contract("M2K").with_costs(slippage_ticks=4),
        get_contract("NQ").with_costs(commission_cents=175, slippage_ticks=3),
    ]
    prepared = [
        prepare(replace(synthetic_bars(one.symbol, days=days, seed=3), contract=one), config)
        for one, days in zip(contracts, (2, 1, 3), strict=True)
    ]
    phase = PHASES[number]
    params = phase.make_params(stack(prepared), config)
    advance = jax.jit(phase.advance)
    rows = np.asarray(params.market.starts)
    offset = 0
    for market, (one, contract) in enumerate(zip(prepared, contracts, strict=True)):
        own = np.flatnonzero(rows[:, 1] == market)
        assert len(own) == len(one.starts)
        for side, place in ((1, 0), (-1, len(own) - 1), (1, len(own) // 2)):
            fresh = phase.reset_at(jnp.int32(own[place]), params)
            bar = int(one.starts[place])
            now, then = one.bars[bar].tolist(), one.bars[bar + 1].tolist()
            entry = now[CLOSE] + side * contract.slippage_ticks
            side_cost = 3 * contract.commission_cents
            held, outcome = advance(fresh, jnp.int32(BUY if side > 0 else SELL), params)
            expected = {
                "step_idx": offset + bar + 1,
                "episode_start": offset + bar,
                "position_entry_step": offset + bar,
                "market": market,
                "position": side,
                "entry_price": entry,
                "sl_price": entry - side * now[STOP],
                "tp_price": entry + side * now[TARGET],
                "balance": 20_000_000 - side_cost,
                "num_trades": 1,
            }
            assert {name: int(getattr(held, name)) for name in expected} == expected
            assert not bool(outcome.terminated | outcome.truncated)
            after, outcome = advance(held, jnp.int32(HOLD), params)
            out = then[CLOSE] - side * contract.slippage_ticks
            pnl = side * (out - entry) * 3 * contract.tick_value_cents - 2 * side_cost
            assert (int(outcome.exit_code), int(outcome.trade_pnl)) == (EXIT_LATE, pnl)
            assert (int(after.balance), int(after.total_pnl)) == (20_000_000 + pnl, pnl)
        for before, reason in ((2, RUNNING), (1, DONE_END_OF_DATA)):
            at = jnp.int32(offset + len(one) - 1 - before)
            late = replace(fresh, step_idx=at, episode_start=at)
            _, outcome = advance(late, jnp.int32(HOLD), params)
            assert int(outcome.done_reason) == reason
            assert bool(outcome.truncated) == (reason == DONE_END_OF_DATA)
        offset += len(one)


def test_a_start_is_drawn_from_the_first_to_the_last(world: MakeWorld) -> None:
    params = world().params
    assert np.asarray(params.market.starts)[:, 0].tolist() == list(range(22, 30))
    for part, number in ((0.0, 0), (0.124, 0), (0.126, 1), (0.5, 4), (0.874, 6), (0.999, 7)):
        assert int(env.draw_start(jnp.uint32(int(part * 2**32)), params)) == number
    assert int(env.draw_start(jnp.uint32(2**32 - 1), params)) == 7


# Compiled forms


def test_a_batch_is_its_members(small_market: Callable[..., EnvParams]) -> None:
    params, key = small_market("ES", "NQ", "RTY"), jax.random.key(3)
    obs, state = jax.jit(env.batch_reset, static_argnums=2)(key, params, 16)
    action = jnp.arange(16, dtype=jnp.int32) % 3
    batch = jax.device_get(jax.jit(env.batch_step)(jax.random.key(4), state, action, params))
    bits, state, obs = jax.device_get((env.spread_bits(jax.random.key(4), 16), state, obs))
    one_step, one_obs = jax.jit(env.step_or_restart), jax.jit(env.observe)
    for lane in range(16):

        def pick(leaf: Any, lane: int = lane) -> Any:
            return leaf[lane]

        alone = jax.tree.map(pick, state)
        np.testing.assert_array_equal(one_obs(alone, params), obs[lane])
        single = jax.device_get(one_step(bits[lane], alone, np.int32(lane % 3), params))
        jax.tree.map(np.testing.assert_array_equal, single, jax.tree.map(pick, batch))
    assert len(np.unique(state.step_idx)) > 10


def test_one_environment_alone_is_reset_and_stepped_by_key(world: MakeWorld) -> None:
    w = world(max_episode_bars=1)
    obs, state = env.reset(jax.random.key(0), w.params)
    assert obs.shape == (27,)
    moved = env.step(jax.random.key(1), state, jnp.int32(HOLD), w.params)
    assert bool(moved.outcome.truncated)
    assert int(moved.final_state.step_idx) == int(state.step_idx) + 1
    assert int(moved.state.episode_start) == int(moved.state.step_idx)


def test_the_second_call_compiles_nothing(world: MakeWorld) -> None:
    one, two = world(), world([4010], hold_penalty=-0.5, contracts=2)
    traces = 0

    @jax.jit
    def step(key: jax.Array, state: EnvState, action: jax.Array, params: EnvParams) -> Any:
        nonlocal traces
        traces += 1
        return env.batch_step(key, state, action, params)

    action = jnp.zeros(4, jnp.int32)
    reset = jax.jit(env.batch_reset, static_argnums=2)
    for params in (one.params, two.params):
        _, state = reset(jax.random.key(0), params, 4)
        moved = step(jax.random.key(1), state, action, params)
        step(jax.random.key(2), moved.state, action, params)
    assert traces == 1


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32])
def test_actions_of_any_integer_type(world: MakeWorld, dtype: Any) -> None:
    w = world()
    state, outcome = env.advance(w.reset(), jnp.asarray(BUY, dtype), w.params)
    assert int(state.position) == 1
    assert not bool(outcome.forbidden)


def test_the_default_configuration_observes_225_numbers(make_bars: Callable[..., Any]) -> None:
    bars = make_bars([(4004, 3996, 4000)] * 600)
    config = EnvConfig.phase1(session="all")
    params = env.make_params(stack([prepare(bars, config)]), config)
    obs, _ = env.reset(jax.random.key(0), params)
    assert obs.shape == (225,)
