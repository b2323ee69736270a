"""Whole episodes of the exported MaskablePPO in the reference, against the port's evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jax_port.data.data_loader import PreparedMarket
from jax_port.evaluation.evaluate import TRADE_COLUMNS, evaluate
from jax_port.ppo.policy import Policy
from legacy_torch.phases import ENVIRONMENTS
from markets import Bars
from parity.engine.compare import Tolerance
from parity.export_chain.comparison import EQUAL, Board
from parity.export_chain.sides import load_sb3

HOP = "replay in the reference's environment"
REWARD = Tolerance(1e-5, 1e-6)
"""The port's rewards are float32, so a sum of some hundred of them is off by as many roundings."""
EPISODE_COLUMNS = ("steps", "trades", "wins", "pnl", "done_reason")


def replay(
    board: Board, folder: Path, policy: Policy, bars: Bars, market: PreparedMarket, episodes: int
) -> dict[str, Any]:
    """Play episodes on both sides and compare every trade and every cent.

    Args:
        board: is told every distance.
        folder: the bundle; its SB3 files decide on the reference's side.
        policy: of the bundle; decides on the port's side.
        bars: the market, before its session is cut.
        market: the same, prepared for the port.
        episodes: at most this many, spread over all starts.

    Returns:
        What was played: episodes, trades, and the PnL of both sides in dollars.
    """
    rows = spread(market.starts, episodes)
    ours = evaluate(policy, market, rows=rows, trades_of="all", lanes=256)
    theirs, trades = _play(folder, policy, bars, rows)
    for column in EPISODE_COLUMNS:
        board.at(HOP, f"episode: {column}").update(ours.episodes[column], theirs[column])
    board.at(HOP, "episode: reward", REWARD).update(ours.episodes["reward"], theirs["reward"])
    board.at(HOP, "number of trades").update([len(ours.trades)], [len(trades)])
    # A policy that never trades has no trades to compare; their number is, and so are its episodes.
    for column in TRADE_COLUMNS if len(ours.trades) or len(trades) else ():
        board.at(HOP, f"trade: {column}", EQUAL).update(
            _numbers(ours.trades[column]), _numbers(trades[column])
        )
    return {
        "episodes": len(rows),
        "trades": len(trades),
        "pnl_dollars": {
            "jax": round(float(ours.episodes["pnl"].sum()), 2),
            "sb3 in the reference": round(float(theirs["pnl"].sum()), 2),
        },
    }


def spread(
    starts: np.ndarray[Any, np.dtype[Any]], episodes: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return at most so many of a file's starts, evenly spread from the first to the last."""
    numbers = np.unique(np.linspace(0, len(starts) - 1, episodes).astype(np.int64))
    return starts[numbers].astype(np.int64)


def _play(
    folder: Path, policy: Policy, bars: Bars, rows: np.ndarray[Any, np.dtype[np.int64]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    env = ENVIRONMENTS[policy.config.phase](bars, policy.config)
    model, normalizer = load_sb3(folder, lambda: env)
    episodes: list[dict[str, Any]] = []
    trades: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        obs, info = env.reset(options={"start_index": int(row)})
        steps, rewards, done = 0, 0.0, False
        while not done:
            normalised = np.asarray(normalizer.normalize_obs(obs))
            action, _ = model.predict(normalised, action_masks=env.action_masks(), deterministic=True)
            obs, reward, terminated, truncated, info = env.step(int(action))
            steps += 1
            rewards += reward
            done = terminated or truncated
        episodes.append(
            {
                "steps": steps,
                "trades": env.num_trades,
                "wins": env.winning_trades,
                "pnl": env.total_pnl,
                "done_reason": info["done_reason"],
                "reward": rewards,
            }
        )
        trades += [{"episode": number, **trade} for trade in env.trade_history]
    return pd.DataFrame(episodes), pd.DataFrame(trades, columns=list(TRADE_COLUMNS))


def _numbers(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a column as numbers: times in nanoseconds, sides 1 and -1."""
    if column.name == "side":
        return np.where(column == "long", 1, -1)
    if str(column.name).endswith("_time"):
        return np.asarray(pd.DatetimeIndex(column).as_unit("ns").asi8)
    return column.to_numpy(np.float64)
