"""Parameters are a configuration's own numbers in cents and reward units, exact at every value."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from jax_port.envs.registry import phase_of
from markets import EnvConfig
from markets.limits import SHAPING, reward_scale


@pytest.mark.parametrize("divisor", [0.01, 1.0, 100.0, 12.5])
def test_reward_terms_are_exact_whole_units(world: Callable[..., Any], divisor: float) -> None:
    """Also of 0.29, which in floats is 28.999999999999996 hundredths; of each term, and below zero."""
    market = world().params.market
    base = {"window_size": 2, "warmup_bars": 20, "session": "all", "max_episode_bars": 10}
    for number, thousandths in enumerate(range(-1_000, 1_000, 3)):
        name = SHAPING[number % len(SHAPING)]
        value = thousandths / 1_000
        config = EnvConfig.phase1(**base, pnl_divisor_dollars=divisor, **{name: value})
        made = phase_of(config).make_params(market, config)
        scale = reward_scale(config.reward)
        unit = int(Decimal(str(divisor)) * 100) * scale
        assert (int(made.reward_unit), int(made.cent_reward)) == (unit, scale)
        for term in SHAPING:
            exact = Decimal(str(getattr(config.reward, term))) * unit
            assert int(getattr(made, term)) == exact == exact.to_integral_value(), (term, value)


def test_amounts_are_exact_cents(world: Callable[..., Any]) -> None:
    market = world().params.market
    base = {"window_size": 2, "warmup_bars": 20, "session": "all", "max_episode_bars": 10}
    for cents in [*range(1, 2_000, 7), 2**24 + 1, 2**30 + 1, 123_456_789]:
        config = EnvConfig.phase2(
            **base,
            initial_balance_dollars=cents / 100,
            trailing_drawdown_dollars=(cents + 3) / 100,
            floor_lock_dollars=-(cents + 1) / 100,
        )
        made = phase_of(config).make_params(market, config)
        found = [
            int(np.asarray(getattr(made, name)))
            for name in ("initial_balance", "trailing_drawdown", "floor_lock")
        ]
        assert found == [cents, cents + 3, -cents - 1]
