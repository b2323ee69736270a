"""NinjaTrader's export of minute bars: ``20250902 133100;open;high;low;close;volume``, no header.

NinjaTrader exports in UTC and stamps a bar by its close: the line stamped 133100 is the minute that
opens at 13:31:00 minus one minute. Each stamp is therefore moved back by a minute. Files of the same
form from elsewhere may be in another zone, or stamped by the open; say so with ``timezone`` and
``stamped``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from foundation.errors import InputError
from markets.bars import COLUMNS
from markets.readers.table import Options, moved_to_open, refuse_instrument, with_facts
from markets.readers.text import look, parse
from markets.readers.times import utc_index

LINE = re.compile(r"\d{8} \d{6};")
EXPORT = re.compile(r"\d{8}(?: \d{6}(?: \d+)?)?;")
"""A line of any of its exports: of minutes, and of days and ticks, which are refused."""
DAY = re.compile(r"\d{8};")
TICK = re.compile(r"\d{8} \d{6} \d+;|\d{8} \d{6};[\d.]+;(?:[\d.]+;[\d.]+;)?\d+$")
_EXPECTED = "a line is yyyyMMdd HHmmss;open;high;low;close;volume, of minute bars"


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return bars on their UTC index, stamped by their open; see ``read_frame``."""
    head = look(path)
    refuse_instrument(options, head.source)
    names = ["timestamp", *COLUMNS]
    fields = head.line.count(";") + 1
    for form, kind in ((DAY, "day"), (TICK, "tick")):
        if form.match(head.line):
            raise InputError(
                f"{head.source} is NinjaTrader's export of {kind}s, not of minutes; export again with "
                "the type Minute and the data type Last"
            )
    if not LINE.match(head.line) or fields != len(names):
        raise InputError(
            f"{head.source}, line {head.number}: {head.line[:40]!r} is not NinjaTrader's form; "
            f"{_EXPECTED}"
        )
    raw = parse(
        path,
        head,
        names,
        names,
        header=False,
        delimiter=";",
        timestamp_parsers=["%Y%m%d %H%M%S"],
    )
    closes, stamps = utc_index(raw, "timestamp", options.timezone)
    within = np.asarray(closes.asi8 % 60_000_000_000 != 0)
    if within.any():
        row = int(np.argmax(within))
        raise InputError(
            f"{head.source}, {raw.where(row)}: {closes[row]} is not a whole minute; export minute bars"
        )
    frame = raw.frame(moved_to_open(closes, options, "close"), COLUMNS)
    return with_facts(frame, head.source, stamps, options, member=head.member)
