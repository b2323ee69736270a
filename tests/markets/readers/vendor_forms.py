"""Files as vendors and platforms write them, by their public descriptions, made of given bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from markets import Bars

Row = Any
Line = Callable[[pd.Timestamp, Row], str]


def ohlc(row: Row) -> str:
    return f"{row.open},{row.high},{row.low},{row.close}"


def form(zone: str, line: Line, head: str = "", minutes: int = 0) -> Callable[[Bars], str]:
    """Return a maker of files: a header, then a line a bar in a zone, later by some minutes."""

    def make(bars: Bars) -> str:
        index = bars.frame.index
        assert isinstance(index, pd.DatetimeIndex)
        times = (index + pd.Timedelta(minutes=minutes)).tz_convert(zone)
        rows = zip(times, bars.frame.itertuples(index=False), strict=True)
        return head + "".join(line(at, row) + "\n" for at, row in rows)

    return make


NY, CHICAGO, BROKER = "America/New_York", "America/Chicago", "Europe/Athens"

READ: dict[str, tuple[Callable[[Bars], str], dict[str, str]]] = {
    "TradeStation": (
        form(NY, lambda t, r: f"{t:%m/%d/%Y,%H:%M},{ohlc(r)},{r.volume:.0f},0",
             '"Date","Time","Open","High","Low","Close","Vol","OI"\n', 1),
        {"timezone": NY, "stamped": "close"},
    ),
    "MultiCharts": (
        form(NY, lambda t, r: f"{t:%m/%d/%Y, %H:%M:%S}, {ohlc(r)}, {r.volume:.0f}",
             "<Date>, <Time>, <Open>, <High>, <Low>, <Close>, <Volume>\n", 1),
        {"timezone": NY, "stamped": "close"},
    ),
    "MetaTrader 4 with a header": (
        form(BROKER, lambda t, r: f"{t:%Y.%m.%d,%H:%M},{ohlc(r)},{r.volume:.0f}",
             "Date,Time,Open,High,Low,Close,Volume\n"),
        {"timezone": BROKER},
    ),
    "FirstRate Data": (
        form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{ohlc(r)},{r.volume:.0f}",
             "timestamp,open,high,low,close,volume\n"),
        {"timezone": NY},
    ),
    "Tick Data": (
        form(CHICAGO, lambda t, r: f"{t:%m/%d/%Y,%H:%M:%S},{ohlc(r)},{r.volume:.0f}",
             "Date,Time,Open,High,Low,Close,Volume\n"),
        {"timezone": CHICAGO},
    ),
    "Portara": (
        form(CHICAGO, lambda t, r: f"{t:%Y%m%d,%H%M},{ohlc(r)},{r.volume:.0f}",
             "Date,Time,Open,High,Low,Close,Volume\n"),
        {"timezone": CHICAGO},
    ),
    "CQG with a header": (
        form(CHICAGO, lambda t, r: f"EP,{t:%Y%m%d,,%H%M},{ohlc(r)},{r.volume:.0f}",
             "Symbol,Date,Session,Time,Open,High,Low,Close,Volume\n"),
        {"timezone": CHICAGO},
    ),
    "IQFeed with a header": (
        form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{r.high},{r.low},{r.open},{r.close},9,{r.volume:.0f}",
             "timestamp,high,low,open,close,total_volume,volume\n", 1),
        {"timezone": NY, "stamped": "close"},
    ),
    "IQFeed, period volume beside the day's total": (
        form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{r.high},{r.low},{r.open},{r.close},9,{r.volume:.0f},2",
             "Time,High,Low,Open,Close,Total Volume,Period Volume,Number of Trades\n", 1),
        {"timezone": NY, "stamped": "close"},
    ),
    "IQFeed, total called volume": (
        form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{r.high},{r.low},{r.open},{r.close},9,{r.volume:.0f}",
             "TimeStamp,High,Low,Open,Close,Volume,PeriodVolume\n", 1),
        {"timezone": NY, "stamped": "close"},
    ),
    "AmiBroker": (
        form(NY, lambda t, r: f"ES,{t:%Y-%m-%d},{t:%H:%M:%S},{ohlc(r)},{r.volume:.0f},0",
             "Ticker,Date/Time,Time,Open,High,Low,Close,Volume,OpenInt\n"),
        {"timezone": NY},
    ),
    "MetaStock": (
        form(NY, lambda t, r: f"ES,I,{t:%Y%m%d},{t:%H%M%S},{ohlc(r)},{r.volume:.0f}",
             "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"),
        {"timezone": NY},
    ),
    "EODHD": (
        form("UTC", lambda t, r: f"{t.value // 10**9},0,{t:%Y-%m-%d %H:%M:%S},{ohlc(r)},{r.volume:.0f}",
             "Timestamp,Gmtoffset,Datetime,Open,High,Low,Close,Volume\n"),
        {},
    ),
    "Alpaca": (
        form("UTC", lambda t, r: f"ESH5,{t:%Y-%m-%dT%H:%M:%SZ},{ohlc(r)},{r.volume:.0f},5,{r.close}",
             "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"),
        {},
    ),
    "klines, the close before the open": (
        form("UTC", lambda t, r: f"{t.value // 10**6 + 59_999},{t.value // 10**6},{ohlc(r)},{r.volume:.0f}",
             "close_time,open_time,open,high,low,close,volume\n"),
        {},
    ),
    "Interactive Brokers, ib_insync": (
        form(CHICAGO, lambda t, r: f"{t.isoformat(sep=' ')},{ohlc(r)},{r.volume},{r.close},9",
             "date,open,high,low,close,volume,average,barCount\n"),
        {},
    ),
    "Interactive Brokers, without a zone": (
        form(CHICAGO, lambda t, r: f"{t:%Y%m%d %H:%M:%S},{ohlc(r)},{r.volume:.0f}",
             "date,open,high,low,close,volume\n"),
        {"timezone": CHICAGO},
    ),
    "Rithmic": (
        form("UTC", lambda t, r: f"{t:%m/%d/%Y,%H:%M:%S},ESH5,{ohlc(r)},{r.volume:.0f}",
             "Date,Time,Symbol,Open,High,Low,Close,Volume\n"),
        {},
    ),
    "Stooq": (
        form("UTC", lambda t, r: f"ES.F,1,{t:%Y%m%d,%H%M%S},{ohlc(r)},{r.volume:.0f},0",
             "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"),
        {},
    ),
    "Polygon's aggregates": (
        form("UTC", lambda t, r: f"{r.volume:.0f},{r.close},{r.open},{r.close},{r.high},{r.low},"
             f"{t.value // 10**6},9", "v,vw,o,c,h,l,t,n\n"),
        {},
    ),
    "TradingView": (
        form(NY, lambda t, r: f"{t.isoformat()},{ohlc(r)},{r.volume:.0f}",
             "time,open,high,low,close,Volume\n"),
        {},
    ),
    "TradingView, numbers": (
        form("UTC", lambda t, r: f"{t.value // 10**9},{ohlc(r)},{r.volume:.0f}",
             "time,open,high,low,close,Volume\n"),
        {},
    ),
    "yfinance, one header": (
        form("UTC", lambda t, r: f"{t},{ohlc(r)},{r.close},{r.volume:.0f}",
             "Datetime,Open,High,Low,Close,Adj Close,Volume\n"),
        {},
    ),
    "Bloomberg, month first": (
        form(NY, lambda t, r: f"{t:%m/%d/%Y %H:%M},{r.open},{r.close},{r.high},{r.low},{r.volume:.0f}",
             "Date,Open,Close,High,Low,Volume\n"),
        {"timezone": NY},
    ),
    "Massive, futures": (
        form("UTC", lambda t, r: f"ESH5,{r.volume:.0f},{r.open},{r.close},{r.high},{r.low},{t.value},7,"
             f"{t:%Y-%m-%d}",
             "ticker,volume,open,close,high,low,window_start,transactions,session_end_date\n"),
        {},
    ),
    "Interactive Brokers, UTC": (
        form("UTC", lambda t, r: f"{t:%Y%m%d-%H:%M:%S},{ohlc(r)},{r.volume:.0f}",
             "date,open,high,low,close,volume\n"),
        {},
    ),
    "BigQuery": (
        form("UTC", lambda t, r: f"{t:%Y-%m-%d %H:%M:%S} UTC,{ohlc(r)},{r.volume:.0f}",
             "timestamp,open,high,low,close,volume\n"),
        {},
    ),
    "Dukascopy's form": (
        form("UTC", lambda t, r: f"{t:%d.%m.%Y %H:%M:%S}.000,{ohlc(r)},{r.volume:.0f}",
             "Gmt time,Open,High,Low,Close,Volume\n"),
        {},
    ),
    "a database's numbers": (
        form(CHICAGO, lambda t, r: f"{t:%Y%m%d%H%M%S},{ohlc(r)},{r.volume:.0f}",
             "timestamp,open,high,low,close,volume\n"),
        {"timezone": CHICAGO},
    ),
    "day first": (
        form(NY, lambda t, r: f"{t:%d/%m/%Y,%H:%M},{ohlc(r)},{r.volume:.0f}",
             "Date,Time,Open,High,Low,Close,Volume\n"),
        {"timezone": NY},
    ),
}  # fmt: skip
"""Read right with these options; and never otherwise than right with any."""

REFUSED: dict[str, Callable[[Bars], str]] = {
    "TradeStation, up and down": form(NY, lambda t, r: f"{t:%m/%d/%Y,%H:%M},{ohlc(r)},9,9",
             '"Date","Time","Open","High","Low","Close","Up","Down"\n', 1),
    "MultiCharts, up and down": form(NY, lambda t, r: f"{t:%m/%d/%Y, %H:%M:%S}, {ohlc(r)}, 5, 4",
             "<Date>, <Time>, <Open>, <High>, <Low>, <Close>, <UpVol>, <DownVol>\n", 1),
    "IQFeed, total volume alone": form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{r.high},{r.low},{r.open},{r.close},999",
             "TimeStamp,High,Low,Open,Close,Total Volume\n", 1),
    "12-hour clock": form(NY, lambda t, r: f"{t:%Y-%m-%d %I:%M:%S},{ohlc(r)},9", "timestamp,open,high,low,close,volume\n"),
    "12-hour clock, two columns": form(NY, lambda t, r: f"{t:%Y-%m-%d,%I:%M},{ohlc(r)},9", "Date,Time,Open,High,Low,Close,Volume\n"),
    "12-hour clock in NinjaTrader's form": form(NY, lambda t, r: f"{t:%Y%m%d %I%M%S};{ohlc(r).replace(',', ';')};9", "", 1),
    "AM and PM": form(NY, lambda t, r: f"{t:%Y-%m-%d %I:%M %p},{ohlc(r)},9", "timestamp,open,high,low,close,volume\n"),
    "LSEG": form("UTC", lambda t, r: f"ESH25,{t:%Y-%m-%dT%H:%M:%SZ},-5,Intraday 1Min,{ohlc(r)},9",
             "#RIC,Date-Time,GMT Offset,Type,Open,High,Low,Last,Volume\n"),
    "MetaTrader 5": form(BROKER, lambda t, r: f"{t:%Y.%m.%d\t%H:%M:%S}\t{r.open}\t{r.high}\t{r.low}\t{r.close}\t9\t0\t5",
             "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"),
    "MetaTrader 4": form(BROKER, lambda t, r: f"{t:%Y.%m.%d,%H:%M},{ohlc(r)},9"),
    "Kibot": form(NY, lambda t, r: f"{t:%m/%d/%Y,%H:%M},{ohlc(r)},9"),
    "FirstRate Data, no header": form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{ohlc(r)},9"),
    "HistData, ASCII": form("EST", lambda t, r: f"{t:%Y%m%d %H%M%S};{r.open};{r.high};{r.low};{r.close};0"),
    "Barchart": form(CHICAGO, lambda t, r: f"{t:%Y-%m-%d %H:%M},{ohlc(r)},1,+0.1%,9",
             "Time,Open,High,Low,Latest,Change,%Change,Volume\n"),
    "IQFeed": form(NY, lambda t, r: f"LH,{t:%Y-%m-%d %H:%M:%S},{r.high},{r.low},{r.open},{r.close},9,9,0,", "", 1),
    "Barchart's API": form(CHICAGO, lambda t, r: f"{t:%Y-%m-%d %H:%M},{t.day},{ohlc(r)},9"),
    "Backtrader": form(CHICAGO, lambda t, r: f"{t:%Y-%m-%d,%H:%M:%S},{ohlc(r)},9,0"),
    "eSignal": form(NY, lambda t, r: f"ES H5,{t:%m/%d/%Y,%H:%M},{ohlc(r)},9"),
    "MIDPOINT of Interactive Brokers": form("UTC", lambda t, r: f"{t:%Y%m%d-%H:%M:%S},{ohlc(r)},-1", "date,open,high,low,close,volume\n"),
    "QuantConnect": form(NY, lambda t, r: f"{(t.hour * 60 + t.minute) * 60_000},{ohlc(r)},9"),
    "Portara, no header": form(CHICAGO, lambda t, r: f"{t:%Y%m%d,%H%M},{ohlc(r)},9"),
    "CQG": form(CHICAGO, lambda t, r: f"EP,{t:%Y%m%d,,%H%M},{ohlc(r)},9"),
    "Interactive Brokers, with the zone's name": form(CHICAGO, lambda t, r: f"{t:%Y%m%d  %H:%M:%S} US/Central,{ohlc(r)},9",
             "date,open,high,low,close,volume\n"),
    "Norgate, days": form(NY, lambda t, r: f"{t:%Y%m%d},{ohlc(r)},9,9",
             "Date,Open,High,Low,Close,Volume,Open Interest\n"),
    "Alpha Vantage, newest first": lambda bars: "timestamp,open,high,low,close,volume\n" + "".join(
            reversed(form(NY, lambda t, r: f"{t:%Y-%m-%d %H:%M:%S},{ohlc(r)},9")(bars).splitlines(True))),
    "Thinkorswim": form(NY, lambda t, r: f"{t:%m/%d/%y %H:%M},{ohlc(r)},9", "Date/Time,Open,High,Low,Close,Volume\n"),
    "Barchart's last line": lambda bars: form(CHICAGO, lambda t, r: f"{t:%Y-%m-%d %H:%M},{ohlc(r)},9",
                          "Time,Open,High,Low,Last,Volume\n")(bars) + '"Downloaded from Barchart.com"\n',
}  # fmt: skip
"""Not read as they are: the vendor or the cause, and what to do."""
