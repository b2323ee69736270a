"""Rolls are worth a look where prices jump at them; rows of two expiries are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import Contents
from markets.quality.contents.expiries import in_roll_weeks, mixed_expiries, roll_warnings
from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from tests.markets.quality.contents.made_contents import made
from tests.sentences import refuses

PRICES = ["open", "high", "low", "close"]


@pytest.fixture(scope="module")
def whole() -> Bars:
    """Thirty days with their nights, 2025-03-03 to 2025-04-11; the expiry is 2025-03-21."""
    return synthetic_bars("ES", days=30, seed=4, start="2025-03-03", session="all")


@pytest.fixture(scope="module")
def regular() -> Bars:
    return synthetic_bars("ES", days=30, seed=4, start="2025-03-03")


def rolled(frame: pd.DataFrame, day: str, points: float = 52.25) -> pd.DataFrame:
    """Return bars that are higher from the session of a day on."""
    later = frame.index >= pd.Timestamp(day, tz="America/New_York") - pd.Timedelta(hours=6)
    return frame.assign(**{name: frame[name] + points * later for name in PRICES})


def warnings_of(frame: pd.DataFrame, path: Path, **columns: object) -> dict[str, str]:
    frame.assign(**columns).to_csv(path)
    bars = read_bars(path, "ES")  # warnings refuse nothing
    found = inspect(read_frame(path), bars.contract, path.name)
    assert found.ok
    return {warning.kind: f"{warning.message}; {warning.mend}" for warning in found.warnings}


@pytest.mark.parametrize(
    ("day", "points"),
    [("2025-03-11", 52.25), ("2025-03-13", -30.0), ("2025-03-17", 52.25), ("2025-03-20", 27.0)],
)
def test_a_roll_that_is_not_adjusted_is_worth_a_look(
    whole: Bars, tmp_path: Path, day: str, points: float
) -> None:
    words = warnings_of(rolled(whole.frame, day, points), tmp_path / "bars.csv")["roll"]
    assert words.startswith(
        f"on {day}, when contracts roll, the price jumps by {'-' if points < 0 else '+'}"
    )
    assert "unadjusted prices do at a roll; adjust prices for the roll, or keep one contract" in words


def test_every_command_that_reads_bars_says_so(
    whole: Bars, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bars.csv"
    whole.frame.to_csv(path)
    assert read_bars(path, "ES").digest == whole.digest
    assert caplog.messages == []
    rolled(whole.frame, "2025-03-13").to_csv(path)
    read_bars(path, "ES")
    assert caplog.messages[0].startswith("bars.csv: on 2025-03-13, when contracts roll, the price")


def test_the_same_bars_without_the_jump_are_read_without_a_word(whole: Bars, tmp_path: Path) -> None:
    assert "roll" not in warnings_of(whole.frame, tmp_path / "bars.csv")
    other_month = rolled(whole.frame, "2025-04-07")
    assert "roll" not in warnings_of(other_month, tmp_path / "bars.csv")


def test_a_year_of_rolls_is_counted_and_a_calm_year_is_none(tmp_path: Path) -> None:
    bars = synthetic_bars("ES", days=250, seed=2, start="2025-01-06", session="all")
    calm = inspect(bars.frame, bars.contract, "bars")
    assert "roll" not in {found.kind for found in calm.warnings}
    frame = bars.frame
    for day in ("2025-03-17", "2025-06-16", "2025-09-15"):
        frame = rolled(frame, day, 60.0)
    found = {one.kind: one for one in inspect(frame, bars.contract, "bars").warnings}
    assert found["roll"].count == 3
    assert "on 2025-03-17" in found["roll"].message
    assert "(and at 2 later rolls)" in found["roll"].message


def test_the_weeks_of_the_third_fridays() -> None:
    expected = [("2025-03-09", True), ("2025-03-08", False), ("2025-03-24", True),
                ("2025-03-25", False), ("2025-09-19", True), ("2025-08-31", False),
                ("2025-04-18", False), ("2024-03-03", True), ("2024-12-20", True)]  # fmt: skip
    days = np.array([day for day, _ in expected], "datetime64[D]").astype(np.int64)
    assert in_roll_weeks(days).tolist() == [inside for _, inside in expected]


# Where the file itself says which contract a row is of


def test_symbols_show_a_roll_even_in_days_without_nights(regular: Bars, tmp_path: Path) -> None:
    frame = rolled(regular.frame, "2025-03-17")
    later = frame.index >= pd.Timestamp("2025-03-17", tz="America/New_York")
    symbol = np.where(later, "ESM5", "ESH5")
    words = warnings_of(frame, tmp_path / "bars.csv", symbol=symbol)["roll"]
    assert words.startswith("on 2025-03-17, where the file goes over to another contract, the price")
    assert warnings_of(regular.frame, tmp_path / "bars.csv", symbol="ESH5").get("roll") is None
    assert "roll" in warnings_of_parquet(frame, tmp_path / "bars.parquet", symbol)


def warnings_of_parquet(frame: pd.DataFrame, path: Path, symbol: object) -> set[str]:
    frame.assign(symbol=symbol).to_parquet(path)
    bars = read_bars(path, "ES")
    return {one.kind for one in inspect(read_frame(path), bars.contract, path.name).warnings}


def test_databentos_instrument_ids_show_the_roll_of_a_continuous_symbol(
    regular: Bars, tmp_path: Path
) -> None:
    frame = rolled(regular.frame, "2025-03-17").reset_index(names="ts_event")
    later = frame["ts_event"] >= pd.Timestamp("2025-03-17", tz="America/New_York")
    frame["ts_event"] = frame["ts_event"].dt.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    frame = frame.assign(rtype=33, instrument_id=np.where(later, 5002, 4916), symbol="ES.c.0")
    path = tmp_path / "es.ohlcv-1m.csv"
    frame.to_csv(path, index=False)
    assert len(read_bars(path, "ES")) == len(frame)
    found = inspect(read_frame(path), regular.contract, path.name).warnings
    assert "goes over to another contract" in {one.kind: one.message for one in found}["roll"]


def test_symbols_that_alternate_are_refused(regular: Bars, tmp_path: Path) -> None:
    symbol = np.where(np.arange(len(regular)) % 2 == 1, "ESM5", "ESH5")
    path = tmp_path / "bars.csv"
    regular.frame.assign(symbol=symbol).to_csv(path)
    with refuses():
        read_bars(path, "ES")
    regular.frame.assign(symbol=symbol).to_parquet(tmp_path / "bars.parquet")
    with refuses():
        read_bars(tmp_path / "bars.parquet", "ES")
    regular.frame.assign(symbol="ESH5").to_csv(path)
    assert read_bars(path, "ES").digest == regular.digest


def test_two_rows_a_minute_of_two_expiries_are_called_so(regular: Bars, tmp_path: Path) -> None:
    later = regular.frame.assign(**{name: regular.frame[name] + 52.25 for name in PRICES})
    path = tmp_path / "bars.csv"
    for both in (pd.concat([regular.frame, later]), pd.concat([regular.frame, later]).sort_index()):
        both.to_csv(path)
        with refuses():
            read_bars(path, "ES")
        report = inspect(read_frame(path), regular.contract, path.name)
        assert "two contracts" in next(one.mend for one in report.problems if one.kind == "duplicates")
    pd.concat([regular.frame, regular.frame.iloc[:100]]).sort_index().to_csv(path)
    with refuses():
        read_bars(path, "ES")
    regular.frame.iloc[::-1].to_csv(path)
    with refuses():
        read_bars(path, "ES")


@pytest.mark.parametrize(
    ("points", "told"),
    [(52.25, "+52.25"), (-30.0, "-30"), (3.25, "+3.25"), (-3.25, "-3.25"), (2.75, None)],
)
def test_a_roll_that_the_file_names_is_told_up_and_down(points: float, told: str | None) -> None:
    """From a twentieth of a percent on: of 6,000 points three."""
    bars = made(np.full(40, 20.0), close=6000.0 + 0.25 * (np.arange(40) % 3))
    later = points * (np.arange(40) >= 25)
    moved = {name: getattr(bars, name) + later for name in PRICES}
    moved["open"][25] = moved["close"][24] + points
    file = FileFacts("wall", contracts=("ESH5", "ESM5"), turns=1, turn_ns=(int(bars.ns[25]),))
    found = list(roll_warnings(replace(bars, **moved, file=file)))
    assert [one.count for one in found] == [1] * (told is not None)
    if told is not None:
        words = "on 2025-01-06, where the file goes over to another contract, the price jumps by"
        assert found[0].message.startswith(f"{words} {told} points from one bar to the next, as")


@pytest.mark.parametrize(("turns", "mixed"), [(1, False), (2, True), (3, True)])
def test_symbols_that_come_again_are_mixed(turns: int, mixed: bool) -> None:
    """Two of them change once where one follows the other."""
    file = FileFacts("wall", contracts=("ESH5", "ESM5"), turns=turns)
    found = list(mixed_expiries(replace(made(np.full(40, 20.0)), file=file)))
    assert [one.count for one in found] == [turns] * mixed


@pytest.mark.parametrize(("turns", "mixed"), [(44, False), (45, True)])
def test_more_contracts_in_order_than_a_file_names(turns: int, mixed: bool) -> None:
    """Eleven years of quarters change 44 times, and only their first symbols are kept."""
    file = FileFacts("wall", contracts=("ESH5", "ESM5"), turns=turns, different=45)
    found = list(mixed_expiries(replace(made(np.full(40, 20.0)), file=file)))
    assert [one.count for one in found] == [turns] * mixed


def sessions_of(moves: list[float], gaps: list[int]) -> Contents:
    """Return sessions of fifty bars, each of which opens some points beside the last close.

    The breaks before them are that many minutes long; the first begins on 2025-03-03 at 09:30.
    """
    begin = 14 * 60 + 30
    starts = begin + np.cumsum([0, *(50 + gap for gap in gaps[1:])])
    minutes = np.concatenate([start + np.arange(50) for start in starts])
    close = 6000.0 + np.repeat(np.cumsum(moves), 50) + 0.25 * (np.arange(50 * len(moves)) % 50 % 7 % 2)
    bars = made(np.full(len(close), 20.0), close=close)
    opened = np.where(np.arange(len(close)) % 50 == 0, close, bars.open)
    monday = pd.Timestamp("2025-03-03", tz="UTC").value
    return replace(
        bars,
        ns=monday + minutes.astype(np.int64) * 60 * 10**9,
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
    )


DAY, WEEKEND = 1390, 3 * 1440 - 50


@pytest.mark.parametrize(
    ("day", "points", "told"),
    [
        (8, 18.0, False),  # over a night less than 0.3% of 6,001 points
        (8, 18.25, True),
        (8, -17.75, False),
        (8, -18.25, True),
        (10, 30.0, False),  # over a weekend less than 0.5%
        (10, 30.25, True),
        (10, -30.25, True),
        (3, 60.0, False),  # before the weeks of rolls
    ],
)
def test_how_far_a_price_jumps_at_a_roll(day: int, points: float, told: bool) -> None:
    """On a Thursday and on a Monday of the second week; in sessions that hardly move otherwise."""
    gaps = [WEEKEND if number % 5 == 0 else DAY for number in range(25)]
    moves = [0.25 * (number % 2) for number in range(25)]
    moves[day] = points
    found = list(roll_warnings(sessions_of(moves, gaps)))
    assert [one.count for one in found] == [1] * told
    if told:
        date = pd.bdate_range("2025-03-03", periods=25)[day].strftime("%Y-%m-%d")
        words = f"on {date}, when contracts roll, the price jumps by {points:+.10g} points from one bar"
        assert found[0].message.startswith(words)
        # A larger move near it makes it no roll's: of a night for nights, of a weekend for weekends.
        for other, alike in (({8: 3, 10: 20}[day], True), (4, day == 8)):
            more = moves.copy()
            more[other] = -1.1 * points
            assert len(list(roll_warnings(sessions_of(more, gaps)))) == (not alike)


@pytest.mark.parametrize(("minutes", "mixed"), [(45, True), (46, False)])
def test_jumps_over_a_break_are_no_mixed_rows(minutes: int, mixed: bool) -> None:
    """Of fourteen sessions that lie now here and now fifty points higher."""
    moves = [0.0] + [50.0, -50.0] * 7
    bars = sessions_of(moves, [0] + [minutes - 1] * 14)
    found = list(mixed_expiries(bars))
    assert [one.count for one in found] == [14] * mixed
    if mixed:
        assert "the price jumps by about 50 points and back, 14 times" in found[0].message


def test_of_several_rolls_that_a_file_names_those_that_jump_are_told() -> None:
    """The first of them, and how many come later; a turn at the first row or after the last is none."""
    bars = made(np.full(40, 20.0), close=6000.0 + 0.25 * (np.arange(40) % 3))
    opened = bars.open.copy()
    opened[[0, 20, 30]] += [90.0, 52.25, -30.0]
    opened[20] = bars.close[19] + 52.25
    at = [int(bars.ns[row]) for row in (0, 10, 20, 30)] + [int(bars.ns[-1]) + 10**12]
    for turns, told in ((at, "+52.25"), (at[:2], ""), (at[:3], "+52.25"), (at[3:], "-")):
        file = FileFacts("wall", contracts=("ESH5", "ESM5"), turns=len(turns), turn_ns=tuple(turns))
        found = list(roll_warnings(replace(bars, open=opened, file=file)))
        assert [one.count for one in found] == ([2] if turns is at else [1] if told else [])
        if told:
            assert f"the price jumps by {told}" in found[0].message
            assert ("(and at 1 later roll)" in found[0].message) == (turns is at)


def test_the_first_three_of_the_contracts_own_symbols_are_named() -> None:
    bars = made(np.full(40, 20.0))
    symbols = ("ESH5", "ESM5", "XYZ", "ESU5", "ESZ5")
    (found,) = mixed_expiries(replace(bars, file=FileFacts("wall", contracts=symbols, turns=1234)))
    assert "back and forth between ESH5, ESM5, ESU5, 1,234 times" in found.message
    assert (found.kind, found.count) == ("two_contracts", 1234)
    for others in (("ESH5", "NQM5"), ("NQH5", "NQM5"), ("ESH5",)):
        assert not list(
            mixed_expiries(replace(bars, file=FileFacts("wall", contracts=others, turns=9)))
        )


def jumping(jumps: list[float], reach: float = 0.5) -> Contents:
    """Return five bars at each level, of which the first opens where it closes."""
    rows = np.arange(5 * (len(jumps) + 1))
    close = 6000.0 + 0.25 * (rows % 3) + np.repeat(np.cumsum([0.0, *jumps]), 5)
    bars = made(np.full(len(rows), 20.0), close=close)
    opened = np.where(rows % 5 == 0, close, bars.open)
    high, low = np.maximum(opened, close) + reach, np.minimum(opened, close) - reach
    return replace(bars, open=opened, high=high, low=low)


@pytest.mark.parametrize(
    ("jumps", "mixed"),
    [
        ([50.0, -50.0] * 5, True),
        ([50.0, -50.0] * 4 + [50.0], False),  # nine are too few
        ([50.0] * 10, False),
        ([50.0, -50.0] * 4 + [-50.0] * 3, True),  # seven of ten are taken back
        ([50.0, -50.0] * 3 + [50.0] * 5, False),
        ([50.0, -38.0] * 5, True),  # all but a quarter
        ([50.0, -37.0] * 5, False),
        ([-38.0, 50.0] * 5, True),
        ([5.0, -5.0] * 5, False),  # within five usual ranges
    ],
    ids=str,
)
def test_rows_are_mixed_where_most_jumps_are_taken_back(jumps: list[float], mixed: bool) -> None:
    found = list(mixed_expiries(jumping(jumps)))
    assert [one.count for one in found] == [len(jumps)] * mixed


@pytest.mark.parametrize(("points", "mixed"), [(5.25, False), (7.0, True)])
def test_a_jump_is_a_thousandth_of_the_price_where_bars_hardly_move(points: float, mixed: bool) -> None:
    assert bool(list(mixed_expiries(jumping([points, -points] * 6, reach=0.0)))) is mixed
