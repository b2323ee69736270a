"""Windows' evaluations as one: whose rows are whose, by which policy it goes, what the page says."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foundation.files import finite
from jax_port.evaluation.evaluate import TRADE_COLUMNS, Evaluation
from jax_port.evaluation.metrics import summarize
from jax_port.evaluation.sheet.baselines import Baseline
from jax_port.evaluation.sheet.tear_sheet import tear_sheet
from jax_port.evaluation.walk_forward import joined as module
from jax_port.evaluation.walk_forward.joined import (
    FILES,
    Judged,
    join,
    judge,
    to_values,
    verdict,
    write,
)
from jax_port.evaluation.walk_forward.tried import Tried
from jax_port.evaluation.walk_forward.windows import Window
from markets import EnvConfig
from markets.contracts import get_contract
from tests.sentences import check_sentence
from tests.snapshots import Snapshot


def judged(first: int, days: int, trades: int) -> Evaluation:
    """Return ``days`` days of March 2025, two starts each, of which the first has ``trades`` trades."""
    opens = [
        pd.Timestamp(2025, 3, first + day, 9, 30, tz="America/New_York").tz_convert("UTC")
        for day in range(days)
    ]
    episodes = pd.DataFrame(
        [
            {
                "episode": 2 * day + at, "day": pd.Timestamp(2025, 3, first + day), "daily": at == 0,
                "steps": 2, "pnl": 10.0 * trades, "open_pnl": 0.0, "reward": 0.5, "done_reason": 4,
                "trades": trades, "open_bars": 1, "max_drawdown": 0.0,
            }
            for day in range(days)
            for at in range(2)
        ]
    )  # fmt: skip
    rows = [
        (2 * day, "long", 0, opens[day], 5_000.0, 1, opens[day], 5_001.0, 2, 10.0)
        for day in range(days)
        for _ in range(trades)
    ]
    closed = pd.DataFrame(rows, columns=list(TRADE_COLUMNS))
    for name in ("entry_time", "exit_time"):
        closed[name] = pd.DatetimeIndex(closed[name], tz="UTC")
    equity = pd.DataFrame(
        [
            {"episode": 2 * day, "step": step, "time": opens[day], "equity": 50_000.0 + 10 * step}
            for day in range(days)
            for step in range(3)
        ]
    )
    return Evaluation(episodes, closed, equity, "daily")


@pytest.mark.parametrize("trades", [(1, 2, 1), (0, 2, 1), (1, 0, 0), (0, 0, 0)], ids=str)
def test_rows_stay_those_of_their_episode(trades: tuple[int, ...]) -> None:
    parts = [judged(3 + 4 * at, 1 + at, count) for at, count in enumerate(trades)]
    found = join(parts)
    days = found.episodes.set_index("episode")["day"]
    assert days.index.tolist() == list(range(12))
    assert days.is_monotonic_increasing
    for table, name in ((found.trades, "entry_time"), (found.equity, "time")):
        times = pd.DatetimeIndex(table[name]).tz_convert("America/New_York").tz_localize(None)
        assert times.normalize().tolist() == days[table["episode"]].tolist()
    assert len(found.trades) == sum(len(part.trades) for part in parts)
    assert found.trades.columns.tolist() == list(TRADE_COLUMNS)
    assert pd.DatetimeIndex(found.trades["entry_time"]).tz is not None
    assert found.trades_of == "daily"
    assert parts[1].episodes["episode"].tolist() == [0, 1, 2, 3]  # the windows' own stay as they were


@pytest.mark.parametrize("sharpes", [(), (0.1,), (0.1, 0.2), (0.1, 0.2, -0.3)], ids=str)
def test_all_days_go_by_the_newest_policy_and_by_all_settings_tried(
    sharpes: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(module, "play_baselines", lambda *told: [*told])
    monkeypatch.setattr(module, "tear_sheet", lambda *told: given.extend(told))
    window = Window(*(date(2025, 1, day) for day in range(1, 5)))
    policies: list[Any] = ["oldest", "older", "newest"]
    market: Any = "bars"
    windows = [
        Judged(window, policy, judged(3 + at, 1, 1), Path("x")) for at, policy in enumerate(policies)
    ]
    found, _ = judge(windows, market, Tried(9, sharpes))
    result, policy, bars, baselines, trials, known = given
    assert result is found
    assert len(found.episodes) == 6
    assert (policy, bars, trials) == ("newest", "bars", 9)
    assert baselines == ["newest", "bars", found]
    if len(sharpes) < 2:
        assert known is None
    else:
        np.testing.assert_array_equal(known, sharpes)


def test_each_window_has_its_own_numbers() -> None:
    parts = [judged(3, 2, 1), judged(10, 1, 3)]
    windows = [
        Judged(
            Window(*(date(2025, 1 + at, day) for day in range(1, 5))),
            SimpleNamespace(about={"certificate": f"proof {at}", "steps": 100 + at}),  # type: ignore[arg-type]
            part,
            Path(f"window-{at}") / "report.html",
        )
        for at, part in enumerate(parts)
    ]
    sheet: Any = SimpleNamespace(values={"luck": {"days": 3, "deflated_sharpe": np.nan}})
    market: Any = SimpleNamespace(source="ES.csv", digest="d", contract=SimpleNamespace(symbol="ES"))
    values = to_values(windows, join(parts), sheet, market, Tried(4, (0.5, -0.5), "sweep.json"))
    assert values["windows"] == [
        {
            "train_first": f"2025-0{1 + at}-01",
            "train_last": f"2025-0{1 + at}-02",
            "test_first": f"2025-0{1 + at}-03",
            "test_last": f"2025-0{1 + at}-04",
            "report": f"window-{at}/report.html",
            "certificate": f"proof {at}",
            "steps": 100 + at,
            "performance": finite(summarize(part)["account"]),
            "trades": len(part.trades),
        }
        for at, part in enumerate(parts)
    ]
    assert values["performance"] == finite(summarize(join(parts)))
    assert values["performance"]["account"]["pnl"] == 50.0
    assert values["data"] == {"source": "ES.csv", "sha256": "d", "symbol": "ES"}
    assert values["tried"] == {"trials": 4, "sharpes": [0.5, -0.5], "source": "sweep.json"}
    assert values["tear_sheet"]["luck"] == {"days": 3, "deflated_sharpe": None}


@pytest.mark.parametrize(
    ("pnl", "windows", "interval"),
    [
        (100.0, (60.0, 0.0, 40.0), (20.0, 180.0)),
        (100.0, (120.0, -20.0), (0.0, 180.0)),
        (100.0, (120.0, -20.0), (-40.0, 180.0)),
        (0.0, (0.0,), (0.0, 0.0)),
        (-100.0, (-60.0, -40.0), (-180.0, -20.0)),
        (-100.0, (-160.0, 60.0), (-280.0, 20.0)),
        (100.0, (100.0,), (None, None)),
    ],
    ids=str,
)
def test_what_the_windows_say(pnl: float, windows: tuple[float, ...], interval: Any) -> None:
    told = verdict(
        {
            "performance": {"account": {"pnl": pnl, "days": 70}},
            "windows": [{"performance": {"pnl": one}} for one in windows],
            "tear_sheet": {
                "luck": {"days": 4 if None in interval else 70},
                "intervals": {"pnl": interval},
            },
        }
    )
    check_sentence(f"{told.tone}: {told.headline} | {told.reason}")


def test_the_page_and_the_tables_are_of_all_windows(
    tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The curve goes on from window to window, and files of before are replaced."""
    parts = [judged(3, 2, 1), judged(10, 1, 3)]
    bars = np.zeros((4, 8), np.int32)
    market: Any = SimpleNamespace(
        source="ES.csv", digest="d", contract=get_contract("ES"), bars=bars
    )  # fmt: skip
    policy: Any = SimpleNamespace(config=EnvConfig.phase1(), about={"certificate": "ungated"})
    windows = [
        Judged(Window(*(date(2025, 1 + at, day) for day in range(1, 5))), policy, part, Path(f"w{at}"))
        for at, part in enumerate(parts)
    ]
    made_with = {"versions": {"python": "3.0", "jax": "0.1"}, "device": "a device"}
    monkeypatch.setattr(module, "made_with", lambda: made_with)
    joined = join(parts)
    without = [Baseline("never", np.zeros(3, np.int64), 0, 0)]
    values = to_values(
        windows, joined, tear_sheet(joined, policy, market, without), market, Tried(4)
    )  # fmt: skip
    drawn: list[Any] = []
    real = module.equity_plot
    monkeypatch.setattr(module, "equity_plot", lambda *given: drawn.extend(given) or real(*given))
    for name in ("equity.parquet", "walk_forward.html", "notes.txt"):
        (tmp_path / name).write_text("of before")
    write(tmp_path, values, joined)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "notes.txt"}
    for name in ("episodes", "trades", "equity"):
        table = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(table, getattr(joined, name), check_dtype=False)
    assert json.loads((tmp_path / "walk_forward.json").read_text()) == json.loads(json.dumps(values))
    curve, days, first = drawn
    # Each of three days gains $20 in two steps.
    assert curve.tolist() == [50_000.0 + gained for gained in (0, 10, 20, 20, 30, 40, 40, 50, 60)]
    assert (first.tolist(), [day.day for day in days]) == ([0, 3, 6], [3, 4, 10])
    page = (tmp_path / "walk_forward.html").read_text()
    assert verdict(values).headline in page
    for at in (0, 1):
        assert f'href="w{at}"' in page
    for name in ("walk_forward.html", "walk_forward.json"):
        snapshot(name, tmp_path / name)
