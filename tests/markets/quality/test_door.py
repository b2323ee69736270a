"""The door for bars: wrong readings of good data are refused by name, right ones give the same bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars, InputError
from markets.file_facts import FileFacts
from markets.quality.door import _leaps, admit, problems_of
from markets.quality.facts import Rows
from markets.quality.findings import problems
from markets.quality.inspection import inspect
from markets.quality.measurements import BAD_PRINT
from markets.quality.time_zone import clock_faults
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.sentences import refuses

Write = Callable[[pd.DataFrame, Path], None]


@pytest.fixture(scope="module")
def regular() -> Bars:
    """Forty days around the spring clock changes of America and Europe, 09:30 to 16:59."""
    return synthetic_bars("ES", days=40, seed=4, start="2025-02-18")


@pytest.fixture(scope="module")
def whole() -> Bars:
    """The same days with their nights."""
    return synthetic_bars("ES", days=40, seed=4, start="2025-02-18", session="all")


def csv(bars: Bars, path: Path, index: pd.Index, **columns: object) -> Path:
    """Write bars under other times, as CSV with a header."""
    frame = bars.frame.set_axis(index.rename("timestamp"), axis=0).assign(**columns)
    frame.to_csv(path)
    return path


def ninjatrader(bars: Bars, path: Path, index: pd.DatetimeIndex) -> Path:
    """Write bars under other times in NinjaTrader's form."""
    stamps = index.strftime("%Y%m%d %H%M%S")
    rows = bars.frame.to_numpy().tolist()
    lines = (
        f"{stamp};{';'.join(f'{value:g}' for value in row)}\n"
        for stamp, row in zip(stamps, rows, strict=True)
    )
    path.write_text("".join(lines))
    return path


def wall(bars: Bars, zone: str) -> pd.DatetimeIndex:
    index = bars.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    return index.tz_convert(zone).tz_localize(None)


def refused(path: Path, **options: object) -> None:
    with refuses():
        read_bars(path, "ES", **options)


ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "Asia/Tokyo", "EST"]


@pytest.mark.costly(keep=7)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("session", ["regular", "whole"])
def test_wall_time_of_another_zone_is_refused_by_its_name(
    session: str, zone: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bars: Bars = request.getfixturevalue(session)
    path = csv(bars, tmp_path / "bars.csv", wall(bars, zone))
    refused(path)
    again = read_bars(path, "ES", timezone=zone)
    assert again.digest == bars.digest
    assert again.accepted == ()


@pytest.mark.parametrize(
    ("really", "read_as"),
    [("EST", "America/New_York"), ("Europe/London", "UTC"), ("Etc/GMT+6", "America/Chicago")],
)
def test_a_zone_that_is_right_for_a_part_of_the_year_is_refused(
    regular: Bars, tmp_path: Path, really: str, read_as: str
) -> None:
    path = csv(regular, tmp_path / "bars.csv", wall(regular, really))
    refused(path, timezone=read_as)
    assert read_bars(path, "ES", timezone=really).digest == regular.digest


def test_a_part_of_a_file_in_another_zone_is_refused(regular: Bars, tmp_path: Path) -> None:
    index = regular.frame.index
    assert isinstance(index, pd.DatetimeIndex)
    days = pd.Series(index.date, index=index)
    middle = days.isin(sorted(set(days))[15:20]).to_numpy()
    moved = pd.DatetimeIndex(np.where(middle, index - pd.Timedelta(hours=1), index), tz="UTC")
    refused(csv(regular, tmp_path / "bars.csv", moved))


@pytest.mark.parametrize("minutes", [-1, 1])
def test_stamps_a_minute_beside_the_open_are_refused(whole: Bars, tmp_path: Path, minutes: int) -> None:
    index = whole.frame.index
    path = csv(whole, tmp_path / "bars.csv", index + pd.Timedelta(minutes=minutes))
    refused(path)
    if minutes > 0:
        assert read_bars(path, "ES", stamped="close").digest == whole.digest


def test_ninjatraders_form_stamped_by_the_open(whole: Bars, tmp_path: Path) -> None:
    path = ninjatrader(whole, tmp_path / "bars.txt", whole.frame.index)
    refused(path)
    assert read_bars(path, "ES", stamped="open").digest == whole.digest
    right = ninjatrader(whole, tmp_path / "right.txt", whole.frame.index + pd.Timedelta(minutes=1))
    assert read_bars(right, "ES").digest == whole.digest


def test_wall_time_labelled_utc_cannot_be_mended_by_tz(whole: Bars, tmp_path: Path) -> None:
    labelled = wall(whole, "America/New_York").tz_localize("UTC")
    refused(csv(whole, tmp_path / "bars.csv", labelled), timezone="America/New_York")
    seconds = pd.Index(labelled.as_unit("s").asi8)
    refused(csv(whole, tmp_path / "epoch.csv", seconds))


def test_hours_of_ones_own_are_no_other_zone(whole: Bars, tmp_path: Path) -> None:
    """From 08:30 New York time, which would be 09:30 in another zone; volume says where 09:30 is."""
    local = wall(whole, "America/New_York")
    minute = local.hour * 60 + local.minute
    cut = whole.select(np.asarray((minute >= 510) & (minute < 960)))
    path = csv(cut, tmp_path / "bars.csv", cut.frame.index)
    assert read_bars(path, "ES").digest == cut.digest


@pytest.mark.parametrize("symbol", ["ESH5", "ES 03-25", "ES.c.0", "CME_MINI:ES1!", "es"])
def test_the_files_own_symbol_is_held_against_the_one_given(
    regular: Bars, tmp_path: Path, symbol: str
) -> None:
    path = csv(regular, tmp_path / "bars.csv", regular.frame.index, symbol=symbol)
    assert read_bars(path, "ES").digest == regular.digest
    with refuses():
        read_bars(path, "MES")


@pytest.mark.parametrize("name", ["NQ 03-25.Last.csv", "nq_1min.csv", "NQH5.csv", "glbx-NQ-2025.csv"])
def test_the_files_name_is_held_against_the_symbol(regular: Bars, tmp_path: Path, name: str) -> None:
    path = csv(regular, tmp_path / name, regular.frame.index)
    refused(path)


@pytest.mark.parametrize("name", ["ES_and_NQ.csv", "bars.csv", "yes.csv", "ES 03-25.Last.csv"])
def test_names_that_contradict_nothing(regular: Bars, tmp_path: Path, name: str) -> None:
    path = csv(regular, tmp_path / name, regular.frame.index)
    assert read_bars(path, "ES").digest == regular.digest


def test_prices_at_a_wrong_scale_are_refused_at_the_door(regular: Bars, tmp_path: Path) -> None:
    columns = {name: regular.frame[name].to_numpy().copy() for name in ("open", "high", "low", "close")}
    for values in columns.values():
        values[5000:5100] *= 10
    path = csv(regular, tmp_path / "bars.csv", regular.frame.index, **columns)
    refused(path)


@pytest.mark.parametrize("factor", [4, 10, 100])
def test_a_whole_file_of_multiplied_prices_is_refused(
    regular: Bars, tmp_path: Path, factor: int
) -> None:
    names = ("open", "high", "low", "close")
    columns = {name: regular.frame[name].to_numpy() * factor for name in names}
    path = csv(regular, tmp_path / "bars.csv", regular.frame.index, **columns)
    refused(path)


def test_problems_can_be_accepted_and_are_then_named(regular: Bars, tmp_path: Path) -> None:
    path = csv(regular, tmp_path / "NQ.csv", wall(regular, "Europe/Berlin"))
    refused(path)
    bars = read_bars(path, "ES", accept_problems=True)
    assert bars.accepted == ("other_contract", "time_zone")
    assert bars.source == "NQ.csv, taken in spite of other_contract, time_zone"
    assert bars.select(slice(0, 50)).source == bars.source
    assert len(bars) == len(regular)


@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "Europe/Berlin", "Asia/Tokyo"])
@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_no_zone_and_no_end_of_a_minute_make_each_other_pass(
    regular: Bars, whole: Bars, zone: str, minutes: int
) -> None:
    for bars in (regular, whole):
        index = bars.frame.index
        assert isinstance(index, pd.DatetimeIndex)
        wall = (index + pd.Timedelta(minutes=minutes)).tz_convert(zone).tz_localize(None)
        read = wall.tz_localize("UTC").as_unit("ns").asi8
        volume = bars.frame["volume"].to_numpy()
        assert list(clock_faults(read, FileFacts("wall"), volume)), bars.source


def test_a_day_that_begins_at_an_odd_minute_is_worth_a_look(regular: Bars) -> None:
    day = regular.frame[regular.frame.index < regular.frame.index[0] + pd.Timedelta(hours=12)]
    for hours, odd in ((0, False), (1, True)):
        frame = day.set_axis(day.index + pd.Timedelta(hours=hours), axis=0)
        found = {one.kind for one in inspect(frame, regular.contract, "a day").warnings}
        assert ("opening" in found) is odd


CASES = Path(__file__).parents[3].parent / "shared" / "cases"
LOCAL, OPEN, NAMES, WRONG = (
    "rth_only_local_time",
    "ninjatrader_form_open_stamped",
    "header_is_named_otherwise",
    "wrong_name_for_what_it_is",
)


@pytest.mark.skipif(not CASES.is_dir(), reason="no files at ../shared/cases")
@pytest.mark.parametrize(
    ("path", "options", "words", "right"),
    [
        (f"{LOCAL}/ES_berlin.csv", {}, "--tz Europe/Berlin", {"timezone": "Europe/Berlin"}),
        (f"{LOCAL}/ES_berlin.Last.txt", {}, "--tz Europe/Berlin", {"timezone": "Europe/Berlin"}),
        (f"{LOCAL}/ES_chicago.csv", {}, "--tz America/Chicago", {"timezone": "America/Chicago"}),
        (f"{LOCAL}/ES_ny.csv", {}, "--tz America/New_York", {"timezone": "America/New_York"}),
        (
            "est_without_dst/ES_est.csv",
            {"timezone": "America/New_York"},
            "--tz EST",
            {"timezone": "EST"},
        ),
        (f"{OPEN}/ES_utc_open.txt", {}, "a minute early", {"stamped": "open"}),
        (f"{OPEN}/ES_minute_early.csv", {}, "add one minute to every timestamp", None),
        (
            *(f"{OPEN}/histdata_like_EST.csv", {"timezone": "EST"}, "a minute early"),
            {"timezone": "EST", "stamped": "open"},
        ),
        ("train_does_not_check/ES_times_ten.csv", {}, "prices look multiplied by 10", None),
        (
            *("train_does_not_check/ES_close_stamped.csv", {}, "the time of their close"),
            {"stamped": "close"},
        ),
        ("symbol_not_checked/NQ 03-25.Last.txt", {}, "pass --symbol NQ", {"symbol": "NQ"}),
        ("symbol_not_checked/nq.ohlcv-1m.csv", {}, "pass --symbol NQ", {"symbol": "NQ"}),
        ("tz_option_ignored/ES_mislabelled_utc.csv", {}, "so --tz does not apply", None),
        ("tz_option_ignored/ES_local_epoch.csv", {}, "so --tz does not apply", None),
        (
            *("databento_continuous_without_symbols/es_cont.ohlcv-1m.csv", {}),
            *("follow one another and never overlap.*map_symbols", None),
        ),
        ("timestamp_is_only_the_date/ES.csv", {}, None, {}),
        (f"{NAMES}/polygon.csv", {}, None, {}),
        (f"{NAMES}/two_zones.csv", {}, None, {}),
        (f"{NAMES}/yfinance_multi.csv", {}, None, {}),
        (f"{NAMES}/sierra.txt", {}, "in the zone of the chart", {"timezone": "America/New_York"}),
        (f"{NAMES}/tradingview_without_volume.csv", {}, "add the Volume study", None),
        (f"{WRONG}/ES 03-25.Bid.txt", {}, "bid prices, not trades", None),
        (f"{WRONG}/ES 03-25.day.txt", {}, "export of days.*type Minute", None),
        (f"{WRONG}/ES 03-25.tick.txt", {}, "export of ticks.*type Minute", None),
        (f"{WRONG}/cr_only.csv", {}, "end with CR alone", None),
        (f"{WRONG}/glbx-mdp3.ohlcv-1m.dbn.zst", {}, "DBN.*DBNStore.to_csv or `dbn --csv`", None),
        (f"{WRONG}/utf16.csv", {}, "UTF-16 text; save it as UTF-8", None),
    ],
)
def test_files_that_were_once_misread(
    path: str, options: dict[str, str], words: str | None, right: dict[str, str] | None
) -> None:
    """Refused by the cause; read where they are said to be what they are, alike in all their forms."""
    if words is not None:
        with pytest.raises(InputError, match=words) as caught:
            read_bars(CASES / path, "ES", **options)  # type: ignore[arg-type]
        assert Path(path).name in str(caught.value)
    if right is not None:
        found = read_bars(CASES / path, **{"symbol": "ES", **right})  # type: ignore[arg-type]
        assert found.accepted == ()
        assert same_bars(path, found.digest), path


DIGESTS: dict[str, str] = {}
"""Of what a folder's files say once they are read right, by the folder: all of them say the same."""
ALIKE = {"timestamp_is_only_the_date": NAMES}


def same_bars(path: str, digest: str) -> bool:
    folder = str(Path(path).parent)
    if folder in (OPEN, "train_does_not_check"):  # of files that hold other bars
        return True
    return DIGESTS.setdefault(ALIKE.get(folder, folder), digest) == digest


@pytest.mark.parametrize(
    ("column", "place"), [("high", 0), ("high", 1), ("high", 5), ("high", -1), ("low", 1), ("low", -1)]
)
def test_one_price_that_leaps_is_looked_at_wherever_it_stands(column: str, place: int) -> None:
    """It is held against the close before it; the first bar's high against its low."""
    prices = {"high": np.full(10, 5_010.0), "low": np.full(10, 4_990.0), "close": np.full(10, 5_000.0)}
    assert not _leaps(**prices)
    most, up = (1.0 + BAD_PRINT, np.inf) if column == "high" else (1.0 - BAD_PRINT, -np.inf)
    edge = most * (5_000.0 if place else 4_990.0)
    prices[column][place] = edge
    assert not _leaps(**prices)
    prices[column][place] = np.nextafter(edge, up)
    assert _leaps(**prices)
    assert not _leaps(*(values[:1] for values in prices.values()))


def moved(bars: Bars, to: str) -> Bars:
    """Return bars whose first one opens at another minute of its New York day."""
    first = bars.frame.index[0].tz_convert("America/New_York")
    by = pd.Timestamp(f"{first.date()} {to}", tz="America/New_York") - first
    return replace(bars, frame=bars.frame.set_axis(bars.frame.index + by))


def test_problems_are_named_once_each_in_the_order_of_their_names(regular: Bars) -> None:
    some = regular.select(slice(0, 900))
    flat = some.frame.assign(**dict.fromkeys(("open", "high", "low"), some.frame["close"]))
    file = FileFacts("offset", name="ES_bid.csv")
    bars = admit(replace(some, frame=flat), file, accept_problems=True)
    assert bars.accepted == ("one_price_a_bar", "quotes")
    with pytest.raises(InputError, match=r"its name says .* \(and 1 more: `rltrader data check`"):
        admit(replace(some, frame=flat), file)
    leap = some.frame.copy()
    leap.iloc[500, :4] *= 1.25  # which is looked at more closely, with all that the file says
    bars = admit(replace(some, frame=leap), file, accept_problems=True)
    assert bars.accepted == ("bad_prints", "quotes")


def test_all_warnings_are_told_with_what_was_accepted(
    regular: Bars, caplog: pytest.LogCaptureFixture
) -> None:
    some = regular.select(slice(0, 900))
    odd = replace(some, frame=some.frame.assign(volume=777.0))
    for name, more in (("ES.csv", ""), ("ES_bid.csv", ", taken in spite of quotes")):
        caplog.clear()
        file, source = FileFacts("offset", name=name, contracts=("SPY",)), odd.source + more
        bars = admit(odd, file, accept_problems=True)
        assert bars.source == source
        assert bars.warnings is not None
        assert ["SPY" in one for one in bars.warnings] == [True, False]
        assert "volume is 777 on nearly every bar" in bars.warnings[1]
        assert caplog.messages == [f"{source}: {one}" for one in bars.warnings]
        pd.testing.assert_frame_equal(bars.frame, odd.frame)


def test_the_clock_is_judged_of_minutes_and_not_of_seconds(regular: Bars) -> None:
    """In the daily halt; seconds are laid beside minutes, which are judged."""
    minutes = moved(regular.select(np.arange(18_000) % 450 < 40).select(slice(0, 160)), "17:10")
    file = FileFacts("offset", name="bars.csv")
    assert "time_zone" in [one.kind for one in problems_of(minutes, file)]
    seconds = second_bars(minutes, seed=1)
    assert [one.kind for one in problems_of(seconds, file)] == []
    for bars, clock in ((minutes, True), (seconds, False)):  # and so does who lists all problems
        frame = bars.frame.copy()
        frame.attrs["file"] = file
        kinds = [one.kind for one in problems(Rows(frame, bars.contract, bars.source))]
        assert ("time_zone" in kinds) == clock


def test_all_problems_are_counted_and_the_first_is_told() -> None:
    bars = synthetic_bars("ES", days=1, seed=3)
    facts = FileFacts("wall", contracts=("NQH5",), name="ES_bid.csv")
    with pytest.raises(InputError) as told:
        admit(bars, facts)
    words = str(told.value)
    begin = f"{bars.source}: its column of symbols says NQH5, and the file was read as ES; pass"
    assert words.startswith(begin)
    assert "pass --symbol NQ (and 1 more: `rltrader data check` lists them); --accept-problems" in words
    with pytest.raises(
        InputError, match="or rename the file if it does hold trades; --accept-problems"
    ):
        admit(bars, FileFacts("wall", name="ES_bid.csv"))
    taken = admit(bars, facts, accept_problems=True)
    assert taken.accepted == ("other_contract", "quotes")
    assert taken.source == f"{bars.source}, taken in spite of other_contract, quotes"
    assert (taken.warnings, taken.digest) == ((), bars.digest)
