"""A state as people read it, against points and dollars of one's own, in every market and position."""

from __future__ import annotations

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments import spaces

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.gymnax_api import TradingPhase1, TradingPhase2
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState
from jax_port.envs.view import view
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars

SYMBOLS = ("ES", "RTY", "YM")


@pytest.fixture(scope="module", params=[1, 2])
def params(request: pytest.FixtureRequest) -> EnvParams:
    make = EnvConfig.phase1 if request.param == 1 else EnvConfig.phase2
    config = make(max_episode_bars=25)
    markets = [prepare(synthetic_bars(name, days=2, seed=7), config) for name in SYMBOLS]
    return phase_of(config).make_params(stack(markets), config)


def states(params: EnvParams) -> list[EnvState]:
    """Return a state of each position in each market, no number of which is another's."""
    fresh = phase_of(params).reset_at(jnp.int32(0), params)
    made = []
    for market in range(len(SYMBOLS)):
        first = int(params.market.first_bar[market])
        for position in (-1, 0, 1):
            values = {
                field.name: 1000 * (market + 2) + 37 * number
                for number, field in enumerate(fields(fresh))
                if field.name not in fresh.flags
            }
            values |= {"market": market, "position": position, "step_idx": first + 200}
            values |= {"episode_start": first + 150, "total_pnl": -777 * (market + 1)}
            counts = ("num_trades", "winning_trades", "losing_trades")
            values |= {name: 10 * number + market for number, name in enumerate(counts, 1)}
            values["position_entry_step"] = first + 190 if position else 0
            if not position:
                values |= dict.fromkeys(("entry_price", "sl_price", "tp_price"), 0)
            typed = {name: jnp.int32(value) for name, value in values.items()}
            flags = {name: jnp.bool_(position != 0) for name in fresh.flags}
            made.append(fresh.replace(**typed, **flags))  # type: ignore[attr-defined]
    return made


def test_every_field_in_points_dollars_and_the_market_s_own_bars(params: EnvParams) -> None:
    for state in states(params):
        raw = {field.name: int(getattr(state, field.name)) for field in fields(state)}
        contract = get_contract(SYMBOLS[raw["market"]])
        expected = {
            **{name: raw[name] for name in ("position", "market")},
            **{name: raw[name] for name in ("num_trades", "winning_trades", "losing_trades")},
            **{
                name: raw[name] * contract.tick_size for name in ("entry_price", "sl_price", "tp_price")
            },
            **{
                name: raw[name] / 100
                for name in ("balance", "highest_balance", "trailing_dd_level", "total_pnl")
            },
            "step_idx": 200,
            "episode_start": 150,
            "position_entry_step": 190 if raw["position"] else 0,
            **{name: bool(raw[name]) for name in state.flags},
        }
        seen = {name: np.asarray(value).item() for name, value in view(state, params).items()}
        assert seen.keys() == expected.keys() == raw.keys()
        assert seen == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "tick", [0.25, 0.1, 0.3, 1.1, 2.5, 0.03125, 0.015625, 5e-7, 1e-9, 0.015, 1 / 3, 7.0, 12_500.0]
)
def test_a_price_is_as_many_of_the_contracts_own_ticks(tick: float) -> None:
    """To the last digits, though the device holds the tick in numbers of 32 bits."""
    config = EnvConfig.phase1(max_episode_bars=25)
    market = prepare(synthetic_bars("ES", days=1, seed=7), config)
    contract = replace(market.contract, tick_size=tick)
    params = phase_of(config).make_params(stack([replace(market, contract=contract)]), config)
    fresh = phase_of(params).reset_at(jnp.int32(0), params)
    ticks = {"entry_price": 65_431, "sl_price": -3, "tp_price": 2**24 - 1}
    held = {name: jnp.int32(value) for name, value in ticks.items()}
    with jax.enable_x64(True):
        seen = view(fresh.replace(**held), params)  # type: ignore[attr-defined]
    for name, value in ticks.items():
        np.testing.assert_allclose(float(seen[name]), value * tick, rtol=1e-12, atol=0)


def test_a_batch_is_its_states(params: EnvParams) -> None:
    single = states(params)
    together = view(jax.tree.map(lambda *leaves: jnp.stack(leaves), *single), params)
    for number, state in enumerate(single):
        for name, value in view(state, params).items():
            np.testing.assert_allclose(together[name][number], value, rtol=3e-7)  # a shared divisor


@pytest.mark.costly(keep=1)
def test_the_space_of_states_holds_them_and_ends_where_each_field_does(params: EnvParams) -> None:
    """A state at each bound is inside; one beyond it is not, of whichever field."""
    trading = (TradingPhase1 if params.phase == 1 else TradingPhase2)(params)
    space = trading.state_space(params)
    rows = len(params.market.bars) - 1
    bounds = {
        **dict.fromkeys(("step_idx", "position_entry_step", "episode_start"), (0, rows)),
        **dict.fromkeys(("num_trades", "winning_trades", "losing_trades"), (0, rows)),
        "entry_price": (0, 2**24),
        **dict.fromkeys(("sl_price", "tp_price"), (-(2**24), 2**25)),
        "position": (-1, 1),
        "market": (0, len(SYMBOLS) - 1),
    }
    with jax.numpy_dtype_promotion("standard"):  # gymnax compares a flag with whole numbers
        for state in states(params):
            assert bool(space.contains(state))
            for name, (low, high) in bounds.items():
                beyond = 8 if high > 2**20 else 1  # gymnax holds bounds in float32
                ends = ((low, True), (high, True), (low - beyond, False), (high + beyond, False))
                for value, inside in ends:
                    moved = state.replace(**{name: jnp.int32(value)})  # type: ignore[attr-defined]
                    assert bool(space.contains(moved)) == inside, (name, value)
    for field in fields(states(params)[0]):
        box = space.spaces[field.name]
        assert isinstance(box, spaces.Box)
        assert box.shape == ()
        if field.name not in bounds and field.name not in states(params)[0].flags:
            assert (float(box.low), float(box.high)) == (1 - 2**31, 2**31 - 1)
