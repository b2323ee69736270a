"""A day for the C# checker: every bar and decision of it, and which day is chosen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.export.stages import in_float64
from markets import EnvConfig
from markets.bars import COLUMNS, FEATURES
from markets.clock import new_york_dates
from parity.export_chain import day as days
from parity.export_chain.day import DISTANCES, PRELOAD, _choose, last_time, make_day, to_csv
from tests.jax_port.export.made_bundle import bars
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

CONFIG = EnvConfig.phase2(
    max_episode_bars=130, entry_close_minute=1010, sl_atr_mult=2.0, tp_sl_ratio=0.75
)
DATE = "2025-01-08"


@pytest.fixture(scope="module")
def made() -> tuple[Any, dict[str, Any]]:
    policy = make_policy(prepare(bars(), CONFIG), CONFIG, seed=3)
    return policy, make_day(policy, bars(), DATE)


def test_a_day_has_every_bar_of_it_and_a_decision_from_its_first_start_on(
    made: tuple[Any, dict[str, Any]],
) -> None:
    policy, day = made
    session = bars()
    rows = np.flatnonzero(new_york_dates(session.timestamps_ns) == np.datetime64(DATE).astype(int))
    seconds = session.timestamps_ns // 1_000_000_000
    assert (day["day"], day["source"]) == (DATE, session.source)
    assert [one["time"] for one in day["features"]] == seconds[rows].tolist()
    assert len(rows) == 450
    assert last_time(day) == seconds[rows[-1]]
    assert {tuple(one) for one in day["features"]} == {("time", "values", *DISTANCES)}
    assert {len(one["values"]) for one in day["features"]} == {len(FEATURES)}
    closes = session.frame["close"].to_numpy()
    assert [one["values"][0] for one in day["features"]] == closes[rows].tolist()
    assert {type(one[name]) for one in day["features"] for name in DISTANCES} == {int}

    sizes = [len(episode) for episode in day["episodes"]]
    assert len(sizes) > 2
    places = [(case["episode"], case["step"]) for case in day["cases"]]
    assert places == [(number, step) for number, size in enumerate(sizes) for step in range(size)]
    times = [[step["time"] for step in episode] for episode in day["episodes"]]
    assert {int(x) for one in times for x in np.diff(one)} == {60}
    # Each begins where the one before it ended, or at the last start before that; the last one ends
    # with the day.
    ends = [one[-1] for one in times]
    assert all(after[0] <= end + 60 for after, end in zip(times[1:], ends, strict=False))
    assert ends[-1] == last_time(day)
    minutes = (np.array(times[0]) - seconds[rows[0]]) // 60
    assert minutes[0] == 0

    steps = [step for episode in day["episodes"] for step in episode]
    obs = np.array([case["observation"] for case in day["cases"]], np.float32)
    masks = np.array([case["mask"] for case in day["cases"]])
    exact = in_float64(policy, obs, masks)
    np.testing.assert_allclose(exact["action_head"], [case["logits"] for case in day["cases"]])
    assert [case["action"] for case in day["cases"]] == exact["action"].tolist()
    assert [(step["wanted"], step["taken"]) for step in steps] == [
        (action, action) for action in exact["action"].tolist()
    ]


def test_fills_of_a_day_are_at_the_close_and_its_slippage(made: tuple[Any, dict[str, Any]]) -> None:
    _, day = made
    contract = bars().contract
    closes = dict(zip(bars().timestamps_ns // 1_000_000_000, bars().frame["close"], strict=True))
    entered = 0
    for episode in day["episodes"]:
        held = False
        for step in episode:
            if step.get("exited"):
                assert held
                held = False
            if "entered" in step:
                side = {1: 1, 2: -1}[step["taken"]]
                price = closes[step["time"]] + side * contract.slippage_ticks * contract.tick_size
                assert step["entered"] == {"side": side, "price": price}
                assert not held
                held, entered = True, entered + 1
    assert entered > 5
    sides = {step["entered"]["side"] for one in day["episodes"] for step in one if "entered" in step}
    assert sides <= {1, -1}


def test_bars_are_written_up_to_the_one_that_is_asked_for() -> None:
    few = bars().select(np.arange(len(bars())) < 3)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    whole = to_csv(few).splitlines()
    assert whole[0] == "timestamp,open,high,low,close,volume"
    frame = few.frame
    for line, (time, row) in zip(whole[1:], frame.iterrows(), strict=True):
        numbers = [repr(float(row[name])) for name in COLUMNS]
        assert line == ",".join([f"{time:%Y-%m-%d %H:%M:%S}", *numbers])
    assert to_csv(few).endswith("\n")
    for end, count in ((seconds[2], 3), (seconds[1], 2), (seconds[1] + 59, 2), (seconds[0] - 1, 0)):
        assert to_csv(few, end).splitlines() == whole[: 1 + count]


def env_of(starts: list[int], most: int) -> Any:
    """Return what a day is chosen by: starts, and the greatest number of bars of an episode."""
    return SimpleNamespace(
        valid_starts=np.array(starts),
        config=SimpleNamespace(max_episode_bars=most),
        bars=SimpleNamespace(source="bars"),
    )


DATES = np.repeat([20_000, 20_001, 20_002, 20_003], [PRELOAD, 50, 60, 60])
"""Days of bars, of which the second is the shortest."""
SECOND, THIRD, FOURTH = PRELOAD, PRELOAD + 50, PRELOAD + 110


def test_the_last_of_the_fullest_days_is_chosen_and_of_it_the_first_start() -> None:
    starts = [0, SECOND, SECOND + 49, THIRD + 3, THIRD + 40, FOURTH + 7, FOURTH + 59]
    assert _choose(env_of(starts, 20), DATES, None) == (FOURTH + 7, FOURTH + 59)
    assert _choose(env_of(starts[:5], 20), DATES, None) == (THIRD + 3, THIRD + 59)
    assert _choose(env_of(starts[:3], 20), DATES, None) == (SECOND, SECOND + 49)
    assert _choose(env_of(starts, 20), DATES, "2024-10-05") == (SECOND, SECOND + 49)


def test_a_day_can_be_played_whose_last_episode_reaches_its_last_bar() -> None:
    for most, reaches in ((20, True), (19, False)):
        env = env_of([THIRD + 40], most)
        if reaches:
            assert _choose(env, DATES, None) == (THIRD + 40, THIRD + 59)
        else:
            with refuses():
                _choose(env, DATES, None)
    # The bars before it have to be as many as MACD remembers.
    assert _choose(env_of([PRELOAD], 50), DATES, None) == (SECOND, SECOND + 49)
    with refuses():
        _choose(env_of([PRELOAD - 1], 1), DATES, None)
    with refuses():
        _choose(env_of([SECOND, THIRD], 60), DATES, "2024-10-07")


def test_where_an_account_does_not_live_to_see_the_rest_the_day_ends(
    monkeypatch: pytest.MonkeyPatch, made: tuple[Any, dict[str, Any]]
) -> None:
    """Its next episode would begin at the start that it began at; what was played so far is told."""
    policy, _ = made
    asked: list[tuple[int, int, int]] = []

    def play(env: Any, policy: Any, start: int, last: int, number: int) -> Any:
        asked.append((start, last, number))
        return [{"step": n} for n in range(5 if number < 2 else 0)], [{"case": number}]

    monkeypatch.setattr(days, "_play", play)
    day = make_day(policy, bars(), DATE)
    first, last = asked[0][0], 450 * 3 - 1
    assert asked == [(first, last, 0), (first + 5, last, 1), (first + 10, last, 2)]
    assert [len(episode) for episode in day["episodes"]] == [5, 5, 0]
    assert day["cases"] == [{"case": 0}, {"case": 1}, {"case": 2}]


def test_an_episode_that_ends_where_none_may_begin_is_followed_by_the_last_start_before(
    monkeypatch: pytest.MonkeyPatch, made: tuple[Any, dict[str, Any]]
) -> None:
    """No trade may be opened in a day's last ten minutes, so no episode begins there."""
    policy, _ = made
    asked: list[int] = []
    first, last = 2 * 450, 3 * 450 - 1
    lengths = [445, 12]

    def play(env: Any, policy: Any, start: int, last: int, number: int) -> Any:
        asked.append(start)
        return [{}] * lengths[number], []

    monkeypatch.setattr(days, "_play", play)
    day = make_day(policy, bars(), DATE)
    latest = first + 1009 - 570  # the last minute in which an entry is allowed
    assert asked == [first, latest]
    assert latest + 12 > last
    assert [len(episode) for episode in day["episodes"]] == lengths
