"""Dates that begin with a month or a day, in one column or in two; and UTC in its written forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from markets import Bars, InputError
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

NEW_YORK = "America/New_York"
HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=4, seed=15, start="2025-03-11")


def save(bars: Bars, path: Path, stamps: pd.Index, name: str = "timestamp") -> Path:
    bars.frame.set_axis(stamps.rename(name), axis=0).to_csv(path)
    return path


def local(bars: Bars) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.frame.index).tz_convert(NEW_YORK)


@pytest.mark.parametrize(
    "form", ["%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S.000", "%m-%d-%Y  %H:%M"]
)
def test_a_day_above_twelve_tells_the_month(bars: Bars, tmp_path: Path, form: str) -> None:
    path = save(bars, tmp_path / "bars.csv", local(bars).strftime(form))
    assert read_bars(path, "ES", timezone=NEW_YORK).digest == bars.digest
    with refuses():
        read_bars(path, "ES")
    few = bars.select(slice(0, 800))  # 11 and 12 March
    with refuses():
        read_bars(save(few, path, local(few).strftime(form)), "ES", timezone=NEW_YORK)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("stored_once", [False, True])
def test_parquets_text_of_every_type_is_read_alike(
    bars: Bars, tmp_path: Path, kind: pa.DataType, stored_once: bool
) -> None:
    table = pa.Table.from_pandas(bars.frame, preserve_index=False)
    stamps = pa.array(local(bars).strftime("%m/%d/%Y %H:%M").tolist(), kind)
    stored = stamps.cast(pa.string()).dictionary_encode() if stored_once else stamps
    pq.write_table(table.append_column("timestamp", stored), path := tmp_path / "bars.parquet")
    assert read_bars(path, "ES", timezone=NEW_YORK).digest == bars.digest


@pytest.mark.parametrize("cell", ["Total", "timestamp", "2025-03-12 09:30", ""])
def test_one_line_of_another_form_is_named(bars: Bars, tmp_path: Path, cell: str) -> None:
    stamps = local(bars).strftime("%m/%d/%Y %H:%M").to_series()
    stamps.iloc[11] = cell
    path = save(bars, tmp_path / "bars.csv", pd.Index(stamps))
    with refuses():
        read_bars(path, "ES", timezone=NEW_YORK)


@pytest.mark.parametrize("both", [False, True], ids=["one column", "two columns"])
@pytest.mark.parametrize("day_first", [False, True])
@pytest.mark.parametrize("sign", ["/", ".", "-"])
@pytest.mark.parametrize("pad", ["", "0"])
def test_any_month_may_stand_first_or_second(
    save: Callable[..., Path], both: bool, day_first: bool, sign: str, pad: str
) -> None:
    """December too, and days and months of one digit."""
    for month in range(1, 13):
        days = [pd.Timestamp(2024, month, day, 9, 30) for day in (1, 9, 12, 13, 28)]
        lines = []
        for at in days:
            day, number = (f"{value:02d}" if pad else str(value) for value in (at.day, at.month))
            date = sign.join([day, number] if day_first else [number, day])
            lines.append(f"{date}{sign}2024{',' if both else ' '}09:30,6470,6472,6470,6471,120\n")
        head = HEAD.replace("timestamp", "date,time") if both else HEAD
        found = read_frame(save(head + "".join(lines)), timezone="UTC").index
        assert list(found) == [at.tz_localize("UTC") for at in days]


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        # Two evenings whose morning has their own date, and two dates that do not change at night.
        ("02 18:00,02 02:00,03 18:00,03 02:00,04 18:00", "line 4: date changes at 18:00"),
        ("02 17:00,02 09:59,03 17:00,03 02:00,04 11:00", "line 4: date changes at 17:00"),
        ("02 18:00,02 02:00,03 18:00,04 11:00,05 12:00", ""),  # one such evening is no habit
        ("02 18:00,02 02:00,02 18:00,02 02:00,03 18:00", ""),  # and one such change
        ("02 16:59,02 02:00,03 16:59,03 02:00,04 18:00", ""),  # no evening
        ("02 18:00,02 10:00,03 18:00,03 10:00,04 18:00", ""),  # no morning
        ("02 18:00,03 02:00,03 18:00,04 02:00,04 18:00", ""),  # dates of calendar days
    ],
)
def test_dates_that_change_in_the_evening_are_those_of_trading_days(
    save: Callable[..., Path], rows: str, refused: str
) -> None:
    cells = [row.split() for row in rows.split(",")]
    lines = [f"2025-09-{day},{clock},6470,6472,6470,6471,120\n" for day, clock in cells]
    path = save(HEAD.replace("timestamp", "date,time") + "".join(lines))
    if refused:
        with pytest.raises(InputError, match=f"{refused} and not at midnight"):
            read_frame(path, timezone="UTC")
    else:
        found = pd.DatetimeIndex(read_frame(path, timezone="UTC").index)
        assert found.strftime("%d %H:%M").tolist() == rows.split(",")


@pytest.mark.parametrize("form", ["2025-{}-{}", "2025/{}/{}", "2025.{}.{}"])
def test_days_and_months_of_one_digit_after_the_year(save: Callable[..., Path], form: str) -> None:
    for month, day in ((1, 4), (1, 14), (11, 4), (12, 31)):
        row = f"{form.format(month, day)},09:30,6470,6472,6470,6471,120\n"
        found = read_frame(save(HEAD.replace("timestamp", "date,time") + row), timezone="UTC").index
        assert list(found) == [pd.Timestamp(2025, month, day, 9, 30, tz="UTC")]


def clocks(save: Callable[..., Path], numbers: list[int]) -> list[str]:
    """Return the times of day that are read of whole numbers."""
    rows = [f"2025-09-02,{number},6470,6472,6470,6471,120\n" for number in numbers]
    path = save("date,time,open,high,low,close,volume\n" + "".join(rows))
    return list(pd.DatetimeIndex(read_frame(path, timezone="UTC").index).strftime("%H:%M:%S"))


@pytest.mark.parametrize(
    ("numbers", "times"),
    [
        ([0, 1, 59, 100, 2359], ["00:00:00", "00:01:00", "00:59:00", "01:00:00", "23:59:00"]),
        ([900, 930, 1000], ["09:00:00", "09:30:00", "10:00:00"]),
        ([0, 100, 5900, 10000], ["00:00:00", "00:01:00", "00:59:00", "01:00:00"]),
        ([2200, 2300, 2400, 2500], ["00:22:00", "00:23:00", "00:24:00", "00:25:00"]),
        ([0], ["00:00:00"]),
        ([5900, 10000], ["00:59:00", "01:00:00"]),
        ([2300, 2400, 2500], ["00:23:00", "00:24:00", "00:25:00"]),
    ],
)
def test_whole_numbers_are_times_of_day(
    save: Callable[..., Path], numbers: list[int], times: list[str]
) -> None:
    assert clocks(save, numbers) == times


@pytest.mark.parametrize(
    "numbers", [[*range(0, 2400, 100)], [100], [900, 1000, 1600], [2200, 2300, 2400], [2300, 2500]]
)
def test_whole_numbers_that_may_be_hours_or_minutes_are_refused(
    save: Callable[..., Path], numbers: list[int]
) -> None:
    with refuses():
        clocks(save, numbers)


@pytest.mark.parametrize("cell", ["", "  ", None], ids=["empty", "spaces", "null"])
@pytest.mark.parametrize("row", [0, 3])
def test_a_row_without_its_time_of_day_is_refused(
    bars: Bars, tmp_path: Path, cell: str | None, row: int
) -> None:
    """It would be read as the midnight of its date, which is a time like any other."""
    moments = pd.DatetimeIndex(bars.frame.index)
    frame = bars.frame.reset_index(drop=True)
    frame.insert(0, "date", moments.strftime("%Y-%m-%d"))
    frame.insert(1, "time", moments.strftime("%H:%M:%S.%f"))
    assert list(read_frame(_saved(frame, tmp_path / "whole.parquet")).index) == list(moments)
    frame.loc[row, "time"] = cell
    for name in ("bars.csv", "bars.parquet"):
        with pytest.raises(InputError, match=rf"{name}, (line {row + 2}|row {row + 1}): time is empty"):
            read_frame(_saved(frame, tmp_path / name))


def _saved(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def test_dukascopys_columns_of_time(bars: Bars, tmp_path: Path) -> None:
    form = "%d.%m.%Y %H:%M:%S.000"
    utc = pd.DatetimeIndex(bars.frame.index).strftime(form)
    path = save(bars, tmp_path / "bars.csv", utc, "Gmt time")
    assert read_bars(path, "ES").digest == bars.digest
    with refuses():
        read_bars(path, "ES", timezone=NEW_YORK)
    save(bars, path, local(bars).strftime(f"{form} GMT%z"), "Local time")
    assert read_bars(path, "ES").digest == bars.digest


@pytest.mark.parametrize("form", ["%Y%m%d-%H:%M:%S", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%SGMT"])
def test_utc_in_words_and_in_interactive_brokers_form(bars: Bars, tmp_path: Path, form: str) -> None:
    path = save(bars, tmp_path / "bars.csv", pd.DatetimeIndex(bars.frame.index).strftime(form))
    assert read_bars(path, "ES").digest == bars.digest
    assert read_bars(path, "ES", timezone=NEW_YORK).digest == bars.digest
    assert read_frame(path).attrs["file"].stamps == "offset"
    save(bars, path, local(bars).strftime(form))
    with refuses():
        read_bars(path, "ES")


def test_a_header_that_comes_again(save: Callable[..., Path]) -> None:
    row = "2025-09-02 13:30:00,6470.25,6472,6470,6471.5,120\n"
    with refuses():
        read_frame(save(HEAD + row + HEAD + row))
