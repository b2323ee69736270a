"""Sections 4, 5 and 7: reset, what an observation holds, that nothing looks ahead, and the mirror."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.observation import observe_window, window_at
from jax_port.envs.state import (
    EXIT_STOP,
    EXIT_TARGET,
    EnvState,
)
from jax_port.envs.view import view
from tests.jax_port.envs.hand_made_steps import (
    START,
    MakeWorld,
)

# 4 and 5: reset and observation


@pytest.mark.parametrize(
    ("drawdown", "lock", "floor"),
    [(15_000, 100, 3_500_000), (200, -150, 4_980_000), (200, -200, 4_980_000), (100, 0, 4_990_000)],
)
def test_reset(world: MakeWorld, drawdown: float, lock: float, floor: int) -> None:
    w = world(trailing_drawdown_dollars=drawdown, floor_lock_dollars=lock)
    state = jax.tree.map(int, w.reset())
    assert state == EnvState(
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
    seen = {name: value.item() for name, value in view(step.state, world().params).items()}
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


def test_a_window_is_the_bars_before_its_bar_alone_or_of_a_state(world: MakeWorld) -> None:
    w = world([4000, 4008, 3990, 4004])
    features = np.asarray(w.params.market.features)
    for bar in (2, 22, 26, len(features) - 1):
        np.testing.assert_array_equal(window_at(jnp.int32(bar), w.params), features[bar - 2 : bar])
        state = w.reset(step_idx=bar)
        np.testing.assert_array_equal(observe_window(state, w.params), features[bar - 2 : bar])


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
        windows = [observe_window(one.state, w.params) for w in (calm, other)]
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
    assert {EXIT_STOP, EXIT_TARGET} <= {step.exit_code for step in one}
    for a, b in zip(one, two, strict=True):
        assert [getattr(a, name) for name in MIRRORED] == [getattr(b, name) for name in MIRRORED]
        assert a.position == -b.position
        for name in ("entry_price", "sl_price", "tp_price") if a.position else ():
            assert getattr(a, name) == 8000 - getattr(b, name)
