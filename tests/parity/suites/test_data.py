"""Both pipelines prepare the same numbers of every bar, and a sum taken in another order is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from jax_port.data import data_loader, features
from jax_port.data.data_loader import PreparedMarket, prepare
from markets import EnvConfig
from markets.bars import FEATURES
from markets.config import Session
from markets.synthetic.stress import stress_bars
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult, Mismatch
from parity.pairs.trading import World
from parity.suites import data
from parity.suites.data import RULES, check_data, judge_data, port_data, reference_data
from parity.suites.processed import processed
from tests.sentences import refuses

F64 = NDArray[np.float64]
CONFIG = EnvConfig.phase1()


@pytest.fixture(scope="module")
def world() -> World:
    """Return bars whose ticks of 0.1 no float64 holds exactly, so that the order of a sum shows."""
    return World("RTY", stress_bars("RTY", seed=0, days=4), "")


def check(world: World) -> CheckResult:
    return check_data(world, CONFIG, prepare(world.bars, CONFIG))


def sliding(x: F64, length: int) -> F64:
    total = np.cumsum(np.nan_to_num(x))
    total[length:] -= total[:-length].copy()
    total[: length - 1] = np.nan
    return np.asarray(total / length)


def newest_first(x: F64, length: int) -> F64:
    out = np.full(x.shape, np.nan)
    out[length - 1 :] = (
        sum(x[age : x.size - length + 1 + age] for age in reversed(range(length))) / length
    )
    return out


def test_both_sides_agree_to_the_last_bit(world: World) -> None:
    columns = ("high", "low", "close_ticks", "stop_ticks", "target_ticks", "trail_ticks", "minute")
    named = {*columns, "atr_ticks", "can start"}
    named |= {f"feature {name}{more}" for name in FEATURES for more in ("", " in float64")}
    for bars in (world, processed(world)):
        result = check(bars)
        assert set(result.fields) == named
        assert result.first is None
        assert not result.error
        for name, stats in result.fields.items():
            assert (stats.mismatches, stats.max_abs) == (0, 0.0), name


def begins_later(world: World, begins: Mapping[str, int]) -> World:
    """Return a processed world with NaN in some columns before the bar of their first value."""
    late = processed(world)
    features = late.bars.precomputed
    assert features is not None
    features = features.copy()
    for name, bar in begins.items():
        features.iloc[:bar, features.columns.get_loc(name)] = np.nan
    return replace(late, bars=replace(late.bars, precomputed=features))


@pytest.mark.parametrize(
    ("begins", "first"),
    [
        ({"sma_20": 90}, 120),
        ({"sma_20": 101}, 121),
        ({"sma_20": 150, "atr": 130, "close": 40}, 170),
        ({"atr": 150, "volume": 149}, 170),
        (dict.fromkeys(FEATURES, 200), 220),
    ],
)
def test_both_sides_start_where_the_features_of_a_file_begin(
    world: World, begins: dict[str, int], first: int
) -> None:
    """Section 4: they are defined for the bars of the window and the start's own."""
    late = begins_later(world, begins)
    market = prepare(late.bars, CONFIG)
    assert market.starts[0] == first
    starts = reference_data(late, CONFIG)["can start"]
    assert np.flatnonzero(starts).tolist() == market.starts.tolist()
    assert check(late).passed


def test_a_start_too_early_of_features_that_begin_later_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = begins_later(world, {"sma_20": 150})
    right = features.valid_starts
    monkeypatch.setattr(
        data_loader, "valid_starts", lambda *given: np.r_[np.int32(169), right(*given)].astype(np.int32)
    )
    wrong = {name for name, stats in check(late).fields.items() if stats.mismatches}
    assert wrong == {"can start"}


@pytest.mark.parametrize("begins", [{"rsi": 1800}, {"rsi": 1300}], ids=["never", "too late"])
def test_features_that_begin_too_late_give_both_sides_no_start(
    world: World, begins: dict[str, int]
) -> None:
    late = begins_later(world, begins)
    for make in (lambda: prepare(late.bars, CONFIG), lambda: reference_data(late, CONFIG)):
        with refuses():
            make()


@pytest.mark.parametrize("mean", [sliding, newest_first])
def test_a_sum_in_another_order_is_seen(
    world: World, mean: Callable[[F64, int], F64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "window_mean", mean)
    result = check(world)
    wrong = {name for name, stats in result.fields.items() if stats.mismatches}
    assert wrong >= {f"feature {name} in float64" for name in ("sma_5", "sma_20", "rsi", "atr")}


def test_a_rounding_of_prices_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = features.compute_features
    monkeypatch.setattr(
        "parity.suites.data.compute_features", lambda bars: right(bars).astype(np.float32).astype(float)
    )
    wrong = {name for name, stats in check(world).fields.items() if stats.mismatches}
    assert "feature macd in float64" in wrong
    assert "feature momentum in float64" in wrong


@pytest.fixture(scope="module")
def prepared(world: World) -> tuple[Fields, PreparedMarket, Fields]:
    market = prepare(world.bars, CONFIG)
    return reference_data(world, CONFIG), market, port_data(world, CONFIG, market)


@pytest.mark.parametrize("name", RULES)
def test_one_other_number_of_any_bar_is_seen(
    world: World,
    prepared: tuple[Fields, PreparedMarket, Fields],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    reference, market, port = prepared
    rows = len(market)
    for row in (0, rows // 2, rows - 1):
        value = port[name].copy()
        plain = value[row]
        if value.dtype.kind == "f":
            by_bits = RULES[name].exact
            away = [np.nextafter(plain, np.inf, dtype=value.dtype) if by_bits else plain * 1.001 + 0.01]
            away += [np.nan if np.isfinite(plain) else 0.0, np.inf]
            away = [1.0, np.inf] if np.isnan(plain) else away
        else:
            away = [~plain] if value.dtype == bool else [plain + 1, plain - 1]
        for other in away:
            value[row] = other
            monkeypatch.setattr(data, "port_data", lambda *given, value=value: {**port, name: value})
            result = judge_data(world, CONFIG, reference, market)
            assert not result.passed, (row, other)
            assert result.first is not None
            assert (result.first.lane, result.first.field, result.mismatches) == (row, name, 1)
    monkeypatch.setattr(data, "port_data", lambda *given: port)
    assert judge_data(world, CONFIG, reference, market).passed
    assert result.compared == rows
    assert set(result.fields) == set(RULES)


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        ("atr_ticks", 4 * 2.0**-23, 5 * 2.0**-23),
        ("feature macd", 4 * 2.0**-23, 5 * 2.0**-23),
        ("feature macd in float64", 1.9e-9, 2.2e-9),
    ],
)
def test_rounding_is_allowed_so_far_and_no_further(
    world: World,
    prepared: tuple[Fields, PreparedMarket, Fields],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    within: float,
    beyond: float,
) -> None:
    """Of a number that is one: four steps of float32, or a billionth of it and another one."""
    reference, market, port = prepared
    mine = {**reference, name: np.ones_like(reference[name])}
    for more, passes in ((within, True), (beyond, False)):
        theirs = {**port, name: (mine[name] + more).astype(mine[name].dtype)}
        monkeypatch.setattr(data, "port_data", lambda *given, theirs=theirs: theirs)
        assert judge_data(world, CONFIG, mine, market).passed == passes, more


def test_bars_that_one_side_leaves_out_are_an_error(
    world: World, prepared: tuple[Fields, PreparedMarket, Fields]
) -> None:
    reference, market, _ = prepared
    for rows in (slice(1, None), slice(None, -1), [0, *range(len(market))]):
        other = {name: value[rows] for name, value in reference.items()}
        result = judge_data(world, CONFIG, other, market)
        assert not result.passed
        keeps = f"the reference keeps {len(other['minute'])} bars, the port {len(market)}"
        assert result.error == keeps


@pytest.mark.parametrize("session", ["rth", "all"])
def test_bars_are_compared_of_the_session_that_is_played(session: Session) -> None:
    bars = stress_bars("RTY", seed=2, days=4, session="all")
    config, world = EnvConfig.phase1(session=session), World("RTY, all hours", bars, "")
    market = prepare(bars, config)
    assert len(market) == len(bars.session(session))
    assert (len(market) < len(bars)) == (session == "rth")
    result = check_data(world, config, market)
    assert (result.check, result.world, result.error) == ("data", "RTY, all hours", "")
    assert (result.passed, result.compared) == (True, len(market))
    assert {one.compared for one in result.fields.values()} == {len(market)}
    other: Session = "all" if session == "rth" else "rth"
    wrong = check_data(world, config, prepare(bars, config.override(session=other)))
    kept = len(bars.session(session)), len(bars.session(other))
    assert (wrong.passed, wrong.compared) == (False, kept[0])
    assert wrong.error == f"the reference keeps {kept[0]} bars, the port {kept[1]}"


def test_of_several_fields_that_differ_the_first_is_told_and_each_is_counted(
    world: World, prepared: tuple[Fields, PreparedMarket, Fields], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, market, port = prepared
    other = {**port, **{name: port[name].copy() for name in ("low", "stop_ticks", "can start")}}
    last = len(market) - 1
    other["low"][[400, last]] += 1
    other["stop_ticks"][[300, 301, last]] -= 2
    other["can start"][last] ^= True
    monkeypatch.setattr(data, "port_data", lambda *given: other)
    result = judge_data(world, CONFIG, reference, market)
    wrong = {name: one.mismatches for name, one in result.fields.items() if one.mismatches}
    assert wrong == {"low": 2, "stop_ticks": 3, "can start": 1}
    low = int(reference["low"][400])
    assert result.first == Mismatch(400, -1, "low", (), low, low + 1)
