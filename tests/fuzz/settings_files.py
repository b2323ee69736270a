"""TOML files that users write: options of a run, contracts, rules of evaluation accounts."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jax_port.evaluation import prop_firm
from jax_port.evaluation.prop_firm.rules import load_rules, names
from markets import contracts
from markets.contracts_file import register_contracts
from rltrader.options.environment import environment
from rltrader.train import train
from tests.fuzz.fuzz import Kind
from tests.fuzz.mutations import damage_text

RUN = b"""
phase = "1"
data = ["a.csv", "b.csv"]
symbol = "ES"
steps = 100000
n_steps = 64
learning_rate = 1e-3
norm_reward = false
pi = [64, 32]
out = "runs/x"

[set]
max_episode_bars = 60
session = "all"
"""
CONTRACTS = b"""
[contract.CL]
name = "Crude Oil"
tick_size = 0.01
tick_value_cents = 1000
slippage_ticks = 1
commission_cents = 250

[contract.MCL]
name = "Micro Crude Oil"
tick_size = 0.01
tick_value_cents = 100
slippage_ticks = 1
commission_cents = 50
full_size = "CL"
"""


def run_options() -> Kind:
    """Return a run's options as ``rltrader train --config`` takes them, before anything is trained."""

    def read(path: Path) -> object:
        context = train.make_context("train", ["--config", str(path)])
        return environment(context.params["phase"], context.params["overrides"])

    # An option or setting that is wrong is refused by its name, as on the command line.
    return Kind("run-toml", RUN, "run.toml", damage_text, read, named="run.toml|--| ")


def contract_file() -> Kind:
    def read(path: Path) -> object:
        before = dict(contracts._TABLE)
        try:
            return register_contracts(path)
        finally:
            contracts._TABLE.clear()
            contracts._TABLE.update(before)

    return Kind("contracts", CONTRACTS, "contracts.toml", damage_text, read)


def rule_file() -> Kind:
    folder = resources.files(prop_firm) / "rules"
    data = max(((folder / f"{name}.toml").read_bytes() for name in names()), key=len)

    def read(path: Path) -> object:
        return load_rules(str(path)).sentences()

    return Kind("rules", data, "rules.toml", damage_text, read)


def kinds() -> list[Kind]:
    """Return the kinds of TOML files."""
    return [run_options(), contract_file(), rule_file()]
