"""``python -m jax_port.data.data_loader``: load markets, and show their arrays, memory and device."""

from __future__ import annotations

import argparse
from pathlib import Path

import jax

from jax_port.data.data_loader import MarketData, PreparedMarket, load, prepare, stack
from markets import SYMBOLS, EnvConfig
from markets.contracts import contract_of_file
from markets.synthetic.bars import synthetic_bars

DAYS = 20
"""Synthetic days a symbol, where no file is given."""

PLANNED_MIB = 500
"""Memory that the migration plan allows a market."""


def show_markets(arguments: list[str] | None = None) -> None:
    """Load a file, or synthetic bars of all symbols, and print what lies on the device.

    Args:
        arguments: of the command line; those of the process by default.

    Raises:
        InputError: the file can't be read or used.
    """
    parser = argparse.ArgumentParser(prog="python -m jax_port.data.data_loader", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="one-minute bars; synthetic ones by default")
    parser.add_argument("--symbol", help="contract of the file")
    given = parser.parse_args(arguments)
    config = EnvConfig.phase1()
    if given.file is None:
        markets = [prepare(synthetic_bars(symbol, days=DAYS, seed=0), config) for symbol in SYMBOLS]
    else:
        markets = [load(given.file, contract_of_file(given.file, given.symbol), config)]
    for market in markets:
        print(_line(market, stack([market])))
    print(f"\nall {len(markets)} in one stack, {stack(markets).nbytes / 2**20:.2f} MiB:")
    _show_arrays(stack(markets))
    print(f"\njax.devices() = {jax.devices()}")


def _line(market: PreparedMarket, data: MarketData) -> str:
    size = data.nbytes / 2**20
    return (
        f"{market.contract.symbol:4} {len(market):7,} bars, {len(market.starts):7,} starts, "
        f"{size:7.2f} MiB of at most {PLANNED_MIB}; {market.source}"
    )


def _show_arrays(data: MarketData) -> None:
    for name, array in vars(data).items():
        if array is None:  # of advice, where there is none
            continue
        devices = ", ".join(map(str, array.devices()))
        print(f"  {name:11} {array.dtype!s:8} {array.shape!s:14} on {devices}")
