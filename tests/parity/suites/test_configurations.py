"""Every seed draws every field with every kind of value, and none that can't be played."""

from __future__ import annotations

from dataclasses import fields

import pytest

from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.config import AccountRules, RewardConfig
from parity.suites.configurations import (
    COUNT,
    REQUIRED,
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
