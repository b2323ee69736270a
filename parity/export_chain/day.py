"""A whole day of raw bars with the policy's decisions, for the C# checker on any machine.

The reference's environment says what is seen, allowed and filled; the port says, in float64, what the
policy makes of it. The file is of :mod:`jax_port.export.golden`'s form, but for its bars, which stay in
a CSV as market data come: ``timestamp,open,high,low,close,volume``, stamped by their open in UTC.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from jax_port.export.stages import in_float64
from jax_port.ppo.policy import Policy
from legacy_torch.features import add_features
from legacy_torch.phases import ENVIRONMENTS
from markets import Bars, InputError
from markets.bars import COLUMNS, FEATURES
from markets.clock import new_york_dates

BARS, DAY = "bars.csv", "day.json"
PRELOAD = 300
"""Bars of the session before the day: until then MACD remembers where the file begins."""
DISTANCES = ("stop_ticks", "target_ticks", "trail_ticks")


def make_day(policy: Policy, bars: Bars, date: str | None = None) -> dict[str, Any]:
    """Return a New York day's features, decisions and fills at every bar of the session.

    The policy plays from the day's first start to its last bar. Where an episode ends before that, the
    next begins at the last start that is not later, so that no bar is left out.

    Args:
        policy: decides.
        bars: the market, before its session is cut.
        date: of the day, such as "2025-09-17"; by default the fullest one, the last of equals.

    Raises:
        InputError: no day of the bars, or not the one asked for, can be played from beginning to end.
    """
    env = ENVIRONMENTS[policy.config.phase](bars, policy.config)
    session = env.bars
    dates = new_york_dates(session.timestamps_ns)
    first, last = _choose(env, dates, date)
    rows = np.flatnonzero(dates == dates[first])
    steps: list[list[dict[str, Any]]] = []
    seen: list[dict[str, Any]] = []
    at = first
    while at <= last:
        start = int(env.valid_starts[env.valid_starts <= at][-1])
        episode, cases = _play(env, policy, start, last, len(steps))
        steps.append(episode)
        seen += cases
        if start + len(episode) <= at:
            break  # the account does not live to see the rest
        at = start + len(episode)
    table = add_features(session.frame, session.contract.tick_size, policy.config)
    return {
        "about": "bars are in a file of their own, stamped by their open; a decision at a bar is taken "
        "at its close, from the bars before it and the position at it; logits are in 64-bit floats",
        "source": bars.source,
        "day": str(np.datetime64(int(dates[first]), "D")),
        "features": [
            {
                "time": int(session.timestamps_ns[row] // 1_000_000_000),
                "values": [float(table[name].iloc[row]) for name in FEATURES],
                **{name: int(table[name].iloc[row]) for name in DISTANCES},
            }
            for row in rows
        ],
        "episodes": steps,
        "cases": seen,
    }


def to_csv(bars: Bars, end: int | None = None) -> str:
    """Return bars as the CSV that the checker reads, up to a bar's open in UTC seconds if given."""
    frame = bars.frame if end is None else bars.frame[bars.timestamps_ns <= end * 1_000_000_000]
    index = frame.index
    assert isinstance(index, pd.DatetimeIndex)
    columns = [frame[name].tolist() for name in COLUMNS]
    lines = [f"timestamp,{','.join(COLUMNS)}"]
    for time, *numbers in zip(index.strftime("%Y-%m-%d %H:%M:%S"), *columns, strict=True):
        lines.append(f"{time},{','.join(map(repr, numbers))}")
    return "\n".join(lines) + "\n"


def last_time(day: dict[str, Any]) -> int:
    """Return the open of a day's last bar, in UTC seconds."""
    return int(day["features"][-1]["time"])


def _choose(env: Any, dates: Any, date: str | None) -> tuple[int, int]:
    """Return the first start and the last bar of the day to play."""
    playable: list[tuple[int, int, int]] = []
    starts = env.valid_starts[env.valid_starts >= PRELOAD]
    for day in np.unique(dates[starts]):
        rows, own = np.flatnonzero(dates == day), starts[dates[starts] == day]
        whole = own[-1] + env.config.max_episode_bars > rows[-1]
        if whole and date in (None, str(np.datetime64(int(day), "D"))):
            playable.append((len(rows), int(own[0]), int(rows[-1])))
    if not playable:
        raise InputError(
            f"{env.bars.source}: {date or 'any day'} can't be played from beginning to end; it needs "
            f"{PRELOAD} bars of the session before it, and another day after it"
        )
    most = max(playable)[0]
    _, first, last = [entry for entry in playable if entry[0] == most][-1]
    return first, last


def _play(
    env: Any, policy: Policy, start: int, last: int, number: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Play from a start to the last bar; return its steps and what was seen and decided at each."""
    obs, _ = env.reset(options={"start_index": start})
    steps: list[dict[str, Any]] = []
    cases: list[dict[str, Any]] = []
    done = False
    while not done and env.step_idx <= last:
        mask, trades, closed = env.action_masks(), env.num_trades, len(env.trade_history)
        exact = in_float64(policy, obs[None], mask[None])
        action = int(exact["action"][0])
        step: dict[str, Any] = {
            "time": int(env.bars.timestamps_ns[env.step_idx] // 1_000_000_000),
            "wanted": action,
            "taken": action,
        }
        cases.append(
            {
                "episode": number,
                "step": len(steps),
                "observation": [float(str(x)) for x in obs],
                "mask": mask.tolist(),
                "logits": exact["action_head"][0].tolist(),
                "action": action,
            }
        )
        obs, _, terminated, truncated, _ = env.step(action)
        if env.num_trades > trades:
            price = env.entry_price or env.trade_history[-1]["entry_price"]
            step["entered"] = {"side": 1 if action == 1 else -1, "price": float(price)}
        if len(env.trade_history) > closed:
            step["exited"] = True
        steps.append(step)
        done = terminated or truncated
    return steps, cases
