"""Contracts of a user's own, read from a TOML file.

.. code-block:: toml

    [contract.CL]
    name = "Crude Oil"
    tick_size = 0.01           # points
    tick_value_cents = 1000    # $10.00 a tick
    slippage_ticks = 1         # lost on every market order
    commission_cents = 250     # a side, a contract

Other tables and names of the file are passed over, so that a run's ``run.toml`` is such a file too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from foundation.errors import InputError
from foundation.json_reading import Artifact, Int32
from foundation.toml_files import convert_toml, read_toml
from markets.contracts import SYMBOLS, Contract, added_contracts, get_contract, register_contract

FILE = Artifact(
    "file of contracts",
    "it needs a table such as [contract.CL] with name, tick_size, tick_value_cents, slippage_ticks "
    "and commission_cents",
)
REQUIRED = ("name", "tick_size", "tick_value_cents", "slippage_ticks", "commission_cents")


_files: dict[str, Path] = {}
"""Symbol to the file that its contract was registered from."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: str | None = None
    tick_size: float | None = None
    tick_value_cents: Int32 | None = None
    slippage_ticks: Int32 | None = None
    commission_cents: Int32 | None = None
    full_size: str | None = None


class _File(msgspec.Struct):
    contract: dict[str, Any]


def register_contracts(path: Path) -> tuple[Contract, ...]:
    """Register the contracts of a file; return them, in the file's order.

    Nothing is registered unless the whole file is right.

    Raises:
        InputError: the file cannot be read, a value is missing or not valid, or a symbol is built in.
    """
    return _register(path, _rows(path, read_toml(path, _File, FILE).contract))


def register_table(path: Path, table: Mapping[str, Any]) -> tuple[Contract, ...]:
    """Register the contracts of a configuration file's table ``contract``; return them.

    Args:
        path: the file.
        table: symbol to the values of its ``[contract.SYMBOL]``.

    Raises:
        InputError: as for :func:`register_contracts`, or a symbol was read from another file with other
            numbers.
    """
    rows = _rows(path, table)
    for symbol, row in rows.items():
        before, made = _files.get(symbol), _contract(path, symbol, row)
        if before is not None and before != path and get_contract(symbol) != made:
            raise InputError(
                f"{path}: [contract.{symbol}] has other numbers than {before}; leave one of them out, "
                "or give the other contract a symbol of its own"
            )
    return _register(path, rows)


def _rows(path: Path, table: Mapping[str, Any]) -> dict[str, _Row]:
    """Return the tables of a file by their symbols; one that is damaged is named."""
    return {
        symbol: convert_toml(values, _Row, FILE, where=f"{path}: [contract.{symbol}]")
        for symbol, values in table.items()
    }


def _register(path: Path, rows: Mapping[str, _Row]) -> tuple[Contract, ...]:
    made = [_contract(path, symbol, row) for symbol, row in rows.items()]
    if not made:
        raise InputError(f"{path} has no contract; {FILE.mend}")
    _files.update((contract.symbol, path) for contract in made)
    return tuple(register_contract(contract, overwrite=True) for contract in made)


def own_contracts(symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what a file has to say of those contracts among ``symbols`` that are not built in.

    A micro's full-size contract is added where it is not built in either.

    Returns:
        Symbol to the values of its ``[contract.SYMBOL]``.

    Raises:
        InputError: a symbol is unknown.
    """
    added, found = set(added_contracts()), {}
    waiting = [get_contract(symbol) for symbol in symbols]
    for contract in waiting:
        if contract not in added or contract.symbol in SYMBOLS:
            continue
        found[contract.symbol] = {
            name: value
            for name, value in asdict(contract).items()
            if name != "symbol" and value is not None
        }
        if contract.full_size is not None and contract.full_size not in found:
            waiting += [one for one in added if one.symbol == contract.full_size]
    return found


def file_of(symbol: str) -> Path | None:
    """Return the file that a contract was registered from, or None where it came from elsewhere."""
    return _files.get(symbol)


def known_files() -> dict[str, Path]:
    """Return symbol to file of every contract that was registered from one, for another process."""
    return dict(_files)


def know_files(files: Mapping[str, Path]) -> None:
    """Have :func:`file_of` name files from which another process registered contracts."""
    _files.update(files)


def know_contracts(contracts: Iterable[Contract], files: Mapping[str, Path]) -> None:
    """Know what another process has added to the contracts that are built in.

    Args:
        contracts: its :func:`markets.contracts.added_contracts`.
        files: its :func:`known_files`.
    """
    for contract in contracts:
        register_contract(contract, overwrite=True)
    know_files(files)


def _contract(path: Path, symbol: str, row: _Row) -> Contract:
    given: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(row).items() if value is not None
    }
    place = f"{path}: [contract.{symbol}]"
    if symbol in SYMBOLS:
        raise InputError(f"{place}: {symbol} is built in; give your contract another symbol")
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise InputError(f"{place}: {', '.join(missing)} missing; {FILE.mend}")
    try:
        return Contract(symbol=symbol, **given)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
