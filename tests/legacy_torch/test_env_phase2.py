"""Phase 2, sentence by sentence, against hand-computed values.

In ES's quiet market at 5000: a buy fills at 5000.25 with its stop at 4997.25 and its target at
5009.25; a sell at 4999.75 with 5002.75 and 4990.75. A tick is $12.50, a side costs $2.50, and the
trailing distance is 8 ticks, one ATR.
"""

from __future__ import annotations

import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from legacy_torch.env_phase2 import TradingEnvPhase2
from markets import EnvConfig
from tests.sentences import refuses

HOLD, BUY, SELL, BREAK_EVEN, TRAIL_ON, TRAIL_OFF = range(6)
QUIET = (5001.0, 4999.0, 5000.0)
UP = (5003.5, 5001.5, 5002.5)
"""Ten ticks up: the range is 14 ticks, so the ATR becomes 118/14 = 8.4 and the distance stays 8."""
DOWN = (4998.5, 4996.5, 4997.5)


@pytest.fixture
def phase2(scenario):
    """Return ``phase2(rows, **settings)``: a quiet market, flat, in Phase 2."""
    return lambda *args, **settings: scenario(*args, phase=2, **settings)


def _run(env, *actions):
    """Take actions and return the last (reward, terminated, truncated, info)."""
    for action in actions:
        _, *result = env.step(action)
    return result


def _hold(env, **fields):
    """Put a trade into the environment that was opened on the bar before."""
    trade = {"position": 1, "entry_price": 5000.25, "sl_price": 4990.0, "tp_price": 5050.0}
    for name, value in ({"num_trades": 1, "balance": 49_997.5} | trade | fields).items():
        setattr(env, name, value)
    env.position_entry_step = env.step_idx - 1


# Masks and observation


@pytest.mark.parametrize(
    ("position", "entry", "stop", "trailing", "mask"),
    [
        (1, 5000.0, 4999.75, False, "100000"),  # no profit
        (1, 4999.75, 4999.50, False, "100100"),  # a tick of profit, the stop a tick short
        (1, 4999.75, 4999.75, False, "100010"),  # the stop at entry is at break-even
        (1, 4999.75, 4999.75, True, "100001"),
        (1, 4999.75, 4999.50, True, "100101"),
        (1, 5000.0, 5000.25, False, "100000"),
        (1, 5000.25, 5000.25, True, "100001"),
        (-1, 5000.0, 5000.25, False, "100000"),
        (-1, 5000.25, 5000.50, False, "100100"),
        (-1, 5000.25, 5000.25, False, "100010"),
        (-1, 5000.25, 5000.00, True, "100001"),
        (-1, 4999.75, 4999.50, False, "100000"),
    ],
)
def test_the_mask_of_an_open_position(phase2, position, entry, stop, trailing, mask):
    env = phase2()
    _hold(env, position=position, entry_price=entry, sl_price=stop, trailing=trailing)
    masks = env.action_masks()
    assert masks.dtype == np.bool_
    assert "".join(str(int(allowed)) for allowed in masks) == mask


@pytest.mark.parametrize(("minute", "mask"), [(601, "111000"), (959, "111000"), (960, "100000")])
def test_the_mask_of_a_flat_account_knows_the_entry_window(phase2, minute, mask):
    env = phase2([QUIET], minutes=[minute], session="all")
    reward = _run(env, HOLD)[0]
    assert "".join(str(int(allowed)) for allowed in env.action_masks()) == mask
    # What the mask forbids costs a reward of 1, and nothing else happens.
    allowed = mask == "111000"
    reward, _, _, info = _run(env, BUY)
    assert info["forbidden"] is not allowed
    assert reward == pytest.approx(-0.01 if allowed else -1 + 0.001)
    assert (env.position, env.num_trades, env.balance) == (
        (1, 1, 49_997.5) if allowed else (0, 0, 50_000.0)
    )


def test_an_observation_has_three_flags_more(phase2):
    env = phase2([UP, UP, UP, UP])
    assert env.observe().shape == (11 + 8,)
    assert env.observe()[16:].tolist() == [1, 0, 0]  # can enter
    flags = [env.step(action)[0][16:].tolist() for action in (BUY, BREAK_EVEN, TRAIL_ON, TRAIL_OFF)]
    assert flags == [[0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, 0]]


def test_a_flat_account_outside_the_window_has_no_flag(phase2):
    env = phase2([QUIET], minutes=[960], session="all")
    assert env.step(HOLD)[0][11:].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_the_default_observation_has_228_numbers(random_bars):
    env = TradingEnvPhase2(random_bars(2))
    assert env.reset(seed=0)[0].shape == env.observation_space.shape == (228,)
    assert env.action_space.n == 6


# Break-even


@pytest.mark.parametrize(("entry", "bar", "stop"), [(BUY, UP, 5000.5), (SELL, DOWN, 4999.5)])
def test_break_even_moves_the_stop_a_tick_past_entry(phase2, entry, bar, stop):
    env = phase2([bar])
    reward, _, _, info = _run(env, entry, BREAK_EVEN)
    assert env.sl_price == stop
    assert (info["forbidden"], info["exit_code"]) == (False, 0)
    assert reward == pytest.approx(-0.01)
    assert not env.trailing


@pytest.mark.parametrize(
    ("entry", "bar", "after", "pnl"),
    [
        # Entry and stop are a tick apart: $12.50 less two sides of $2.50.
        (BUY, UP, (5002.5, 5000.5, 5001.0), 7.5),
        (BUY, UP, (5002.5, 5000.75, 5001.0), None),
        (SELL, DOWN, (4999.5, 4997.5, 4999.0), 7.5),
        (SELL, DOWN, (4999.25, 4997.5, 4999.0), None),
    ],
)
def test_a_stop_at_break_even_is_hit_from_the_next_bar_on(phase2, entry, bar, after, pnl):
    env = phase2([bar, after])
    reward, _, _, info = _run(env, entry, BREAK_EVEN, HOLD)
    if pnl is None:
        assert env.position != 0
    else:
        assert (info["exit_code"], info["trade_pnl"], env.position) == (1, pnl, 0)
        assert reward == pytest.approx(pnl / 100)  # no trailing, no bonus


def test_break_even_does_not_act_on_its_own_bar(phase2):
    # The bar reaches below where the stop is moved to, before it closes in profit.
    env = phase2([(5003.5, 4999.0, 5002.5), QUIET])
    assert _run(env, BUY, BREAK_EVEN)[3]["exit_code"] == 0
    assert (env.position, env.sl_price) == (1, 5000.5)


# Trailing


def test_trailing_follows_the_close_and_never_falls_back(phase2):
    env = phase2(
        [
            UP,  # break-even: the stop at 5000.5
            (5004.0, 5002.0, 5003.0),  # on: 8 ticks below, 5001.0
            (5006.0, 5004.0, 5005.0),  # range 12: ATR 122/14 = 8.7, 9 ticks below, 5002.75
            (5004.75, 5003.0, 5003.75),  # 9 ticks below is 5001.5: no
            (5004.0, 5002.75, 5003.25),  # touched
        ]
    )
    stops, trailing = [], []
    for action in (BUY, BREAK_EVEN, TRAIL_ON, HOLD, HOLD):
        env.step(action)
        stops.append(env.sl_price)
        trailing.append(env.trailing)
    assert stops == [4997.25, 5000.5, 5001.0, 5002.75, 5002.75]
    assert trailing == [False, False, True, True, True]
    reward, terminated, _, info = _run(env, HOLD)
    # 5000.25 to 5002.75 is ten ticks: $125 less $5, and the bonus.
    assert (info["exit_code"], info["trade_pnl"], terminated) == (1, 120.0, False)
    assert reward == pytest.approx(1.2 + 0.5)
    assert (env.position, env.sl_price, env.trailing, env.winning_trades) == (0, 0.0, False, 1)


def test_trailing_a_short_is_the_mirror(phase2):
    env = phase2(
        [DOWN, (4998.0, 4996.0, 4997.0), (4996.0, 4994.0, 4995.0), (4997.0, 4995.25, 4996.25),
         (4997.25, 4996.0, 4996.75)]
    )  # fmt: skip
    stops = []
    for action in (SELL, BREAK_EVEN, TRAIL_ON, HOLD, HOLD):
        env.step(action)
        stops.append(env.sl_price)
    assert stops == [5002.75, 4999.5, 4999.0, 4997.25, 4997.25]
    assert _run(env, HOLD)[3]["trade_pnl"] == 120.0


def test_a_stop_that_trails_past_the_bars_low_is_hit_in_the_next_bar(phase2):
    # On: range 16, ATR 126/14 = 9, so the stop is 9 ticks below 5003. The bar's low of 5000 lies below
    # it; the next bar gaps past it and fills at it.
    env = phase2([UP, (5004.0, 5000.75, 5003.0), (5000.0, 4998.0, 4999.0)])
    info = _run(env, BUY, BREAK_EVEN, TRAIL_ON)[3]
    assert (info["exit_code"], env.sl_price) == (0, 5000.75)
    reward, _, _, info = _run(env, HOLD)
    # Two ticks: $25 less $5.
    assert (info["exit_code"], info["trade_pnl"]) == (1, 20.0)
    assert reward == pytest.approx(0.2 + 0.5)


def test_trailing_off_leaves_the_stop_where_it_is(phase2):
    env = phase2([UP, (5004.0, 5002.0, 5003.0), (5006.0, 5004.0, 5005.0), (5008.0, 5006.0, 5007.0)])
    _run(env, BUY, BREAK_EVEN, TRAIL_ON)
    assert env.sl_price == 5001.0
    _run(env, TRAIL_OFF)
    assert (env.sl_price, env.trailing) == (5001.0, False)
    _run(env, HOLD)
    assert env.sl_price == 5001.0


def test_a_trail_takes_the_distance_of_its_own_bar(phase2):
    env = phase2(trail_atr_mult=2.5)
    _hold(env, entry_price=4990.0, sl_price=4991.0, trailing=True)
    _run(env, HOLD)
    assert env.sl_price == 4995.0  # 2.5 x 8 = 20 ticks below 5000


@pytest.mark.parametrize(("entry", "side"), [(BUY, 1), (SELL, -1)])
def test_stops_that_are_moved_stay_on_the_dime_grid_to_the_last_bit(phase2, entry, side):
    # In ticks of 0.1, 20000 at first; of these sums floating point makes other numbers.
    closes = [20000 + side * up for up in (10, 12, 13, 15, 17, 19)]
    bars = [((close + 4) * 0.1, (close - 4) * 0.1, close * 0.1) for close in closes]
    env = phase2(bars, symbol="RTY", price=2000.0)
    _run(env, entry, BREAK_EVEN)
    assert env.entry_price == (20000 + 2 * side) * 0.1
    assert env.sl_price == (20000 + 3 * side) * 0.1
    env.step(TRAIL_ON)
    for close in closes[2:]:
        distance = int(env.df["trail_ticks"].iloc[env.step_idx])
        env.step(HOLD)
        assert env.sl_price == (close - side * distance) * 0.1


def test_an_exit_comes_before_the_trail(phase2):
    # A trail of this bar's close would lift the stop above the bar's low, but what counts is the stop
    # as it was: it is not touched, and the target is.
    env = phase2(first=(5001.0, 4995.0, 5000.0))
    _hold(env, entry_price=4990.0, sl_price=4994.75, tp_price=5001.0, trailing=True)
    assert _run(env, HOLD)[3]["exit_code"] == 2


@pytest.mark.parametrize("action", [BREAK_EVEN, TRAIL_ON, TRAIL_OFF])
def test_an_action_on_a_trade_that_closes_first_does_nothing(phase2, action):
    trade = {
        BREAK_EVEN: {"sl_price": 4999.0, "entry_price": 4999.5},
        TRAIL_ON: {"sl_price": 4999.5, "entry_price": 4999.0},
        TRAIL_OFF: {"sl_price": 4999.5, "entry_price": 4999.0, "trailing": True},
    }[action]
    env = phase2()
    _hold(env, **trade)
    reward, _, _, info = _run(env, action)
    assert (info["exit_code"], info["forbidden"]) == (1, False)
    assert (env.position, env.sl_price, env.trailing) == (0, 0.0, False)
    # 4999.0 to 4999.5 is two ticks, $25 less $5; trailing was on when it closed.
    won = {BREAK_EVEN: -0.3, TRAIL_ON: 0.2, TRAIL_OFF: 0.2 + 0.5}[action]
    assert reward == pytest.approx(won)


# Forbidden actions


@pytest.mark.parametrize("action", [BREAK_EVEN, TRAIL_ON, TRAIL_OFF, -1, 6])
def test_a_forbidden_action_costs_a_reward_of_one_and_is_hold(phase2, action):
    env = phase2([QUIET])
    reward, _, _, info = _run(env, action)
    assert reward == pytest.approx(0.001 - 1)
    assert info["forbidden"]
    _run(env, BUY)
    before = (env.sl_price, env.trailing, env.position, env.balance)
    reward, _, _, info = _run(env, action)  # no profit yet
    assert reward == pytest.approx(-0.01 - 1)
    assert (env.sl_price, env.trailing, env.position, env.balance) == before


# The floor


def test_the_floor_is_2500_below_and_equality_is_no_breach(phase2):
    for balance, breached in ((47_512.5, False), (47_512.49, True)):
        env = phase2()
        assert env.trailing_dd_level == 47_500.0
        _hold(env, balance=balance)  # a tick of loss: equity 47,500.00 or a cent less
        _, terminated, _, info = _run(env, HOLD)
        assert (terminated, info["exit_code"] == 4, info["done_reason"] == 1) == (breached,) * 3


@pytest.mark.parametrize(
    ("high", "floor"),
    [(52_599.99, 50_099.99), (52_600.0, 50_100.0), (52_600.01, 50_100.0), (60_000.0, 50_100.0)],
)
def test_the_floor_locks_at_100_above_the_start(phase2, high, floor):
    env = phase2()
    env.balance = high
    _run(env, HOLD)
    assert env.trailing_dd_level == floor


# The bonus


@pytest.mark.parametrize(
    ("entry", "stop", "trailing", "reward"),
    [
        (4998.75, 4999.0, True, 0.075 + 0.5),  # a tick: $12.50 less $5
        (4998.75, 4999.0, False, 0.075),
        (4999.0, 4999.0, True, -0.05),  # $0 less $5 is no win
    ],
)
def test_a_bonus_for_a_winner_with_trailing_on(phase2, entry, stop, trailing, reward):
    env = phase2()
    _hold(env, entry_price=entry, sl_price=stop, trailing=trailing)
    assert _run(env, HOLD)[0] == pytest.approx(reward)


def test_a_winner_of_less_than_a_commission_gets_the_bonus_too(phase2):
    env = phase2(symbol="MES")
    _hold(env, entry_price=4998.75, sl_price=4999.0, trailing=True)
    assert _run(env, HOLD)[0] == pytest.approx(0.0025 + 0.5)  # a tick: $1.25 less $1.00
    _hold(env, entry_price=4998.75, sl_price=4999.0, trailing=True, commission=0.625)
    assert _run(env, HOLD)[0] == 0.0  # less $1.25 it is none


def test_the_bonus_goes_to_whatever_exit_the_winner_took(phase2):
    late = phase2([UP, UP], minutes=[1018, 1019])
    _run(late, BUY)
    late.trailing = True
    # 5000.25 to 5002.5 less a tick of slippage: 8 ticks, $100 less $5; a violation all the same.
    reward, terminated, _, info = _run(late, HOLD, HOLD)
    assert (info["exit_code"], terminated) == (3, True)
    assert reward == pytest.approx(0.95 + 0.5 - 10)


@pytest.mark.parametrize(("action", "bonus"), [(TRAIL_ON, 0.5), (TRAIL_OFF, 0.0)])
def test_trailing_counts_as_it_stands_when_the_trade_is_liquidated(phase2, action, bonus):
    env = phase2()
    _hold(env, entry_price=4995.0, sl_price=4995.0, trailing=action == TRAIL_OFF)
    env.trailing_dd_level = 50_300.0  # above the equity of 49,997.50 + 20 x 12.50
    reward, terminated, _, info = _run(env, action)
    # Out at 4999.75: 19 ticks, $237.50 less $5.
    assert (info["exit_code"], info["trade_pnl"], terminated) == (4, 232.5, True)
    assert reward == pytest.approx(2.325 - 10 + bonus)


# The package and the checkers


def test_gymnasium_makes_it_and_both_checkers_accept_it(random_bars):
    made = gymnasium.make("legacy_torch:RLTrader-Phase2-v0", bars=random_bars(2), render_mode="ansi")
    assert made.observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (228,), np.float32)
    assert made.action_space == gymnasium.spaces.Discrete(6)
    with warnings.catch_warnings():
        # An observation holds prices and volumes, which have no natural bounds.
        warnings.filterwarnings("ignore", message=".*Box observation space (min|max)imum value is")
        check_env(made.unwrapped)
        check_env_for_sb3(made.unwrapped)


def test_it_pickles_and_refuses_a_configuration_of_phase_1(random_bars):
    env = TradingEnvPhase2(random_bars(2))
    copy = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(copy.reset(seed=1)[0], env.reset(seed=1)[0])
    with refuses():
        TradingEnvPhase2(random_bars(2), EnvConfig.phase1())


def test_render_says_that_it_trails(phase2):
    env = phase2()
    env.render_mode = "ansi"
    _hold(env)
    assert env.render().endswith("trades 1")
    env.trailing = True
    assert env.render().endswith("long 5000.25 stop 4990 target 5050 balance $49,997.50 "
                                 "floor $47,500.00 trades 1 trailing")  # fmt: skip


def test_random_play_keeps_the_invariants(random_bars):
    env = TradingEnvPhase2(random_bars(3, seed=4), EnvConfig.phase2(trailing_drawdown_dollars=900.0))
    rng = np.random.default_rng(0)
    seen = set()
    for episode in range(6):
        env.reset(seed=episode)
        done = False
        while not done:
            masks = env.action_masks()
            seen.add("".join(str(int(x)) for x in masks))
            trade, stop = (env.position, env.position_entry_step), env.sl_price
            action = int(rng.choice(np.flatnonzero(masks)))
            obs, _, terminated, truncated, info = env.step(action)
            done = terminated or truncated
            assert not info["forbidden"]
            assert np.isfinite(obs).all()
            if env.position and (env.position, env.position_entry_step) == trade:
                assert (env.sl_price - stop) * env.position >= 0
            if not env.position:
                assert not env.trailing
    assert seen >= {"111000", "100000", "100100", "100010", "100001"}
