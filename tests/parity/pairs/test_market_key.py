"""A market's key tells any other bars, and any other number of the contract."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from markets import SYMBOLS, get_contract
from parity.pairs.market_key import market_key

CONTRACT = get_contract("ES")
OTHER: dict[str, Any] = {
    "symbol": "ESX",
    "name": "another name",
    "tick_size": 0.5,
    "tick_value_cents": CONTRACT.tick_value_cents + 1,
    "slippage_ticks": CONTRACT.slippage_ticks + 1,
    "commission_cents": CONTRACT.commission_cents + 1,
    "full_size": "NQ",
}


@pytest.mark.parametrize("name", asdict(CONTRACT))
def test_every_value_of_a_contract_is_in_its_market_s_key(name: str) -> None:
    other = replace(CONTRACT, **{name: OTHER[name]})
    assert other != CONTRACT
    assert market_key("bars", other) != market_key("bars", CONTRACT)


def test_a_key_is_of_bars_and_contract() -> None:
    keys = {market_key(bars, get_contract(symbol)) for bars in ("a", "b") for symbol in SYMBOLS}
    assert len(keys) == 2 * len(SYMBOLS)
    assert market_key("a", replace(CONTRACT)) == market_key("a", CONTRACT)
