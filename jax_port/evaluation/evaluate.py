"""Evaluation of a policy: an episode from every start, and one a day as an account would live it.

Source: section 4 of ``docs/environment.md`` for where episodes start; the trades table is the
reference's, column by column. A trade's PnL is booked when it closes; what is still open when an
episode is cut off by its bar limit is marked at the last close and shown apart. With one-second bars
the account is held to its floor in every second (section 8); :mod:`jax_port.evaluation.intrabar` sets
both verdicts side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket, stack
from jax_port.data.seconds_loader import PreparedSeconds, stack_seconds
from jax_port.envs.phase import Phase
from jax_port.envs.registry import PHASES, phase_of
from jax_port.envs.state import EnvParams
from jax_port.evaluation.advice.advised import AdviceCounts, Advised
from jax_port.evaluation.episodes import LANES, Episodes, Steps, play
from jax_port.ppo.policy import Policy
from markets import Contract, InputError
from markets.advice.by_bar import COLUMNS
from markets.bars import FEATURES
from markets.clock import new_york_dates

Starts = Literal["daily", "all"]
STARTS: tuple[Starts, ...] = ("daily", "all")

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


@dataclass(frozen=True)
class Evaluation:
    """What a policy did. Steps count the session's bars from 0; times are UTC bar opens.

    Attributes:
        episodes: one row a start, in order of time: episode (its number), start (step), start_time,
            day (New York date), daily (bool, the first start of its day), steps, pnl (dollars of
            closed trades, after commission), open_at_end (bool), open_pnl (dollars, that trade marked
            at the last close, less its entry's commission), reward, done_reason, trades (opened),
            wins, open_bars (steps that ended with an open position), max_drawdown (dollars, of the
            episode's equity below its own peak).
        trades: one row a closed trade, columns ``TRADE_COLUMNS``: of the daily episodes, or of all;
            side is "long" or "short", prices in points, pnl in dollars after both commissions.
        equity: of the daily episodes, one row at the start (step 0) and one after each step: episode,
            step, time (of the bar that the step traded), equity (dollars), position (-1, 0 or 1), and
            the open trade's entry, stop and target (points, for the next bar; NaN when flat).
        trades_of: which episodes the trades table covers.
        advised: where the policy was advised, one row a start as in ``episodes``: episode, questions
            (asked), advised (decisions that had advice), changed (decisions other than the bare
            policy's there).
    """

    episodes: pd.DataFrame
    trades: pd.DataFrame
    equity: pd.DataFrame
    trades_of: Starts
    advised: pd.DataFrame | None = None


def evaluate(
    policy: Policy,
    market: PreparedMarket,
    *,
    rows: NDArray[np.integer[Any]] | Sequence[int] | None = None,
    trades_of: Starts = "daily",
    seconds: PreparedSeconds | None = None,
    lanes: int = LANES,
    on_batch: Callable[[int], None] | None = None,
    advice: Advised | None = None,
) -> Evaluation:
    """Play an episode from every given start.

    The daily episodes are the first given start of each New York day. They are among all, so nothing
    is played twice.

    Args:
        policy: takes its likeliest allowed action.
        market: bars prepared with the policy's own configuration, and advised as it was trained.
        rows: bars to start at, from ``market.starts``; all of them by default.
        trades_of: list the trades of the daily episodes, in which nothing happens twice, or those of
            all, which overlap.
        seconds: of the market's bars; None looks at the account once a minute, at the close.
        lanes: episodes played together.
        on_batch: called after each batch with its number of episodes.
        advice: what the policy is advised with; None for none.

    Raises:
        InputError: no start, a bar at which no episode may start, a policy for other observations or
            trained with advice that is not there, or seconds or advice of other bars.
    """
    check_policy(policy)
    check_advised(policy, market)
    rows = market.starts if rows is None else np.unique(np.asarray(rows, np.int64))
    numbers = np.searchsorted(market.starts, rows)
    if not len(rows):
        raise InputError(f"{market.source}: no start was given; give at least one")
    nearest = market.starts[np.minimum(numbers, len(market.starts) - 1)]
    if (nearest != rows).any():
        raise InputError(
            f"{market.source}: no episode may start at bar {int(rows[nearest != rows][0])}; choose "
            f"from the {len(market.starts)} starts"
        )
    daily = first_of_each_day(market, rows)
    chosen = daily if trades_of == "daily" else np.ones(len(rows), bool)
    order = np.argsort(~chosen, kind="stable")  # batches whose steps are wanted come first
    params = _params(policy, market, seconds)
    if advice is not None and len(advice.bars.minute) != len(market):
        raise InputError(
            f"{market.source}: advice on {len(advice.bars.minute)} bars beside its {len(market)}; give "
            "advice that was made from these bars"
        )
    batches: list[Episodes] = []
    counts: list[AdviceCounts] = []
    trades: list[pd.DataFrame] = []
    equity: list[pd.DataFrame] = []
    begun = 0
    for ends, steps, told in play(
        policy, params, numbers[order], int(chosen.sum()), lanes=lanes, advice=advice
    ):
        episode = order[begun : begun + len(ends.row)]
        if steps is not None:
            trades.append(_trades(ends, steps, episode, chosen, market))
            equity.append(_equity(ends, steps, episode, daily, market, policy))
        batches.append(ends)
        if told is not None:
            counts.append(told)
        begun += len(ends.row)
        if on_batch is not None:
            on_batch(len(ends.row))
    back = np.argsort(order)
    merged: Episodes = jax.tree.map(lambda *parts: np.concatenate(parts)[back], *batches)
    return Evaluation(
        _episodes(merged, daily, market, policy),
        _joined(trades, ["episode", "exit_step"]),
        _joined(equity, ["episode", "step"]),
        trades_of,
        _advised(counts, back) if counts else None,
    )


def _advised(counts: list[AdviceCounts], back: NDArray[np.int64]) -> pd.DataFrame:
    columns = {
        name: np.concatenate([getattr(batch, name) for batch in counts])[back]
        for name in AdviceCounts._fields
    }
    return pd.DataFrame({"episode": np.arange(len(back)), **columns})


def _params(policy: Policy, market: PreparedMarket, seconds: PreparedSeconds | None) -> EnvParams:
    params = phase_of(policy.config).make_params(stack([market]), policy.config)
    if seconds is None:
        return params
    check_seconds(seconds, market)
    return replace(params, seconds=stack_seconds([seconds]))


def first_of_each_day(market: PreparedMarket, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Return which of the rising ``rows`` is the first of its New York day, shape (len(rows),)."""
    days = new_york_dates(market.timestamps_ns[rows])
    return np.diff(days, prepend=days[:1] - 1) != 0


def check_policy(policy: Policy, where: object = "the policy") -> None:
    """Refuse a policy whose network does not fit the observations of its own configuration.

    Args:
        policy: any.
        where: what the message calls it, such as its file.

    Raises:
        InputError: naming the sizes, and the phase that they would fit.
    """
    config, phase = policy.config, phase_of(policy.config)
    if policy.own is not None:  # whose outputs were looked at when it was loaded
        return
    layers = policy.params["params"]
    inputs, actions = layers["policy_0"]["kernel"].shape[0], layers["action_head"]["kernel"].shape[1]

    columns = len(COLUMNS) if policy.advice is not None and policy.advice.way == "columns" else 0

    def size(of: Phase) -> int:
        return config.window_size * (len(FEATURES) + columns) + of.position_features

    statistics = inputs if policy.statistics is None else policy.statistics["mean"].shape[0]
    if (statistics, inputs, actions) == (size(phase), size(phase), phase.num_actions):
        return
    sizes = ", and ".join(
        f"phase {number} has {size(one)} numbers and {one.num_actions} actions"
        for number, one in PHASES.items()
    )
    fits = [
        number
        for number, one in PHASES.items()
        if (statistics, inputs, actions) == (size(one), size(one), one.num_actions)
    ]
    mend = f"it is phase {fits[0]}'s: pass --phase {fits[0]}" if fits else "train it anew"
    raise InputError(
        f"{where}: its network takes {inputs} numbers, its statistics are of {statistics}, and it has "
        f"{actions} actions; with a window_size of {config.window_size}, {sizes}; {mend}"
    )


def check_advised(policy: Policy, market: PreparedMarket) -> None:
    """Refuse bars that are advised in another way than the policy was trained.

    Raises:
        InputError: naming the way.
    """
    way = "" if policy.advice is None else policy.advice.way
    if way != market.advised:
        trained = f"was trained with advice as {way}" if way else "was trained without advice"
        given = f"carry advice as {market.advised}" if market.advised else "carry none"
        raise InputError(
            f"{market.source}: the policy {trained}, and these bars {given}; play it with what it was "
            "trained with (`rltrader evaluate --advice TABLE`)"
        )


def check_seconds(seconds: PreparedSeconds, market: PreparedMarket) -> None:
    """Refuse seconds that were laid beside other bars.

    Raises:
        InputError: naming both lengths.
    """
    if len(seconds.high) != len(market):
        raise InputError(
            f"{seconds.source}: seconds of {len(seconds.high)} minutes beside the {len(market)} bars "
            f"of {market.source}; prepare both from the same bars"
        )


def _times(market: PreparedMarket, rows: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(market.timestamps_ns[rows], tz="UTC")


def _episodes(
    ends: Episodes, daily: NDArray[np.bool_], market: PreparedMarket, policy: Policy
) -> pd.DataFrame:
    days = new_york_dates(market.timestamps_ns[ends.row])
    return pd.DataFrame(
        {
            "episode": np.arange(len(ends.row)),
            "start": ends.row,
            "start_time": _times(market, ends.row),
            "day": days.astype("datetime64[D]").astype("datetime64[s]"),
            "daily": daily,
            "steps": ends.steps,
            "pnl": ends.pnl / 100,
            "open_at_end": ends.open_at_end,
            "open_pnl": (ends.equity - _initial_cents(policy) - ends.pnl) / 100,
            "reward": ends.reward,
            "done_reason": ends.done_reason,
            "trades": ends.trades,
            "wins": ends.wins,
            "open_bars": ends.open_bars,
            "max_drawdown": ends.max_drawdown / 100,
        }
    )


def _trades(
    ends: Episodes,
    steps: Steps,
    episode: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    market: PreparedMarket,
) -> pd.DataFrame:
    """Return the trades of a batch's chosen episodes."""
    when, lane = np.nonzero((steps.exit_code > 0) & chosen[episode][None])
    contract: Contract = market.contract
    entry_row = steps.entry_row[when, lane].astype(np.int64)
    exit_row = ends.row[lane] + when
    return pd.DataFrame(
        {
            "episode": episode[lane],
            "side": np.where(steps.side[when, lane] > 0, "long", "short"),
            "entry_step": entry_row,
            "entry_time": _times(market, entry_row),
            "entry_price": contract.to_points(steps.entry_price[when, lane]),
            "exit_step": exit_row,
            "exit_time": _times(market, exit_row),
            "exit_price": contract.to_points(steps.exit_price[when, lane]),
            "exit_code": steps.exit_code[when, lane].astype(np.int64),
            "pnl": steps.pnl[when, lane] / 100,
        },
        columns=list(TRADE_COLUMNS),
    )


def _equity(
    ends: Episodes,
    steps: Steps,
    episode: NDArray[np.int64],
    daily: NDArray[np.bool_],
    market: PreparedMarket,
    policy: Policy,
) -> pd.DataFrame:
    """Return the account of a batch's daily episodes at the start and after each step."""
    lanes = np.flatnonzero(daily[episode])
    counts = ends.steps[lanes] + 1
    lane = np.repeat(lanes, counts)
    step = np.arange(len(lane)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins, taken = step == 0, np.maximum(step - 1, 0)
    position = np.where(begins, 0, steps.position[taken, lane])

    def level(ticks: Any) -> NDArray[np.float64]:
        points = market.contract.to_points(ticks[taken, lane])
        return np.where(position == 0, np.nan, points)

    return pd.DataFrame(
        {
            "episode": episode[lane],
            "step": step,
            "time": _times(market, ends.row[lane] + taken),
            "equity": np.where(begins, _initial_cents(policy), steps.equity[taken, lane]) / 100,
            "position": position.astype(np.int64),
            "entry": level(steps.held_price),
            "stop": level(steps.sl_price),
            "target": level(steps.tp_price),
        }
    )


def _initial_cents(policy: Policy) -> int:
    return round(policy.config.account.initial_balance_dollars * 100)


def _joined(parts: list[pd.DataFrame], by: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True).sort_values(by, ignore_index=True)
