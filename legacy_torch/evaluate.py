"""Evaluation of the reference's policies over given starts, by the minute or by the second.

Source: section 8 of ``docs/environment.md`` for the seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecNormalize

from foundation.errors import InputError
from foundation.json_reading import Artifact, Struct, read_json
from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.phases import ENVIRONMENTS
from legacy_torch.seconds import SECONDS_ENVIRONMENTS
from legacy_torch.train import MODEL_FILE, NORMALIZER_FILE, RUN_FILE, make_vec_env
from markets.bars import Bars
from markets.config import EnvConfig


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


RUN = Artifact("run of the reference's trainer", "give a folder that its training wrote")


class _Data(Struct):
    contract: dict[str, Any] | None = None


class _Run(Struct):
    env_config: dict[str, Any]
    data: _Data | None = None


EPISODE_COLUMNS = (
    "start",
    "start_time",
    "steps",
    "total_pnl",
    "balance",
    "reward",
    "done_reason",
)

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
    seconds: Bars | None = None,
) -> EvaluationResult:
    """Run a policy from each start to the end of its episode.

    Args:
        model: the policy; only actions that the mask allows are taken.
        bars: the market.
        config: the environment's rules.
        vecnormalize: statistics that observations are normalised with; they are not updated.
        starts: indices to start at; None takes the first possible one of each New York day.
        deterministic: take the likeliest action instead of sampling.
        seconds: one-second bars of the same market, to hold the account to its floor in every second;
            None looks at it once a minute, at the close.

    Raises:
        InputError: the bars cannot be traded under these rules, a start is not possible, or the
            seconds do not belong to the bars.
    """
    env = make_environment(bars, config, seconds)
    if starts is None:
        starts = first_of_each_day(env)
    episodes: list[dict[str, object]] = []
    trades: list[dict[str, object]] = []
    equity: list[NDArray[np.float64]] = []
    for number, start in enumerate(starts):
        obs, info = env.reset(options={"start_index": start})
        curve, reward_sum, done = [info["equity"]], 0.0, False
        while not done:
            normalised = obs if vecnormalize is None else vecnormalize.normalize_obs(obs)
            action, _ = model.predict(
                np.asarray(normalised), action_masks=env.action_masks(), deterministic=deterministic
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
        pd.DataFrame(episodes, columns=list(EPISODE_COLUMNS)),
        pd.DataFrame(trades, columns=list(TRADE_COLUMNS)),
        equity,
    )


@dataclass(frozen=True)
class Verdicts:
    """The same policy on the same starts, looked at once a minute and in every second.

    Attributes:
        minute, second: episode by episode of the same starts.
    """

    minute: EvaluationResult
    second: EvaluationResult

    @property
    def difference(self) -> float:
        """What the second's verdict makes more than the minute's, in dollars of closed trades."""
        return round(self.second.total_pnl - self.minute.total_pnl, 2)

    @property
    def differing(self) -> NDArray[np.int64]:
        """Numbers of the episodes whose end, length or PnL differ."""
        names = ["done_reason", "steps", "total_pnl"]
        unequal = self.minute.episodes[names].to_numpy() != self.second.episodes[names].to_numpy()
        return np.flatnonzero(unequal.any(axis=1))


def evaluate_both(
    model: MaskablePPO,
    bars: Bars,
    seconds: Bars,
    config: EnvConfig,
    vecnormalize: VecNormalize | None = None,
    starts: Sequence[int] | NDArray[np.int64] | None = None,
) -> Verdicts:
    """Run a policy from each start twice, by the minute and by the second.

    It takes its likeliest action, so that nothing but the seconds can make a difference.

    Args:
        seconds: one-second bars of the same market.
        model, bars, config, vecnormalize, starts: as for :func:`evaluate`.

    Raises:
        InputError: as for :func:`evaluate`.
    """
    minute, second = (
        evaluate(model, bars, config, vecnormalize, starts, seconds=of) for of in (None, seconds)
    )
    return Verdicts(minute, second)


def make_environment(bars: Bars, config: EnvConfig, seconds: Bars | None = None) -> TradingEnvPhase1:
    """Return the environment of a configuration's phase, by the second where seconds are given."""
    if seconds is None:
        return ENVIRONMENTS[config.phase](bars, config)
    return SECONDS_ENVIRONMENTS[config.phase](bars, seconds, config)


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
        bars: bars for the environment that SB3's normaliser insists on, of the contract that the policy
            was trained on or of another symbol.

    Returns:
        The policy, its normaliser (no longer learning) and the rules it was trained under.

    Raises:
        InputError: the folder holds no finished run, or the bars' contract has other numbers than that
            of its symbol that was trained on.
    """
    if not (folder / RUN_FILE).is_file():
        raise InputError(
            f"{folder}: no {RUN_FILE}, so no finished run; give a folder that training wrote"
        )
    run = read_json(folder / RUN_FILE, _Run, RUN)
    with RUN.checked(folder / RUN_FILE):
        config = EnvConfig.from_dict(run.env_config)
    if run.data is not None and run.data.contract is not None:
        _require_same_contract(folder, run.data.contract, bars)
    vecnormalize = VecNormalize.load(str(folder / NORMALIZER_FILE), make_vec_env(bars, config, 1))
    vecnormalize.training = False
    vecnormalize.norm_reward = False
    return MaskablePPO.load(folder / MODEL_FILE, device="cpu"), vecnormalize, config


def _require_same_contract(folder: Path, trained: dict[str, Any], bars: Bars) -> None:
    """Refuse bars of the symbol that was trained on whose contract has other numbers."""
    here = asdict(bars.contract)
    names = [name for name in here if name != "name" and trained.get(name) != here[name]]
    if trained.get("symbol") == here["symbol"] and names:
        differences = ", ".join(f"{name} {trained.get(name)} (here {here[name]})" for name in names)
        raise InputError(
            f"{folder}: trained on {here['symbol']} with {differences}; give bars of the contract that "
            "it was trained on, or describe the other one under a symbol of its own"
        )
