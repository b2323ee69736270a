"""The measurements of the quality report, on arrays of a few numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from markets.quality import measurements as checks
from markets.quality.sessions import while_closed


def test_scale_by_close_and_within_the_row():
    good = [100.0, 101.0, 99.0, 100.0]
    rows = np.array([good, good, [1.0, 1.01, 0.99, 1.0], good, [100.0, 10100.0, 99.0, 100.0]])
    assert checks.wrong_scale(rows).tolist() == [0, 0, -2, 0, 2]
    assert checks.wrong_scale(rows[:0]).tolist() == []


def test_a_crash_of_half_the_price_is_no_power_of_ten():
    rows = np.array([[100.0] * 4, [50.0] * 4, [25.0] * 4])
    assert checks.wrong_scale(rows).tolist() == [0, 0, 0]


def test_an_excursion_is_what_neighbours_do_not_share():
    #                 open  high  low  close
    rows = np.array([[10.0, 11.0, 9.0, 10.0], [10.0, 15.0, 9.5, 12.0], [13.0, 13.5, 6.0, 7.0]])
    # Between the close of 10 and the open of 13 the second bar's 15 is 2 beyond; the first's 11 and
    # 9 are 1 beyond; the third's 13.5 is 1.5 beyond the close of 12, and no open follows it.
    assert checks.excursions(rows).tolist() == [1.0, 2.0, 1.5]


def test_closed_hours_of_a_week():
    local = pd.DatetimeIndex(
        [
            "2025-01-06 16:59",  # Monday
            "2025-01-06 17:00",
            "2025-01-06 17:59",
            "2025-01-06 18:00",
            "2025-01-10 16:59",  # Friday
            "2025-01-10 18:00",
            "2025-01-11 12:00",
            "2025-01-12 17:59",  # Sunday
            "2025-01-12 18:00",
        ],
        tz="America/New_York",
    )
    closed = while_closed(local.as_unit("ns").asi8).tolist()
    assert closed == [False, True, True, False, False, True, True, True, False]


def test_a_trading_day_begins_at_six_in_the_evening():
    local = pd.DatetimeIndex(["2025-01-06 17:59", "2025-01-06 18:00"], tz="America/New_York")
    days = checks.trading_days(local.as_unit("ns").asi8)
    assert (days[1] - days[0]) == 1


def test_two_prices_need_two_contracts():
    prices = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 1.0, 2.0], [2.0, 3.0, 1.0, 2.0]])
    assert checks.too_few_trades(prices, np.array([1.0, 1.0, 3.0])).tolist() == [False, True, False]
    assert checks.too_few_trades(prices, np.zeros(3)).tolist() == [False, False, False]


def test_missing_minutes_are_whole_numbers():
    minute = 60 * 10**9
    monday = pd.Timestamp("2025-01-06 15:00", tz="UTC").value  # 10:00 in New York
    found = checks.missing_minutes(monday + minute * np.array([0, 1, 4, 5, 7]))
    assert found.start_ns.tolist() == [monday + 2 * minute, monday + 6 * minute]
    assert found.minutes.tolist() == found.regular.tolist() == [2, 1]
    assert {part.dtype for part in (found.start_ns, found.minutes, found.regular)} == {
        np.dtype(np.int64)
    }


MINUTE = 60 * 10**9
MONDAY = pd.Timestamp("2025-01-06 10:00", tz="America/New_York").value


@pytest.mark.parametrize(
    ("step", "minutes", "bad"),
    [
        (1.2, 1, True),
        (1.2, 4 * 1440, True),  # over a long weekend
        (1.2, 5 * 1440 - 1, True),
        (1.2, 5 * 1440, False),  # after so long it may be any price
        (1.1001, 1, True),
        (1.0999, 1, False),
        (0.8999, 1, True),
        (0.9001, 1, False),
    ],
)
def test_a_price_that_changes_for_good_within_days_is_a_bad_print(
    step: float, minutes: int, bad: bool
) -> None:
    ns = MONDAY + MINUTE * np.array([0, 1, 1 + minutes, 2 + minutes])
    prices = np.array([[100.0] * 4] * 2 + [[100.0 * step] * 4] * 2)
    spikes, prints = checks.spikes(ns, prices, 0.25)
    assert prints.tolist() == [False, False, bad, False]
    assert not spikes.any()


@pytest.mark.parametrize(
    ("reach", "spike", "bad"),
    [(15.0, False, False), (15.25, True, False), (600.0, True, False), (600.25, False, True)],
)
@pytest.mark.parametrize("side", ["up", "down"])
def test_a_spike_reaches_fifteen_usual_ranges_and_a_bad_print_a_tenth_of_the_price(
    reach: float, spike: bool, bad: bool, side: str
) -> None:
    """No bar is both; a quiet market's ranges count for no less than twenty ticks together."""
    ns = MONDAY + MINUTE * np.arange(21)
    prices = np.tile([6000.0, 6000.5, 5999.5, 6000.0], (21, 1))
    prices[10, 1 if side == "up" else 2] += reach if side == "up" else -reach
    prices[10, 1 if side == "up" else 2] = 6000.0 + (reach if side == "up" else -reach)
    spikes, prints = checks.spikes(ns, prices, 0.25)
    assert np.flatnonzero(spikes).tolist() == [10] * spike
    assert np.flatnonzero(prints).tolist() == [10] * bad
    quiet = prices.copy()
    quiet[:, 1:3] = np.where(np.arange(21)[:, None] == 10, prices[:, 1:3], 6000.0)
    far, _ = checks.spikes(ns, quiet, 0.25)
    assert np.flatnonzero(far).tolist() == [10] * (not bad)  # beyond 20 ticks of 0.25 points
    far, _ = checks.spikes(ns, quiet, reach / 20)
    assert not far.any()


@pytest.mark.parametrize(
    ("slots", "busiest"),
    [
        ({570: 100.0}, None),
        ({570: 100.0, 540: 110.0}, None),  # not by enough
        ({570: 100.0, 540: 111.0}, 540),
        ({930: 100.0, 960: 109.0}, None),
        ({930: 100.0, 960: 111.0}, 960),  # the first after the close
        ({930: 100.0, 0: 200.0, 1410: 300.0}, 1410),
        ({930: 100.0, 0: 200.0, 1410: 150.0}, 0),
        ({0: 1.0}, 0),
    ],
    ids=str,
)
def test_the_busiest_half_hour_outside_the_cash_session(
    slots: dict[int, float], busiest: int | None
) -> None:
    midnight = pd.Timestamp("2025-01-06", tz="America/New_York").value
    ns = np.array([midnight + minute * MINUTE + add * MINUTE for minute in slots for add in (0, 29)])
    volume = np.repeat([volume / 2 for volume in slots.values()], 2)
    assert checks.busiest_outside(ns, volume) == busiest


def test_each_row_has_its_own_power_of_ten():
    """Of a level that most rows share, whichever it is, and of one price beside its own close."""
    good = np.array([100.0, 101.0, 99.0, 100.0])
    for power in (-3, -2, -1, 1, 2, 3):
        rows = np.tile(good, (9, 1))
        rows[3:5] *= 10.0**power
        assert checks.wrong_scale(rows).tolist() == [0, 0, 0, power, power, 0, 0, 0, 0]
        rows[:8] = good * 10.0**power
        rows[8] = good
        assert checks.wrong_scale(rows).tolist() == [0] * 8 + [-power]
        for column in range(3):
            one = np.tile(good, (3, 1))
            one[1, column] *= 10.0**power
            assert checks.wrong_scale(one).tolist() == [0, power, 0]


@pytest.mark.parametrize("bars", [450, 449, 431, 430, 429])
def test_a_full_day_lacks_the_minutes_at_its_edge(bars: int) -> None:
    """Of three days, the last of so many bars: full from 430 on, and marked where it ends early."""
    day = np.arange(450) * MINUTE + pd.Timestamp("2025-01-06 09:30", tz="America/New_York").value
    ns = np.concatenate([day, day + 1440 * MINUTE, (day + 2 * 1440 * MINUTE)[:bars]])
    marked = checks.with_usual_edges(ns, 430)
    early = bars in (449, 431, 430)
    assert len(marked) - len(ns) == early
    if early:
        assert marked[-1] == day[-1] + (2 * 1440 + 1) * MINUTE


@pytest.mark.parametrize(("reach", "bad"), [(10.0, False), (10.25, True)])
@pytest.mark.parametrize("side", [1, 2])
def test_a_print_is_held_against_the_lower_of_both_prices(reach: float, bad: bool, side: int) -> None:
    """Of a bar that goes from 100 to 109: a tenth of 100 beyond them, and not of 109."""
    prices = np.array([[100.0] * 4, [100.0, 109.0, 100.0, 109.0], [109.0] * 4])
    prices[1, side] += reach if side == 1 else -reach
    _, prints = checks.spikes(MONDAY + MINUTE * np.arange(3), prices, 0.25)
    assert prints.tolist() == [False, bad, False]


def test_the_first_bar_is_held_against_its_own_open() -> None:
    """And the last one against its own close."""
    rows = np.array([[12.0, 13.0, 8.0, 10.0], [10.0, 10.0, 10.0, 10.0], [10.0, 16.0, 9.0, 14.0]])
    assert checks.excursions(rows).tolist() == [2.0, 0.0, 2.0]
    assert checks.excursions(rows[:1]).tolist() == [2.0]
    assert checks.excursions(rows[:0]).tolist() == []


def stamps(*times: str) -> np.ndarray:
    return pd.DatetimeIndex(times, tz="America/New_York").as_unit("ns").asi8


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("2025-01-06 09:25", "2025-01-06 09:35", ("2025-01-06 09:26", 9, 5)),
        ("2025-01-06 16:55", "2025-01-06 17:30", ("2025-01-06 16:56", 34, 4)),
        ("2025-01-06 09:28", "2025-01-06 17:01", ("2025-01-06 09:29", 452, 450)),
        ("2025-01-06 09:00", "2025-01-06 09:30", ("2025-01-06 09:01", 29, 0)),
        ("2025-01-06 16:59", "2025-01-06 17:05", ("2025-01-06 17:00", 5, 0)),
        ("2025-01-05 23:59", "2025-01-06 00:01", ("2025-01-06 00:00", 1, 0)),
        ("2025-01-06 09:30", "2025-01-06 09:31", None),
        ("2025-01-06 16:50", "2025-01-06 18:10", None),  # of two trading days
        ("2025-01-06 17:59", "2025-01-06 18:02", None),
    ],
)
def test_minutes_between_two_bars_of_a_trading_day_are_missing(
    before: str, after: str, missing: tuple[str, int, int] | None
) -> None:
    found = checks.missing_minutes(stamps(before, after))
    told = list(zip(found.start_ns, found.minutes, found.regular, strict=True))
    assert told == ([(stamps(missing[0])[0], *missing[1:])] if missing else [])


def days_of(*edges: tuple[int, int], night: tuple[int, ...] = ()) -> np.ndarray:
    """Return minutes of days of New York, from first to last; days in ``night`` have more beside."""
    parts = []
    for number, (first, last) in enumerate(edges):
        minutes = [*range(first, last + 1)]
        if number in night:
            minutes = [540, *minutes, 1030]
        midnight = pd.Timestamp(f"2025-01-{6 + number:02d}", tz="America/New_York").as_unit("ns").value
        parts.append(midnight + np.array(minutes) * 60 * 10**9)
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("odd", "night", "lost"),
    [
        ((573, 1019), (), [("2025-01-08 09:30", 3)]),
        ((570, 1012), (), [("2025-01-08 17:00", 7)]),
        ((572, 1018), (), [("2025-01-08 09:30", 2), ("2025-01-08 16:59", 1)]),
        ((569, 1019), (), []),
        ((573, 1012), (2,), [("2025-01-08 09:01", 32), ("2025-01-08 16:53", 17)]),  # bars beyond
        ((641, 1019), (), []),  # 379 bars are no full day
        ((640, 1019), (), [("2025-01-08 09:30", 70)]),
    ],
    ids=str,
)
def test_a_full_day_lacks_what_others_have_at_its_edges(
    odd: tuple[int, int], night: tuple[int, ...], lost: list[tuple[str, int]]
) -> None:
    ns = days_of((570, 1019), (570, 1019), odd, (570, 1019), night=night)
    found = checks.missing_minutes(checks.with_usual_edges(ns, 380))
    told = list(zip(found.start_ns.tolist(), found.minutes.tolist(), strict=True))
    if odd == (570, 1012):
        lost = [("2025-01-08 16:53", 7)]
    assert told == [(int(stamps(at)[0]), minutes) for at, minutes in lost]


@pytest.mark.parametrize(("volume", "told"), [(1100.0, None), (1101.0, 1020), (999.0, None)])
def test_the_busiest_half_hour_is_told_where_it_beats_the_day_by_a_tenth(
    volume: float, told: int | None
) -> None:
    ns = stamps("2025-01-06 09:35", "2025-01-06 15:59", "2025-01-06 16:01", "2025-01-06 17:05")
    assert checks.busiest_outside(ns, np.array([10.0, 1000.0, 20.0, volume])) == told


def test_the_level_of_a_row_counts_before_a_price_within_it() -> None:
    good = [100.0, 101.0, 99.0, 100.0]
    rows = np.array([good, good, [1.0, 101.0, 0.99, 1.0], good, [100.0, 101.0, 0.99, 100.0]])
    assert checks.wrong_scale(rows).tolist() == [0, 0, -2, 0, -2]
    for decades, told in (
        (0.87, 0),
        (0.89, 1),
        (1.11, 1),
        (1.13, 0),
        (-0.87, 0),
        (-0.89, -1),
        (-1.11, -1),
    ):
        row = [100.0, 100.0 * 10**decades, 100.0, 100.0]
        assert checks.wrong_scale(np.array([good, row, good])).tolist() == [0, told, 0]


def test_a_file_may_begin_with_a_bar_that_goes_far() -> None:
    """Nothing is before it; and a change for good is one between two bars of near days."""
    ns = stamps("2025-01-06 09:30", "2025-01-06 09:31", "2025-01-06 09:32")
    rows = np.array([[100.0, 115.0, 100.0, 115.0], [115.0, 116.0, 114.0, 115.0], [115.0] * 4])
    assert [mask.tolist() for mask in checks.spikes(ns, rows, 0.25)] == [[False] * 3] * 2
    fall = np.array([[100.0] * 4, [89.0] * 4, [89.0] * 4])
    for days, bad in ((4, True), (5, False)):
        later = ns + np.array([0, days, days]) * 86_400 * 10**9 - np.array([0, 1, 1]) * 60 * 10**9
        assert checks.spikes(later, fall, 0.25)[1].tolist() == [False, bad, False]


def test_an_evenings_usual_range_is_that_of_its_trading_day() -> None:
    day = pd.date_range("2025-01-06 09:30", periods=300, freq="min", tz="America/New_York")
    evening = pd.date_range("2025-01-06 18:00", periods=100, freq="min", tz="America/New_York")
    ns = day.append(evening).as_unit("ns").asi8
    reach = np.where(np.arange(400) < 300, 10.0, 1.0)
    rows = np.stack(
        [np.full(400, 6000.0), 6000 + reach / 2, 6000 - reach / 2, np.full(400, 6000.0)], axis=1
    )
    rows[350, 1] += 20.0
    rows[100, 1] += 20.0
    assert np.flatnonzero(checks.spikes(ns, rows, 0.25)[0]).tolist() == [350]
