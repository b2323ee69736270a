"""Episodes that are replayed in the reference are of the whole file, and every trade of them counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation.evaluate import TRADE_COLUMNS
from parity.export_chain import replay as played
from parity.export_chain.comparison import Board
from parity.export_chain.replay import spread


@pytest.mark.parametrize("count", [1, 2, 5, 20, 999])
@pytest.mark.parametrize("episodes", [2, 7, 20])
def test_starts_are_spread_from_the_first_to_the_last(count: int, episodes: int) -> None:
    starts = np.sort(np.random.default_rng(count).choice(5000, count, replace=False)).astype(np.int32)
    rows = spread(starts, episodes)
    assert rows.dtype == np.int64
    assert len(rows) == min(count, episodes)
    places = np.searchsorted(starts, rows)
    assert starts[places].tolist() == rows.tolist()
    assert (places[0], places[-1]) == (0, count - 1)
    if count > 1:
        gaps = np.diff(places)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


STARTS = np.array([100, 250, 400], np.int32)
TIME = pd.Timestamp("2025-01-06 15:00", tz="UTC")


def episodes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "steps": [10, 20, 30],
            "trades": [2, 0, 1],
            "wins": [1, 0, 0],
            "pnl": [125.0, 0.0, -37.5],
            "done_reason": [1, 3, 4],
            "reward": [1.5, -0.25, 4.0],
        }
    )


def trades() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "episode": [0, 0, 2],
            "side": ["long", "short", "short"],
            "entry_step": [101, 105, 407],
            "entry_time": [TIME + pd.Timedelta(minutes=n) for n in (1, 5, 9)],
            "entry_price": [6000.25, 6001.0, 5990.5],
            "exit_step": [103, 108, 410],
            "exit_time": [TIME + pd.Timedelta(minutes=n) for n in (3, 8, 12)],
            "exit_price": [6003.25, 6000.0, 5991.25],
            "exit_code": [1, 2, 3],
            "pnl": [150.0, -25.0, -37.5],
        }
    )


def replayed(
    monkeypatch: pytest.MonkeyPatch,
    ours: tuple[pd.DataFrame, pd.DataFrame],
    theirs: tuple[pd.DataFrame, pd.DataFrame],
) -> tuple[Board, dict[str, Any]]:
    """Compare what both sides are said to have played."""
    asked: list[Any] = []

    def evaluate(*given: Any, **more: Any) -> Any:
        asked.append((given, more))
        return SimpleNamespace(episodes=ours[0], trades=ours[1])

    monkeypatch.setattr(played, "evaluate", evaluate)
    monkeypatch.setattr(played, "_play", lambda *given: asked.append(given) or theirs)
    board = Board()
    market: Any = SimpleNamespace(starts=STARTS)
    place: Any = ("folder", "policy", "bars")
    report = played.replay(board, *place, market, 3)
    (given, more), play = asked
    assert given == ("policy", market)
    assert more["rows"].tolist() == play[3].tolist() == STARTS.tolist()
    assert (more["trades_of"], play[:3]) == ("all", place)
    return board, report


def failed(board: Board) -> list[str]:
    return [one.stage for one in board.comparisons if not one.passed]


def test_equal_episodes_and_trades_agree_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    board, report = replayed(monkeypatch, (episodes(), trades()), (episodes(), trades()))
    assert failed(board) == []
    assert report == {
        "episodes": 3,
        "trades": 3,
        "pnl_dollars": {"jax": 87.5, "sb3 in the reference": 87.5},
    }
    counts = {one.stage: one.compared for one in board.comparisons}
    names = [f"episode: {name}" for name in episodes()] + [f"trade: {name}" for name in TRADE_COLUMNS]
    assert counts == {**dict.fromkeys(names, 3), "number of trades": 1}
    assert {one.hop for one in board.comparisons} == {played.HOP}


def another(value: Any) -> Any:
    if isinstance(value, str):
        return "short" if value == "long" else "long"
    return value + (pd.Timedelta(milliseconds=1) if isinstance(value, pd.Timestamp) else 1)


@pytest.mark.parametrize("of", ["episode", "trade"])
def test_the_last_of_each_column_is_compared_on_both_sides(
    monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    for name in episodes() if of == "episode" else trades():
        table = episodes() if of == "episode" else trades()
        table[name] = [*table[name][:-1], another(table[name].iloc[-1])]
        other = (table, trades()) if of == "episode" else (episodes(), table)
        same = episodes(), trades()
        for ours, theirs in ((same, other), (other, same)):
            assert failed(replayed(monkeypatch, ours, theirs)[0]) == [f"{of}: {name}"]


@pytest.mark.parametrize(("share", "differs"), [(0.9, False), (-0.9, False), (1.1, True), (-1.1, True)])
def test_rewards_are_sums_of_float32(
    monkeypatch: pytest.MonkeyPatch, share: float, differs: bool
) -> None:
    """Of a reward of 4 they may be 1e-5 apart, and a millionth of it."""
    table = episodes()
    table["reward"] += [0.0, 0.0, share * (1e-5 + 4e-6)]
    board, _ = replayed(monkeypatch, (table, trades()), (episodes(), trades()))
    assert failed(board) == ["episode: reward"][: int(differs)]


def test_trades_that_only_one_side_makes_are_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    none = trades().iloc[:0]
    board, report = replayed(monkeypatch, (episodes(), none), (episodes(), none))
    assert failed(board) == []
    assert report["trades"] == 0
    assert not [one for one in board.comparisons if one.stage.startswith("trade: ")]
    for ours, theirs in ((none, trades()), (trades(), none), (trades(), trades().iloc[:2])):
        board, report = replayed(monkeypatch, (episodes(), ours), (episodes(), theirs))
        assert failed(board) == ["number of trades", *(f"trade: {name}" for name in TRADE_COLUMNS)]
        assert report["trades"] == len(theirs)


def test_both_sides_pnl_is_told_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    other = episodes()
    other["pnl"] = [100.004, 0.0, 0.001]
    _, report = replayed(monkeypatch, (episodes(), trades()), (other, trades()))
    assert report["pnl_dollars"] == {"jax": 87.5, "sb3 in the reference": 100.01}
    _, report = replayed(monkeypatch, (other, trades()), (episodes(), trades()))
    assert report["pnl_dollars"] == {"jax": 100.01, "sb3 in the reference": 87.5}


class Scripted:
    """An environment whose episodes are told: rewards, how each ends, and its trades."""

    def __init__(self, episodes: dict[int, tuple[list[float], str, list[dict[str, Any]]]]) -> None:
        self.episodes, self.taken, self.at = episodes, list[tuple[int, int, int]](), 0
        self.num_trades = self.winning_trades = self.row = 0
        self.total_pnl, self.trade_history = 0.0, list[dict[str, Any]]()

    def reset(self, options: dict[str, int]) -> Any:
        self.row, self.at, self.trade_history = options["start_index"], 0, []
        self.num_trades, self.winning_trades, self.total_pnl = 0, 0, 0.0
        return np.array([self.row, 0.0]), {}

    def action_masks(self) -> Any:
        return np.array([True, self.at % 2 == 0, False])

    def step(self, action: int) -> Any:
        self.taken.append((self.row, self.at, action))
        assert type(action) is int
        rewards, end, trades = self.episodes[self.row]
        reward, self.at = rewards[self.at], self.at + 1
        over = self.at == len(rewards)
        if over:
            self.trade_history = trades
            self.num_trades, self.winning_trades = len(trades) + 1, len(trades)
            self.total_pnl = 2.5 * self.row
        told = {"done_reason": self.row % 5 if over else 0}
        return (
            np.array([self.row, self.at]),
            reward,
            over and end == "over",
            over and end == "cut",
            told,
        )


def test_episodes_are_played_to_their_end_with_normalised_observations_and_masks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, third = (row.to_dict() for _, row in trades().iterrows())
    script = {7: ([0.5, 0.25], "over", [first, second]), 13: ([1.0, -2.0, 0.125], "cut", [third])}
    for rows in script.values():
        for trade in rows[2]:
            del trade["episode"]
    env, seen = Scripted(script), list[tuple[list[float], list[bool]]]()

    def predict(obs: Any, action_masks: Any, deterministic: bool) -> Any:
        assert deterministic is True
        seen.append((obs.tolist(), action_masks.tolist()))
        return np.array(len(seen)), None

    def load(folder: str, make: Any) -> Any:
        assert (folder, make()) == ("folder", env)
        return SimpleNamespace(predict=predict), SimpleNamespace(normalize_obs=lambda obs: 10 * obs)

    monkeypatch.setattr(
        played, "ENVIRONMENTS", {2: lambda bars, config: env if bars == "bars" else None}
    )
    monkeypatch.setattr(played, "load_sb3", load)
    policy: Any = SimpleNamespace(config=SimpleNamespace(phase=2))
    place: Any = ("folder", policy, "bars")
    told, made = played._play(*place, np.array([13, 7]))
    assert told.to_dict("list") == {
        "steps": [3, 2],
        "trades": [2, 3],
        "wins": [1, 2],
        "pnl": [32.5, 17.5],
        "done_reason": [3, 2],
        "reward": [-0.875, 0.75],
    }
    assert list(made.columns) == list(TRADE_COLUMNS)
    assert made["episode"].tolist() == [0, 1, 1]
    assert made["pnl"].tolist() == [-37.5, 150.0, -25.0]
    assert env.taken == [(13, 0, 1), (13, 1, 2), (13, 2, 3), (7, 0, 4), (7, 1, 5)]
    assert seen[0] == ([130.0, 0.0], [True, True, False])
    assert seen[1] == ([130.0, 10.0], [True, False, False])
