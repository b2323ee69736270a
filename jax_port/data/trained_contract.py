"""The contract that a policy was trained on, by its numbers and not only by its symbol.

A user's contracts come from a file that may change. A policy that learnt with ticks of $12.50 is not to
be judged, or sent to a platform, with ticks of $6.25 because both were called by one symbol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from markets import Contract, InputError


def describe_contract(contract: Contract) -> dict[str, Any]:
    """Return a contract's numbers, ready for a policy's header: all of it but its symbol and name."""
    values = asdict(contract)
    return {key: value for key, value in values.items() if key not in ("symbol", "name")}


def data_entries(about: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a policy says of each market of its training data, where it says anything.

    Args:
        about: a policy's ``about``.
    """
    data = about.get("data")
    for entry in data if isinstance(data, list) else [data]:
        if isinstance(entry, Mapping):
            yield entry


def trained_contracts(about: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield symbol and numbers of each contract of a policy's training data, where it says them.

    Args:
        about: a policy's ``about``.
    """
    for entry in data_entries(about):
        if isinstance(entry.get("contract"), Mapping):
            yield str(entry.get("symbol")), dict(entry["contract"])


def require_same_contract(about: Mapping[str, Any], contract: Contract) -> None:
    """Refuse a contract of a policy's own symbol with other numbers than it was trained on.

    Args:
        about: a policy's ``about``; one that does not say the numbers is let pass.
        contract: what it is to be played on.

    Raises:
        InputError: naming the numbers that differ and what to do.
    """
    here = describe_contract(contract)
    for symbol, trained in trained_contracts(about):
        differing = [name for name in here | trained if trained.get(name) != here.get(name)]
        if symbol != contract.symbol or not differing:
            continue
        differences = ", ".join(
            f"{name} {_shown(trained.get(name))} (here {_shown(here.get(name))})" for name in differing
        )
        raise InputError(
            f"the policy was trained on {symbol} with {differences}; name the contracts file of its "
            "training with --contracts, or describe the other contract under a symbol of its own"
        )


def _shown(value: object) -> object:
    """Return a number or name as a sentence says it; a contract may have no larger one."""
    return "none" if value is None else value
