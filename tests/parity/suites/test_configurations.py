"""Every seed draws every field with every kind of value, and none that can't be played."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from markets import EnvConfig, InputError, get_contract
from markets.config import AccountRules, RewardConfig
from markets.limits import check_int32
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
