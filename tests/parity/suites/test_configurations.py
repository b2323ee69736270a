"""Every seed draws every field with every kind of value, and none that can't be played."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from markets import Bars, EnvConfig, InputError, get_contract
from markets.config import AccountRules, RewardConfig
from markets.limits import check_int32
from markets.synthetic.stress import stress_bars
from parity.pairs.trading import World
from parity.suites import configurations
from parity.suites.configurations import (
    CONTRACTS,
    COSTS,
    COUNT,
    EACH,
    LIMIT,
    LIMITED,
    REQUIRED,
    SHAPES,
    VALUES,
    Configuration,
    coverage_of,
    draw_configurations,
    report_configurations,
)


def test_every_field_of_every_class_is_drawn_and_named() -> None:
    owners = (EnvConfig, AccountRules, RewardConfig)
    names = {item.name for owner in owners for item in fields(owner)} - {"account", "reward"}
    named = {text.removeprefix("configuration, ").partition(":")[0] for text in REQUIRED}
    assert named == names | {"slippage_ticks", "commission_cents"}


@pytest.mark.costly
@pytest.mark.parametrize("seed", [*range(12), 2000])  # of 2000's first draw no account fits RTY's bars
def test_a_seed_has_every_kind_of_value_and_can_be_played(seed: int) -> None:
    drawn = draw_configurations(seed)
    assert len(drawn) == COUNT
    assert set(coverage_of(drawn)) == REQUIRED
    for one in drawn:
        assert len(prepare(one.world.bars, one.config).starts)


def test_kinds_say_what_the_values_are() -> None:
    drawn = draw_configurations(3)
    of_kind = {(name, kind): one.value(name) for one in drawn for name, kind in one.kinds.items()}
    assert of_kind["floor_lock_dollars", "0"] == 0
    assert of_kind["floor_lock_dollars", "negative"] < 0
    assert of_kind["slippage_ticks", "0"] == 0
    assert 50_000 < of_kind["initial_balance_dollars", "beyond the default"] < 50_001
    assert of_kind["initial_balance_dollars", "beyond float32"] > 2**24 / 100
    assert of_kind["initial_balance_dollars", "near the int32 limit"] > 0.5 * 2**31 / 100
    assert of_kind["contracts", "several"] in range(3, 10)
    assert of_kind["entry_close_minute", "1440"] == 1440


@pytest.mark.costly
def test_two_seeds_differ_and_one_is_itself() -> None:
    one, other = draw_configurations(0), draw_configurations(1)
    assert [drawn.config for drawn in one] != [drawn.config for drawn in other]
    of_no_bars = ("window_size", "warmup_bars", "session", "hold_penalty", "commission_cents")
    values = [[[each.value(name) for name in of_no_bars] for each in drawn] for drawn in (one, other)]
    assert values[0] != values[1]
    draw_configurations.cache_clear()
    assert [drawn.config for drawn in draw_configurations(0)] == [drawn.config for drawn in one]


def test_the_report_names_fields_kinds_and_values() -> None:
    result = report_configurations(draw_configurations(0))
    assert result.passed
    assert set(result.coverage) == REQUIRED
    assert "0" in str(result.notes["floor_lock_dollars"]).split(", ")


def defaults(phase: int) -> dict[str, Any]:
    """Return what every field is where nothing is said, and what ES costs."""
    values = (EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()).to_dict()
    costs = {name: getattr(get_contract("ES"), name) for name in COSTS}
    return {**values, **values["account"], **values["reward"], **costs}


def is_beyond(value: float, default: float) -> bool:
    """Say whether a value is on its default's far side from zero, and still near it."""
    return 0 < abs(value) <= 0.01 if default == 0 else 1 < value / default <= 2


def is_of_kind(name: str, kind: str, value: Any) -> bool:
    """Say whether a field's value is what its kind says."""
    plain = [defaults(phase)[name] for phase in (1, 2)]
    if kind in ("rth", "all"):
        return bool(value == kind)
    if kind.isdigit():
        return bool(value == float(kind))
    if kind == "beyond the default":
        return value > plain[0] if name in COSTS else any(is_beyond(value, one) for one in plain)
    held: dict[str, bool] = {
        "least": 0 < value < min(plain),
        "negative": value < 0,
        "small": 0 < value < max(plain),
        "large": value > 3 * max(plain),
        "several": value > max(plain) + 1,
        "beyond float32": value * 100 > 2**24,
    }
    return held[kind]


@pytest.mark.parametrize("name", [*SHAPES, *VALUES])
def test_every_value_that_is_drawn_is_of_the_kind_that_it_is_said_to_be(name: str) -> None:
    rng = np.random.default_rng(0)
    for kind, draw in {**SHAPES, **VALUES}[name].items():
        values = [draw(rng) for _ in range(60)]
        assert all(is_of_kind(name, kind, value) for value in values), (kind, values)
        if type(defaults(1)[name]) is int:
            assert {type(value) for value in values} == {int}


@pytest.mark.costly
def test_kinds_meet_in_other_combinations_with_each_seed() -> None:
    """A fault that needs two settings at once shows with some seed."""
    seeds = [draw_configurations(seed) for seed in range(6)]
    names = sorted({**SHAPES, **VALUES})
    for name in names:
        if name not in LIMITED:
            assert len({tuple(one.kinds.get(name) for one in drawn) for drawn in seeds}) > 1, name


def with_value(one: Configuration, name: str, value: Any) -> EnvConfig:
    return one.config.override(**{name: value})


@pytest.mark.parametrize("name", LIMITED)
def test_a_value_near_the_limit_is_the_largest_there_may_be_but_for_a_little(name: str) -> None:
    aimed = [one for one in draw_configurations(3) if one.kinds.get(name) == LIMIT]
    assert {one.config.phase for one in aimed} == {1, 2}
    for one in aimed:
        value = one.value(name)
        assert (value < 0) == (name == "violation_penalty")
        bars = one.world.bars.session(one.config.session)
        check_int32(bars, with_value(one, name, value))
        beyond = value + 1 + value // 20 if name == "contracts" else round(value * 1.05, 2)
        with pytest.raises(InputError):
            check_int32(replace(bars), with_value(one, name, beyond))


def test_configurations_are_of_several_contracts_and_hold_what_their_kinds_say() -> None:
    for seed in (0, 3):
        drawn = draw_configurations(seed)
        assert [one.world.bars.contract.symbol for one in drawn] == [
            symbol for _ in (1, 2) for symbol in CONTRACTS for _ in range(EACH)
        ]
        for one in drawn:
            assert one.kinds["phase"] == str(one.config.phase)
            for name, kind in one.kinds.items():
                if name != "phase" and kind != LIMIT:
                    assert is_of_kind(name, kind, one.value(name)), (one.name, name, kind)


@pytest.mark.parametrize(
    ("low", "high", "unit", "values"),
    [
        (3, 5, 1, [3, 4, 5]),
        (-2, 0, 1, [-2, -1, 0]),
        (-3, -1, 0.5, [-1.5, -1.0, -0.5]),
        (104, 106, 0.01, [1.04, 1.05, 1.06]),
        (8, 8, 0.1, [0.8]),
    ],
)
def test_a_range_is_drawn_with_both_of_its_ends(
    low: int, high: int, unit: float, values: list[float]
) -> None:
    draw, rng = configurations._between(low, high, unit), np.random.default_rng(2)
    drawn = [draw(rng) for _ in range(80)]
    assert sorted(set(drawn)) == values
    assert {type(value) for value in drawn} == {int if unit == 1 else float}


def made(number: int, kinds: dict[str, str], **changes: Any) -> Configuration:
    """Return a configuration by hand, of a contract with costs of its own."""
    contract = get_contract("RTY").with_costs(slippage_ticks=number, commission_cents=70 + number)
    bars: Any = SimpleNamespace(contract=contract)
    return Configuration(f"made {number}", EnvConfig.phase2(**changes), World("", bars, ""), kinds)


def test_a_report_holds_every_configuration_with_every_field_that_was_drawn() -> None:
    drawn = [
        made(1, {"contracts": "1", "session": "rth"}, contracts=1),
        made(2, {"contracts": "several", "slippage_ticks": "beyond"}, contracts=7, session="all"),
        made(3, {"contracts": "several", "hold_penalty": "0"}, contracts=12, hold_penalty=0.0),
        made(4, {"initial_balance_dollars": "large"}, initial_balance_dollars=1234567.89, contracts=1),
    ]
    result = report_configurations(drawn)
    assert (result.check, result.world) == ("configurations", "all fields of EnvConfig")
    assert (result.compared, result.error, result.fields, result.passed) == (4, "", {}, True)
    assert result.coverage == {
        "configuration, contracts: 1": 1,
        "configuration, contracts: several": 2,
        "configuration, session: rth": 1,
        "configuration, slippage_ticks: beyond": 1,
        "configuration, hold_penalty: 0": 1,
        "configuration, initial_balance_dollars: large": 1,
    }
    plain = EnvConfig.phase2()
    assert plain.account.initial_balance_dollars == 50_000
    assert result.notes == {
        "contracts": "1, 12, 7",
        "session": "all, rth",
        "slippage_ticks": "1, 2, 3, 4",
        "hold_penalty": f"{plain.reward.hold_penalty}, 0",
        "initial_balance_dollars": "1234567.89, 50000",
    }
    assert (drawn[1].value("commission_cents"), drawn[2].value("hold_penalty")) == (72, 0.0)
    with pytest.raises(KeyError, match="nothing"):
        drawn[0].value("nothing")


def test_each_configuration_is_of_all_hours_with_its_own_costs_and_name() -> None:
    seed = 3
    drawn = draw_configurations(seed)
    hours = {symbol: stress_bars(symbol, seed=seed, session="all") for symbol in CONTRACTS}
    for number, one in enumerate(drawn, 1):
        bars, contract = one.world.bars, one.world.bars.contract
        whole = replace(hours[contract.symbol], contract=contract)
        assert bars.digest == whole.digest
        assert one.name == f"configuration {number}"
        assert one.world.name == f"{contract.symbol} configuration {number}"
        assert one.world.options == (
            f"--stress all --symbol {contract.symbol} --seed 3 "
            f"--commission {contract.commission_cents} --slippage {contract.slippage_ticks}"
        )
    for symbol in CONTRACTS:  # the two groups of a contract, of one phase each, have another shape
        of_it = [one for one in drawn if one.world.bars.contract.symbol == symbol]
        assert {one.config.session for one in of_it} == {"rth", "all"}


def test_what_there_is_room_for_depends_on_the_session_that_is_played() -> None:
    """A price that the other hours alone reach limits an account that trades then, and no other."""
    bars = stress_bars("ES", seed=3, session="all")
    frame = bars.frame.copy()
    outside = frame.index.difference(bars.session("rth").frame.index)
    tick = bars.contract.tick_size
    frame.loc[outside[-1], "high"] = round(3 * frame["high"].max() / tick) * tick
    high = Bars.from_frame(frame, bars.contract, source="a spike at night")
    sessions = {name: high.session(name) for name in configurations.SESSIONS}
    found = [
        configurations._near_limit(1, {"session": session}, sessions, "contracts")
        for session in ("rth", "all")
    ]
    assert found[0] > found[1] > 0
