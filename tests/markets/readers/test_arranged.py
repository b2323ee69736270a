"""Named columns are arranged alike in CSV and Parquet: dates beside times, symbols, other names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars, InputError
from markets.readers import read_bars, read_frame
from markets.readers.columns import UTC_NAMES
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

NEW_YORK = "America/New_York"
PRICES = ["open", "high", "low", "close"]
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=4, seed=14, start="2025-04-14", session="all")


def write(frame: pd.DataFrame, path: Path, index: bool = False) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=index)
    else:
        frame.to_parquet(path, index=index or None)
    return path


def local(frame: pd.DataFrame) -> pd.Series:
    return frame["timestamp"].dt.tz_convert(NEW_YORK).dt.tz_localize(None)


LAYOUTS: dict[str, Change] = {
    "date and time": lambda f: f.assign(date=local(f).dt.date, time=local(f).dt.time).drop(
        columns="timestamp"
    ),
    "date and time as text": lambda f: f.assign(
        Date=local(f).dt.strftime("%m/%d/%Y"), Time=local(f).dt.strftime("%H:%M")
    ).drop(columns="timestamp"),
    "short names": lambda f: f.assign(timestamp=local(f)).rename(
        columns={"timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    ),
    "the day's volume beside the bar's": lambda f: f.assign(
        timestamp=local(f), volume=f["volume"].cumsum(), period_volume=f["volume"]
    ),
    "a date beside whole times": lambda f: f.assign(
        date=local(f).dt.normalize() + pd.Timedelta(days=1), time=local(f)
    ).drop(columns="timestamp"),
    "a time of day beside whole times": lambda f: f.assign(
        timestamp=local(f), time=local(f).dt.strftime("%H:%M:%S")
    ),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_are_understood_in_every_file(
    bars: Bars, tmp_path: Path, layout: str, suffix: str
) -> None:
    path = write(LAYOUTS[layout](bars.frame.reset_index()), tmp_path / f"bars{suffix}")
    assert read_bars(path, "ES", timezone=NEW_YORK).digest == bars.digest
    with pytest.raises(InputError, match="time zone is wrong"):
        read_bars(path, "ES")


def test_an_index_of_times_counts_before_a_column_of_dates(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.assign(date=pd.DatetimeIndex(bars.frame.index).date)
    path = write(frame, tmp_path / "bars.parquet", index=True)
    assert read_bars(path, "ES").digest == bars.digest
    numbered = bars.frame.reset_index().rename(columns={"timestamp": "date"})
    numbered.index = pd.Index(range(5, len(numbered) + 5))
    assert read_bars(write(numbered, path, index=True), "ES").digest == bars.digest


def two(bars: Bars, mixed: bool) -> pd.DataFrame:
    other = bars.frame.assign(symbol="ESU5")
    other[PRICES] += 61.25
    both = pd.concat([bars.frame.assign(symbol="ESM5"), other])
    return (both.sort_index(kind="stable") if mixed else both).reset_index()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("mixed", [False, True])
def test_one_of_several_instruments_is_picked(
    bars: Bars, tmp_path: Path, mixed: bool, suffix: str
) -> None:
    path = write(two(bars, mixed), tmp_path / f"bars{suffix}")
    with refuses():
        read_bars(path, "ES")
    assert read_bars(path, "ES", instrument="ESM5").digest == bars.digest
    assert read_bars(path, "ES", instrument="ESU5").digest != bars.digest
    with refuses():
        read_bars(path, "ES", instrument="ESZ5")
    with refuses():
        read_bars(path, "NQ", instrument="ESM5")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["symbol", "Ticker", "instrument", "contract"])
def test_a_file_says_where_its_symbols_turn(bars: Bars, tmp_path: Path, name: str, suffix: str) -> None:
    names = ["ESM5"] * 5 + ["ESU5"] * 3 + ["ESM5"] + ["ESZ5"] * 4
    some = bars.frame.iloc[: len(names)]
    path = write(some.assign(**{name: names}).reset_index(), tmp_path / f"bars{suffix}")
    file = read_frame(path).attrs["file"]
    assert file.contracts == ("ESM5", "ESU5", "ESZ5")
    assert file.turns == 3
    assert file.turn_ns == tuple(some.index[[5, 8, 9]].as_unit("ns").asi8.tolist())
    one = write(some.assign(**{name: "ESM5"}).reset_index(), tmp_path / f"one{suffix}")
    file = read_frame(one).attrs["file"]
    assert (file.contracts, file.turns, file.turn_ns) == (("ESM5",), 0, ())


def test_many_contracts_in_order_are_not_mixed(bars: Bars, tmp_path: Path) -> None:
    """A file's first symbols are kept, and all of them are counted."""
    years = [f"ES{month}{year}" for year in range(10, 17) for month in "HMUZ"]
    names = np.repeat(years, len(bars) // len(years) + 1)[: len(bars)]
    path = write(bars.frame.assign(symbol=names).reset_index(), tmp_path / "bars.csv")
    file = read_frame(path).attrs["file"]
    assert (file.turns, file.different) == (27, 28)
    assert read_bars(path, "ES").digest == bars.digest


@pytest.mark.parametrize("named", ["symbol", "date", "time"])
def test_columns_that_pandas_stored_as_categories_are_read(
    bars: Bars, tmp_path: Path, named: str
) -> None:
    moments = pd.DatetimeIndex(bars.frame.index)
    frame = bars.frame.reset_index(drop=True).assign(
        date=moments.strftime("%Y-%m-%d"),
        time=moments.hour * 100 + moments.minute,
        symbol=np.where(np.arange(len(bars)) < 500, "ESM5", "ESU5"),
    )
    frame[named] = frame[named].astype("category")
    read = read_frame(write(frame, tmp_path / "bars.parquet"))
    assert list(read.index) == list(moments)
    assert (read.attrs["file"].contracts, read.attrs["file"].turns) == (("ESM5", "ESU5"), 1)


@pytest.mark.parametrize("named", ["symbol", "date", "time"])
@pytest.mark.parametrize("cell", [b"\xd1", [1], {"a": 1}], ids=["bytes", "list", "struct"])
def test_a_column_that_holds_no_text_is_refused(
    bars: Bars, tmp_path: Path, named: str, cell: object
) -> None:
    some = bars.frame.iloc[:50].reset_index(drop=True)
    moments = pd.DatetimeIndex(bars.frame.index[:50])
    frame = some.assign(
        date=moments.strftime("%Y-%m-%d"), time=moments.strftime("%H:%M"), symbol="ESM5"
    )
    frame[named] = pd.Series([cell] * 50)
    with refuses():
        read_frame(write(frame, tmp_path / "bars.parquet"))


def test_a_symbol_in_another_encoding_is_named_by_its_line(bars: Bars, tmp_path: Path) -> None:
    """Beyond what is looked at before the file is read."""
    text = bars.frame.assign(symbol="ESM5").to_csv()
    assert len(text) > 2**17
    (path := tmp_path / "bars.csv").write_bytes(text[:-2].encode() + b"\xd1\n")
    with refuses():
        read_frame(path)


def test_a_ticker_above_the_columns_is_held_against_the_symbol(bars: Bars, tmp_path: Path) -> None:
    path = tmp_path / "download.csv"
    for ticker in ("MES=F", "ES=F"):
        head = f"Price,Close,High,Low,Open,Volume\nTicker{f',{ticker}' * 5}\nDatetime,,,,,\n"
        names = ["close", "high", "low", "open", "volume"]
        path.write_text(head + bars.frame[names].to_csv(header=False))
        assert read_frame(path).attrs["file"].contracts == (ticker,)
        if ticker == "MES=F":
            with refuses():
                read_bars(path, "ES")
    assert read_bars(path, "ES").digest == bars.digest


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time", ""),
        ("date", ""),
        ("date", "Total"),
        ("time", "x"),
    ],
)
def test_an_empty_cell_of_a_date_or_a_time_is_named(
    bars: Bars, tmp_path: Path, column: str, value: str
) -> None:
    frame = LAYOUTS["date and time as text"](bars.frame.reset_index())
    frame = frame.rename(columns=str.lower)
    frame.loc[5, column] = value
    with refuses():
        read_bars(write(frame, tmp_path / "bars.csv"), "ES", timezone=NEW_YORK)


def test_dates_beyond_all_years_are_refused(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.reset_index(drop=True)
    frame.insert(0, "date", pd.Series(["9999-01-01"] * len(frame)).astype("datetime64[us]"))
    frame.insert(1, "time", "09:30")
    with refuses():
        read_bars(write(frame, tmp_path / "bars.parquet"), "ES")


@pytest.mark.parametrize("name", UTC_NAMES)
def test_a_column_that_says_it_is_utc_is_read_in_no_other_zone(
    bars: Bars, tmp_path: Path, name: str
) -> None:
    frame = bars.frame.reset_index(names=name)
    frame[name] = frame[name].dt.tz_localize(None)
    path = write(frame, tmp_path / "bars.csv")
    assert read_bars(path, "ES").digest == bars.digest
    with refuses():
        read_bars(path, "ES", timezone=NEW_YORK)


def test_a_column_that_says_it_is_utc_has_times_of_a_zone(bars: Bars, tmp_path: Path) -> None:
    """Which a later judge of the clock must know: no other zone can be passed for them."""
    frame = bars.frame.iloc[:9].reset_index(names="time_utc")
    frame["time_utc"] = frame["time_utc"].dt.tz_localize(None)
    for name, stamps in (("time_utc", "offset"), ("time", "wall")):
        path = write(frame.rename(columns={"time_utc": name}), tmp_path / "bars.csv")
        file = read_frame(path).attrs["file"]
        assert (file.stamps, file.timezone, file.name) == (stamps, None, "bars.csv")


def test_the_instrument_that_is_named_for_example_is_no_spread(bars: Bars, tmp_path: Path) -> None:
    some = bars.frame.iloc[:5]
    parts = [("ESM5-ESU5", 5), ("ESU5", 3), ("ESM5", 4), ("ESZ5", 4)]
    both = pd.concat([some.iloc[:rows].assign(symbol=name) for name, rows in parts]).reset_index()
    for path in (tmp_path / "bars.csv", tmp_path / "bars.parquet"):
        with pytest.raises(InputError) as told:
            read_bars(write(both, path), "ES")
        assert str(told.value) == (
            f"{path.name} holds 4 instruments, ESM5-ESU5 (5 rows), ESM5 (4 rows), ESZ5 (4 rows), "
            "ESU5 (3 rows); pick one, for example --instrument ESM5"
        )
    spreads = both[both["symbol"] == "ESM5-ESU5"]
    only = pd.concat([spreads, spreads.assign(symbol="ESU5-ESZ5").iloc[:2]])
    with pytest.raises(InputError, match="for example --instrument ESM5-ESU5"):
        read_bars(write(only, tmp_path / "bars.csv"), "ES")


@pytest.mark.parametrize("midnight", ["T00:00:00", " 00:00:00", " 00:00:00.000"])
def test_dates_at_midnight_beside_times_of_day_are_dates(tmp_path: Path, midnight: str) -> None:
    path = tmp_path / "bars.csv"
    rows = [("20250902", "09:30"), ("20250902", "23:59"), ("20250903", "00:00")]
    lines = [f"{day}{midnight},{clock},6470,6472,6470,6471,1\n" for day, clock in rows]
    path.write_text("date,time,open,high,low,close,volume\n" + "".join(lines))
    found = read_frame(path, timezone="UTC").index
    assert list(found) == [pd.Timestamp(f"{day} {clock}", tz="UTC") for day, clock in rows]


def test_an_index_of_numbers_counts_the_rows(bars: Bars, tmp_path: Path) -> None:
    """Stored as a column, beside one of dates with times; features come along where all are there."""
    frame = bars.frame.iloc[:40].reset_index().rename(columns={"timestamp": "date"})
    frame = frame.set_axis(range(7, 47)).set_axis(pd.Index([*range(7, 40), *range(90, 97)]))
    path = write(frame.assign(atr=1.0), tmp_path / "bars.parquet", index=True)
    found = read_frame(path)
    assert found.index.tolist() == bars.frame.index[:40].tolist()
    assert list(found.columns) == [*PRICES, "volume"]


def test_the_end_of_a_minute_can_be_given_for_every_format(bars: Bars, tmp_path: Path) -> None:
    some = bars.frame.iloc[:9]
    path = tmp_path / "bars.csv"
    head = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n"
    rows = some.set_axis([f"{at},33,1,5602" for at in some.index.as_unit("ns").asi8])
    path.write_text(head + rows.to_csv(header=False, quoting=3, escapechar=" ").replace(" ,", ","))
    for stamped, minutes in ((None, 0), ("open", 0), ("close", 1)):
        found = read_frame(path, stamped=stamped)  # type: ignore[arg-type]
        assert found.index.tolist() == (some.index - pd.Timedelta(minutes, "min")).tolist()
        parquet = read_frame(write(some, tmp_path / "b.parquet", True), stamped=stamped)  # type: ignore[arg-type]
        assert parquet.index.tolist() == found.index.tolist()
        assert found["close"].tolist() == parquet["close"].tolist() == some["close"].tolist()
