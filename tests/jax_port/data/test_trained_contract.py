"""A policy is held to the numbers of the contract that it was trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jax_port.data.trained_contract import describe_contract, require_same_contract, trained_contracts
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from tests.sentences import refuses

ES, MES = get_contract("ES"), get_contract("MES")


def about(*contracts: object) -> dict[str, object]:
    return {"data": [{"symbol": "ES", "contract": one} for one in contracts]}


def test_a_run_says_the_numbers_of_its_contract() -> None:
    data = TrainingData((Source("ES", kind="synthetic", days=4),))
    made = {"data": data.load(EnvConfig.phase1())[1]}
    assert list(trained_contracts(made)) == [("ES", describe_contract(ES))]
    assert describe_contract(ES)["tick_value_cents"] == 1250
    require_same_contract(made, ES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tick_size", 0.1), ("tick_value_cents", 125), ("slippage_ticks", 0), ("commission_cents", 251)],
)
def test_other_numbers_under_the_same_symbol_are_refused(name: str, value: float) -> None:
    made = about(describe_contract(ES))
    other = replace(ES, **{name: value})
    with refuses():
        require_same_contract(made, other)


def test_a_number_that_one_of_both_does_not_have_is_named() -> None:
    """Also one that only the policy says, as of a later version."""
    without = describe_contract(ES)
    del without["slippage_ticks"]
    for trained in (describe_contract(ES) | {"margin_cents": 50}, without):
        with refuses():
            require_same_contract(about(trained), ES)


def test_all_numbers_that_differ_are_named() -> None:
    other = replace(ES, tick_size=0.5, tick_value_cents=625, commission_cents=1, full_size="MES")
    with refuses():
        require_same_contract(about(describe_contract(ES)), other)


def test_another_contract_and_a_policy_that_does_not_say_pass() -> None:
    require_same_contract(about(describe_contract(ES)), MES)
    require_same_contract({}, ES)
    require_same_contract({"data": {"symbol": "ES"}}, ES)
    require_same_contract({"data": [{"symbol": "ES", "contract": 5}]}, ES)


def test_every_contract_of_a_policy_is_looked_at() -> None:
    """Not the first alone, and not the first of its symbol alone."""
    other = describe_contract(replace(ES, commission_cents=251))
    mine = describe_contract(ES)
    several = {"data": [{"symbol": "MES", "contract": describe_contract(MES)}]}
    several["data"] += [{"symbol": "ES", "contract": one} for one in (mine, other)]
    with refuses():
        require_same_contract(several, ES)
    require_same_contract(several, MES)
    require_same_contract({"data": several["data"][:2]}, ES)
