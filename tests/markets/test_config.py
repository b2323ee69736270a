"""The configuration against the table of section 4, and what it refuses."""

from __future__ import annotations

import json
import re

import pytest

from markets import AccountRules, EnvConfig, InputError, RewardConfig
from markets.config import dollars_to_cents
from tests.sentences import refuses

# setting, Phase 1, Phase 2
PAGE = [
    ("window_size", 20, 20),
    ("warmup_bars", 100, 100),
    ("session", "rth", "rth"),
    ("initial_balance_dollars", 50_000, 50_000),
    ("contracts", 1, 1),
    ("sl_atr_mult", 1.5, 1.5),
    ("tp_sl_ratio", 3.0, 3.0),
    ("trail_atr_mult", 1.0, 1.0),
    ("trailing_drawdown_dollars", 15_000, 2_500),
    ("floor_lock_dollars", 100, 100),
    ("entry_open_minute", 570, 570),
    ("entry_close_minute", 960, 960),
    ("flat_by_minute", 1019, 1019),
    ("max_episode_bars", 390, 390),
    ("hold_penalty", -0.01, -0.01),
    ("patience_reward", 0.001, 0.001),
    ("pnl_divisor_dollars", 100, 100),
    ("violation_penalty", -10, -10),
    ("invalid_action_penalty", 0, -1),
    ("trail_win_bonus", 0, 0.5),
]


def value(config: EnvConfig, name: str) -> object:
    owner = next(part for part in (config, config.account, config.reward) if hasattr(part, name))
    return getattr(owner, name)


@pytest.mark.parametrize(("name", "first", "second"), PAGE)
def test_the_defaults_are_those_of_the_page(name, first, second):
    assert value(EnvConfig.phase1(), name) == first
    assert value(EnvConfig.phase2(), name) == second


@pytest.mark.parametrize(("name", "first", "second"), PAGE)
def test_every_setting_can_be_overridden_by_its_name(name, first, second):
    other = "all" if name == "session" else second + 1
    assert value(EnvConfig.phase2(**{name: other}), name) == other


def test_an_override_leaves_the_other_settings_of_its_phase():
    config = EnvConfig.phase2(contracts=3, window_size=30)
    assert config.account == AccountRules(trailing_drawdown_dollars=2_500, contracts=3)
    assert config.reward.trail_win_bonus == 0.5
    assert (config.phase, config.window_size) == (2, 30)


@pytest.mark.parametrize(
    "change",
    [
        {"phase": 3},
        {"phase": True},
        {"phase": 1.0},
        {"session": "eth"},
        {"window_size": 0},
        {"window_size": 20.0},
        {"warmup_bars": 19},
        {"max_episode_bars": 0},
        {"contracts": 0},
        {"contracts": True},
        {"sl_atr_mult": 0},
        {"tp_sl_ratio": float("nan")},
        {"trail_atr_mult": "1"},
        {"entry_open_minute": 960},
        {"flat_by_minute": 1441},
        {"initial_balance_dollars": 0},
        {"initial_balance_dollars": 100.001},
        {"trailing_drawdown_dollars": -1},
        {"floor_lock_dollars": -15_000.01},
        {"pnl_divisor_dollars": 0},
        {"pnl_divisor_dollars": 0.001},
        {"hold_penalty": float("inf")},
        {"account": {"contracts": 2}},
        {"windowsize": 5, "fee": 1},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_by_name(change):
    with refuses():
        EnvConfig.phase1(**change)


def beside(value: float, *, above: bool) -> float:
    """Return the next number above or below that a setting could have."""
    if isinstance(value, int):
        return value + 1 if above else value - 1
    if abs(value) < 1000:
        return value + (0.01 if above else -0.01)
    return value * 1.0001 if above == (value > 0) else value / 1.0001


WHOLE = {"window_size": 1, "warmup_bars": 20, "max_episode_bars": 1, "contracts": 1}
MINUTES = {
    "entry_open_minute": (0, 959),
    "entry_close_minute": (571, 1440),
    "flat_by_minute": (0, 1440),
}
ABOVE_ZERO = ("sl_atr_mult", "tp_sl_ratio", "trail_atr_mult")
CENTS = ("initial_balance_dollars", "trailing_drawdown_dollars", "pnl_divisor_dollars")
EITHER_WAY = ("hold_penalty", "patience_reward", "violation_penalty", "invalid_action_penalty",
              "trail_win_bonus")  # fmt: skip
BOUNDS: list[tuple[str, float, float]] = [
    *((name, least, 2**31 - 1) for name, least in WHOLE.items()),
    *((name, *bounds) for name, bounds in MINUTES.items()),
    *((name, 1e-9, 1e12) for name in ABOVE_ZERO),
    *((name, 0.01, 1e12) for name in CENTS),
    ("floor_lock_dollars", -15_000.0, 1e12),
    *((name, -1e12, 1e12) for name in EITHER_WAY),
]
"""Every setting that is a number, with the least and the largest value that it may have."""


def test_every_number_has_its_bounds_here():
    assert {name for name, *_ in BOUNDS} == {name for name, *_ in PAGE} - {"session"}


@pytest.mark.parametrize(("name", "least", "most"), BOUNDS)
def test_a_number_may_be_its_least_and_its_largest_and_nothing_beyond(name, least, most):
    for edge, above in ((least, False), (most, True)):
        assert value(EnvConfig.phase1(**{name: edge}), name) == edge
        outside = 0.0 if edge in (1e-9, 0.01) else beside(edge, above=above)
        for wrong in (outside, float("inf") if above else float("-inf")):
            with pytest.raises(InputError, match=r"must be|later than|has 1440 minutes|would begin"):
                EnvConfig.phase1(**{name: wrong})


def test_a_floor_lock_at_the_first_floor_is_allowed():
    assert EnvConfig.phase1(floor_lock_dollars=-15_000).account.floor_lock_dollars == -15_000


@pytest.mark.parametrize(
    "config", [EnvConfig.phase1(), EnvConfig.phase2(contracts=5, hold_penalty=-0.02)]
)
def test_json_gives_the_configuration_back(config):
    assert EnvConfig.from_dict(json.loads(config.to_json())) == config
    assert EnvConfig.from_dict(config.to_dict()) == config


def test_equal_configurations_have_equal_json():
    whole, broken = (
        EnvConfig.phase1(initial_balance_dollars=x, tp_sl_ratio=y) for x, y in ((5, 3), (5.0, 3.0))
    )
    assert whole == broken
    assert whole.to_json() == broken.to_json()
    minus, plus = (RewardConfig(hold_penalty=x) for x in (-0.0, 0.0))
    assert EnvConfig(reward=minus).to_json() == EnvConfig(reward=plus).to_json()


def test_json_is_canonical():
    text = EnvConfig.phase1().to_json()
    assert text.startswith(
        '{"account":{"contracts":1,"floor_lock_dollars":100.0,"initial_balance_dollars":50000.0,'
    )
    assert " " not in text


@pytest.mark.parametrize("part", ["account", "reward"])
@pytest.mark.parametrize("values", [5, [], None, [1], 0, ""], ids=repr)
def test_a_dictionary_whose_parts_are_none_is_refused(part: str, values: object) -> None:
    with pytest.raises(InputError, match=f"^{part}: "):
        EnvConfig.from_dict({**EnvConfig.phase2().to_dict(), part: values})


def test_a_configuration_that_lacks_a_setting_is_refused_and_takes_no_default() -> None:
    """Also inside the account's rules and the reward's; and it has no setting more."""
    whole = EnvConfig.phase2(contracts=3).to_dict()
    for name in whole:
        with pytest.raises(InputError, match=f"^the configuration: {name} missing"):
            EnvConfig.from_dict({one: whole[one] for one in whole if one != name})
    for part in ("account", "reward"):
        for name in whole[part]:
            less = {one: whole[part][one] for one in whole[part] if one != name}
            with pytest.raises(InputError, match=f"^{part}: {name} missing"):
                EnvConfig.from_dict({**whole, part: less})
        with pytest.raises(InputError, match=f"^{part}: unknown setting nothing"):
            EnvConfig.from_dict({**whole, part: {**whole[part], "nothing": 1}})
    with pytest.raises(InputError, match=r"^the configuration: unknown setting contracts"):
        EnvConfig.from_dict({**whole, "contracts": 1})


def test_every_amount_of_two_decimals_is_its_own_cents() -> None:
    """Also 0.29, which in floats is 28.999999999999996 cents; and below zero."""
    for whole in range(-100_000, 100_000, 7):
        assert dollars_to_cents("x", whole / 100) == whole
        assert dollars_to_cents("x", float(f"{whole / 100:.2f}")) == whole
    for large in (2**31 - 1, 1_234_567_891, -(2**31)):
        assert dollars_to_cents("x", large / 100) == large
    for off in (0.001, 0.295, 12.3456, -0.005, 0.00005, 100.0000002, -7.459995):
        with pytest.raises(InputError):
            dollars_to_cents("x", off)


def test_parts_that_are_given_whole_are_overridden_and_not_forgotten() -> None:
    """A setting beside a whole part of it changes that part, and not the one that was there before."""
    before = EnvConfig.phase2(contracts=7, hold_penalty=-0.5)
    account, reward = AccountRules(floor_lock_dollars=3.0), RewardConfig(patience_reward=0.25)
    config = before.override(account=account, reward=reward, contracts=2, violation_penalty=-4)
    assert config.account == AccountRules(floor_lock_dollars=3.0, contracts=2)
    assert config.reward == RewardConfig(patience_reward=0.25, violation_penalty=-4)
    assert config.override() == config
    assert (before.account.contracts, before.reward.hold_penalty) == (7, -0.5)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**5000, "a huge number"),
        (-(10**5000), "a huge number"),
        (10**30, "a huge number"),
        (-(10**30), "a huge number"),
        (-(10**30) + 1, "-" + "9" * 30),
        ("x" * 58, repr("x" * 58)),
        ("x" * 59, "'" + "x" * 59 + "..."),
    ],
    ids=["5000 digits", "minus 5000", "31 digits", "minus 31", "minus 30", "60 letters", "61 letters"],
)
def test_a_value_of_any_size_is_shown_in_a_few_words(value: object, shown: str) -> None:
    with pytest.raises(InputError, match=rf"^window_size is {re.escape(shown)}; it must be a whole"):
        EnvConfig.phase1(window_size=value)
    with pytest.raises(InputError, match=rf"^hold_penalty is {re.escape(shown)}; it must be a finite"):
        EnvConfig.phase1(hold_penalty=value)
