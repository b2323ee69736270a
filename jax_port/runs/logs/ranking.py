"""The agents of a run in the order of what their training episodes made, as a table and a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from foundation.files import write_text

RANKING = "ranking.csv"
LAST_SHARE = 4
"""Agents are ranked by the last one in so many of their updates."""

Record = Mapping[str, Any]


class Ranked(NamedTuple):
    """One agent's training episodes over some updates.

    Attributes:
        agent: its number, from 0.
        episodes: that ended.
        pnl_dollars: their mean PnL; None where none ended.
        reward: their mean reward.
        trades: of an episode, on average.
        win_rate: share of trades that won; None where there was none.
    """

    agent: int
    episodes: int
    pnl_dollars: float | None
    reward: float | None
    trades: float | None
    win_rate: float | None


def rank(records: Sequence[Record]) -> list[Ranked]:
    """Return the agents of records, the one with the highest mean PnL of an episode first.

    Args:
        records: of any updates, from :func:`jax_port.runs.logs.training_log.records_of`.
    """
    agents = sorted({record["agent"] for record in records})
    ranked = [_summed([one for one in records if one["agent"] == agent]) for agent in agents]
    return sorted(ranked, key=lambda one: (one.pnl_dollars is None, -(one.pnl_dollars or 0.0)))


def of_the_end(records: Sequence[Record]) -> list[Record]:
    """Return the records of the last quarter of updates, at least of one."""
    last = max((record["update"] for record in records), default=0)
    return [one for one in records if one["update"] > last - max(1, last // LAST_SHARE)]


def write_ranking(
    folder: Path, ranked: Sequence[Ranked], settings: Sequence[Mapping[str, Any]]
) -> None:
    """Write :data:`RANKING` into a run's folder.

    Args:
        folder: of the run.
        ranked: from :func:`rank`.
        settings: what each agent was trained with that others were not, by its number.
    """
    names = list(dict.fromkeys(name for one in settings for name in one))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["rank", *Ranked._fields, *names])
    for place, one in enumerate(ranked, 1):
        own = settings[one.agent]
        cells = ["" if value is None else value for value in one]
        writer.writerow([place, *cells, *(own.get(name, "") for name in names)])
    write_text(folder / RANKING, out.getvalue())


def _summed(records: Sequence[Record]) -> Ranked:
    episodes = sum(one["episodes"] for one in records)
    trades = sum(one["trades"] for one in records)

    def mean(name: str, weight: str, total: int) -> float | None:
        known = [one for one in records if one[name] is not None]
        return sum(one[name] * one[weight] for one in known) / total if total else None

    return Ranked(
        agent=records[0]["agent"],
        episodes=episodes,
        pnl_dollars=mean("episode_pnl_dollars", "episodes", episodes),
        reward=mean("episode_reward", "episodes", episodes),
        trades=trades / episodes if episodes else None,
        win_rate=mean("win_rate", "trades", trades),
    )
