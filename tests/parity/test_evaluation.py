"""The port's evaluation against the reference, stepped with the same actions: equal to the cent."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from jax_port.data_loader import PreparedMarket, prepare, stack
from jax_port.env_phase1_jax import make_params
from jax_port.episodes import play
from jax_port.evaluate import TRADE_COLUMNS, evaluate
from jax_port.networks import masked_log_probs
from jax_port.normalize import normalize
from jax_port.policy import Policy
from legacy_torch import evaluate as legacy
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from markets.synthetic import synthetic_bars
from tests.jax_port.made_policy import make_policy

CONFIGS: dict[str, dict[str, Any]] = {
    "wide floor": {"max_episode_bars": 75},
    "narrow floor": {"max_episode_bars": 75, "trailing_drawdown_dollars": 250.0, "contracts": 2},
    "every entry is liquidated at once": {"max_episode_bars": 75, "trailing_drawdown_dollars": 10.0},
    "wide stops, near targets": {"max_episode_bars": 75, "sl_atr_mult": 5.0, "tp_sl_ratio": 0.3},
}
CLEAR = 1e-4
"""A decision with a larger lead over the next action can't depend on how a sum was rounded."""


class World:
    """One market on both sides, and what the port's policy did there."""

    def __init__(self, name: str, symbol: str = "ES") -> None:
        self.bars: Bars = synthetic_bars(symbol, days=3, seed=11)
        self.config = EnvConfig.phase1(**CONFIGS[name])
        self.market: PreparedMarket = prepare(self.bars, self.config)
        self.policy: Policy = make_policy(self.market, self.config, seed=3)
        self.env = TradingEnvPhase1(self.bars, self.config)
        assert self.env.valid_starts.tolist() == self.market.starts.tolist()
        daily = legacy.first_of_each_day(self.env)
        late = daily[1:] - 70  # twenty minutes to four
        self.rows = np.unique([*daily, *late, *self.env.valid_starts[60::200]])
        self.daily = np.isin(self.rows, daily)

    def actions(self) -> list[list[int]]:
        """Return the port's actions in each episode."""
        params = make_params(stack([self.market]), self.config)
        numbers = np.searchsorted(self.market.starts, self.rows)
        ((ends, steps),) = play(self.policy, params, numbers, len(numbers))
        assert steps is not None
        return [steps.action[: ends.steps[n], n].tolist() for n in range(len(numbers))]


def _play_reference(world: World) -> tuple[pd.DataFrame, pd.DataFrame, list[np.ndarray], float]:
    """Step the reference with the port's actions; also return how often it would have decided so."""
    env, episodes, trades, curves = world.env, [], [], []
    agreed = clear = steps = 0
    for number, (row, actions) in enumerate(zip(world.rows, world.actions(), strict=True)):
        obs, _ = env.reset(options={"start_index": int(row)})
        curve, rewards, seen, masks = [env.balance], 0.0, [], []
        for place, action in enumerate(actions):
            seen.append(obs)
            masks.append(env.action_masks())
            close = float(env.df["close"].iloc[env.step_idx])
            obs, reward, terminated, truncated, info = env.step(action)
            rewards += reward
            curve.append(round(env.balance + env._gross(close), 2))
            assert (terminated or truncated) == (place == len(actions) - 1)
        out: Any = world.policy.network.apply(
            world.policy.params, normalize(world.policy.scale, jnp.asarray(np.array(seen)))
        )
        chances = np.exp(masked_log_probs(out[0], jnp.asarray(np.array(masks))))
        lead = np.diff(np.sort(chances, axis=1)[:, -2:], axis=1)[:, 0] > CLEAR
        agreed += int((lead & (chances.argmax(1) == actions)).sum())
        clear += int(lead.sum())
        steps += len(actions)
        episodes.append(
            {
                "start": int(row),
                "start_time": env.df.index[int(row)],
                "steps": len(actions),
                "pnl": env.total_pnl,
                "reward": rewards,
                "done_reason": info["done_reason"],
                "trades": env.num_trades,
                "wins": env.winning_trades,
                "open_at_end": env.position != 0,
            }
        )
        trades += [{"episode": number, **trade} for trade in env.trade_history]
        curves.append(np.array(curve))
    assert agreed == clear
    table = pd.DataFrame(trades, columns=list(legacy.TRADE_COLUMNS))
    return pd.DataFrame(episodes), table, curves, clear / steps


@pytest.mark.parametrize("name", CONFIGS)
def test_evaluation_is_the_references(name: str) -> None:
    world = World(name)
    mine = evaluate(world.policy, world.market, rows=world.rows, trades_of="all", lanes=64)
    episodes, trades, curves, clear = _play_reference(world)
    assert clear > 0.99
    assert len(trades) > 5

    assert TRADE_COLUMNS == legacy.TRADE_COLUMNS
    for column in TRADE_COLUMNS:
        assert mine.trades[column].tolist() == trades[column].tolist(), column
    for column in episodes.columns.drop("reward"):
        assert mine.episodes[column].tolist() == episodes[column].tolist(), column
    np.testing.assert_allclose(mine.episodes["reward"], episodes["reward"], rtol=1e-6, atol=1e-6)

    assert mine.episodes["daily"].tolist() == world.daily.tolist()
    for number in np.flatnonzero(world.daily):
        own = mine.equity.loc[mine.equity["episode"] == number, "equity"]
        assert own.tolist() == curves[number].tolist()
    ended = [curve[-1] - 50_000 for curve in curves]
    assert (mine.episodes["pnl"] + mine.episodes["open_pnl"]).tolist() == ended
    falls = [float((np.maximum.accumulate(curve) - curve).max()) for curve in curves]
    assert mine.episodes["max_drawdown"].tolist() == falls


def test_the_worlds_show_every_way_out() -> None:
    codes, reasons = set(), set()
    for name in CONFIGS:
        world = World(name)
        mine = evaluate(world.policy, world.market, trades_of="all", rows=world.rows)
        codes |= set(mine.trades["exit_code"])
        reasons |= set(mine.episodes["done_reason"])
        if name == "every entry is liquidated at once":
            at_once = mine.trades["entry_step"] == mine.trades["exit_step"]
            assert at_once.all()
            assert set(mine.trades["pnl"]) == {-2 * 12.5 - 2 * 2.5}
    assert codes == {1, 2, 3, 4}
    assert reasons >= {1, 2, 4}


def test_the_daily_table_is_the_daily_part_of_all() -> None:
    world = World("wide floor")
    every = evaluate(world.policy, world.market, rows=world.rows, trades_of="all")
    daily = evaluate(world.policy, world.market, rows=world.rows, trades_of="daily")
    numbers = np.flatnonzero(world.daily)
    kept = every.trades[every.trades["episode"].isin(numbers)].reset_index(drop=True)
    pd.testing.assert_frame_equal(daily.trades, kept)
    pd.testing.assert_frame_equal(daily.episodes, every.episodes)
    pd.testing.assert_frame_equal(daily.equity, every.equity)


def test_decisions_are_the_policys_own() -> None:
    """The scan decides as ``jax_port.policy.decide`` does on the reference's first observation."""
    from jax_port.policy import decide

    world = World("wide floor")
    policy = world.policy
    obs = np.array([world.env.reset(options={"start_index": int(row)})[0] for row in world.rows])
    masks = jnp.ones((len(obs), 3), bool)
    first = jax.jit(decide, static_argnums=0)(
        policy.network, policy.params, policy.scale, jnp.asarray(obs), masks
    )
    assert [actions[0] for actions in world.actions()] == first.tolist()
    assert len(set(first.tolist())) > 1
