"""Section 6 sentence by sentence, on bars made by hand: legality, stop and target, late, the action."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.state import (
    DONE_LATE,
    EXIT_LATE,
    EXIT_NONE,
    EXIT_STOP,
    EXIT_TARGET,
    RUNNING,
)
from markets import get_contract
from tests.jax_port.envs.hand_made_steps import (
    FIRST,
    FLAT,
    LONG,
    SHORT,
    START,
    MakeWorld,
    check,
)

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
        (BUY, (4030, 3990, 4000), EXIT_NONE),
        (BUY, (4030, 3989, 4000), EXIT_STOP),
        (BUY, (4036, 3995, 4000), EXIT_NONE),
        (BUY, (4037, 3995, 4000), EXIT_TARGET),
        (BUY, (4037, 3989, 4000), EXIT_STOP),
        (SELL, (4010, 3970, 4000), EXIT_NONE),
        (SELL, (4011, 3970, 4000), EXIT_STOP),
        (SELL, (4005, 3964, 4000), EXIT_NONE),
        (SELL, (4005, 3963, 4000), EXIT_TARGET),
        (SELL, (4011, 3963, 4000), EXIT_STOP),
        # A gap beyond the level fills at the level all the same.
        (BUY, (3900, 3850, 3870), EXIT_STOP),
        (SELL, (3900, 3850, 3870), EXIT_TARGET),
    ],
)
def test_stop_and_target_at_their_edges(
    world: MakeWorld, action: int, bar: tuple[int, int, int], exit_code: int
) -> None:
    # The stop loses 12 x 1250 + 500, the target wins 36 x 1250 - 500.
    pnl = {EXIT_NONE: 0, EXIT_STOP: -15_500, EXIT_TARGET: 44_500}[exit_code]
    (_, step) = world([4000, bar]).play(action, HOLD)
    check(step, exit_code=exit_code, trade_pnl=pnl, terminated=False, violation=False)
    if exit_code == EXIT_NONE:
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
    check(step, exit_code=EXIT_NONE, position=1 if action == BUY else -1, num_trades=1)


@pytest.mark.parametrize(("since", "code"), [(FIRST, EXIT_NONE), (FIRST - 1, EXIT_STOP)])
def test_only_a_position_of_an_earlier_bar_is_stopped(world: MakeWorld, since: int, code: int) -> None:
    w = world([(4104, 3896, 4000)])
    state = w.reset(**LONG, balance=START - 250, num_trades=1, position_entry_step=since)
    (step,) = w.play(HOLD, state=state)
    check(step, exit_code=code, position=int(code == EXIT_NONE))


@pytest.mark.parametrize("action", [BUY, SELL])
def test_a_closed_position_is_not_replaced_in_the_same_step(world: MakeWorld, action: int) -> None:
    (_, stopped, entered) = world([4000, (4000, 3980, 3990)]).play(BUY, action, action)
    check(stopped, exit_code=EXIT_STOP, forbidden=True, num_trades=1, **FLAT)
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
    check(entered, violation=False, exit_code=EXIT_NONE)
    check(
        step,
        exit_code=EXIT_LATE,
        done_reason=DONE_LATE,
        trade_pnl=pnl,
        balance=START + pnl,
        total_pnl=pnl,
        violation=True,
        terminated=True,
        truncated=False,
        reward=pnl / 10_000 - 10,
        **FLAT,
    )


def test_a_file_without_a_bar_at_that_minute_is_flat_at_the_next(world: MakeWorld) -> None:
    w = world([4010], flat_by_minute=569)  # before the first bar here, 09:30
    held = {**LONG, "balance": START - 250, "num_trades": 1, "position_entry_step": FIRST - 1}
    (step,) = w.play(HOLD, state=w.reset(**held))
    check(step, exit_code=EXIT_LATE, done_reason=DONE_LATE, violation=True, **FLAT)


def test_one_minute_earlier_is_not_late(world: MakeWorld) -> None:
    (_, step) = world(flat_by_minute=572).play(BUY, HOLD)
    check(step, position=1, terminated=False, exit_code=EXIT_NONE)


def test_flat_at_the_close_breaks_no_rule(world: MakeWorld) -> None:
    (_, step) = world(flat_by_minute=571).play(HOLD, HOLD)
    check(step, violation=False, terminated=False, reward=0.001)


@pytest.mark.parametrize(
    ("bar", "code"), [((4000, 3980, 3990), EXIT_STOP), ((4040, 4000, 4030), EXIT_TARGET)]
)
def test_a_stop_or_target_on_the_late_bar_comes_first(
    world: MakeWorld, bar: tuple[int, int, int], code: int
) -> None:
    (_, step) = world([4000, bar], flat_by_minute=571).play(BUY, HOLD)
    check(step, exit_code=code, violation=False, terminated=False, done_reason=RUNNING)


def test_by_default_flat_by_is_16_59(world: MakeWorld) -> None:
    # Bar 22 is 15:59, the last minute of the entry window; 16:58 is bar 81 and 16:59 is bar 82.
    w = world(minute=959, rows=90, max_episode_bars=65)
    steps = w.play(BUY, *[HOLD] * 60)
    assert [step.terminated for step in steps] == [False] * 60 + [True]
    check(steps[60], exit_code=EXIT_LATE, step_idx=83)


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
