"""Faults that work at every default are found by the drawn configurations and by many markets.

Each fault is one of the port's parameters, as a faulty port would have made it from its configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.envs.state import EnvParams
from markets import SYMBOLS
from parity.engine.generate import seeded_cases
from parity.engine.pair import Pair
from parity.engine.record import record_cases
from parity.engine.replay import Shape, replay
from parity.engine.verify import judge_cases
from parity.pairs.trading import trading_pair
from parity.suites.configurations import Configuration, draw_configurations
from parity.suites.scenarios import MARKETS, Request, make_scenarios

CASES = 250
SHAPE = Shape(40, CASES)
"""Of a program that would also hold episodes, as in the gate."""
Spoil = Callable[[EnvParams], EnvParams]


def objects(pair: Pair, spoil: Spoil, world: int = 0) -> bool:
    """Say whether generated cases tell a port with other parameters from the reference."""
    cases = seeded_cases(pair, world, CASES, np.random.default_rng(1))
    spoilt = replace(pair, port=replace(pair.port, params=spoil(pair.port.params)))
    recording = record_cases(pair, cases)
    assert judge_cases(pair, recording, replay(pair, recording, shape=SHAPE)).passed
    return not judge_cases(spoilt, recording, replay(spoilt, recording, shape=SHAPE)).passed


def having(**kinds: str) -> list[Configuration]:
    wanted = kinds.items()
    return [one for one in draw_configurations(0) if all(one.kinds.get(n) == k for n, k in wanted)]


def through_float32(params: EnvParams) -> EnvParams:
    rounded = params.initial_balance.astype(jnp.float32).astype(jnp.int32)
    return replace(params, initial_balance=rounded)


def without_lock(params: EnvParams) -> EnvParams:
    return replace(params, floor_lock=jnp.int32(2**30))


def one_contract(params: EnvParams) -> EnvParams:
    return replace(params, contracts=jnp.int32(1))


def of_market(name: str, change: Callable[[Any], Any]) -> Spoil:
    def spoil(params: EnvParams) -> EnvParams:
        table = change(getattr(params.market, name))
        return replace(params, market=replace(params.market, **{name: table}))

    return spoil


FAULTS: dict[str, tuple[str, str, Spoil]] = {
    "a lock of 0 is none": ("floor_lock_dollars", "0", without_lock),
    "money through float32": ("initial_balance_dollars", "beyond float32", through_float32),
    "slippage of 0 is 1": (
        "slippage_ticks",
        "0",
        of_market("slippage", lambda x: jnp.maximum(x, 1)),
    ),
    "one contract at most": ("contracts", "several", one_contract),
}


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_setting_misread_at_one_of_its_values_is_found(fault: str) -> None:
    name, kind, spoil = FAULTS[fault]
    for one in having(**{name: kind}):
        market = prepare(one.world.bars, one.config)
        if objects(trading_pair([one.world], one.config, [market]), spoil):
            return
    raise AssertionError(f"no drawn configuration shows it: {fault}")


@pytest.mark.costly
def test_a_ninth_market_taken_for_the_eighth_is_found() -> None:
    few = Request(symbols=("ES",), configurations=False)
    (many,) = [one for one in make_scenarios(few) if one.name == "many markets"]
    assert len(many.worlds) == MARKETS > len(SYMBOLS)
    pair = trading_pair(many.worlds, many.config)
    eighth = of_market("commission", lambda x: x[jnp.minimum(jnp.arange(len(x)), 7)])
    assert objects(pair, eighth, world=8)
    assert not objects(pair, eighth, world=7)
