"""The case builder reaches the corners it names, and the gate on real pairs finds planted faults."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from jax_port.data.data_loader import CLOSE, HIGH, LOW, MINUTE, PreparedMarket, prepare
from markets import Bars, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.stress import stress_bars
from parity.engine.diverge import explain_case
from parity.engine.generate import SeededChoices, case_strategy, seeded_cases
from parity.engine.pair import Case, Pair
from parity.engine.verify import check_generated, diverges
from parity.pairs.branches import PHASE1_REQUIRED
from parity.pairs.corners import build_case, survey_market, usable_bars
from parity.pairs.trading import World, trading_pair

CONFIG = EnvConfig.phase1()


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    return prepare(stress_bars("ES", seed=3), CONFIG)


@pytest.fixture(scope="module")
def cases(market: PreparedMarket) -> list[Case]:
    choices, survey = SeededChoices(np.random.default_rng(0)), survey_market(market, CONFIG)
    return [build_case(choices, survey, 0) for _ in range(4000)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return trading_pair([World("ES", stress_bars("ES", seed=3), "--stress rth --seed 3")], CONFIG)


def test_every_accounts_books_balance(cases: list[Case]) -> None:
    ages = set[int]()
    for case in cases:
        s = case.state
        is_open = int(s["position"] != 0)
        assert s["balance"] == 5_000_000 + s["total_pnl"] - 250 * is_open
        assert s["num_trades"] == s["winning_trades"] + s["losing_trades"] + is_open
        assert 0 <= s["step_idx"] - s["episode_start"] < CONFIG.max_episode_bars
        assert is_open == (s["position_entry_step"] != 0)
        if is_open:
            assert s["episode_start"] <= s["position_entry_step"]
            ages.add(s["step_idx"] - s["position_entry_step"])
    assert ages == {0, 1, 2, 30, 60}  # entered on this very bar, too


def test_prices_land_on_the_edges_and_one_tick_off(market: PreparedMarket, cases: list[Case]) -> None:
    stops: Counter[int] = Counter()
    targets: Counter[int] = Counter()
    for case in cases:
        s, row = case.state, market.bars[case.state["step_idx"]]
        if s["position"]:
            worst, best = (row[LOW], row[HIGH]) if s["position"] > 0 else (row[HIGH], row[LOW])
            stops[int(s["sl_price"] - worst)] += 1
            targets[int(s["tp_price"] - best)] += 1
    assert all(stops[by] > 50 and targets[by] > 50 for by in (-1, 0, 1))


def test_equity_lands_on_the_floor_to_the_cent(market: PreparedMarket, cases: list[Case]) -> None:
    beside: Counter[int] = Counter()
    for case in cases:
        s, row = case.state, market.bars[case.state["step_idx"]]
        equity = s["balance"] + s["position"] * (int(row[CLOSE]) - s["entry_price"]) * 1250
        beside[equity - s["trailing_dd_level"]] += 1
    assert all(beside[by] > 20 for by in (-1, 0, 1))


def test_the_clocks_edges_are_visited(market: PreparedMarket, cases: list[Case]) -> None:
    minutes = Counter(int(market.bars[case.state["step_idx"], MINUTE]) for case in cases)
    assert all(minutes[minute] > 10 for minute in (569 + 1, 571, 958, 959, 960, 961, 1018, 1019))
    last = len(market) - 2
    assert sum(case.state["step_idx"] == last for case in cases) > 20


def test_places_are_all_bars_of_their_kind_on_which_a_step_can_be_taken(market: PreparedMarket) -> None:
    size, minutes = len(market), market.bars[:, MINUTE]
    usable = range(CONFIG.warmup_bars + CONFIG.window_size, size - 1)
    spans = market.bars[:, HIGH] - market.bars[:, LOW]
    wide = np.quantile(spans[usable.start :], 0.98)

    def at(*edges: int) -> list[int]:
        return [bar for bar in usable if any(abs(minutes[bar] - edge) <= 1 for edge in edges)]

    expected = {
        "any": list(usable),
        "last entry minute": at(CONFIG.entry_close_minute - 1, CONFIG.entry_close_minute),
        "flat by": at(CONFIG.flat_by_minute),
        "entry open": at(CONFIG.entry_open_minute),
        "end of data": [size - 4, size - 3, size - 2],
        "wide": [bar for bar in usable if spans[bar] >= wide],
    }
    places = survey_market(market, CONFIG).places
    assert {name: places[name].tolist() for name in expected} == expected
    assert set(places) - set(expected) <= {"clock change"}


def test_no_case_is_set_where_a_file_has_no_features_of_its_own_yet(market: PreparedMarket) -> None:
    """An observation of undefined features is NaN on both sides, which equals nothing."""
    features = market.features.copy()
    features[:150, 4] = np.nan
    late = replace(market, features=features)
    bars = range(150 + CONFIG.window_size, len(market) - 1)
    assert usable_bars(late, CONFIG) == bars
    survey = survey_market(late, CONFIG)
    assert survey.places["any"].tolist() == list(bars)
    assert min(place.min() for place in survey.places.values()) == bars[0]
    assert usable_bars(market, CONFIG)[0] == CONFIG.warmup_bars + CONFIG.window_size


def test_a_survey_is_of_all_contracts_and_of_its_configuration() -> None:
    account = {"trailing_drawdown_dollars": 1_500.5, "floor_lock_dollars": -20.0, "contracts": 3}
    config = EnvConfig.phase2(max_episode_bars=40, **account)
    contract = replace(get_contract("RTY"), slippage_ticks=2, commission_cents=77)
    bars = replace(stress_bars("RTY", seed=3), contract=contract)
    survey = survey_market(prepare(bars, config), config)
    ticks = contract.to_ticks(bars.session(config.session).frame[["high", "low"]].to_numpy())
    assert (survey.tick, survey.slippage, survey.commission) == (3 * 500, 2, 3 * 77)
    assert (survey.initial, survey.drawdown, survey.lock) == (5_000_000, 150_050, -2_000)
    assert (survey.reach, survey.longest, survey.actions) == (ticks.max() - ticks.min(), 40, 6)
    floors: Counter[int] = Counter()
    choices = SeededChoices(np.random.default_rng(0))
    for _ in range(1500):
        case = build_case(choices, survey, 0)
        state, row = case.state, survey.bars[case.state["step_idx"]]
        worth = state["balance"] + state["position"] * (int(row[CLOSE]) - state["entry_price"]) * 1500
        if case.corner[-1] == "floor if held":
            floors[int(worth - state["trailing_dd_level"])] += 1
            assert state["highest_balance"] == state["trailing_dd_level"] + 150_050
        held = state["position"] != 0
        assert state["balance"] == 5_000_000 + state["total_pnl"] - 231 * held
    assert set(floors) == {-1, 0, 1, 231, -231}


def test_no_number_of_an_account_is_beyond_int32_on_either_side_of_zero(market: PreparedMarket) -> None:
    """Where a tick is worth much, a stop or a target may be so far away that no episode gets there."""
    survey = replace(survey_market(market, CONFIG), tick=2_000_000)
    choices, far = SeededChoices(np.random.default_rng(0)), Counter[bool]()
    for _ in range(4000):
        state = build_case(choices, survey, 0).state
        for name in ("highest_balance", "trailing_dd_level", "balance"):
            assert abs(state[name]) < 2**31, name
        if state["position"]:
            loss = (state["sl_price"] - state["entry_price"]) * state["position"] * survey.tick
            gain = (state["tp_price"] - state["entry_price"]) * state["position"] * survey.tick
            far[False] += loss < -(2**31)
            far[True] += gain > 2**31
    assert min(far.values()) > 200


def test_bars_about_a_change_of_the_clock_are_known() -> None:
    """Those of the day, in UTC, on which New York's clock was moved, and of the days beside it."""
    days = pd.date_range("2025-03-05 14:30", "2025-03-13 20:00", freq="min", tz="UTC")
    made = synthetic_bars("ES", days=30, seed=0).frame.iloc[: len(days)]
    days = days[days.day_of_week < 5][: len(made)]
    bars = Bars.from_frame(made.iloc[: len(days)].set_axis(days), get_contract("ES"), source="March")
    config = EnvConfig.phase1(session="all")
    market = prepare(bars, config)
    places = survey_market(market, config).places["clock change"]
    first = config.warmup_bars + config.window_size
    usable = np.arange(len(market))[first:-1]
    # The clock was moved on Sunday the 9th, so Monday's first bar is the first by the other clock.
    beside = [bar for bar in usable if days[bar].day in (9, 10, 11)]
    assert places.tolist() == beside
    assert {days[bar].day for bar in places} == {10, 11}


def test_generated_cases_take_every_required_branch(pair: Pair) -> None:
    result, _ = check_generated(pair, 0, 4000, seed=0)
    assert result.passed, result.first
    assert [name for name in sorted(PHASE1_REQUIRED) if not result.coverage[name]] == []


@pytest.mark.costly
def test_a_market_whose_slippage_has_the_wrong_sign_is_found_and_shrunk(pair: Pair) -> None:
    market = pair.port.params.market
    params = pair.port.params.replace(market=market.replace(slippage=-market.slippage))
    wrong = replace(pair, port=replace(pair.port, params=params))
    result, cases = check_generated(wrong, 0, 500, seed=0)
    assert not result.passed
    assert result.first is not None
    found = explain_case(wrong, cases, result.first)
    assert found.looks_like == "logic"
    assert len(found.actions) == 1
    assert found.state is not None
    assert found.state["total_pnl"] == 0  # Hypothesis took away what the fault doesn't need
    assert found.command.startswith("rltrader parity case --stress rth --seed 3")


@pytest.mark.costly
def test_hypothesis_finds_no_difference_either(pair: Pair) -> None:
    @settings(max_examples=60, deadline=None)
    @given(case_strategy(pair, 0))
    def agree(case: Case) -> None:
        assert not diverges(pair, [case])[0], case

    agree()


def test_the_same_seed_builds_the_same_cases(pair: Pair) -> None:
    one, two = (seeded_cases(pair, 0, 100, np.random.default_rng(7)) for _ in range(2))
    assert one == two
