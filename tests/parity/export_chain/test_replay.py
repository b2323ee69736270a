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
