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
    COUNT,
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


def defaults() -> dict[str, Any]:
    """Return what every field is where nothing is said, and what ES costs."""
    values = EnvConfig.phase2().to_dict()
    costs = {name: getattr(get_contract("ES"), name) for name in ("slippage_ticks", "commission_cents")}
    return {**values, **values["account"], **values["reward"], **costs}


@pytest.mark.parametrize("name", [*SHAPES, *VALUES])
def test_every_value_that_is_drawn_is_of_the_kind_that_it_is_said_to_be(name: str) -> None:
    rng = np.random.default_rng(0)
    default = defaults()[name]
    for kind, draw in {**SHAPES, **VALUES}[name].items():
        values = [draw(rng) for _ in range(60)]
        if kind in ("rth", "all"):
            assert set(values) == {kind}
            continue
        assert all(type(value) is type(default) or kind == "large" for value in values), (
            kind,
            values[0],
        )
        if kind.isdigit():
            assert set(values) == {float(kind)}, kind
            continue
        holds = {
            "least": lambda value: 0 < value < default,
            "negative": lambda value: value < 0,
            "beyond the default": lambda value: 1 < value / default < (4 if default == 2 else 1.4),
            "small": lambda value: 0 < value < default,
            "large": lambda value: value > 3 * default,
            "several": lambda value: value > default + 1,
            "beyond float32": lambda value: value * 100 > 2**24,
        }[kind]
        if name in ("slippage_ticks", "commission_cents") and kind == "beyond the default":
            assert all(value > default for value in values)
            continue
        assert all(map(holds, values)), (kind, values)


@pytest.mark.costly
def test_kinds_meet_in_other_combinations_with_each_seed() -> None:
    """A fault that needs two settings at once shows with some seed."""
    seeds = [draw_configurations(seed) for seed in range(6)]
    names = sorted({**SHAPES, **VALUES})
    for name in names:
        if name not in LIMITED:
            assert len({tuple(one.kinds.get(name) for one in drawn) for drawn in seeds}) > 1, name
    pairs = {
        (one.kinds.get("slippage_ticks"), one.kinds.get("commission_cents"))
        for drawn in seeds
        for one in drawn
    }
    assert len(pairs) == 9


def with_value(one: Configuration, name: str, value: Any) -> EnvConfig:
    return one.config.override(**{name: value})


@pytest.mark.parametrize("name", LIMITED)
def test_a_value_near_the_limit_is_the_largest_there_may_be_but_for_a_little(name: str) -> None:
    aimed = [one for one in draw_configurations(3) if one.kinds.get(name) == LIMIT]
    assert {one.config.phase for one in aimed} == {1, 2}
    for one in aimed:
        value = one.value(name)
        bars = one.world.bars.session(one.config.session)
        check_int32(bars, with_value(one, name, value))
        beyond = value + 1 + value // 20 if name == "contracts" else round(value * 1.05, 2)
        with pytest.raises(InputError):
            check_int32(replace(bars), with_value(one, name, beyond))


def test_configurations_are_of_several_contracts_with_costs_of_their_own() -> None:
    drawn = draw_configurations(3)
    assert {one.world.bars.contract.symbol for one in drawn} == set(CONTRACTS)
    assert len({one.world.bars.digest for one in drawn}) == len(CONTRACTS)
    for one in drawn:
        for name in one.kinds:
            if name != "phase":
                plain = defaults()[name]
                assert one.value(name) != plain or one.kinds[name] in ("rth", "1"), (one.name, name)
