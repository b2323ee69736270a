"""Which column counts where several could, and what is said of a header that lacks one."""

from __future__ import annotations

import pytest

from foundation.errors import InputError
from markets.readers.columns import Layout, lay_out

PLAIN = {name: name for name in ("open", "high", "low", "close", "volume")}
REST = ["open", "high", "low", "close", "volume"]


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["last", "vol", "c", *REST], PLAIN),  # a canonical name counts before its synonyms
        (["h", "o", "v", "l", "c"], dict(zip(PLAIN, "ohlcv", strict=True))),
        (["open", "high", "low", "last", "c", "vol", "v"], PLAIN | {"close": "last", "volume": "vol"}),
        ([*REST, "periodvol", "period volume"], PLAIN | {"volume": "period volume"}),
        (["vol", "period_volume", *REST[:4]], PLAIN | {"volume": "period_volume"}),
    ],
    ids=str,
)
def test_the_canonical_column_counts_before_its_other_names(
    names: list[str], columns: dict[str, str]
) -> None:
    for header in (["timestamp", *names], [*names, "timestamp"]):
        assert lay_out(header, "a.csv") == Layout("timestamp", None, columns, False, None)


@pytest.mark.parametrize(
    ("names", "index", "time"),
    [
        # Column of times (or dates), of times of day, and whether its name says UTC.
        (["date", "datetime", "timestamp"], None, ("timestamp", None, False)),
        (["date", "datetime"], None, ("datetime", None, False)),
        (["t", "window_start"], None, ("window_start", None, False)),
        (["t", "ts_event", "timestamp"], None, ("timestamp", None, False)),
        (["open_time", "date"], None, ("date", None, False)),
        (["date", "time"], None, ("date", "time", False)),
        (["trade_date", "trade_time"], None, ("trade_date", "trade_time", False)),
        (["time"], None, ("time", None, False)),
        (["day"], None, None),
        (["datetime", "time", "datetime_utc"], None, ("datetime_utc", None, True)),
        # An index of times counts before dates, and not before whole times; numbers are no times there.
        (["date", "time"], ("when", True), ("when", None, False)),
        (["timestamp"], ("when", True), ("timestamp", None, False)),
        (["datetime", "date"], ("when", True), ("datetime", None, False)),
        (["utc"], ("when", True), ("when", None, False)),
        (["date"], ("row", False), ("date", None, False)),
        ([], ("row", False), ("row", None, False)),
        (["utc"], ("row", False), ("row", None, False)),
    ],
    ids=str,
)
def test_which_columns_hold_the_times(
    names: list[str],
    index: tuple[str, bool] | None,
    time: tuple[str, str | None, bool] | None,
) -> None:
    for header in ([*REST, *names], [*names[::-1], *REST]):
        if time is None:
            with pytest.raises(InputError, match=r"a\.csv: no column timestamp; the file has"):
                lay_out(header, "a.csv", index)
        else:
            found = lay_out(header, "a.csv", index)
            assert (found.time, found.clock, found.utc) == time


def test_the_first_name_of_instruments_counts() -> None:
    header = ["timestamp", *REST, "contract", "instrument", "ticker", "symbol"]
    for length, name in ((10, "symbol"), (9, "ticker"), (8, "instrument"), (7, "contract"), (6, None)):
        assert lay_out(header[:length], "a.csv").symbol == name


@pytest.mark.parametrize(
    ("count", "more"), [(11, ""), (12, ""), (13, " and 1 more"), (20, " and 8 more")]
)
def test_a_dozen_of_a_files_columns_are_listed(count: int, more: str) -> None:
    names = [f"x{number}" for number in range(count)]
    with pytest.raises(InputError) as told:
        lay_out(names, "a.csv")
    assert str(told.value) == (
        "a.csv: no column timestamp, open, high, low, close, volume; the file has "
        f"{', '.join(names[:12])}{more}; a file of bars needs timestamp, open, high, low, close, volume"
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["time", *REST[:4]], "in TradingView add the Volume study"),
        (["timestamp", *REST[:4]], "a file of bars needs timestamp"),
        (["time", *REST[1:4]], "a file of bars needs timestamp"),
        (["timestamp", *REST[:4], "up", "down"], "volume is the sum of up and down, as MultiCharts"),
        (["timestamp", *REST[:4], "up"], "a file of bars needs timestamp"),
        (["timestamp", *REST[1:], "upticks", "downticks"], "a file of bars needs timestamp"),
        (["timestamp", *REST[:4], "total volume"], "a total volume is the day's so far"),
        (["timestamp", *REST[:4], "total trades"], "a file of bars needs timestamp"),
        (["timestamp", *REST[:4], "n_total_vol"], "a total volume is the day's so far"),
        (["price", *REST], "a file of yfinance with more than one header line"),
        (["open", "high", "low", "adj close"], "a file of yfinance with more than one header line"),
        ([*REST, "price"], "a file of bars needs timestamp"),
        ([*REST, "n", "begin_stamp", "start"], "if begin_stamp holds the times, rename it timestamp"),
    ],
    ids=str,
)
def test_what_to_do_about_a_missing_column(names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=f"the file has [^;]*; {words}"):
        lay_out(names, "a.csv")
