"""Futures contracts: tick size, tick value and trading costs.

Source: section 2 of ``docs/environment.md``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from os import PathLike, fspath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundation.errors import InputError

SYMBOL = "[A-Z0-9][A-Z0-9._-]{0,19}"
"""What a symbol may be: it names files, stands in commands, and is told to a service of advice."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One futures contract.

    Attributes:
        symbol: exchange symbol, as :data:`SYMBOL` has it.
        name: full name.
        tick_size: smallest price change, in points.
        tick_value_cents: value of one tick of one contract, in cents.
        slippage_ticks: ticks lost on every market order.
        commission_cents: commission per side and per contract, in cents.
        full_size: symbol of the full-size contract that a micro follows, or None.

    Raises:
        InputError: a value is not positive, or not whole where it must be.
    """

    symbol: str
    name: str
    tick_size: float
    tick_value_cents: int
    slippage_ticks: int
    commission_cents: int
    full_size: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not re.fullmatch(SYMBOL, self.symbol):
            raise InputError(
                f"contract symbol {self.symbol!r} must be upper case: one to twenty of A to Z, 0 to 9, "
                "and, after the first, '.', '_' and '-'"
            )
        tick = self.tick_size
        if isinstance(tick, bool) or not isinstance(tick, (int, float)) or not 0 < tick < math.inf:
            raise InputError(
                f"contract {self.symbol}: tick_size {tick!r} must be a positive number of points"
            )
        object.__setattr__(self, "tick_size", float(tick))  # one spelling, so one digest of its bars
        for field, least in (("tick_value_cents", 1), ("slippage_ticks", 0), ("commission_cents", 0)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"contract {self.symbol}: {field} is {value!r}; it must be a whole number, "
                    f"at least {least}"
                )

    def with_costs(
        self, *, slippage_ticks: int | None = None, commission_cents: int | None = None
    ) -> Contract:
        """Return this contract with other trading costs; None keeps the present one."""
        return replace(
            self,
            slippage_ticks=self.slippage_ticks if slippage_ticks is None else slippage_ticks,
            commission_cents=self.commission_cents if commission_cents is None else commission_cents,
        )

    def snap(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return prices moved to the nearest tick, ``rint(p / tick) * tick``, in float64 points."""
        return np.rint(np.asarray(points, np.float64) / self.tick_size) * self.tick_size

    def to_ticks(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return prices in points as whole ticks, rounded to the nearest."""
        return np.rint(np.asarray(points, np.float64) / self.tick_size).astype(np.int64)

    def to_points(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Return whole ticks as prices in float64 points."""
        return np.asarray(ticks, np.float64) * self.tick_size


def decimals(tick_size: float) -> int:
    """Return how many decimals a price has on a grid of ``tick_size`` points."""
    return max(0, -int(Decimal(repr(float(tick_size))).normalize().as_tuple().exponent))


_TABLE: dict[str, Contract] = {
    contract.symbol: contract
    for contract in (
        Contract("ES", "E-mini S&P 500", 0.25, 1250, 1, 250),
        Contract("NQ", "E-mini Nasdaq-100", 0.25, 500, 1, 250),
        Contract("YM", "E-mini Dow", 1.0, 500, 2, 250),
        Contract("RTY", "E-mini Russell 2000", 0.10, 500, 2, 250),
        Contract("MES", "Micro S&P 500", 0.25, 125, 1, 50, "ES"),
        Contract("MNQ", "Micro Nasdaq-100", 0.25, 50, 1, 50, "NQ"),
        Contract("MYM", "Micro Dow", 1.0, 50, 2, 50, "YM"),
        Contract("M2K", "Micro Russell 2000", 0.10, 50, 2, 50, "RTY"),
    )
}

_MONTHS = "FGHJKMNQUVXZ"
"""Letters of the delivery months."""
_MONTH_NAMES = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_OF_CQG = {"EP": "ES", "ENQ": "NQ"}
"""CQG's names of contracts whose exchange symbol is another."""

_BUILT_IN = frozenset(_TABLE.values())

SYMBOLS: tuple[str, ...] = tuple(_TABLE)
"""The eight built-in symbols, in table order."""


def symbols() -> tuple[str, ...]:
    """Return all registered symbols: the built-in ones, then those that were added."""
    return tuple(_TABLE)


def get_contract(symbol: str) -> Contract:
    """Return the contract registered under ``symbol`` (any case; ``ESZ5`` and ``ES 12-25`` are ES).

    Raises:
        InputError: no such symbol; the message lists the known ones.
    """
    name = contract_of(symbol)
    if name is None:
        raise InputError(
            f"unknown symbol {symbol!r}: choose one of {', '.join(_TABLE)}, or describe yours in a "
            "TOML file, which --contracts names (see docs/how-to/add-a-market.md)"
        )
    return _TABLE[name]


def contract_of(text: str) -> str | None:
    """Return the registered symbol that an instrument's name stands for, or None.

    Understood are the symbol itself and the usual spellings of a delivery month or of a continuous
    series: ``ESZ5``, ``ESZ2025``, ``ES 12-25``, ``ES=F``, ``ES.c.0``, ``/ES``, ``ES1!``, ``@ES#``,
    ``ES_F``, ``ESc1``, ``ESH5 Index``, ``ESA Index``, ``ES MAR25``, and CQG's ``EPH25``.

    >>> contract_of("MESH5"), contract_of("ES 03-25"), contract_of("AAPL")
    ('MES', 'ES', None)
    """
    text = text.strip().upper()
    if text in _TABLE:  # also one that reads like another contract's spelling
        return text
    text = text.removeprefix("F.US.").lstrip("/@$&").rsplit(":", 1)[-1]
    text = re.sub(r"A? INDEX$", "", text)  # Bloomberg's
    month = rf"[{_MONTHS}]\d{{1,4}}| ?(?:{_MONTH_NAMES}) ?\d\d(?:\d\d)?"
    tail = rf"(?:{month}|[ _]\d\d-\d\d|=F|\.[CNV]\.\d+|\d*!|#C?|_F|C\d\d?)?(?:\.[A-Z]+)?"
    for symbol in sorted(_TABLE, key=len, reverse=True):
        if re.fullmatch(re.escape(symbol) + tail, text):
            return symbol
    for root, symbol in _OF_CQG.items():
        if re.fullmatch(rf"{root}[{_MONTHS}]\d{{1,4}}", text):
            return symbol
    return None


def contract_of_file(file: str | PathLike[str], symbol: str | None) -> Contract:
    """Return the contract that a user says a file of bars is of; a file's contract is never guessed.

    Raises:
        InputError: no symbol is given, or an unknown one.
    """
    if not symbol:
        raise InputError(f"{fspath(file)}: say with --symbol which contract this file is of")
    return get_contract(symbol)


def added_contracts() -> tuple[Contract, ...]:
    """Return the registered contracts that are not as built in, for a process that has none of them."""
    return tuple(contract for contract in _TABLE.values() if contract not in _BUILT_IN)


def register_contract(contract: Contract, *, overwrite: bool = False) -> Contract:
    """Add a contract to the table and return it.

    Raises:
        InputError: the symbol is taken and ``overwrite`` is False.
    """
    if contract.symbol in _TABLE and not overwrite:
        raise InputError(
            f"contract {contract.symbol} is already registered; pass overwrite=True to replace it"
        )
    _TABLE[contract.symbol] = contract
    return contract
