"""Agents ranked by what their training episodes made."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from jax_port.runs.logs.ranking import RANKING, of_the_end, rank, write_ranking


def record(update: int, agent: int, pnl: float | None, episodes: int = 2) -> dict[str, Any]:
    return {
        "update": update,
        "agent": agent,
        "episodes": episodes if pnl is not None else 0,
        "episode_pnl_dollars": pnl,
        "episode_reward": pnl and pnl / 100,
        "trades": 4 if pnl is not None else 0,
        "win_rate": 0.25 if pnl is not None else None,
    }


def test_the_best_comes_first_and_means_are_of_episodes() -> None:
    records = [record(1, 0, 100.0, 1), record(2, 0, 400.0, 2), record(1, 1, 301.0), record(1, 2, None)]
    ranked = rank(records)
    assert [one.agent for one in ranked] == [1, 0, 2]
    assert ranked[1].pnl_dollars == 300.0
    assert (ranked[1].episodes, ranked[1].win_rate, ranked[1].trades) == (3, 0.25, 8 / 3)
    assert ranked[2].pnl_dollars is None


def test_each_mean_is_of_what_it_is_a_mean_of() -> None:
    """Dollars and rewards of episodes, wins of trades; an update without any has no say."""
    first, second = record(1, 0, 100.0, 3), record(2, 0, 500.0, 1)
    first |= {"trades": 9, "win_rate": 1 / 3, "episode_reward": 2.0}
    second |= {"trades": 1, "win_rate": 1.0, "episode_reward": -2.0}
    third = record(3, 0, 800.0, 4) | {"trades": 0, "win_rate": None, "episode_reward": 1.0}
    (one,) = rank([first, second, third, record(4, 0, None)])
    assert (one.episodes, one.pnl_dollars, one.reward) == (8, 500.0, 1.0)
    assert (one.trades, one.win_rate) == (10 / 8, 4 / 10)


def test_an_agent_that_made_nothing_comes_before_those_that_lost() -> None:
    records = [record(1, 0, None), record(1, 1, -5.0), record(1, 2, 0.0), record(1, 3, 1.0)]
    assert [one.agent for one in rank(records)] == [3, 2, 1, 0]


def test_of_equal_agents_the_first_comes_first() -> None:
    records = [record(1, agent, 7.0) for agent in (2, 0, 1)] + [record(1, 3, 7.5), record(1, 4, None)]
    assert [one.agent for one in rank(records)] == [3, 0, 1, 2, 4]
    assert [one.agent for one in rank([record(1, 5, None), record(1, 2, None)])] == [2, 5]
    assert rank([]) == []


def test_only_the_last_quarter_counts() -> None:
    records = [record(update, 0, float(update)) for update in range(1, 41)]
    assert {one["update"] for one in of_the_end(records)} == set(range(31, 41))
    for updates, first in ((1, 1), (3, 3), (4, 4), (7, 7), (8, 7), (11, 10), (39, 31)):
        assert of_the_end(records[:updates]) == records[first - 1 : updates]
    two = [record(update, agent, 1.0) for update in range(1, 9) for agent in (0, 1)]
    assert of_the_end(two) == two[-4:]
    assert of_the_end([]) == []


def test_the_file_names_what_agents_differ_in(tmp_path: Path) -> None:
    settings = [{"gamma": 0.9, "seed": 3}, {"seed": 4}]
    write_ranking(tmp_path, rank([record(1, 0, 1.0), record(1, 1, 2.0)]), settings)
    rows = list(csv.DictReader((tmp_path / RANKING).read_text().splitlines()))
    assert [(row["rank"], row["agent"], row["seed"], row["gamma"]) for row in rows] == [
        ("1", "1", "4", ""),
        ("2", "0", "3", "0.9"),
    ]


def test_the_file_is_a_row_of_all_numbers_for_each_agent(tmp_path: Path) -> None:
    """And nothing, not a zero, where an agent has none."""
    first = record(1, 0, -12.5, 3) | {"trades": 9, "win_rate": 1 / 3, "episode_reward": 0.75}
    write_ranking(tmp_path, rank([record(1, 1, None), first]), [{"seed": 4}, {"seed": 8}])
    assert (tmp_path / RANKING).read_text() == (
        "rank,agent,episodes,pnl_dollars,reward,trades,win_rate,seed\n"
        f"1,0,3,-12.5,0.75,3.0,{1 / 3 * 9 / 9},4\n2,1,0,,,,,8\n"
    )
