"""Cases that are built of choices made by hand, worked out on paper: all that is offered, all that
comes of it.

The bar: high 120, low 100, close 107, stop 9, target 13 and trail 5 ticks away.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, HIGH, LOW, STOP, TARGET, TRAIL
from markets.limits import INT32_MAX
from parity.engine.pair import Case
from parity.pairs.corners import BARS, STAKES, TRADES, MarketSurvey, build_case, phase1_scene
from parity.pairs.corners_phase2 import MANAGED, phase2_scene
from parity.pairs.seconds import STAKES as SECOND_STAKES
from parity.pairs.seconds import seconds_case

TABLE = np.zeros((90, 8), np.int32)
TABLE[75, [HIGH, LOW, CLOSE, STOP, TARGET, TRAIL]] = [120, 100, 107, 9, 13, 5]
SURVEY = MarketSurvey(
    bars=TABLE,
    places={"any": np.array([61, 75, 80]), "wide": np.array([75])},
    tick=7,
    slippage=3,
    commission=11,
    initial=5_000,
    drawdown=700,
    lock=90,
    reach=8,
    longest=40,
    actions=3,
)


class Chosen:
    """Choices that were made beforehand; each has to be one that is offered."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.offered = list(answers), list[Any]()

    def pick(self, options: Any) -> Any:
        self.offered.append(tuple(options))
        assert self.answers[0] in options, (self.answers[0], options)
        return self.answers.pop(0)

    aim = pick

    def integer(self, low: int, high: int) -> int:
        self.offered.append(range(low, high + 1))
        assert low <= self.answers[0] <= high
        return int(self.answers.pop(0))


NEAR = (0, -1, 1)
PLACES = ("any", "wide")
ENTERED = (1, 2, 30, 60, 0)
LIMITS = (1, 2, 40, 39, 20)
MONEY = (range(21), range(21), range(-20_000, 20_001), (0, 1, 25))
OPEN, FLAT = (0, 0, 0, 1, 2, 3, -1), (0, 1, 2, 1, 2, 1, 2, 3, -1)
DRAWN = (*NEAR, -11, 11)


def built(choices: Chosen, survey: MarketSurvey = SURVEY, scene: Any = phase1_scene) -> Any:
    case = build_case(choices, survey, 2, scene)  # type: ignore[arg-type]
    assert choices.answers == []
    return case


@pytest.mark.parametrize(
    ("kind", "side", "answers", "offered", "entry", "stop", "target"),
    [
        ("free", 1, [5], [range(-8, 9)], 112, -40, 260),
        ("free", -1, [-8], [range(-8, 9)], 99, 260, -40),
        ("on the stop", 1, [-1, 0], [NEAR, range(-8, 9)], 107, 99, 260),
        ("on the stop", -1, [-1, 0], [NEAR, range(-8, 9)], 107, 121, -40),
        ("on the target", 1, [1, 2], [NEAR, range(-8, 9)], 109, -40, 121),
        ("on the target", -1, [1, 2], [NEAR, range(-8, 9)], 109, 260, 99),
        ("on both", 1, [1, -1, 8], [NEAR, NEAR, range(-8, 9)], 115, 101, 119),
        ("on both", -1, [1, -1, 8], [NEAR, NEAR, range(-8, 9)], 115, 119, 101),
        ("at entry", 1, [5, 2], [range(-8, 9), range(-3, 4)], 102, 100, 260),
        ("at entry", -1, [5, 2], [range(-8, 9), range(-3, 4)], 118, 120, -40),
    ],
)
def test_a_trade_is_placed_about_its_bar(
    kind: str, side: int, answers: list[int], offered: list[Any], entry: int, stop: int, target: int
) -> None:
    made = Chosen("any", 1, kind, side, *answers, 30, 2, 4, 9, -40, 25, 0, "floor if held", -11)
    case = built(made)
    held = 3_989 + side * (107 - entry) * 7
    assert case.state == {
        "position": side,
        "entry_price": entry,
        "sl_price": stop,
        "tp_price": target,
        "position_entry_step": 45,
        "step_idx": 75,
        "episode_start": 45,
        "market": 2,
        "num_trades": 14,
        "winning_trades": 4,
        "losing_trades": 9,
        "total_pnl": -1_000,
        "balance": 3_989,
        "highest_balance": held - 11 + 700,
        "trailing_dd_level": held - 11,
    }
    assert (case.world, case.action, case.corner) == (2, 0, ("any", kind, "floor if held"))
    assert made.offered == [
        *(PLACES, range(3), TRADES, (1, -1), *offered, ENTERED, LIMITS, *MONEY, OPEN, STAKES, DRAWN)
    ]


@pytest.mark.parametrize(
    ("stake", "side", "won", "answers", "offered", "high", "floor"),
    [
        ("floor if held", 1, -40, [11], [DRAWN], 4_665, 3_965),
        ("floor if held", -1, -40, [0], [DRAWN], 4_724, 4_024),
        ("floor if stopped", 1, -40, [0], [DRAWN], 3_614, 2_914),
        ("floor if stopped", -1, -40, [1], [DRAWN], 3_643, 2_943),
        ("floor if reached", 1, -40, [1], [DRAWN], 5_715, 5_015),
        ("floor if reached", -1, -40, [0], [DRAWN], 5_742, 5_042),
        ("floor if entered", 1, -40, [-1], [DRAWN], 4_656, 3_956),
        ("new high", 1, -40, [7], [(0, 1, -1, 7)], 3_947, 3_247),
        ("new high", 1, 80, [-1], [(0, 1, -1, 7)], 6_955, 5_090),
        ("lock", 1, -40, [70, 7], [(*NEAR, 70), (0, 1, 7)], 5_860, 5_083),
        ("lock", 1, -40, [-1, 1], [(*NEAR, 70), (0, 1, 7)], 5_789, 5_088),
        ("plain", 1, -40, [40], [(0, 1, 40)], 5_280, 4_580),
        ("plain", 1, 80, [1], [(0, 1, 40)], 6_961, 5_090),
        ("plain", -1, 80, [0], [(0, 1, 40)], 7_024, 5_090),
    ],
)
def test_the_floor_or_the_high_lies_on_the_edge_that_is_at_stake(
    stake: str, side: int, won: int, answers: list[int], offered: list[Any], high: int, floor: int
) -> None:
    """Of a trade entered at 112, stopped at -40 or 260, with 3,989 cents, or 6,989 where it won."""
    made = Chosen("any", 1, "free", side, 5, 1, 40, 4, 9, won, 25, 2, stake, *answers)
    case = built(made)
    assert case.state["balance"] == 5_000 + won * 25 - 11
    assert (case.state["highest_balance"], case.state["trailing_dd_level"]) == (high, floor)
    assert (case.state["position_entry_step"], case.state["episode_start"]) == (74, 36)
    assert case.corner == ("any", "free", stake)
    assert made.offered[-len(offered) :] == offered


def test_without_a_trade_all_of_it_is_zero_and_nothing_is_paid() -> None:
    made = Chosen("wide", 0, "flat", 1, 0, 20, 3, 1, -1, "floor if stopped", 1)
    case = built(made)
    assert case.state == {
        **dict.fromkeys(("position", "entry_price", "sl_price", "tp_price", "position_entry_step"), 0),
        "step_idx": 75,
        "episode_start": 75,
        "market": 2,
        "balance": 5_003,
        "total_pnl": 3,
        "num_trades": 20,
        "winning_trades": 0,
        "losing_trades": 20,
        "highest_balance": 5_693,
        "trailing_dd_level": 4_993,
    }
    assert (case.action, case.corner) == (-1, ("wide", "flat", "floor if stopped"))
    assert made.offered == [PLACES, range(1), TRADES, LIMITS, *MONEY, FLAT, STAKES, DRAWN]
    assert set(SURVEY.places) < set(BARS)


@pytest.mark.parametrize(
    ("kind", "limit", "entered", "begun"),
    [
        ("free", 2, 2, 73),
        ("free", 20, 60, 15),
        ("free", 20, 0, 56),
        ("flat", 39, 0, 37),
        ("flat", 2, 0, 74),
    ],
)
def test_an_episode_began_before_its_trade_and_no_longer_ago_than_one_lasts(
    kind: str, limit: int, entered: int, begun: int
) -> None:
    trade = [] if kind == "flat" else [1, 5, entered]
    case = built(Chosen("any", 1, kind, *trade, limit, 0, 0, 0, 0, 0, "lock", 0, 0))
    assert case.state["episode_start"] == begun


def test_a_wide_stop_bounds_how_far_off_an_entry_lies_where_the_market_reaches_further() -> None:
    made = Chosen("any", 1, "free", 1, 11, 1, 40, 0, 0, 0, 0, 0, "lock", 0, 0)
    assert built(made, replace(SURVEY, reach=100)).state["entry_price"] == 118
    assert made.offered[4] == range(-11, 12)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_high_or_a_floor_that_no_account_can_hold_is_a_plain_one(beyond: int) -> None:
    """The largest number that there is, and one more; the same on the other side of zero."""
    far = replace(SURVEY, drawdown=INT32_MAX - 3_954 + beyond)
    plain = [40] * beyond
    made = Chosen("any", 1, "free", 1, 5, 1, 40, 4, 9, -40, 25, 2, "floor if held", 0, *plain)
    state = built(made, far).state
    assert state["highest_balance"] == (5_280 if beyond else INT32_MAX)
    assert state["trailing_dd_level"] == (5_280 - far.drawdown if beyond else 3_954)
    # Stopped: of 5,001 cents the costs of both sides and 152 ticks, -2,147,483,647.
    low = replace(SURVEY, tick=14_128_182, commission=2_492, initial=5_001 - beyond)
    made = Chosen("any", 1, "free", 1, 5, 1, 40, 4, 9, 0, 0, 2, "floor if stopped", 0, *plain)
    state = built(made, low).state
    high = 5_001 - beyond + 40 * low.tick
    assert state["trailing_dd_level"] == (min(high - 700, 5_090) if beyond else -INT32_MAX)
    assert state["highest_balance"] == (high if beyond else 700 - INT32_MAX)


ACTIONS2 = (0, 0, 3, 4, 5, 3, 4, 5, 3, 4, 5, 1, 2, 6, -1)


@pytest.mark.parametrize(
    ("managed", "answers", "offered", "long", "short", "trailing"),
    [
        ("as in Phase 1", [1], [], (112, -40), (112, 260), 1),
        ("profit edge", [1, 2], [(1, 0, 2, -1)], (105, -40), (109, 260), 1),
        ("break-even edge", [0, 4, -1], [range(2, 13), NEAR], (96, 95), (124, 125), 0),
        (
            "trail edge",
            [1, 2, 12, 0],
            [(*NEAR, 2, -2), range(-2, 13), (1, 1, 0)],
            (92, 104),
            (122, 110),
            0,
        ),
        ("trail free", [0, 40, 1, 1], [range(2, 41), range(2), (1, 0)], (60, 61), (160, 159), 1),
        (
            "stopped while trailing",
            [0, 1, -3, 1],
            [NEAR, range(-3, 21), (1, 1, 0)],
            (104, 101),
            (116, 119),
            1,
        ),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_managed_trade_is_arranged_about_its_bar(
    side: int,
    managed: str,
    answers: list[int],
    offered: list[Any],
    long: tuple[int, int],
    short: tuple[int, int],
    trailing: int,
) -> None:
    made = Chosen(
        "any", 1, "free", side, 5, 30, managed, *answers, 2, 0, 0, 0, 0, 4, "floor if held", 0
    )
    case = built(made, replace(SURVEY, actions=6), phase2_scene)
    entry, stop = long if side > 0 else short
    assert case.state == {
        "position": side,
        "entry_price": entry,
        "sl_price": stop,
        "trailing": trailing,
        "tp_price": 260 if side > 0 else -40,
        "position_entry_step": 45,
        "market": 2,
        "step_idx": 75,
        "episode_start": 45,
        "num_trades": 1,
        "winning_trades": 0,
        "losing_trades": 0,
        "total_pnl": 0,
        "balance": 4_989,
        "trailing_dd_level": 4_989 + side * (107 - entry) * 7,
        "highest_balance": 5_689 + side * (107 - entry) * 7,
    }
    assert (case.action, case.corner) == (4, ("any", "free", managed, "floor if held"))
    assert made.offered[6:] == [*(MANAGED, range(2), *offered, LIMITS, *MONEY, ACTIONS2, STAKES, DRAWN)]


def test_without_a_trade_nothing_trails_and_every_action_is_offered() -> None:
    made = Chosen("any", 1, "flat", 2, 0, 0, 0, 0, 5, "lock", 0, 0)
    case = built(made, replace(SURVEY, actions=6), phase2_scene)
    assert case.state["trailing"] == case.state["position"] == 0
    assert case.corner == ("any", "flat", "flat", "lock")
    assert made.offered[-4] == (0, 1, 2, 1, 2, 1, 2, 6, -1, 3, 4, 5)


HIGHS = np.zeros((9, 60), np.int32)
LOWS = np.ones((9, 60), np.int32)
HIGHS[5, :3], LOWS[5, :3] = [118, 120, 115], [101, 104, 100]
FINE: Any = SimpleNamespace(high=HIGHS, low=LOWS)
"""Of step 5 three seconds; of the other steps none."""
AS_IS = SECOND_STAKES[0]
FLOOR, TOP = "floor at a second's worst", "high at a second's best"


@pytest.mark.parametrize(
    ("changed", "answers", "offered", "high", "floor"),
    [
        ({}, [FLOOR, 2, 0, 11], [range(3), (0, 0, 1), (*NEAR, 11)], 4_616, 3_916),
        ({}, [FLOOR, 0, 1, -1], [range(3), (0, 0, 1), (*NEAR, 11)], 3_624, 2_924),
        ({}, [TOP, 1, 1], [range(3), (*NEAR, 11)], 4_046, 3_346),
        ({"position": -1}, [FLOOR, 1, 0, 0], [range(3), (0, 0, 1), (*NEAR, 11)], 4_633, 3_933),
        ({"position": -1}, [TOP, 2, -1], [range(3), (*NEAR, 11)], 4_072, 3_372),
        ({"balance": 9_000}, [TOP, 1, 0], [range(3), (*NEAR, 11)], 9_056, 5_090),
        ({}, [AS_IS], [], 1, 2),
        ({"position": 0}, [TOP], [], 1, 2),
        ({"step_idx": 4}, [FLOOR], [], 1, 2),
    ],
)
def test_a_second_touches_the_floor_or_makes_the_high(
    changed: dict[str, int], answers: list[Any], offered: list[Any], high: int, floor: int
) -> None:
    state = {"position": 1, "step_idx": 5, "balance": 3_989, "entry_price": 112, "sl_price": -40}
    state |= {"highest_balance": 1, "trailing_dd_level": 2, "market": 3, **changed}
    made = Chosen(*answers)
    case = seconds_case(made, Case(3, state, 1, ("any", "free")), SURVEY, FINE)  # type: ignore[arg-type]
    assert made.answers == []
    assert made.offered == [SECOND_STAKES, *offered]
    assert case.state == {**state, "highest_balance": high, "trailing_dd_level": floor}
    stake = answers[0] if offered else AS_IS
    assert (case.world, case.action, case.corner) == (3, 1, ("any", "free", stake))
