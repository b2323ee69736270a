"""What always long, always short, random and no trading make on the same days, by the same rules.

They are played by the environment itself, from the first start of each day, with its stops, targets,
costs and drawdown: only who presses the button differs. The random trader enters as often as the policy
does, of the bars at which it may, on a random side, and leaves every exit to its stop and its target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket, stack
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.phase import Phase
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.evaluation.episodes import play_actor
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.sheet.ratios import sharpe
from jax_port.ppo.policy import Policy
from markets import EnvConfig
from markets.clock import new_york_minutes

RANDOM_TRADERS = 20


@dataclass(frozen=True)
class Baseline:
    """One way of trading that needs no skill.

    Attributes:
        name: "never", "always long", "always short" or "random".
        pnl: int64 cents of each day, an open trade marked at its end, shape (days,).
        trades: opened on all days.
        max_drawdown: cents, largest fall of the account from its highest at every bar's close.
    """

    name: str
    pnl: NDArray[np.int64]
    trades: int
    max_drawdown: int

    def numbers(self) -> dict[str, Any]:
        """Return pnl and max_drawdown (dollars), sharpe_day and trades."""
        return {
            "pnl": int(self.pnl.sum()) / 100,
            "sharpe_day": sharpe(self.pnl),
            "max_drawdown": self.max_drawdown / 100,
            "trades": self.trades,
        }


@dataclass(frozen=True)
class CoinActor:
    """Wants to buy or to sell with a probability at every bar where it may; holds otherwise.

    It is given float32 (probability to buy, probability to sell) and an int32 seed.
    """

    def __call__(self, phase: Phase, given: Any, states: Any, params: EnvParams) -> jax.Array:
        """Return an allowed action for each state, int32 (N,)."""
        (buys, sells), seed = given

        def choose(state: Any) -> jax.Array:
            key = jax.random.fold_in(jax.random.key(seed), state.episode_start)
            coin = jax.random.uniform(jax.random.fold_in(key, state.step_idx))
            wanted = jnp.where(coin < buys, BUY, jnp.where(coin < buys + sells, SELL, HOLD))
            return jnp.where(phase.action_masks(state, params)[wanted], wanted, HOLD).astype(jnp.int32)

        return jax.vmap(choose)(states)


def play_baselines(
    policy: Policy, market: PreparedMarket, result: Evaluation, *, traders: int = RANDOM_TRADERS
) -> list[Baseline]:
    """Play never, always long, always short and so many random traders on the days of an evaluation.

    Args:
        policy: whose rules they are held to.
        market: the bars that it was evaluated on.
        result: its evaluation, for the days and for how often it enters.
        traders: random ones; the same number gives the same trades.
    """
    episodes = result.episodes[result.episodes["daily"]]
    rate = entry_rate(result, policy.config)
    params = phase_of(policy.config).make_params(stack([market]), policy.config)
    starts = np.searchsorted(market.starts, episodes["start"].to_numpy())
    initial = round(policy.config.account.initial_balance_dollars * 100)
    asked = [("never", 0.0, 0.0, 0), ("always long", 1.0, 0.0, 0), ("always short", 0.0, 1.0, 0)]
    asked += [("random", rate / 2, rate / 2, seed) for seed in range(1, traders + 1)]
    made = []
    for name, buys, sells, seed in asked:
        given = (jnp.float32([buys, sells]), jnp.int32(seed))
        days, curve, trades = [], [np.zeros(1, np.int64)], 0
        for ends, steps, _ in play_actor(CoinActor(), given, params, starts, len(starts)):
            assert steps is not None
            days.append(ends.equity - initial)
            trades += int(ends.trades.sum())
            for lane, count in enumerate(ends.steps):
                own = steps.equity[:count, lane].astype(np.int64) - initial
                curve.append(own + curve[-1][-1])
        joined = np.concatenate(curve)
        fall = int((np.maximum.accumulate(joined) - joined).max())
        made.append(Baseline(name, np.concatenate(days).astype(np.int64), trades, fall))
    return made


def entry_rate(result: Evaluation, config: EnvConfig) -> float:
    """Return the share of bars at which a policy entered, of those at which its daily episodes let it.

    A trade may be opened on a bar of the entry window that the account comes to flat.
    """
    account = result.equity
    stepped = account["step"].to_numpy() > 0
    flat = np.roll(account["position"].to_numpy() == 0, 1)
    minute = new_york_minutes(pd.DatetimeIndex(account["time"]).as_unit("ns").asi8)
    open_to_entries = (minute >= config.entry_open_minute) & (minute < config.entry_close_minute)
    chances = int((stepped & flat & open_to_entries).sum())
    trades = int(result.episodes.loc[result.episodes["daily"], "trades"].sum())
    return trades / chances if chances else 0.0


def summary(baselines: list[Baseline], pnl: int) -> dict[str, Any]:
    """Return the numbers of each baseline, and how the random traders stand to an account.

    Args:
        baselines: as :func:`play_baselines` returns them.
        pnl: cents that the account made.

    Returns:
        A mapping from each name to its numbers; for "random" mean, low and high of the traders' PnL
        (dollars), how many they are, their mean trades, and beaten, how many of them made less than
        the account.
    """
    made: dict[str, Any] = {
        baseline.name: baseline.numbers() for baseline in baselines if baseline.name != "random"
    }
    random = [baseline for baseline in baselines if baseline.name == "random"]
    totals = np.array([int(baseline.pnl.sum()) for baseline in random], np.int64)
    ratios = np.array([sharpe(baseline.pnl) for baseline in random])
    if random:
        made["random"] = {
            "traders": len(random),
            "pnl": float(totals.mean()) / 100,
            "low": int(totals.min()) / 100,
            "high": int(totals.max()) / 100,
            "sharpe_day": float(np.nanmean(ratios)) if np.isfinite(ratios).any() else math.nan,
            "max_drawdown": float(np.mean([one.max_drawdown for one in random])) / 100,
            "trades": float(np.mean([one.trades for one in random])),
            "beaten": int((totals < pnl).sum()),
        }
    return made
