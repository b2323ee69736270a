"""Section 6 sentence by sentence, on bars made by hand, in whole ticks and cents.

The run-up closes at 4000 ticks with an ATR of 8, so on bar 22 the stop is 12 ticks away and the
target 36. ES: a tick is 1,250 cents, a side costs 250 cents, a market order slips one tick. The
balance starts at 5,000,000 cents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from markets import EnvConfig, InputError, get_contract

START = 5_000_000
FIRST = 22
LONG = {"position": 1, "entry_price": 4001, "sl_price": 3989, "tp_price": 4037}
SHORT = {"position": -1, "entry_price": 3999, "sl_price": 4011, "tp_price": 3963}
FLAT = {"position": 0, "entry_price": 0, "sl_price": 0, "tp_price": 0, "position_entry_step": 0}

MakeWorld = Callable[..., Any]


def values(step: Any, names: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(step, name) for name in names}


def check(step: Any, **expected: Any) -> None:
    """Compare fields of a step; a reward is compared as the nearest float32."""
    if "reward" in expected:
        assert np.float32(step.reward) == np.float32(expected.pop("reward"))
    assert values(step, expected) == expected


# 1 legality


def test_the_mask_allows_entries_when_flat_and_only_holding_when_open(world: MakeWorld) -> None:
    w = world()
    state = w.reset()
    assert env.action_masks(state, w.params).tolist() == [True, True, True]
    (bought,) = w.play(BUY, state=state)
    (sold,) = w.play(SELL, state=state)
    assert env.action_masks(bought.state, w.params).tolist() == [True, False, False]
    assert env.action_masks(sold.state, w.params).tolist() == [True, False, False]


@pytest.mark.parametrize("action", [BUY, SELL, -1, 3, 99, -(2**31)])
def test_a_forbidden_action_becomes_hold_and_costs_its_penalty(world: MakeWorld, action: int) -> None:
    w = world(invalid_action_penalty=-1.0)
    (_, held) = w.play(BUY, HOLD)
    (_, forbidden) = w.play(BUY, action)
    assert jax.tree.map(int, held.state) == jax.tree.map(int, forbidden.state)
    check(held, forbidden=False, reward=-0.01)
    check(forbidden, forbidden=True, reward=-1.01)


@pytest.mark.parametrize("action", [-1, 3, 99])
def test_a_number_that_is_no_action_is_forbidden_when_flat(world: MakeWorld, action: int) -> None:
    (step,) = world(invalid_action_penalty=-1.0).play(action)
    check(step, forbidden=True, reward=-0.999, num_trades=0, balance=START, **FLAT)


def test_an_invalid_action_costs_nothing_by_default(world: MakeWorld) -> None:
    (_, step) = world().play(BUY, SELL)
    check(step, forbidden=True, reward=-0.01)


# 2 stop and target


@pytest.mark.parametrize(
    ("action", "bar", "exit_code"),
    [
        (BUY, (4030, 3990, 4000), env.EXIT_NONE),
        (BUY, (4030, 3989, 4000), env.EXIT_STOP),
        (BUY, (4036, 3995, 4000), env.EXIT_NONE),
        (BUY, (4037, 3995, 4000), env.EXIT_TARGET),
        (BUY, (4037, 3989, 4000), env.EXIT_STOP),
        (SELL, (4010, 3970, 4000), env.EXIT_NONE),
        (SELL, (4011, 3970, 4000), env.EXIT_STOP),
        (SELL, (4005, 3964, 4000), env.EXIT_NONE),
        (SELL, (4005, 3963, 4000), env.EXIT_TARGET),
        (SELL, (4011, 3963, 4000), env.EXIT_STOP),
        # A gap beyond the level fills at the level all the same.
        (BUY, (3900, 3850, 3870), env.EXIT_STOP),
        (SELL, (3900, 3850, 3870), env.EXIT_TARGET),
    ],
)
def test_stop_and_target_at_their_edges(
    world: MakeWorld, action: int, bar: tuple[int, int, int], exit_code: int
) -> None:
    # The stop loses 12 x 1250 + 500, the target wins 36 x 1250 - 500.
    pnl = {env.EXIT_NONE: 0, env.EXIT_STOP: -15_500, env.EXIT_TARGET: 44_500}[exit_code]
    (_, step) = world([4000, bar]).play(action, HOLD)
    check(step, exit_code=exit_code, trade_pnl=pnl, terminated=False, violation=False)
    if exit_code == env.EXIT_NONE:
        check(step, balance=START - 250, position=1 if action == BUY else -1, total_pnl=0, reward=-0.01)
    else:
        check(
            step,
            balance=START + pnl,
            total_pnl=pnl,
            num_trades=1,
            winning_trades=int(pnl > 0),
            losing_trades=int(pnl < 0),
            reward=pnl / 10_000,
            **FLAT,
        )


@pytest.mark.parametrize("action", [BUY, SELL])
def test_the_bar_of_the_entry_reaches_neither_stop_nor_target(world: MakeWorld, action: int) -> None:
    # Range 208 ticks: the ATR is (13 x 8 + 208) / 14 = 22.3, the stop 33 and the target 99 away.
    (step,) = world([(4104, 3896, 4000)]).play(action)
    check(step, exit_code=env.EXIT_NONE, position=1 if action == BUY else -1, num_trades=1)


@pytest.mark.parametrize("action", [BUY, SELL])
def test_a_closed_position_is_not_replaced_in_the_same_step(world: MakeWorld, action: int) -> None:
    (_, stopped, entered) = world([4000, (4000, 3980, 3990)]).play(BUY, action, action)
    check(stopped, exit_code=env.EXIT_STOP, forbidden=True, num_trades=1, **FLAT)
    check(entered, num_trades=2, position=1 if action == BUY else -1)


# 3 flat by 16:59


@pytest.mark.parametrize(
    ("action", "pnl"),
    [
        # 4001 to 4005 - 1 is 3 ticks: 3 x 1250 - 500.
        (BUY, 3_250),
        # 3999 to 4005 + 1 is -7 ticks.
        (SELL, -9_250),
    ],
)
def test_still_open_at_the_close_is_a_violation(world: MakeWorld, action: int, pnl: int) -> None:
    # Bar 22 is 09:30 here, so the position must be flat by 09:31.
    w = world([4000, 4005, 4005], flat_by_minute=571)
    (entered, step) = w.play(action, HOLD)
    check(entered, violation=False, exit_code=env.EXIT_NONE)
    check(
        step,
        exit_code=env.EXIT_LATE,
        done_reason=env.DONE_LATE,
        trade_pnl=pnl,
        balance=START + pnl,
        total_pnl=pnl,
        violation=True,
        terminated=True,
        truncated=False,
        reward=pnl / 10_000 - 10,
        **FLAT,
    )


def test_one_minute_earlier_is_not_late(world: MakeWorld) -> None:
    (_, step) = world(flat_by_minute=572).play(BUY, HOLD)
    check(step, position=1, terminated=False, exit_code=env.EXIT_NONE)


def test_flat_at_the_close_breaks_no_rule(world: MakeWorld) -> None:
    (_, step) = world(flat_by_minute=571).play(HOLD, HOLD)
    check(step, violation=False, terminated=False, reward=0.001)


@pytest.mark.parametrize(
    ("bar", "code"), [((4000, 3980, 3990), env.EXIT_STOP), ((4040, 4000, 4030), env.EXIT_TARGET)]
)
def test_a_stop_or_target_on_the_late_bar_comes_first(
    world: MakeWorld, bar: tuple[int, int, int], code: int
) -> None:
    (_, step) = world([4000, bar], flat_by_minute=571).play(BUY, HOLD)
    check(step, exit_code=code, violation=False, terminated=False, done_reason=env.RUNNING)


def test_by_default_flat_by_is_16_59(world: MakeWorld) -> None:
    # Bar 22 is 15:59, the last minute of the entry window; 16:58 is bar 81 and 16:59 is bar 82.
    w = world(minute=959, rows=90, max_episode_bars=65)
    steps = w.play(BUY, *[HOLD] * 60)
    assert [step.terminated for step in steps] == [False] * 60 + [True]
    check(steps[60], exit_code=env.EXIT_LATE, step_idx=83)


# 4 action


def test_a_buy_fills_at_the_close_plus_slippage(world: MakeWorld) -> None:
    (step,) = world().play(BUY)
    check(step, **LONG, position_entry_step=FIRST, step_idx=FIRST + 1, balance=START - 250)
    check(step, num_trades=1, winning_trades=0, losing_trades=0, total_pnl=0, trade_pnl=0, reward=-0.01)


def test_a_sell_fills_at_the_close_minus_slippage(world: MakeWorld) -> None:
    (step,) = world().play(SELL)
    check(step, **SHORT, position_entry_step=FIRST, step_idx=FIRST + 1, balance=START - 250)
    check(step, num_trades=1, winning_trades=0, losing_trades=0, total_pnl=0, trade_pnl=0, reward=-0.01)


@pytest.mark.parametrize(("minute", "enters"), [(959, True), (960, False), (569, False), (570, True)])
def test_an_entry_outside_the_window_does_nothing_and_costs_nothing(
    world: MakeWorld, minute: int, enters: bool
) -> None:
    w = world(minute=minute - 1 if minute > 900 else minute + 1, invalid_action_penalty=-1.0)
    bar = FIRST + 1 if minute > 900 else FIRST - 1
    state = env.reset_at(jnp.int32(0), w.params).replace(step_idx=jnp.int32(bar))
    (step,) = w.play(BUY, state=state)
    check(step, forbidden=False, num_trades=int(enters), reward=-0.01 if enters else 0.001)


def test_costs_can_be_overridden(world: MakeWorld) -> None:
    contract = get_contract("ES").with_costs(slippage_ticks=3, commission_cents=125)
    (bought, _) = w_steps = world([4000, 4000], contract=contract, flat_by_minute=571).play(BUY, HOLD)
    check(bought, entry_price=4003, sl_price=3991, tp_price=4039, balance=START - 125)
    # Out at 3997: six ticks lost and two sides of 125.
    check(w_steps[1], trade_pnl=-7_750)


def test_n_contracts_are_worth_and_cost_n_times_as_much(world: MakeWorld) -> None:
    (bought, target) = world([4000, (4040, 4000, 4030)], contracts=3).play(BUY, HOLD)
    check(bought, balance=START - 750, **LONG)
    check(target, trade_pnl=3 * 44_500, balance=START + 133_500)


# 6 mark to market


def test_equality_with_the_floor_is_no_breach_and_one_tick_more_is(world: MakeWorld) -> None:
    # The floor is 5,000,000 - 10,250. Equity at close 3993 is 4,999,750 - 8 x 1250, the same.
    at_floor = world([4000, 3994, (3997, 3990, 3993)], trailing_drawdown_dollars=102.5)
    (_, _, step) = at_floor.play(BUY, HOLD, HOLD)
    check(step, trailing_dd_level=4_989_750, position=1, terminated=False, violation=False)

    below = world([4000, 3994, (3997, 3990, 3992)], trailing_drawdown_dollars=102.5)
    (_, _, step) = below.play(BUY, HOLD, HOLD)
    # Liquidated at 3992 - 1: ten ticks and two sides.
    check(
        step,
        exit_code=env.EXIT_DRAWDOWN,
        done_reason=env.DONE_DRAWDOWN,
        trade_pnl=-13_000,
        balance=START - 13_000,
        trailing_dd_level=4_989_750,
        highest_balance=START,
        violation=True,
        terminated=True,
        truncated=False,
        losing_trades=1,
        reward=-1.3 - 10,
        **FLAT,
    )


def test_a_short_is_liquidated_above_the_close(world: MakeWorld) -> None:
    # Floor 4,990,000; at 4008 a short from 3999 has lost 9 x 1250 + 250 and goes out at 4009.
    (_, step) = world([4000, (4009, 4000, 4008)], trailing_drawdown_dollars=100).play(SELL, HOLD)
    check(step, exit_code=env.EXIT_DRAWDOWN, trade_pnl=-10 * 1250 - 500, balance=START - 13_000)


def test_the_floor_follows_the_high_locks_and_never_falls(world: MakeWorld) -> None:
    # Drawdown $200, lock at $50,100. Equity at close c is 4,999,750 + (c - 4001) x 1250.
    w = world([4000, 4021, (4036, 4020, 4035), (4035, 4006, 4010), 4009], trailing_drawdown_dollars=200)
    steps = w.play(BUY, *[HOLD] * 4)
    highs = [step.highest_balance for step in steps]
    floors = [step.trailing_dd_level for step in steps]
    assert highs == [5_000_000, 5_024_750, 5_042_250, 5_042_250, 5_042_250]
    assert floors == [4_980_000, 5_004_750, 5_010_000, 5_010_000, 5_010_000]
    # 5,011,000 is above the floor, 5,009,750 below it.
    assert [step.terminated for step in steps] == [False, False, False, False, True]


def test_a_position_opened_in_this_step_is_marked_and_counts_as_closed_in_it(world: MakeWorld) -> None:
    # Bought at 4001 and marked at 4000: equity 4,998,500 against a floor of 4,999,000; out at 3999.
    (step,) = world(trailing_drawdown_dollars=10).play(BUY)
    check(
        step,
        exit_code=env.EXIT_DRAWDOWN,
        done_reason=env.DONE_DRAWDOWN,
        num_trades=1,
        losing_trades=1,
        trade_pnl=-3_000,
        balance=START - 3_000,
        reward=-0.3 - 10,
        terminated=True,
        **FLAT,
    )


def test_an_account_already_flat_breaches_all_the_same(world: MakeWorld) -> None:
    # The stop leaves 4,984,500, below the floor of 4,990,000; there is nothing left to liquidate.
    (_, step) = world([4000, (4000, 3985, 3990)], trailing_drawdown_dollars=100).play(BUY, HOLD)
    check(
        step,
        exit_code=env.EXIT_STOP,
        done_reason=env.DONE_DRAWDOWN,
        violation=True,
        terminated=True,
        trade_pnl=-15_500,
        balance=START - 15_500,
        reward=-1.55 - 10,
    )


def test_late_and_breached_is_penalised_once(world: MakeWorld) -> None:
    # Closed late at 3991: -10 ticks - 500 leaves 4,987,000, below the floor of 4,990,000.
    w = world([4000, (3997, 3990, 3992)], trailing_drawdown_dollars=100, flat_by_minute=571)
    (_, step) = w.play(BUY, HOLD)
    check(
        step,
        exit_code=env.EXIT_LATE,
        done_reason=env.DONE_DRAWDOWN,
        violation=True,
        terminated=True,
        trade_pnl=-13_000,
        num_trades=1,
        losing_trades=1,
        reward=-1.3 - 10,
    )


def test_liquidation_moves_the_balance_not_the_high(world: MakeWorld) -> None:
    w = world([4000, 4021, (4020, 3990, 3991)], trailing_drawdown_dollars=200)
    (_, high, step) = w.play(BUY, HOLD, HOLD)
    check(high, highest_balance=5_024_750, balance=START - 250)
    # 4001 to 3990: eleven ticks.
    check(step, highest_balance=5_024_750, balance=START - 11 * 1250 - 500, exit_code=env.EXIT_DRAWDOWN)


# 7 booking


@pytest.mark.parametrize(("close", "pnl", "wins"), [(4003, 0, 0), (4004, 1250, 1), (4002, -1250, 0)])
def test_a_win_is_more_than_zero(world: MakeWorld, close: int, pnl: int, wins: int) -> None:
    contract = get_contract("ES").with_costs(commission_cents=625)
    (_, step) = world([4000, close], contract=contract, flat_by_minute=571).play(BUY, HOLD)
    check(step, trade_pnl=pnl, winning_trades=wins, losing_trades=1 - wins, total_pnl=pnl)


def test_total_pnl_sums_trades(world: MakeWorld) -> None:
    w = world([4000, (4040, 4000, 4000), 4000, (4000, 3900, 4000)])
    steps = w.play(BUY, HOLD, BUY, HOLD)
    assert [step.total_pnl for step in steps[:3]] == [0, 44_500, 44_500]
    # Bar 24: the gap of bar 23 made the ATR (13 x 8 + 40) / 14, so the stop is 15 (1.5 x 10.286).
    check(steps[3], total_pnl=44_500 - 15 * 1250 - 500, num_trades=2, winning_trades=1, losing_trades=1)
    assert steps[3].balance == START + steps[3].total_pnl


# 8 reward


def test_patience_and_holding(world: MakeWorld) -> None:
    steps = world().play(HOLD, HOLD, BUY, HOLD)
    assert [np.float32(s.reward) for s in steps] == [
        np.float32(x) for x in (0.001, 0.001, -0.01, -0.01)
    ]


def test_the_reward_is_rounded_once_for_any_terms(world: MakeWorld) -> None:
    w = world(
        [4000, (4040, 4000, 4030)],
        hold_penalty=-0.0173,
        patience_reward=0.00011,
        pnl_divisor_dollars=70.0,
    )
    held, target = w.play(BUY, HOLD)
    check(held, reward=-0.0173)
    assert np.float32(target.reward) == np.float32(44_500 / 7_000)
    assert np.float32(w.play(HOLD)[0].reward) == np.float32(0.00011)


def test_a_reward_finer_than_the_limit_is_refused(world: MakeWorld) -> None:
    with pytest.raises(InputError, match="hold_penalty"):
        world(hold_penalty=-0.123456789)


# 9 time


def test_the_bar_limit_truncates(world: MakeWorld) -> None:
    steps = world(max_episode_bars=3).play(HOLD, HOLD, HOLD)
    assert [step.truncated for step in steps] == [False, False, True]
    assert [step.done_reason for step in steps] == [env.RUNNING, env.RUNNING, env.DONE_BAR_LIMIT]
    check(steps[2], step_idx=FIRST + 3, terminated=False)


def test_the_end_of_data_truncates_and_comes_before_the_bar_limit(world: MakeWorld) -> None:
    # 40 bars: the last row is 39 and the episode of 10 bars from 29 meets both ends there.
    w = world()
    last_start = env.reset_at(jnp.int32(len(w.params.market.starts) - 1), w.params)
    assert int(last_start.step_idx) == 29
    steps = w.play(*[HOLD] * 10, state=last_start)
    assert [step.done_reason for step in steps] == [env.RUNNING] * 9 + [env.DONE_END_OF_DATA]
    check(steps[-1], step_idx=39, truncated=True, terminated=False)


def test_the_end_of_data_alone(world: MakeWorld) -> None:
    w = world()
    state = w.reset(step_idx=37, episode_start=36)
    steps = w.play(HOLD, HOLD, state=state)
    assert [step.done_reason for step in steps] == [env.RUNNING, env.DONE_END_OF_DATA]


def test_a_terminated_step_is_never_truncated(world: MakeWorld) -> None:
    w = world([4000, 4000, 4000], flat_by_minute=572, max_episode_bars=3)
    step = w.play(BUY, HOLD, HOLD)[-1]
    check(step, terminated=True, truncated=False, done_reason=env.DONE_LATE)
    w = world([4000, (4000, 3985, 3990)], trailing_drawdown_dollars=100, max_episode_bars=2)
    check(w.play(BUY, HOLD)[-1], terminated=True, truncated=False, done_reason=env.DONE_DRAWDOWN)


# 4 and 5: reset and observation


@pytest.mark.parametrize(
    ("drawdown", "lock", "floor"),
    [(15_000, 100, 3_500_000), (200, -150, 4_980_000), (200, -200, 4_980_000), (100, 0, 4_990_000)],
)
def test_reset(world: MakeWorld, drawdown: float, lock: float, floor: int) -> None:
    w = world(trailing_drawdown_dollars=drawdown, floor_lock_dollars=lock)
    state = jax.tree.map(int, w.reset())
    assert state == env.EnvState(
        step_idx=22,
        position=0,
        entry_price=0,
        sl_price=0,
        tp_price=0,
        position_entry_step=0,
        balance=START,
        highest_balance=START,
        trailing_dd_level=floor,
        num_trades=0,
        winning_trades=0,
        losing_trades=0,
        total_pnl=0,
        episode_start=22,
        market=0,
    )
    assert all(leaf.dtype == jnp.int32 for leaf in jax.tree.leaves(w.reset()))


def test_the_observation_is_the_window_before_the_bar_and_the_position(world: MakeWorld) -> None:
    w = world([4000, 4008])
    features = np.asarray(w.params.market.features)
    obs = env.observe(w.reset(), w.params)
    assert obs.dtype == jnp.float32
    assert obs.shape == (w.params.obs_size,) == (2 * 11 + 5,)
    np.testing.assert_array_equal(obs[:22], features[20:22].reshape(-1))
    assert obs[22:].tolist() == [0, 1, 0, 0, 0]

    (bought,) = w.play(BUY)
    obs = env.observe(bought.state, w.params)
    np.testing.assert_array_equal(obs[:22], features[21:23].reshape(-1))
    # Close 4008; bar 23 reaches from 4004 to 4012, a true range of 12: ATR (13 x 8 + 12) / 14.
    atr = np.float32((13 * 8 + 12) / 14)
    expected = [1, np.float32(4001) / np.float32(4008), 19 / atr, 29 / atr, np.float32(0.1)]
    np.testing.assert_array_equal(obs[22:], np.array(expected, np.float32))

    (sold,) = w.play(SELL)
    expected = [-1, np.float32(3999) / np.float32(4008), 3 / atr, 45 / atr, np.float32(0.1)]
    np.testing.assert_array_equal(
        env.observe(sold.state, w.params)[22:], np.array(expected, np.float32)
    )


def test_the_view_speaks_points_and_dollars(world: MakeWorld) -> None:
    (step,) = world().play(BUY)
    seen = {name: value.item() for name, value in env.view(step.state, world().params).items()}
    assert seen == {
        "step_idx": 23,
        "episode_start": 22,
        "position_entry_step": 22,
        "position": 1,
        "entry_price": 1000.25,
        "sl_price": 997.25,
        "tp_price": 1009.25,
        "balance": pytest.approx(49_997.50),
        "highest_balance": 50_000.0,
        "trailing_dd_level": 35_000.0,
        "num_trades": 1,
        "winning_trades": 0,
        "losing_trades": 0,
        "total_pnl": 0.0,
        "market": 0,
    }


# 7: nothing looks ahead, and the mirror


def test_nothing_at_a_bar_depends_on_a_later_bar(world: MakeWorld) -> None:
    actions = [BUY, HOLD, HOLD, SELL, HOLD, HOLD]
    calm = world([4000, 4002, 4004, 4006, 4001, 4000])
    for changed in range(1, 6):
        script: list[Any] = [4000, 4002, 4004, 4006, 4001, 4000]
        script[changed:] = [(4000 + 90, 4000 - 80, 4000 + 9)] * (6 - changed)
        other = world(script)
        pairs = zip(calm.play(*actions[:changed]), other.play(*actions[:changed]), strict=True)
        for one, two in pairs:
            assert jax.tree.map(int, one.state) == jax.tree.map(int, two.state)
            assert one.reward == two.reward
        # At bar 22 + changed the window ends one bar earlier, so it has seen nothing new either.
        windows = [env.observe_window(one.state, w.params) for w in (calm, other)]
        np.testing.assert_array_equal(*windows)


MIRRORED = (
    "balance",
    "highest_balance",
    "trailing_dd_level",
    "num_trades",
    "winning_trades",
    "losing_trades",
    "total_pnl",
    "exit_code",
    "done_reason",
    "trade_pnl",
    "forbidden",
    "reward",
)


def test_the_mirror(world: MakeWorld) -> None:
    rng = np.random.default_rng(0)
    close = 4000 + np.cumsum(rng.integers(-6, 7, 60))
    high, low = close + rng.integers(0, 9, 60), close - rng.integers(0, 9, 60)
    bars = np.stack([high, low, close], axis=1)
    mirrored = 8000 - bars[:, [1, 0, 2]]
    config = {"rows": 90, "max_episode_bars": 60, "tp_sl_ratio": 1.0, "trailing_drawdown_dollars": 800}
    actions = rng.integers(0, 3, 60)
    one = world([tuple(row) for row in bars.tolist()], **config).play(*actions.tolist())
    two = world([tuple(row) for row in mirrored.tolist()], **config).play(*((3 - actions) % 3).tolist())
    assert {env.EXIT_STOP, env.EXIT_TARGET} <= {step.exit_code for step in one}
    for a, b in zip(one, two, strict=True):
        assert [getattr(a, name) for name in MIRRORED] == [getattr(b, name) for name in MIRRORED]
        assert a.position == -b.position
        for name in ("entry_price", "sl_price", "tp_price") if a.position else ():
            assert getattr(a, name) == 8000 - getattr(b, name)


# 7: invariants, on random actions over several markets, one scan

LANES, BARS = 96, 300


@pytest.fixture(scope="module")
def rollout(small_market: Callable[..., env.EnvParams]) -> dict[str, Any]:
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

    def body(state: env.EnvState, key: jax.Array) -> tuple[env.EnvState, Any]:
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


# Compiled forms


def test_a_batch_is_its_members(small_market: Callable[..., env.EnvParams]) -> None:
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
    def step(key: jax.Array, state: env.EnvState, action: jax.Array, params: env.EnvParams) -> Any:
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
