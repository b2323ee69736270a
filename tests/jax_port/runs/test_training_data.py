"""Which bars are trained on: the last day of a range, and every file, not the first or last alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import prepare
from jax_port.data.features import compute_features
from jax_port.runs.training_data import (
    Source,
    TrainingData,
    from_options,
    iso_date,
    trading_days,
)
from markets import EnvConfig, InputError
from markets.bars import FEATURES
from markets.clock import new_york_dates
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.pattern import pattern_bars
from markets.synthetic.seconds import second_bars
from markets.writers import write_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=30)
WEEK = TrainingData((Source("ES", kind="synthetic", days=5, seed=0),))


def _days(data: TrainingData) -> list[str]:
    return [iso_date(int(day)) for day in np.unique(new_york_dates(data.bars()[0].timestamps_ns))]


def test_a_range_keeps_its_first_and_its_last_day_whole() -> None:
    days = _days(WEEK)
    cut = TrainingData(WEEK.sources, days[1], days[3])
    assert _days(cut) == days[1:4]
    dates = new_york_dates(WEEK.bars()[0].timestamps_ns)
    of_them = [iso_date(int(day)) in days[1:4] for day in dates]
    assert len(cut.bars()[0]) == sum(of_them)
    _, (facts,) = cut.load(CONFIG)
    assert (facts["first"], facts["last"]) == (days[1], days[3])
    one = TrainingData(WEEK.sources, days[2], days[2])
    assert _days(one) == [days[2]]


@pytest.mark.parametrize("first", ["", "2025-01-01"], ids=["whole", "cut"])
def test_one_second_bars_are_not_trained_on(tmp_path: Path, first: str) -> None:
    """A policy would learn from seconds what it is later asked in minutes."""
    minutes = synthetic_bars("ES", days=1, seed=3).select(slice(0, 30))
    path = tmp_path / "fine.csv"
    write_bars(second_bars(minutes, seed=3), path)
    data = from_options(files=[path], symbols=["ES"], first=first)
    for read in (data.bars, lambda: data.prepared(CONFIG)):
        with pytest.raises(InputError, match=r"fine\.csv: bars are 1 seconds apart"):
            read()


BARS = {
    "synthetic": lambda: synthetic_bars("NQ", days=5, seed=3),
    "pattern": lambda: pattern_bars("NQ", days=5, seed=3, strength=0.25),
}
"""What a source of a kind stands for, read without it."""


@pytest.mark.parametrize("kind", ["synthetic", "pattern", "file"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_what_is_trained_on_is_the_source_s_own_bars_of_the_dates(
    kind: str, first: bool, last: bool, tmp_path: Path
) -> None:
    """With each end of the range given or not; a cache and the reader's options change nothing."""
    whole = BARS.get(kind, BARS["synthetic"])()
    source = Source("NQ", kind=kind, days=5, seed=3, strength=0.25 if kind == "pattern" else 1.0)
    if kind == "file":
        frame = whole.frame.copy()
        frame.index = (
            frame.index.tz_convert("America/New_York") + pd.Timedelta(minutes=1)
        ).tz_localize(None)
        frame.to_csv(tmp_path / "NQ.csv")
        reader = {"timezone": "America/New_York", "stamped": "close"}
        source = Source("NQ", str(tmp_path / "NQ.csv"), reader=reader)
    dates = new_york_dates(whole.timestamps_ns)
    days = np.unique(dates)
    low, high = (days[1] if first else days[0]), (days[3] if last else days[4])
    kept = whole.select((dates >= low) & (dates <= high))
    data = TrainingData(
        (source,), iso_date(int(low)) if first else "", iso_date(int(high)) if last else ""
    )
    assert TrainingData.from_dict(data.to_dict()) == data
    (bars,) = data.bars()
    pd.testing.assert_frame_equal(bars.frame, kept.frame, check_freq=False)
    (market,), (facts,) = data.prepared(CONFIG)
    expected = prepare(kept, CONFIG)
    for name in ("features", "bars", "starts", "timestamps_ns"):
        np.testing.assert_array_equal(getattr(market, name), getattr(expected, name))
    assert facts == {
        "symbol": "NQ",
        "contract": {
            "tick_size": 0.25,
            "tick_value_cents": 500,
            "slippage_ticks": whole.contract.slippage_ticks,
            "commission_cents": whole.contract.commission_cents,
            "full_size": None,
        },
        "kind": kind,
        "source": "NQ.csv" if kind == "file" else whole.source,
        "sha256": expected.digest,
        "bars": len(kept),
        "first": iso_date(int(low)),
        "last": iso_date(int(high)),
    }


def test_what_someone_chose_to_go_on_with_goes_on_with_its_bars() -> None:
    """Under a name of the source's own; with none they keep what their file says of them."""
    read = replace(synthetic_bars("ES", days=2, seed=0), accepted=("gaps",))
    for bars in (read, prepare(read, CONFIG)):
        named = Source("ES", name="mine", accepted=["zeros", "clock"]).named(bars)
        assert (named.source, named.accepted) == ("mine", ("zeros", "clock"))
        assert Source("ES", name="mine").named(bars).accepted == ()
        assert Source("ES", accepted=["zeros"]).named(bars) is bars


@pytest.mark.parametrize("reader", [{}, {"use_features": False}, {"use_features": True}])
def test_features_are_told_to_be_the_files_own_where_they_are_read(
    reader: dict[str, bool], tmp_path: Path
) -> None:
    bars = synthetic_bars("ES", days=2, seed=0)
    frame = bars.frame.assign(**pd.DataFrame(compute_features(bars), bars.frame.index, [*FEATURES]))
    frame.to_parquet(path := tmp_path / "bars.parquet")
    _, (facts,) = TrainingData((Source("ES", str(path), reader=reader),)).prepared(CONFIG)
    assert facts.get("features") == ("precomputed" if reader.get("use_features") else None)


def test_a_range_without_a_bar_is_named() -> None:
    days = _days(WEEK)
    with refuses():
        TrainingData(WEEK.sources, "2001-01-01", "2001-01-02").bars()
    with refuses():
        TrainingData(WEEK.sources, days[3], days[1]).bars()


def test_all_files_of_one_contract_are_trained_on(tmp_path: Path) -> None:
    files = []
    for number, (seed, start) in enumerate(((1, "2025-03-03"), (2, "2025-05-05"), (3, "2025-07-07"))):
        path = tmp_path / f"ES-{number}.csv"
        write_bars(synthetic_bars("ES", days=3, seed=seed, start=start), path)
        files.append(path)
    data = from_options(files=files, symbols=["ES"] * 3)
    params, facts = data.load(CONFIG)
    assert params.market.num_markets == 3
    assert [one["first"][:7] for one in facts] == ["2025-03", "2025-05", "2025-07"]
    starts = np.asarray(params.market.starts)
    first = np.asarray(params.market.first_bar)
    assert sorted(set(starts[:, 1].tolist())) == [0, 1, 2]
    for market in range(3):
        own = starts[starts[:, 1] == market, 0]
        assert (own >= first[market]).all()
        assert len(own) > 100
    closes = np.asarray(params.market.features)[:, 0]
    assert len({float(closes[row]) for row in first}) == 3


@pytest.mark.parametrize("first", [True, False])
def test_evenings_belong_to_their_own_new_york_day(first: bool) -> None:
    """By UTC a day of New York's begins and ends hours later."""
    bars = synthetic_bars("ES", days=4, seed=0, session="all")
    dates = new_york_dates(bars.timestamps_ns)
    day = int(np.unique(dates)[2])
    cut = {"first": iso_date(day)} if first else {"last": iso_date(day)}
    kept = TrainingData(WEEK.sources, **cut)._cut(bars)
    wanted = bars.timestamps_ns[dates >= day if first else dates <= day]
    assert kept.timestamps_ns.tolist() == wanted.tolist()


def test_a_sunday_evening_is_no_trading_day() -> None:
    """Monday follows at once on Friday, and a window's gap between them is none."""
    bars = synthetic_bars("ES", days=4, seed=0, start="2025-01-02", session="all")
    dates = {iso_date(int(day)) for day in np.unique(new_york_dates(bars.timestamps_ns))}
    assert "2025-01-05" in dates
    days = [str(day) for day in trading_days(prepare(bars, EnvConfig.phase1(session="all")))]
    assert days == sorted(dates - {"2025-01-05"})


def test_every_symbol_of_synthetic_bars_is_a_market() -> None:
    for asked in ({"synthetic": 3}, {"pattern": 3}):
        data = from_options(files=[], symbols=["ES", "NQ", "RTY"], seed=4, **asked)
        assert [one.symbol for one in data.sources] == ["ES", "NQ", "RTY"]
        assert {(one.kind, one.days, one.seed) for one in data.sources} == {(*asked, 3, 4)}
    (only,) = from_options(files=[], synthetic=3).sources
    assert only == Source("ES", kind="synthetic", days=3)


def test_options_are_each_file_s_own_and_dates_are_written_in_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are named from where the program was called, which a run may not be gone on from."""
    monkeypatch.chdir(tmp_path)
    reader = {"snap": True, "timezone": "UTC"}
    data = from_options(
        files=["one.csv", Path("two") / "three.csv"],
        symbols=["NQ", "ES"],
        seed=7,
        reader=reader,
        first="20250102",
        last="2025-W02-4",
    )
    one = Source("NQ", str(tmp_path / "one.csv"), reader=dict(reader))
    other = Source("ES", str(tmp_path / "two" / "three.csv"), reader=dict(reader))
    assert data == TrainingData((one, other), "2025-01-02", "2025-01-09")
    data.sources[0].reader["snap"] = False
    assert (data.sources[1].reader, reader["snap"]) == (other.reader, True)
    made = from_options(files=[], pattern=5, symbols=["NQ"], seed=3, last="20250301")
    assert made == TrainingData((Source("NQ", kind="pattern", days=5, seed=3),), "", "2025-03-01")


@pytest.mark.parametrize(
    "asked",
    [
        {"files": []},
        {"files": ["a.csv"], "symbols": ["ES"], "synthetic": 0},
        {"files": ["a.csv"], "symbols": ["ES"], "pattern": 3},
        {"files": [], "synthetic": 3, "pattern": 0},
    ],
    ids=str,
)
def test_bars_are_of_one_kind(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="say once what to train on"):
        from_options(**asked)


@pytest.mark.parametrize("symbols", [["ES"], ["ES", "NQ", "RTY"]], ids=["fewer", "more"])
def test_every_file_has_a_symbol(symbols: list[str]) -> None:
    with pytest.raises(InputError, match=f"2 files and {len(symbols)} symbols"):
        from_options(files=["a.csv", "b.csv"], symbols=symbols)


def test_what_is_said_of_dates_is_what_bars_there_are() -> None:
    """From a Saturday to a Sunday: the days that were trained on lie within."""
    _, (facts,) = TrainingData(WEEK.sources, "2025-01-04", "2025-01-12").prepared(CONFIG)
    assert (facts["first"], facts["last"]) == (_days(WEEK)[0], _days(WEEK)[-1])
    assert facts["first"] > "2025-01-04"
    assert facts["last"] < "2025-01-12"


@pytest.mark.parametrize("first", ["", "2025-01-07"])
def test_a_file_s_bars_go_by_the_name_that_their_source_gives_them(first: str, tmp_path: Path) -> None:
    """And with what was accepted of them, whether all their days are trained on or not."""
    write_bars(synthetic_bars("ES", days=4, seed=0), path := tmp_path / "bars.csv")
    source = Source("ES", str(path), name="mine", accepted=["zeros"])
    for own, name, accepted in (
        (source, "mine", ("zeros",)),
        (replace(source, name=""), path.name, ()),
    ):
        (market,), (facts,) = TrainingData((own,), first).prepared(CONFIG)
        assert (facts["source"], market.source, market.accepted) == (name, name, accepted)
