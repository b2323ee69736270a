"""Evaluate a trained policy of the reference over given starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecNormalize

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.train import MODEL_FILE, NORMALIZER_FILE, RUN_FILE, make_vec_env
from markets.bars import Bars
from markets.config import EnvConfig
from markets.errors import InputError


@dataclass(frozen=True)
class EvaluationResult:
    """What a policy did.

    Attributes:
        episodes: one row an episode: start (index), start_time, steps, total_pnl and balance
            (dollars, at the end), reward, done_reason.
        trades: one row a closed trade, as in ``TradingEnvPhase1.trade_history``, with the number of
            its episode.
        equity: for each episode its equity in dollars at the start and after every step, float64.
    """

    episodes: pd.DataFrame
    trades: pd.DataFrame
    equity: list[NDArray[np.float64]]

    @property
    def total_pnl(self) -> float:
        """PnL of all closed trades, in dollars."""
        return round(float(self.episodes["total_pnl"].sum()), 2)

    @property
    def win_rate(self) -> float:
        """Share of closed trades with a PnL above zero; NaN without any trade."""
        return float((self.trades["pnl"] > 0).mean()) if len(self.trades) else float("nan")


TRADE_COLUMNS = (
    "episode",
    "side",
    "entry_step",
    "entry_time",
    "entry_price",
    "exit_step",
    "exit_time",
    "exit_price",
    "exit_code",
    "pnl",
)


def evaluate(
    model: MaskablePPO,
    bars: Bars,
    config: EnvConfig,
    vecnormalize: VecNormalize | None = None,
    starts: Sequence[int] | NDArray[np.int64] | None = None,
    deterministic: bool = True,
) -> EvaluationResult:
    """Run a policy from each start to the end of its episode.

    Args:
        model: the policy; only actions that the mask allows are taken.
        bars: the market.
        config: the environment's rules.
        vecnormalize: statistics that observations are normalised with; they are not updated.
        starts: indices to start at; None takes the first possible one of each New York day.
        deterministic: take the likeliest action instead of sampling.

    Raises:
        InputError: the bars cannot be traded under these rules, or a start is not possible.
    """
    env = TradingEnvPhase1(bars, config)
    if starts is None:
        starts = first_of_each_day(env)
    episodes: list[dict[str, object]] = []
    trades: list[dict[str, object]] = []
    equity: list[NDArray[np.float64]] = []
    for number, start in enumerate(starts):
        obs, info = env.reset(options={"start_index": start})
        curve, reward_sum, done = [info["equity"]], 0.0, False
        while not done:
            seen = obs if vecnormalize is None else vecnormalize.normalize_obs(obs)
            action, _ = model.predict(
                np.asarray(seen), action_masks=env.action_masks(), deterministic=deterministic
            )
            obs, reward, terminated, truncated, info = env.step(int(action))
            curve.append(info["equity"])
            reward_sum += reward
            done = terminated or truncated
        episodes.append(
            {
                "start": int(start),
                "start_time": env.df.index[int(start)],
                "steps": len(curve) - 1,
                "total_pnl": env.total_pnl,
                "balance": env.balance,
                "reward": reward_sum,
                "done_reason": info["done_reason"],
            }
        )
        trades += [{"episode": number, **trade} for trade in env.trade_history]
        equity.append(np.array(curve))
    return EvaluationResult(
        pd.DataFrame(episodes), pd.DataFrame(trades, columns=list(TRADE_COLUMNS)), equity
    )


def first_of_each_day(env: TradingEnvPhase1) -> NDArray[np.int64]:
    """Return the first possible start of each New York day."""
    index = env.df.index
    assert isinstance(index, pd.DatetimeIndex)
    days = index[env.valid_starts].tz_convert("America/New_York").normalize()
    return env.valid_starts[~days.duplicated()]


def load_run(folder: Path, bars: Bars) -> tuple[MaskablePPO, VecNormalize, EnvConfig]:
    """Load what ``legacy_torch.train.train`` saved. Load only runs you trust: SB3 pickles.

    Args:
        folder: the run's folder.
        bars: bars for the environment that SB3's normaliser insists on.

    Returns:
        The policy, its normaliser (no longer learning) and the rules it was trained under.

    Raises:
        InputError: the folder holds no finished run.
    """
    if not (folder / RUN_FILE).is_file():
        raise InputError(
            f"{folder}: no {RUN_FILE}, so no finished run; give a folder that training wrote"
        )
    config = EnvConfig.from_dict(
        json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["env_config"]
    )
    vecnormalize = VecNormalize.load(str(folder / NORMALIZER_FILE), make_vec_env(bars, config, 1))
    vecnormalize.training = False
    vecnormalize.norm_reward = False
    return MaskablePPO.load(folder / MODEL_FILE, device="cpu"), vecnormalize, config
