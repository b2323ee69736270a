"""Phase 2's cases reach the corners they name, and take every branch that the gate asks for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, HIGH, LOW, TRAIL, PreparedMarket, prepare
from markets import EnvConfig
from markets.synthetic.stress import stress_bars
from parity.engine.generate import SeededChoices
from parity.engine.pair import Case, Pair
from parity.engine.verify import check_generated
from parity.pairs.branches import PHASE2_REQUIRED
from parity.pairs.corners import build_case, survey_market
from parity.pairs.corners_phase2 import MANAGED, phase2_scene
from parity.pairs.policies import PHASE2_POLICIES
from parity.pairs.trading import World, trading_pair

CONFIG = EnvConfig.phase2()


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    return prepare(stress_bars("ES", seed=3), CONFIG)


@pytest.fixture(scope="module")
def cases(market: PreparedMarket) -> list[Case]:
    choices, survey = SeededChoices(np.random.default_rng(0)), survey_market(market, CONFIG)
    assert survey.actions == 6
    return [build_case(choices, survey, 0, phase2_scene) for _ in range(4000)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return trading_pair([World("ES", stress_bars("ES", seed=3), "--stress rth --seed 3")], CONFIG)


def test_only_an_open_trade_trails_and_every_action_is_tried(cases: list[Case]) -> None:
    assert all(case.state["position"] or not case.state["trailing"] for case in cases)
    tried = Counter((case.state["position"] != 0, case.action) for case in cases)
    assert all(tried[is_open, action] > 30 for is_open in (False, True) for action in (*range(-1, 7),))
    corners = Counter(corner for case in cases for corner in case.corner)
    assert all(corners[name] > 200 for name in MANAGED)


def test_stops_land_on_entry_on_the_trail_and_on_the_bar(
    market: PreparedMarket, cases: list[Case]
) -> None:
    profit: Counter[int] = Counter()
    locked_in: Counter[int] = Counter()
    beside: Counter[int] = Counter()
    touched: Counter[int] = Counter()
    for case in cases:
        s = case.state
        side, row = s["position"], [int(x) for x in market.bars[s["step_idx"]]]
        if not side:
            continue
        profit[side * (row[CLOSE] - s["entry_price"])] += 1
        locked_in[side * (s["sl_price"] - s["entry_price"])] += 1
        candidate = row[CLOSE] - side * row[TRAIL]
        worst = row[LOW] if side > 0 else row[HIGH]
        if s["trailing"]:
            beside[side * (s["sl_price"] - candidate)] += 1
            touched[side * (s["sl_price"] - worst)] += 1
    for counts in (profit, locked_in, beside, touched):
        assert all(counts[by] > 40 for by in (-1, 0, 1))


@pytest.mark.parametrize("side", [1, -1])
def test_each_corner_is_aimed_at_from_either_side(
    side: int, market: PreparedMarket, cases: list[Case]
) -> None:
    """What lies where in a trade that was managed, in ticks for the trade, and whether it trails."""
    found: dict[str, list[set[Any]]] = {name: [set(), set(), set()] for name in MANAGED}
    for case in cases:
        s = case.state
        if s["position"] != side:
            continue
        row = [int(x) for x in market.bars[s["step_idx"]]]
        worst = row[LOW] if side > 0 else row[HIGH]
        candidate = row[CLOSE] - side * row[TRAIL]
        stop, entry = (side * s[name] for name in ("sl_price", "entry_price"))
        (name,) = set(case.corner) & set(MANAGED)
        distance = {
            "profit edge": (side * row[CLOSE] - entry, 0),
            "break-even edge": (stop - entry, side * worst - entry),
            "trail edge": (stop - side * candidate, stop - entry),
            "trail free": (stop - entry, side * worst - entry),
            "stopped while trailing": (stop - side * worst, stop - entry),
        }.get(name, (0, 0))
        for into, value in zip(found[name], (*distance, s["trailing"]), strict=True):
            into.add(value)
    trailing = {0, 1}
    assert found == {
        "as in Phase 1": [{0}, {0}, trailing],
        "profit edge": [{-1, 0, 1, 2}, {0}, trailing],
        "break-even edge": [{-1, 0, 1}, set(range(2, 13)), trailing],
        "trail edge": [{-2, -1, 0, 1, 2}, set(range(-2, 13)), trailing],
        "trail free": [{0, 1}, set(range(2, 41)), trailing],
        "stopped while trailing": [{-1, 0, 1}, set(range(-3, 21)), trailing],
    }


@pytest.mark.costly
def test_generated_cases_take_every_required_branch_and_agree(pair: Pair) -> None:
    result, _ = check_generated(pair, 0, 4000, seed=0)
    assert result.passed, result.first
    assert [name for name in sorted(PHASE2_REQUIRED) if not result.coverage[name]] == []
    assert pair.required == PHASE2_REQUIRED


def test_the_manager_moves_its_stop_and_then_trails() -> None:
    rng, obs = np.random.default_rng(0), np.zeros(228, np.float32)
    manage = PHASE2_POLICIES["manager"]

    def masks(bits: str) -> np.ndarray:
        return np.array([bit == "1" for bit in bits])

    assert manage(rng, masks("100100"), obs) == 3
    assert manage(rng, masks("100010"), obs) == 4
    assert manage(rng, masks("100001"), obs) == 0
    assert manage(rng, masks("100000"), obs) == 0
    assert manage(rng, masks("111000"), obs) in (1, 2)
