"""Where a bundle comes from: held to the run that made its policy, not to the file before it.

A manifest that agrees with itself proves nothing: a policy of one contract, exported as one of another,
agrees with itself too. A policy's own header was written by its run, and the run's folder, where it is
given, says the same once more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foundation.files import file_digest
from foundation.json_reading import read_json
from jax_port.data.trained_contract import describe_contract, trained_contracts
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import trained_on
from jax_port.ppo.policy import Policy
from jax_port.runs.plan import read_plan
from jax_port.runs.run_file import RUN, RUN_FILE
from markets import Contract, InputError, get_contract

HOP = "origin"

Equal = Callable[[str, Any, Any], None]
"""(stage, expected, found)."""


def compare_origin(
    equal: Equal,
    folder: Path,
    manifest: Mapping[str, Any],
    policy: Policy,
    contract: Contract,
    run: Path | None,
) -> None:
    """Compare a bundle with what its policy's header says, and with the folder of its run.

    Args:
        equal: takes a comparison's name and both values.
        folder: of the bundle.
        manifest: its manifest.
        policy: its policy.
        contract: what the manifest says it trades.
        run: folder of the run that made the policy; None where it is not at hand.

    Raises:
        InputError: the folder is none of a run, or holds no such policy.
    """
    symbols = trained_on(policy)
    if symbols:
        symbol_or_all = contract.symbol if contract.symbol not in symbols else sorted(symbols)
        equal("contract is one of the training data", sorted(symbols), symbol_or_all)
    for symbol, numbers in trained_contracts(policy.about):
        if symbol == contract.symbol:
            equal("contract's numbers are the training's", numbers, describe_contract(contract))
    known = _known(contract.symbol)
    if known is not None:
        equal("contract's own numbers", asdict(known), asdict(contract))
    own = file_digest(folder / POLICY)
    equal(f"{POLICY} is the file that was exported", manifest["source"]["sha256"], own)
    if run is not None:
        _compare_run(equal, run, manifest, policy, own)


def _known(symbol: str) -> Contract | None:
    try:
        return get_contract(symbol)
    except InputError:
        return None


def _compare_run(
    equal: Equal, run: Path, manifest: Mapping[str, Any], policy: Policy, own: str
) -> None:
    plan = read_plan(run)
    place = run / str(manifest["source"]["file"])
    if not place.is_file():
        raise InputError(f"{place}: no such policy in this run; give the run that made the bundle")
    equal("run: its policy's file", file_digest(place), own)
    equal("run: rules", plan.config.to_dict(), policy.config.to_dict())
    equal("run: rules in the manifest", plan.config.to_dict(), manifest["env_config"])
    symbols = sorted({source.symbol for source in plan.data.sources})
    traded = manifest["contract"]["symbol"]
    equal("run: contract", symbols, symbols if traded in symbols else traded)
    lineage = read_json(run / RUN, dict[str, dict[str, Any]], RUN_FILE).get("lineage", {})
    for name, expected in (("certificate", lineage.get("certificate")), ("lineage", lineage)):
        sides = (json.dumps(value, sort_keys=True) for value in (expected, manifest.get(name)))
        equal(f"run: {name}", *sides)
