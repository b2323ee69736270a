"""A bundle's manifest says the policy's own numbers, all of them, and nothing of another's."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.data.trained_contract import describe_contract
from jax_port.envs.registry import phase_of
from jax_port.export.golden import golden_bars
from jax_port.export.layers import same_bits
from jax_port.export.manifest import (
    ACTIONS,
    MANIFEST,
    POSITION,
    check_files,
    contract_of,
    describe,
    read_manifest,
    require_live_rules,
    trained_on,
)
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import normalize
from jax_port.ppo.settings import NetworkSpec
from markets import Contract, EnvConfig, get_contract
from markets.bars import FEATURES
from markets.config import AccountRules, RewardConfig, Session
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import MOST_LIVE, OTHER, make_policy
from tests.sentences import refuses

OWN = Contract("ES", "of one's own", 0.5, 777, 3, 41)
SPEC = NetworkSpec((5, 3), (4,), "tanh")
SOURCE = {"file": "policy.safetensors", "sha256": "1" * 64}
PROOF = {"verdict": "same", "sha256": "2" * 64}


def made(phase: int, **about: object) -> Policy:
    config = (EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()).override(**OTHER)
    market = prepare(synthetic_bars("ES", days=2, seed=5), config)
    return make_policy(market, config, seed=3, spec=SPEC, **about)


@pytest.mark.parametrize("phase", [1, 2])
def test_every_number_is_the_policys_the_contracts_or_the_rules(phase: int) -> None:
    policy = made(phase, certificate=PROOF, lineage={"stretches": [{"certificate": PROOF}]}, data=[])
    flat = {**asdict(policy.config), **asdict(policy.config.account), **asdict(policy.config.reward)}
    names = {field.name for kind in (EnvConfig, AccountRules, RewardConfig) for field in fields(kind)}
    assert names == {*OTHER, "phase", "account", "reward"}
    assert {name: flat[name] for name in OTHER} == OTHER
    told = describe(policy, OWN, SOURCE)
    rules = told["env_config"]
    assert {**rules, **rules["account"], **rules["reward"]} == {
        **OTHER, "phase": phase, "account": rules["account"], "reward": rules["reward"],
    }  # fmt: skip
    assert told["contract"] == {**describe_contract(OWN), "symbol": "ES", "name": OWN.name}
    assert told["source"] == SOURCE
    assert told["certificate"] == PROOF
    assert told["lineage"] == policy.about["lineage"]
    assert told["made"] == policy.about
    assert told["phase"] == phase
    count = phase_of(policy.config).num_actions
    assert told["actions"] == list(ACTIONS[:count])
    observation = told["observation"]
    assert observation["features"] == list(FEATURES)
    assert observation["position"] == list(POSITION[: 5 if phase == 1 else 8])
    assert (observation["window"], observation["size"]) == (3, 3 * 11 + len(observation["position"]))
    assert policy.observation_size == observation["size"]
    network = told["network"]
    assert network["activation"] == "tanh"
    for mlp, sizes in (("policy", (5, 3, count)), ("value", (4, 1))):
        inputs = (observation["size"], *sizes[:-1])
        shapes = [(layer["in"], layer["out"]) for layer in network[mlp]]
        assert shapes == list(zip(inputs, sizes, strict=True))
        for layer in network[mlp]:
            kernel = policy.params["params"][layer["name"]]["kernel"]
            assert kernel.shape == (layer["in"], layer["out"])


def test_the_normaliser_as_written_is_the_ports() -> None:
    """Its formula, computed from its own numbers, of observations within the clip and far beyond it."""
    policy = made(2)
    told = describe(policy, OWN, SOURCE)["normalizer"]
    assert told["formula"] == "clip((x - mean) / sqrt(var + epsilon), -clip, clip)"
    mean, var = np.array(told["mean"]), np.array(told["var"])
    var[:4] = 0.0  # where epsilon is all there is
    policy = replace(policy, statistics={**(policy.statistics or {}), "var": var})
    spread = np.sqrt(var + told["epsilon"])
    rng = np.random.default_rng(0)
    obs = (mean + rng.normal(size=(50, len(mean))) * spread * rng.choice([1, 9.9, 30], (50, 1))).astype(
        np.float32
    )
    seen = np.asarray(normalize(policy.scale, jnp.asarray(obs)))
    exact = np.clip((obs - mean) / spread, -told["clip"], told["clip"])
    np.testing.assert_allclose(seen, exact, rtol=2e-5, atol=2e-5)
    assert (np.abs(seen).max(), np.abs(exact).max()) == (told["clip"], told["clip"])
    assert told["count"] == float((policy.statistics or {})["count"])


def test_another_bit_of_any_number_is_noticed_by_its_name() -> None:
    policy = made(1)
    found = []
    for layer, kinds in policy.params["params"].items():
        for kind, value in kinds.items():
            other = value.copy()
            other.flat[-1] = np.nextafter(other.flat[-1], np.float32(np.inf))
            changed = {**policy.params["params"], layer: {**kinds, kind: other}}
            found += same_bits(policy, replace(policy, params={"params": changed}))
    names = {f"{layer}.{kind}" for layer in SPEC.layers for kind in ("weight", "bias")}
    assert (set(found), len(found)) == (names, len(names))
    assert policy.statistics is not None
    for name, moment in policy.statistics.items():
        nudged = np.nextafter(moment, np.inf)
        assert same_bits(policy, replace(policy, statistics={**policy.statistics, name: nudged})) == [
            name
        ]
    assert same_bits(policy, replace(policy, statistics=None)) == ["count", "mean", "var"]


@pytest.mark.parametrize("symbol", [None, "ES"])
@pytest.mark.parametrize("field", [field.name for field in fields(Contract)])
def test_a_contract_with_another_number_than_in_training_is_refused(
    symbol: str | None, field: str
) -> None:
    """Whether it is named or taken from the training data."""
    here = get_contract("ES")
    changed = {
        "tick_size": 0.5,
        "tick_value_cents": 625,
        "slippage_ticks": 2,
        "commission_cents": 1,
        "full_size": "NQ",
        "name": "another name",
        "symbol": "NQ",
    }
    trained = replace(here, **{field: changed[field]})
    data = {"symbol": trained.symbol, "contract": describe_contract(trained)}
    policy = made(1, data=data)
    if field == "name":  # says nothing of money
        assert contract_of(policy, symbol) == here
    elif field == "symbol":  # of which NQ's numbers here are others
        with refuses():
            contract_of(policy, symbol)
    else:
        with refuses():
            contract_of(policy, symbol)


@pytest.mark.parametrize("session", get_args(Session))
@pytest.mark.parametrize(
    "contract",
    [get_contract("ES"), get_contract("MYM"), OWN, replace(OWN, symbol="CL", tick_size=0.01)],
)
def test_golden_bars_are_the_contracts_own(contract: Contract, session: Session) -> None:
    """Also of one that has a built-in's symbol and other numbers, and of one that nobody knows."""
    policy = made(1)
    bars = golden_bars(replace(policy, config=policy.config.override(session=session)), contract)
    assert bars.contract == contract
    prices = bars.frame[["open", "high", "low", "close"]].to_numpy()
    np.testing.assert_allclose(contract.to_points(contract.to_ticks(prices)), prices, rtol=1e-12)
    odd = contract.to_ticks(prices) % 2
    assert 0.3 < odd.mean() < 0.7  # no grid coarser than its own


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with refuses():
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["fusion", "trained_with_advice", "lineage"])
def test_what_a_manifest_may_leave_out_is_no_other_kind_of_thing(tmp_path: Path, name: str) -> None:
    told = {**describe(made(1), OWN, SOURCE), "files": {}}
    for values in (told, {**told, name: {}}, {key: told[key] for key in told if key != "lineage"}):
        (tmp_path / MANIFEST).write_text(json.dumps(values))
        assert read_manifest(tmp_path) == values
    for value in ([], "weighted", 5, *([] if name == "trained_with_advice" else [None])):
        (tmp_path / MANIFEST).write_text(json.dumps({**told, name: value}))
        with refuses():
            read_manifest(tmp_path)


def test_a_policy_of_several_contracts_trades_one_of_them_and_no_other() -> None:
    data = [
        {"symbol": name, "contract": describe_contract(get_contract(name))} for name in ("ES", "NQ")
    ]
    policy = made(1, data=data)
    for symbol in ("ES", "NQ"):
        assert contract_of(policy, symbol) == get_contract(symbol)
    for other in ("RTY", "MES", None):
        with refuses():
            contract_of(policy, other)


def test_every_file_of_a_bundle_is_held_to_the_manifest(tmp_path: Path) -> None:
    names = ("b.onnx", "a.pt", "c.json")
    for name in names:
        (tmp_path / name).write_text(name)
    told = {"files": {name: sha256(name.encode()).hexdigest() for name in names}}
    check_files(tmp_path, told)
    for name in names:
        for change in ("changed", None):
            if change is None:
                (tmp_path / name).unlink()
            else:
                (tmp_path / name).write_text(change)
            with refuses():
                check_files(tmp_path, told)
        (tmp_path / name).write_text(name)
    check_files(tmp_path, told)


@pytest.mark.parametrize(("name", "most", "more"), MOST_LIVE)
def test_a_live_strategy_takes_rules_up_to_the_most(name: str, most: float, more: float) -> None:
    config = EnvConfig.phase2()
    require_live_rules(config)
    require_live_rules(config.override(**{name: most}))
    with refuses():
        require_live_rules(config.override(**{name: more}))


def test_a_policy_that_says_no_contract_trades_the_one_that_is_named() -> None:
    for about in ({}, {"data": None}, {"data": []}, {"data": [{"source": "x"}]}, {"data": "ES"}):
        policy = made(1, **about)
        assert trained_on(policy) == set()
        assert contract_of(policy, "NQ") == get_contract("NQ")
        with refuses():
            contract_of(policy, None)
    several = made(1, data=[{"symbol": "NQ"}, {"source": "x"}, {"symbol": "ES"}, {"symbol": "NQ"}])
    assert trained_on(several) == {"ES", "NQ"}
    assert contract_of(made(1, data=[{"symbol": "NQ"}, {"symbol": "NQ"}]), None) == get_contract("NQ")
