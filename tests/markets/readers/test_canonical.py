"""The canonical CSV: every form of header and timestamp that it may have, and every way to fail."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from foundation.errors import InputError
from markets import get_contract
from markets.readers import FORMATS, detect_format, read_bars, read_frame
from tests.sentences import refuses

HEADER = "timestamp,open,high,low,close,volume\n"
ROWS = (
    "2025-09-02 13:30:00,6470.25,6472,6470,6471.5,120\n"
    "2025-09-02 13:31:00,6471.5,6471.75,6469.25,6470,88\n"
    "2025-09-02 13:33:00,6470,6470.5,6468.5,6468.75,95\n"
)
STAMPS = pd.DatetimeIndex(
    ["2025-09-02 13:30", "2025-09-02 13:31", "2025-09-02 13:33"], tz="UTC", name="timestamp"
).as_unit("ns")
VALUES = [
    [6470.25, 6472.0, 6470.0, 6471.5, 120.0],
    [6471.5, 6471.75, 6469.25, 6470.0, 88.0],
    [6470.0, 6470.5, 6468.5, 6468.75, 95.0],
]


def with_times(*times: object, header: str = HEADER) -> str:
    """Return the three rows under other timestamps."""
    rows = [line.split(",", 1)[1] for line in ROWS.splitlines()]
    return header + "".join(f"{stamp},{row}\n" for stamp, row in zip(times, rows, strict=True))


def test_the_plain_file_cell_by_cell(save):
    path = save(HEADER + ROWS)
    assert detect_format(path) == "csv"
    frame = read_frame(path)
    assert frame.index.equals(STAMPS)
    assert frame.to_numpy().tolist() == VALUES
    bars = read_bars(path, "ES")
    assert bars.source == "bars.csv"
    assert bars.bar_seconds == 60
    assert bars.frame.to_numpy().tolist() == VALUES


EPOCH = [1_756_819_800, 1_756_819_860, 1_756_819_980]  # 2025-09-02 13:30, 13:31 and 13:33 in UTC


@pytest.mark.parametrize(
    "text",
    [
        pytest.param((HEADER + ROWS).replace("\n", "\r\n"), id="windows line ends"),
        pytest.param("\ufeff" + HEADER + ROWS, id="byte order mark"),
        pytest.param("\n\n" + HEADER + "\n" + ROWS, id="empty lines"),
        pytest.param((HEADER + ROWS).rstrip(), id="no end of line at the end"),
        pytest.param(HEADER.upper() + ROWS, id="upper case"),
        pytest.param(
            '"Timestamp", "Open","High","Low","Close","Volume"\n' + ROWS, id="quotes and spaces"
        ),
        pytest.param(HEADER.replace("timestamp", "Datetime") + ROWS, id="another name"),
        pytest.param(with_times(*(s.isoformat() for s in STAMPS)), id="offset of UTC"),
        pytest.param(
            with_times(*(s.tz_convert("America/New_York").isoformat() for s in STAMPS)), id="an offset"
        ),
        pytest.param(with_times(*(f"{s:%Y-%m-%dT%H:%M:%S.000}Z" for s in STAMPS)), id="T and Z"),
        pytest.param(with_times(*(f"{s:%Y-%m-%d %H:%M}" for s in STAMPS)), id="no seconds"),
        pytest.param(with_times(*(f"{s:%Y%m%dT%H%M%S}" for s in STAMPS)), id="basic ISO form"),
        pytest.param(with_times(*EPOCH), id="epoch seconds"),
        pytest.param(with_times(*(f"{x}.0" for x in EPOCH)), id="epoch seconds with a point"),
        pytest.param(with_times(*(x * 10**3 for x in EPOCH)), id="epoch milliseconds"),
        pytest.param(with_times(*(x * 10**6 for x in EPOCH)), id="epoch microseconds"),
        pytest.param(with_times(*(x * 10**9 for x in EPOCH)), id="epoch nanoseconds"),
    ],
)
def test_every_accepted_form_gives_the_same_bars(save, text):
    frame = read_frame(save(text))
    assert frame.index.equals(STAMPS)
    assert frame.to_numpy().tolist() == VALUES


def test_further_columns_and_another_order_do_not_matter(save):
    text = "symbol,Close,volume,note,open,high,low,timestamp\n"
    text += 'ES,6471.5,120,"a, b",6470.25,6472,6470,2025-09-02 13:30:00\n'
    frame = read_frame(save(text))
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert frame.to_numpy().tolist() == [VALUES[0]]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_text_is_read_as_it_is(save, tmp_path, suffix):
    import pyarrow as pa

    path = tmp_path / f"bars.csv{suffix}"
    with pa.output_stream(str(path), compression="detect") as stream:
        stream.write((HEADER + ROWS).encode())
    assert read_frame(path).to_numpy().tolist() == VALUES


def test_empty_cells_are_left_for_the_quality_report(save):
    path = save(HEADER + ROWS.replace("6472,", ",").replace(",88\n", ",NaN\n"))
    frame = read_frame(path)
    assert np.isnan(frame["high"].iloc[0])
    assert np.isnan(frame["volume"].iloc[1])
    assert np.isnan(frame.to_numpy()).sum() == 2
    with refuses():
        read_bars(path, "ES")


# A zone: wall time to UTC by hand, on both sides of each change of the clocks in 2025.
@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("America/New_York", "2025-03-07 09:30:00", "2025-03-07 14:30"),
        ("America/New_York", "2025-03-10 09:30:00", "2025-03-10 13:30"),
        ("America/New_York", "2025-03-09 18:00:00", "2025-03-09 22:00"),
        ("America/New_York", "2025-10-31 09:30:00", "2025-10-31 13:30"),
        ("America/New_York", "2025-11-03 09:30:00", "2025-11-03 14:30"),
        ("America/Chicago", "2025-11-03 08:30:00", "2025-11-03 14:30"),
        ("Europe/Berlin", "2025-03-28 14:30:00", "2025-03-28 13:30"),
        ("UTC", "2025-03-07 14:30:00", "2025-03-07 14:30"),
    ],
)
def test_wall_time_in_a_zone(save, zone, wall, utc):
    frame = read_frame(save(HEADER + f"{wall},1,1,1,1,1\n"), timezone=zone)
    assert frame.index[0] == pd.Timestamp(utc, tz="UTC")


@pytest.mark.parametrize(
    "stamp",
    [
        "2025-09-02 09:30:00-04:00",
        "2025-09-02 09:30 -0400",
        "20250902T093000-0400",
        "20250902 093000-04",
        "20250902T133000Z",
        "2025-09-02T1330Z",
        "20250902T133000.000+0000",
    ],
)
def test_an_offset_in_the_file_beats_the_zone(save, stamp):
    frame = read_frame(save(HEADER + f"{stamp},1,1,1,1,1\n"), timezone="Asia/Tokyo")
    assert frame.index[0] == STAMPS[0]
    assert frame.attrs["file"].stamps == "offset"


def test_the_end_of_a_date_is_no_offset_and_numbers_have_no_zone(save):
    frame = read_frame(save(HEADER + "2025-09-02T09,1,1,1,1,1\n"), timezone="America/New_York")
    assert frame.index[0] == STAMPS[0] - pd.Timedelta(minutes=30)
    frame = read_frame(save(HEADER + "2025-09-02,1,1,1,1,1\n"), timezone="America/New_York")
    assert frame.index[0] == pd.Timestamp("2025-09-02 04:00", tz="UTC")
    frame = read_frame(save(HEADER + f"{EPOCH[0]},1,1,1,1,1\n"), timezone="Asia/Tokyo")
    assert frame.index[0] == STAMPS[0]


@pytest.mark.parametrize(
    "wall",
    [
        "2025-03-09 02:30:00",
        "2025-11-02 01:30:00",
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_is_refused(save, wall):
    path = save(HEADER + f"2025-03-07 09:30:00,1,1,1,1,1\n{wall},1,1,1,1,1\n")
    with refuses():
        read_frame(path, timezone="America/New_York")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "America", "../UTC"])
def test_a_zone_that_is_none_is_refused(save, zone):
    with refuses():
        read_frame(save(HEADER + ROWS), timezone=zone)


LINE = "2025-09-02 13:34:00,6468.75,6469,6468,6468.5,50\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("\n \n", id="blank"),
        pytest.param(HEADER, id="header only"),
        pytest.param(HEADER.rstrip(), id="header only, no end of line"),
        pytest.param(ROWS, id="no header"),
        pytest.param((HEADER + ROWS).replace(",", ";"), id=";"),
        pytest.param((HEADER + ROWS).replace(",", "\t"), id="tab"),
        pytest.param("hello\nworld\n", id="prose"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", id="binary"),
        pytest.param(b"PK\x03\x04rest", id="zip"),
        pytest.param((HEADER + ROWS).encode("utf-16"), id="utf-16"),
        pytest.param(HEADER.encode() + b"\xe9\xe8,\xff\n", id="latin-1"),
        pytest.param(HEADER.replace(",volume", "") + "x", id="column"),
        pytest.param("open,high,low,close,volume\n1,1,1,1,1\n", id="no time"),
        pytest.param("date,time,open,high,low,close,volume\n", id="two columns"),
        pytest.param(HEADER.replace("volume", "volume,Close") + ROWS, id="twice"),
        pytest.param(HEADER + ROWS + "2025-09-02 13:34:00,6468\n", id="cut off"),
        pytest.param(HEADER + LINE.rstrip() + ",9\n" + ROWS, id="wide"),
        pytest.param(HEADER + "\n" + ROWS + LINE.replace("6469,", "x,"), id="x"),
        pytest.param(HEADER + ROWS + LINE.replace("6469,", '"6,469",'), id="thousands"),
        pytest.param(HEADER + LINE.replace(",50", ",True"), id="boolean"),
        pytest.param(HEADER + ROWS + LINE[19:], id="no timestamp"),
        pytest.param(HEADER + ROWS + "09/02/2025 13:34" + LINE[19:], id="American date"),
        pytest.param(HEADER + "2025-02-30 13:34:00" + LINE[19:], id="30/2"),
        pytest.param(HEADER + ROWS + "2025-09-02 13:34:00-04:00" + LINE[19:], id="mixed offsets"),
        pytest.param(HEADER + "13:34:00" + LINE[19:], id="time of day"),
        pytest.param(HEADER + "20250902" + LINE[19:], id="day"),
        pytest.param(HEADER + "250902133400" + LINE[19:], id="digits"),
        pytest.param(HEADER + f"{EPOCH[0]}{LINE[19:]}{EPOCH[1] * 1000}{LINE[19:]}", id="two units"),
        pytest.param(HEADER + "1985-09-02 13:34:00" + LINE[19:], id="1985"),
        pytest.param(HEADER + "-2025-09-02 13:34:00" + LINE[19:], id="-2025"),
        pytest.param(HEADER + "9999-09-02 13:34:00" + LINE[19:], id="9999"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_and_where(save, content):
    path = save(content)
    with refuses():
        read_bars(path, "ES")


def test_paths_that_lead_nowhere(tmp_path):
    with refuses():
        read_bars(tmp_path / "nowhere.csv", "ES")
    with refuses():
        read_bars(tmp_path, "ES")


def test_a_damaged_archive_is_refused(save):
    whole = gzip.compress((HEADER + ROWS * 50).encode())
    with refuses(r"(?<=read \().*(?=\);)"):
        read_bars(save(whole[: len(whole) // 2], "bars.csv.gz"), "ES")
    with refuses():
        read_bars(save("not compressed at all", "bars.csv.gz"), "ES")


def test_what_is_asked_for_must_exist(save):
    path = save(HEADER + ROWS)
    with refuses():
        read_frame(path, format="xml")
    with refuses():
        read_bars(path, "XX")
    with refuses():
        read_bars(path, "ES", use_features=True)
    with refuses():
        read_frame(path, instrument="ESZ5")


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "csv"])
def test_the_wrong_format_named_is_an_error_and_no_guess(save, name):
    # The reason that is given for Parquet is in the words of its library.
    with refuses(*([r"(?<=Parquet \().*(?=\);)"] if name == "parquet" else [])):
        read_frame(save(HEADER + ROWS), format=name)


def test_a_contract_of_ones_own_and_snapping(save):
    path = save(HEADER + ROWS, "YM.csv")
    with refuses():
        read_bars(path, "YM")
    assert read_bars(path, get_contract("YM"), snap=True).frame["open"].tolist() == [
        6470.0,
        6472.0,
        6470.0,
    ]


def test_bars_of_five_minutes_are_refused(save):
    times = pd.date_range("2025-09-02 13:30", periods=20, freq="5min")
    text = HEADER + "".join(f"{stamp},1,1,1,1,1\n" for stamp in times)
    with refuses():
        read_bars(save(text), "ES")


def test_bars_stamped_within_the_minute_are_refused_and_seconds_are_known(save):
    with refuses():
        read_bars(save((HEADER + ROWS).replace(":00,", ":59,")), "ES")
    times = pd.date_range("2025-09-02 13:30", periods=20, freq="s")
    text = HEADER + "".join(f"{stamp},6000,6000,6000,6000,1\n" for stamp in times)
    assert read_bars(save(text), "ES").bar_seconds == 1


def test_the_real_file(real_file):
    bars = read_bars(real_file, "ES")
    assert len(bars) == 48_419
    assert bars.snapped == 0
    assert str(bars.frame.index[0]) == "2025-08-31 23:00:00+00:00"
    assert bars.frame.iloc[0].tolist() == [6543.5, 6543.5, 6543.5, 6543.5, 2.0]
    assert str(bars.frame.index[-1]) == "2025-10-17 20:59:00+00:00"
    expected = pd.read_csv(real_file)
    assert np.array_equal(bars.frame.to_numpy(), expected.iloc[:, 1:].to_numpy(float))
    assert len(bars.session("rth")) == 15_749


def test_prices_that_are_snapped_are_judged_all_the_same(save):
    path = save(HEADER + ROWS.replace("6472,", "6472.1,"), "ES_bid.csv")
    with pytest.raises(InputError, match="its name says that it holds bid prices"):
        read_bars(path, "ES", snap=True)
    bars = read_bars(path, "ES", snap=True, accept_problems=True)
    assert (bars.snapped, bars.accepted) == (1, ("quotes",))
