"""Recognise files of vendors that are not read as they are, and say what to do about each.

Nothing is guessed into bars: a file without a header, or in a vendor's own order of columns, is refused
with the vendor's name, the cause, and the line to put in front of it. What such lines look like is what
the vendors publish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADER = "Date,Time,Open,High,Low,Close,Volume"
_FRONT = f"put the line {HEADER} in front"
_NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A form of file.

    Attributes:
        name: whose it is.
        line: what its first line looks like, in lower case.
        cause: why it is not read as it is.
        mend: what to do.
    """

    name: str
    line: re.Pattern[str]
    cause: str
    mend: str


def _vendor(name: str, line: str, cause: str, mend: str) -> Vendor:
    return Vendor(name, re.compile(line), cause, mend)


NO_HEADER = "there is no header"

VENDORS = (
    _vendor(
        "TradeStation",
        r'"?date"?,"?time"?,.*"?up"?,"?down"?',
        "there is no column volume: Up and Down are the contracts of rising and of falling trades",
        "add a column Volume that holds their sum, and pass --stamped close and the chart's zone with "
        "--tz",
    ),
    _vendor(
        "MetaTrader 5",
        r"<date>\t<time>\t<open>",
        "fields are separated by tabs, and times are of the broker's server",
        f"save it with commas under the header {HEADER} (Volume from VOL, or TICKVOL where VOL is 0), "
        "and pass the server's zone with --tz",
    ),
    _vendor(
        "Barchart",
        r"(?=.*\bchange\b)(?=.*%).*\blatest\b",
        "the close is named Latest",
        "rename it Close, remove the last line, and pass --tz America/Chicago",
    ),
    _vendor(
        "MetaTrader 4 or HistData",
        r"\d{4}\.\d\d\.\d\d,\d\d:\d\d,",
        NO_HEADER,
        f"{_FRONT}, and pass the zone of the broker's server with --tz (HistData: --tz EST)",
    ),
    _vendor(
        "Barchart's API",
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d)?,\d\d?(?:,{_NUMBER}){{5}}$",
        "there is no header, and a day of trading stands before the prices",
        "put the line timestamp,trading_day,open,high,low,close,volume in front, and pass --tz "
        "America/Chicago",
    ),
    _vendor(
        "Backtrader and others",
        rf"\d{{4}}-\d\d-\d\d,\d\d?:\d\d(?::\d\d)?(?:,{_NUMBER}){{5}}",
        NO_HEADER,
        f"{_FRONT} (with a name for every further field), and pass the zone of its times with --tz",
    ),
    _vendor(
        "eSignal",
        r"[a-z0-9$#_.=! -]{1,16},\d\d?/\d\d?/\d{4},\d\d?:\d\d",
        NO_HEADER,
        "put the line Symbol,Date,Time,Open,High,Low,Close,Volume in front, and pass the zone of "
        "its times with --tz",
    ),
    _vendor(
        "IQFeed",
        rf"(?:l[hi],)?\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?:,{_NUMBER}){{6}},?",
        "there is no header, and the order is high, low, open, close, total volume, volume",
        "put timestamp,high,low,open,close,total_volume,volume in front (with a name for every further "
        "field), and pass --stamped close --tz America/New_York",
    ),
    _vendor(
        "FirstRate Data",
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?:,{_NUMBER}){{5}}$",
        NO_HEADER,
        "put the line timestamp,open,high,low,close,volume in front, and pass --tz America/New_York",
    ),
    _vendor(
        "Kibot or Tick Data",
        r"\d\d?/\d\d?/\d{4},\d\d?:\d\d",
        NO_HEADER,
        f"{_FRONT} (with a name for every further field), and pass the vendor's zone with --tz (Kibot: "
        "America/New_York, Tick Data: the exchange's)",
    ),
    _vendor(
        "Portara",
        rf"\d{{8}},\d{{3,6}}(?:,{_NUMBER}){{5}}",
        NO_HEADER,
        f"{_FRONT}, and pass the exchange's zone with --tz",
    ),
    _vendor(
        "CQG",
        r"[a-z0-9.]{1,8},\d{8},[^,]*,\d{3,4},",
        "there is no header",
        "put Symbol,Date,Session,Time,Open,High,Low,Close,Volume in front, and pass the zone that the "
        "times are in with --tz",
    ),
    _vendor(
        "QuantConnect",
        rf"\d{{1,8}}(?:,{_NUMBER}){{5}}$",
        "there is no header, and times are milliseconds since midnight of the date in the file's name",
        "write each as that date and time of day in a column timestamp, and pass the zone of its "
        "folder with --tz (futures: America/New_York)",
    ),
)
"""The first whose line fits is meant."""


def vendor_of(line: str) -> Vendor | None:
    """Return the vendor that writes a file whose first line is this, or None."""
    lower = line.strip().lower()
    return next((vendor for vendor in VENDORS if vendor.line.match(lower)), None)


def vendor_words(line: str) -> str | None:
    """Return why such a vendor's file is not read and what to do, to follow a file's name; or None."""
    vendor = vendor_of(line)
    if vendor is None:
        return None
    return f"looks like a file of {vendor.name}, not to be read as it is: {vendor.cause}; {vendor.mend}"
