"""Files as vendors write them: read where they can be, else refused in the vendor's own terms."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from markets import Bars, InputError
from markets.readers import detect_format, read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.markets.readers.vendor_forms import CHICAGO, NY, READ, REFUSED
from tests.sentences import refuses


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=3, seed=2, start="2025-01-13")


def local(bars: Bars, zone: str = "America/New_York") -> pd.DatetimeIndex:
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    return index.tz_convert(zone).tz_localize(None)


def test_sierra_chart(bars: Bars, tmp_path: Path) -> None:
    stamps, frame = local(bars), bars.frame
    lines = ["Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n"]
    for stamp, row in zip(stamps, frame.itertuples(index=False), strict=True):
        day = f"{stamp.year}/{stamp.month}/{stamp.day}"
        lines.append(
            f"{day}, {stamp:%H:%M:%S}, {row.open}, {row.high}, {row.low}, {row.close}, "
            f"{row.volume:.0f}, 1, 0, 1\n"
        )
    path = tmp_path / "bars.txt"
    path.write_text("".join(lines))
    with refuses():
        read_bars(path, "ES")
    assert read_bars(path, "ES", timezone="America/New_York").digest == bars.digest


def test_polygon(bars: Bars, tmp_path: Path) -> None:
    frame = bars.frame.reset_index(drop=True)
    frame.insert(0, "ticker", "ESH5")
    frame["window_start"] = bars.timestamps_ns
    path = tmp_path / "bars.csv"
    frame.to_csv(path, index=False)
    assert detect_format(path) == "csv"
    assert read_bars(path, "ES").digest == bars.digest
    assert read_frame(path).attrs["file"].contracts == ("ESH5",)


def test_yfinance_with_three_header_lines(bars: Bars, tmp_path: Path) -> None:
    names = ["close", "high", "low", "open", "volume"]
    body = bars.frame[names].to_csv(header=False)
    head = "Price,Close,High,Low,Open,Volume\nTicker" + ",ES=F" * 5 + "\nDatetime,,,,,\n"
    path = tmp_path / "bars.csv"
    path.write_text(head + body)
    assert read_bars(path, "ES").digest == bars.digest
    path.write_text(head.replace("ES=F", "NQ=F", 1) + body)
    with refuses():
        read_bars(path, "ES")


def test_two_zones_in_one_file_the_one_that_says_utc_counts(bars: Bars, tmp_path: Path) -> None:
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    frame = bars.frame.set_axis(local(bars).rename("DateTime_ET"), axis=0)
    frame["DateTime_UTC"] = index.tz_localize(None)
    path = tmp_path / "bars.csv"
    frame.to_csv(path)
    assert read_bars(path, "ES").digest == bars.digest
    with refuses():
        read_bars(path, "ES", timezone="America/New_York")


@pytest.mark.parametrize("names", [("timestamp", "time"), ("Date", "Time")])
def test_dates_and_times_of_day_in_two_columns(
    bars: Bars, tmp_path: Path, names: tuple[str, str]
) -> None:
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    frame = bars.frame.reset_index(drop=True)
    frame.insert(0, names[0], index.strftime("%Y-%m-%d"))
    frame.insert(1, names[1], index.strftime("%H:%M"))
    path = tmp_path / "bars.csv"
    frame.to_csv(path, index=False)
    assert read_bars(path, "ES").digest == bars.digest


def test_a_zip_with_one_csv(bars: Bars, tmp_path: Path) -> None:
    plain = write_bars(bars, tmp_path / "bars.csv")
    packed = tmp_path / "bars.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "inner.csv")
    assert read_bars(packed, "ES").digest == bars.digest
    with zipfile.ZipFile(packed, "a") as archive:
        archive.write(plain, "second.csv")
    with refuses():
        read_bars(packed, "ES")


HEADER = "timestamp,open,high,low,close,volume\n"
ROW = "2025-01-14 14:30:00,6500,6501,6499,6500.5,10\n"
NEXT = "2025-01-14 14:31:00,6500,6501,6499,6500.5,10\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("time,open,high,low,close\n2025-01-14T09:30:00-05:00,1,1,1,1\n", id="TradingView"),
        pytest.param("start,open,high,low,close\n1,1,1,1,1\n", id="all that is missing at once"),
        pytest.param((HEADER + ROW + NEXT).replace("\n", "\r"), id="CR alone"),
        pytest.param(HEADER + ROW.replace(",10\n", ",1\r0\n"), id="a CR"),
        pytest.param("20250113;5950.25;5999;5940.25;5980.25;1300000\n", id="days"),
        pytest.param("20250114 143000 0120000;5950.25;5950;5950.25;3\n", id="ticks"),
    ],
)
def test_what_cannot_be_read_is_told_how_to_go_on(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bars.txt"
    path.write_bytes(text.encode())
    with refuses():
        read_bars(path, "ES")


@pytest.mark.parametrize("before", ["\f\n", "\v\n", "\x85\n", "\u2028\n", "\n\n", "\x1c\n", " \n"])
def test_no_bar_is_lost_to_what_stands_before_the_header(tmp_path: Path, before: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes((before + HEADER + ROW + NEXT).encode())
    assert len(read_frame(path)) == 2


@pytest.mark.parametrize("mark", ["\f", "\v", "\x85", "\u2028", "\x1c"])
def test_no_bar_is_lost_to_marks_within_the_rows(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes((HEADER + ROW.replace(",10\n", f",10,note{mark}more\n") + NEXT).encode())
    with refuses():
        read_frame(path)
    extra = HEADER.replace("volume", "volume,note")
    path.write_bytes((extra + ROW.replace(",10\n", f",10,a{mark}b\n") + NEXT[:-1] + ",c\n").encode())
    assert len(read_frame(path)) == 2


def test_a_quotation_mark_that_joins_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    extra = HEADER.replace("volume", "volume,note")
    rows = [f"{ROW[:-1]},a\n", f'{NEXT[:-1]},"b\n', f"{NEXT.replace('31', '32')[:-1]},c\n"]
    rows.append(f'{NEXT.replace("31", "33")[:-1]},d"\n')
    path.write_text(extra + "".join(rows))
    with refuses():
        read_frame(path)


@pytest.mark.parametrize("name", ["ES 03-25.Bid.txt", "ES 03-25.Ask.txt"])
def test_quotes_are_no_trades(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("20250114 143100;6500;6501.25;6499.25;6500.75;1135\n")
    with refuses():
        read_bars(path, "ES")


@pytest.mark.parametrize(("kinds", "refused"), [((33, 33), False), ((33, 32), True), ((34, 34), True)])
def test_records_of_one_length_of_minutes_or_seconds_are_read(
    tmp_path: Path, kinds: tuple[int, int], refused: bool
) -> None:
    """A second's record among minutes would be a bar of its own minute."""
    head = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n"
    start = 1_736_865_000_000_000_000
    rows = [
        f"{start + minute * 60_000_000_000},{kind},1,4916,6500000000000,6500500000000,6499250000000,"
        "6500250000000,1\n"
        for minute, kind in enumerate(kinds)
    ]
    path = tmp_path / "mixed.csv"
    path.write_text(head + "".join(rows))
    if not refused:
        assert len(read_bars(path, "ES").frame) == 2
        return
    with refuses():
        read_bars(path, "ES")


def test_a_continuous_contract_without_symbols(tmp_path: Path) -> None:
    head = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume\n"
    start = 1_736_865_000_000_000_000
    rows = [
        f"{start + minute * 60_000_000_000},33,1,{4916 if minute < 2 else 5002},6500000000000,"
        "6500500000000,6499250000000,6500250000000,1\n"
        for minute in range(4)
    ]
    path = tmp_path / "cont.csv"
    path.write_text(head + "".join(rows))
    with refuses():
        read_bars(path, "ES")
    bars = read_bars(path, "ES", instrument="all")
    assert len(bars.frame) == 4
    with refuses():
        read_bars(path, "ES", instrument="every")
    path.write_text(head + "".join([*rows[:2], rows[1].replace("4916", "5002"), *rows[2:]]))
    with refuses():
        read_bars(path, "ES")
    with refuses():  # these do overlap
        read_bars(path, "ES", instrument="all")


@pytest.mark.costly(keep=6)
@pytest.mark.parametrize("vendor", READ)
def test_a_vendors_file_is_read_right_or_refused_whatever_it_is_said_to_be(
    bars: Bars, tmp_path: Path, vendor: str
) -> None:
    make, options = READ[vendor]
    path = tmp_path / "bars.csv"
    path.write_text(make(bars))
    assert read_bars(path, "ES", **options).digest == bars.digest  # type: ignore[arg-type]
    for zone in (None, NY, CHICAGO):
        for stamped in (None, "close"):
            given = {"timezone": zone, "stamped": stamped}
            try:
                found = read_bars(path, "ES", **given)  # type: ignore[arg-type]
            except InputError:
                continue
            assert found.digest == bars.digest, given


@pytest.mark.parametrize("vendor", REFUSED)
def test_a_vendors_file_that_is_not_read_says_whose_it_is_or_why_and_what_to_do(
    bars: Bars, tmp_path: Path, vendor: str
) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(REFUSED[vendor](bars))
    with refuses():
        read_bars(path, "ES")


def test_dates_that_may_be_read_both_ways_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    rows = "".join(f"01/{day:02d}/2025,09:30,1,1,1,1,1\n" for day in range(1, 13))
    path.write_text("Date,Time,Open,High,Low,Close,Volume\n" + rows)
    with refuses():
        read_frame(path)
    path.write_text("Date,Time,Open,High,Low,Close,Volume\n" + rows + "13/13/2025,09:30,1,1,1,1,1\n")
    with refuses():
        read_frame(path)
