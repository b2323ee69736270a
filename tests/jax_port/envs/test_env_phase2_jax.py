"""Phase 2, sentence by sentence, on bars made by hand, in whole ticks and cents.

The run-up closes at 4000 ticks with an ATR of 8, so on bar 22 the stop is 12 ticks away, the target
36 and the trailing distance 8. A long from there enters at 4001 with its stop at 3989, a short at
3999 with its stop at 4011. ES: a tick is 1,250 cents, a side costs 250, a market order slips one tick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs import env_phase2_jax as env
from jax_port.envs.env_phase2_jax import BREAK_EVEN, BUY, HOLD, SELL, TRAIL_OFF, TRAIL_ON
from jax_port.envs.registry import PHASES, phase_of
from jax_port.envs.view import view
from markets import EnvConfig
from tests.sentences import refuses

START = 5_000_000
FIRST = 22
UP = (4014, 4006, 4010)
"""Ten ticks up: the range is 14 ticks, so the ATR becomes 118/14 = 8.4 and the distance stays 8."""
DOWN = (3994, 3986, 3990)
LONG = {"position": 1, "entry_price": 4001, "sl_price": 3900, "tp_price": 4200}

MakeWorld = Callable[..., Any]


@pytest.fixture(scope="module")
def phase2(world: MakeWorld) -> MakeWorld:
    """Return ``phase2(bars, **settings)``: a hand-made market of Phase 2."""
    return lambda *bars, **settings: world(*bars, phase=2, **settings)


def hold(w: Any, **changes: int) -> env.EnvState:
    """Return a state at bar 22 with a trade that was opened on the bar before."""
    trade = {**LONG, "num_trades": 1, "balance": START - 250, "position_entry_step": FIRST - 1}
    return w.reset(**(trade | changes))


def check(step: Any, **expected: Any) -> None:
    """Compare fields of a step; a reward is compared as the nearest float32."""
    if "reward" in expected:
        assert np.float32(step.reward) == np.float32(expected.pop("reward"))
    assert {name: getattr(step, name) for name in expected} == expected


def mask_of(w: Any, state: env.EnvState) -> str:
    masks = env.action_masks(state, w.params)
    assert masks.shape == (6,)
    return "".join(str(int(allowed)) for allowed in masks.tolist())


# Masks and observation


@pytest.mark.parametrize(
    ("position", "entry", "stop", "trailing", "mask"),
    [
        (1, 4000, 3999, False, "100000"),  # no profit
        (1, 3999, 3998, False, "100100"),  # a tick of profit, the stop a tick short
        (1, 3999, 3999, False, "100010"),  # the stop at entry is at break-even
        (1, 3999, 3999, True, "100001"),
        (1, 3999, 3998, True, "100101"),
        (1, 4000, 4001, False, "100000"),
        (1, 4001, 4001, True, "100001"),
        (-1, 4000, 4001, False, "100000"),
        (-1, 4001, 4002, False, "100100"),
        (-1, 4001, 4001, False, "100010"),
        (-1, 4001, 4000, True, "100001"),
        (-1, 3999, 3998, False, "100000"),
    ],
)
def test_the_mask_of_an_open_position(
    phase2: MakeWorld, position: int, entry: int, stop: int, trailing: bool, mask: str
) -> None:
    w = phase2()
    trade = {"position": position, "entry_price": entry, "sl_price": stop, "trailing": int(trailing)}
    assert mask_of(w, hold(w, **trade)) == mask


@pytest.mark.parametrize(
    ("minute", "mask"), [(570, "111000"), (569, "100000"), (959, "111000"), (960, "100000")]
)
def test_the_mask_of_a_flat_account_knows_the_entry_window(
    phase2: MakeWorld, minute: int, mask: str
) -> None:
    w = phase2(minute=minute - 1 if minute > 900 else minute + 1)
    state = w.reset(step_idx=FIRST + 1 if minute > 900 else FIRST - 1)
    assert mask_of(w, state) == mask
    allowed = mask == "111000"
    (step,) = w.play(BUY, state=state)
    check(step, forbidden=not allowed, num_trades=int(allowed), reward=-0.01 if allowed else -0.999)


def test_an_observation_has_three_flags_more(phase2: MakeWorld) -> None:
    w = phase2([4000, UP, UP, UP, UP])
    assert w.params.obs_size == 2 * 11 + 8
    states = [w.reset(), *(s.state for s in w.play(BUY, BREAK_EVEN, TRAIL_ON, TRAIL_OFF))]
    obs = [env.observe(state, w.params) for state in states]
    assert {(o.dtype.name, o.shape) for o in obs} == {("float32", (30,))}
    flags = [o[27:].tolist() for o in obs]
    assert flags == [[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, 0]]
    for one, state in zip(obs, states, strict=True):
        np.testing.assert_array_equal(one[:27], phase1.observe(state, w.params))


def test_a_flat_account_outside_the_window_has_no_flag(phase2: MakeWorld) -> None:
    w = phase2(minute=959)
    obs = env.observe(w.reset(step_idx=FIRST + 1), w.params)
    assert obs[22:].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_the_default_configuration_observes_228_numbers(make_bars: Callable[..., Any]) -> None:
    config = EnvConfig.phase2(session="all")
    market = stack([prepare(make_bars([(4004, 3996, 4000)] * 600), config)])
    params = env.make_params(market, config)
    obs, state = env.reset(jax.random.key(0), params)
    assert obs.shape == (228,)
    assert phase_of(params) is phase_of(config) is PHASES[2] is env.PHASE_2
    assert not state.trailing
    with refuses():
        phase1.make_params(market, config)
    with refuses():
        env.make_params(market, EnvConfig.phase1())


# Break-even


@pytest.mark.parametrize(("entry", "bar", "stop"), [(BUY, UP, 4002), (SELL, DOWN, 3998)])
def test_break_even_moves_the_stop_a_tick_past_entry(
    phase2: MakeWorld, entry: int, bar: Any, stop: int
) -> None:
    (_, step) = phase2([4000, bar]).play(entry, BREAK_EVEN)
    check(step, sl_price=stop, forbidden=False, exit_code=0, reward=-0.01, trailing=False)


@pytest.mark.parametrize(
    ("entry", "bar", "after", "pnl"),
    [
        (BUY, UP, (4010, 4002, 4006), 750),  # a tick, less two sides
        (BUY, UP, (4010, 4003, 4006), 0),
        (SELL, DOWN, (3998, 3990, 3994), 750),
        (SELL, DOWN, (3997, 3990, 3994), 0),
    ],
)
def test_a_stop_at_break_even_is_hit_from_the_next_bar_on(
    phase2: MakeWorld, entry: int, bar: Any, after: Any, pnl: int
) -> None:
    (*_, step) = phase2([4000, bar, after]).play(entry, BREAK_EVEN, HOLD)
    check(step, exit_code=1 if pnl else 0, trade_pnl=pnl, reward=pnl / 10_000 if pnl else -0.01)


def test_break_even_does_not_act_on_its_own_bar(phase2: MakeWorld) -> None:
    (_, step) = phase2([4000, (4014, 3995, 4010)]).play(BUY, BREAK_EVEN)
    check(step, exit_code=0, position=1, sl_price=4002)


# Trailing

CLIMB = [
    4000,
    UP,  # break-even: the stop at 4002
    (4016, 4008, 4012),  # on: 8 ticks below, 4004
    (4024, 4016, 4020),  # range 12: ATR 122/14 = 8.7, 9 ticks below, 4011
    (4019, 4012, 4015),  # 9 ticks below is 4006: no
    (4016, 4011, 4013),  # touched
]
PLAN = (BREAK_EVEN, TRAIL_ON, HOLD, HOLD, HOLD)


def test_trailing_follows_the_close_and_never_falls_back(phase2: MakeWorld) -> None:
    steps = phase2(CLIMB).play(BUY, *PLAN)
    assert [step.sl_price for step in steps] == [3989, 4002, 4004, 4011, 4011, 0]
    assert [step.trailing for step in steps] == [False, False, True, True, True, False]
    # 4001 to 4011 is ten ticks, less two sides, and the bonus.
    check(steps[-1], exit_code=1, trade_pnl=12_000, winning_trades=1, position=0, reward=1.2 + 0.5)


def test_trailing_a_short_is_the_mirror(phase2: MakeWorld) -> None:
    bars = [row if isinstance(row, tuple) else (row + 4, row - 4, row) for row in CLIMB]
    mirrored = [(8000 - low, 8000 - high, 8000 - close) for high, low, close in bars]
    steps = phase2(mirrored).play(SELL, *PLAN)
    assert [step.sl_price for step in steps] == [4011, 3998, 3996, 3989, 3989, 0]
    check(steps[-1], exit_code=1, trade_pnl=12_000, reward=1.2 + 0.5)


def test_a_stop_that_trails_past_the_bars_low_is_hit_in_the_next_bar(phase2: MakeWorld) -> None:
    # On: range 13, ATR 123/14 = 8.8, so the stop is 9 ticks below 4012. The bar's low of 4003 does
    # not reach the old stop of 4002; the next bar gaps past the new one and fills at it.
    w = phase2([4000, UP, (4016, 4003, 4012), (4000, 3990, 3995)])
    (*_, on, hit) = w.play(BUY, BREAK_EVEN, TRAIL_ON, HOLD)
    check(on, exit_code=0, sl_price=4003)
    check(hit, exit_code=1, trade_pnl=2_000, reward=0.2 + 0.5)


def test_trailing_off_leaves_the_stop_where_it_is(phase2: MakeWorld) -> None:
    w = phase2([4000, UP, 4012, (4024, 4016, 4020), (4032, 4024, 4028)])
    steps = w.play(BUY, BREAK_EVEN, TRAIL_ON, TRAIL_OFF, HOLD)
    assert [step.sl_price for step in steps[2:]] == [4004, 4004, 4004]
    assert [step.trailing for step in steps[2:]] == [True, False, False]


def test_a_trail_takes_its_own_distance(phase2: MakeWorld) -> None:
    w = phase2(trail_atr_mult=2.5)
    (step,) = w.play(HOLD, state=hold(w, entry_price=3960, sl_price=3970, trailing=1))
    check(step, sl_price=3980)


def test_an_exit_comes_before_the_trail(phase2: MakeWorld) -> None:
    # A trail of this bar's close would lift the stop above the bar's low; the target is reached.
    w = phase2([(4004, 3980, 4000)])
    state = hold(w, entry_price=3960, sl_price=3979, tp_price=4004, trailing=1)
    (step,) = w.play(HOLD, state=state)
    check(step, exit_code=2)


@pytest.mark.parametrize(
    ("action", "entry", "stop", "trailing", "reward"),
    [
        (BREAK_EVEN, 3998, 3996, 0, -0.3),
        (TRAIL_ON, 3996, 3998, 0, 0.2),
        (TRAIL_OFF, 3996, 3998, 1, 0.2 + 0.5),  # trailing was on when it closed
    ],
)
def test_an_action_on_a_trade_that_closes_first_does_nothing(
    phase2: MakeWorld, action: int, entry: int, stop: int, trailing: int, reward: float
) -> None:
    w = phase2()
    state = hold(w, entry_price=entry, sl_price=stop, trailing=trailing)
    (step,) = w.play(action, state=state)
    check(step, exit_code=1, forbidden=False, position=0, sl_price=0, trailing=False, reward=reward)


# Forbidden actions


@pytest.mark.parametrize("action", [BREAK_EVEN, TRAIL_ON, TRAIL_OFF, -1, 6])
def test_a_forbidden_action_costs_a_reward_of_one_and_is_hold(phase2: MakeWorld, action: int) -> None:
    w = phase2()
    (flat,) = w.play(action)
    check(flat, forbidden=True, reward=-0.999, position=0, trailing=False)
    (_, held), (_, forbidden) = w.play(BUY, HOLD), w.play(BUY, action)  # no profit yet
    assert jax.tree.map(int, held.state) == jax.tree.map(int, forbidden.state)
    check(forbidden, forbidden=True, reward=-1.01)


# The floor


@pytest.mark.parametrize(("balance", "breached"), [(4_751_250, False), (4_751_249, True)])
def test_the_floor_is_2500_below_and_equality_is_no_breach(
    phase2: MakeWorld, balance: int, breached: bool
) -> None:
    w = phase2()
    assert int(w.reset().trailing_dd_level) == 4_750_000
    (step,) = w.play(HOLD, state=hold(w, balance=balance))  # a tick of loss
    check(step, terminated=breached, exit_code=4 * breached, done_reason=int(breached))


@pytest.mark.parametrize(
    ("high", "floor"),
    [
        (5_259_999, 5_009_999),
        (5_260_000, 5_010_000),
        (5_260_001, 5_010_000),
        (6_000_000, 5_010_000),
    ],
)
def test_the_floor_locks_at_100_above_the_start(phase2: MakeWorld, high: int, floor: int) -> None:
    w = phase2()
    (step,) = w.play(HOLD, state=w.reset(balance=high))
    check(step, highest_balance=high, trailing_dd_level=floor)


# The bonus


@pytest.mark.parametrize(
    ("entry", "trailing", "reward"),
    [(3995, 1, 0.075 + 0.5), (3995, 0, 0.075), (3996, 1, -0.05)],  # a tick less 500; 0 less 500
)
def test_a_bonus_for_a_winner_with_trailing_on(
    phase2: MakeWorld, entry: int, trailing: int, reward: float
) -> None:
    w = phase2()
    (step,) = w.play(HOLD, state=hold(w, entry_price=entry, sl_price=3996, trailing=trailing))
    check(step, exit_code=1, reward=reward)


def test_the_bonus_goes_to_whatever_exit_the_winner_took(phase2: MakeWorld) -> None:
    w = phase2([4010], flat_by_minute=570)
    (step,) = w.play(HOLD, state=hold(w, trailing=1))
    # 4001 to 4009: eight ticks, less two sides; a violation all the same.
    check(step, exit_code=3, terminated=True, trade_pnl=9_500, reward=0.95 + 0.5 - 10)


@pytest.mark.parametrize(("action", "bonus"), [(TRAIL_ON, 0.5), (TRAIL_OFF, 0.0)])
def test_trailing_counts_as_it_stands_when_the_trade_is_liquidated(
    phase2: MakeWorld, action: int, bonus: float
) -> None:
    w = phase2()
    state = hold(
        w,
        entry_price=3980,
        sl_price=3980,
        trailing=int(action == TRAIL_OFF),
        trailing_dd_level=5_030_000,  # equity is 4,999,750 + 20 x 1250
    )
    (step,) = w.play(action, state=state)
    # Out at 3999: 19 ticks, less two sides.
    check(step, exit_code=4, trade_pnl=23_250, terminated=True, trailing=False)
    check(step, reward=2.325 - 10 + bonus)


# Restarts and batches


def test_the_view_shows_whether_it_trails(phase2: MakeWorld) -> None:
    w = phase2()
    seen = view(hold(w, trailing=1), w.params)
    assert seen["trailing"].item() is True
    assert seen["sl_price"].item() == 975.0
    assert seen["trailing_dd_level"].item() == 47_500.0


@pytest.mark.costly
def test_random_play_keeps_the_invariants_and_restarts_without_trailing(
    small_market: Callable[..., Any],
) -> None:
    config = {
        "trailing_drawdown_dollars": 700.0,
        "invalid_action_penalty": -1.0,
        "trail_win_bonus": 0.5,
    }
    params = small_market("ES", "NQ", "RTY", phase=2, max_episode_bars=25, **config)
    lanes = 64

    @jax.jit
    def play(key: jax.Array) -> Any:
        def body(state: env.EnvState, key: jax.Array) -> tuple[env.EnvState, Any]:
            action_key, step_key = jax.random.split(key)
            masks = env.batch_action_masks(state, params)
            odds = jnp.where(masks, jnp.array([2.0, 0, 0, 0, 0, 0]), -1e9)
            action = jax.random.categorical(action_key, odds)
            moved = env.batch_step(step_key, state, action, params)
            return moved.state, (state, masks, action, moved)

        first, rest = jax.random.split(key)
        _, state = env.batch_reset(first, params, lanes)
        return jax.lax.scan(body, state, jax.random.split(rest, 250))[1]

    before, masks, action, moved = jax.tree.map(np.asarray, play(jax.random.key(2)))
    after, outcome = moved.final_state, moved.outcome
    patterns = {"".join(map(str, row)) for row in masks.reshape(-1, 6).astype(int)}
    assert patterns >= {"111000", "100000", "100100", "100010", "100001"}
    assert not outcome.forbidden.any()
    side = np.asarray(params.market.commission)[after.market]
    is_open = after.position != 0
    np.testing.assert_array_equal(after.balance, START + after.total_pnl - np.where(is_open, side, 0))
    same = (before.position != 0) & (before.position == after.position)
    moves = (after.sl_price - before.sl_price) * after.position
    assert (moves[same] >= 0).all()
    assert (moves[same & before.trailing] > 0).any()
    assert not (after.trailing & ~is_open).any()
    switched = after.trailing != before.trailing
    assert (action[switched & is_open] >= TRAIL_ON).all()
    done = outcome.terminated | outcome.truncated
    assert (done & before.trailing).any()
    assert not moved.state.trailing[done].any()
    assert np.isfinite(moved.obs).all()
    assert moved.obs.shape[-1] == params.obs_size == 228
