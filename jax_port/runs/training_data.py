"""The bars of a run: files or synthetic markets, cut to the training dates, with their provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from jax_port.data import data_loader
from jax_port.data.data_loader import PreparedMarket
from jax_port.data.trained_contract import describe_contract
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.runs.training_advice import TrainingAdvice
from markets import Bars, Contract, EnvConfig, InputError, get_contract
from markets.advice.by_bar import COLUMNS
from markets.clock import new_york_dates
from markets.spacing import require_minutes

Read = TypeVar("Read", Bars, PreparedMarket)
EPOCH = date(1970, 1, 1).toordinal()
SATURDAY = 5


@dataclass(frozen=True)
class Source:
    """One market of a run, in words that find it again.

    Attributes:
        symbol: contract.
        path: file of bars; empty for a synthetic market.
        kind: "file", "synthetic" or "pattern" (synthetic, with a planted edge).
        days, seed: of a synthetic market.
        strength: of the planted edge.
        reader: options of the reader.
        name, accepted: what the bars say of themselves, where it is not what their file says: where
            they came from, and problems that someone chose to go on with.
        contract: theirs, where ``symbol`` finds none with its numbers.
    """

    symbol: str
    path: str = ""
    kind: str = "file"
    days: int = 0
    seed: int = 0
    strength: float = 1.0
    reader: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    accepted: list[str] = field(default_factory=list)
    contract: Contract | None = None

    def traded(self) -> Contract:
        """Return the contract.

        Raises:
            InputError: its symbol is not known.
        """
        return self.contract or get_contract(self.symbol)

    def read(self) -> Bars:
        """Return the bars.

        Raises:
            InputError: they can't be read.
        """
        contract = self.traded()
        if self.kind == "file":
            from markets.readers import read_bars

            if not Path(self.path).is_file():
                raise InputError(f"{self.path}: no such file; give a file of one-minute bars")
            return self.named(read_bars(Path(self.path), contract, **self.reader))
        if self.kind == "pattern":
            from markets.synthetic.pattern import pattern_bars

            return pattern_bars(contract.symbol, days=self.days, seed=self.seed, strength=self.strength)
        from markets.synthetic.bars import synthetic_bars

        return synthetic_bars(contract.symbol, days=self.days, seed=self.seed)

    def named(self, read: Read) -> Read:
        """Return what was read, under the name that the source gives it, if it gives one."""
        if not self.name:
            return read
        return replace(read, source=self.name, accepted=tuple(self.accepted))


@dataclass(frozen=True)
class TrainingData:
    """Where the bars come from and which dates are trained on.

    Attributes:
        sources: one a market.
        first, last: New York dates, inclusive, ISO; empty for no limit.
        advice: that the policy is trained with; None for none.
    """

    sources: tuple[Source, ...]
    first: str = ""
    last: str = ""
    advice: TrainingAdvice | None = None

    @property
    def columns(self) -> int:
        """Features that advice adds to those of a bar."""
        return len(COLUMNS) if self.advice is not None and self.advice.use.way == "columns" else 0

    def load(self, config: EnvConfig) -> tuple[EnvParams, list[dict[str, Any]]]:
        """Return environment parameters on the device, and each market's provenance.

        Raises:
            InputError: a file can't be read or is of seconds, too few bars are left, or advice is of
                other bars.
        """
        markets, about = self.prepared(config)
        return phase_of(config).make_params(data_loader.stack(markets), config), about

    def prepared(self, config: EnvConfig) -> tuple[list[PreparedMarket], list[dict[str, Any]]]:
        """Return each market on the host, with its advice where there is some, and its provenance.

        Raises:
            InputError: as for :meth:`load`.
        """
        markets, about = [], []
        for number, source in enumerate(self.sources):
            market, facts = self._prepare(source, config)
            if self.advice is not None:
                whole = self.whole(source, config) if self.first or self.last else market
                market, facts["advice"] = self.advice.lay_on(number, whole, market, config)
            markets.append(market)
            about.append(facts)
        return markets, about

    def whole(self, source: Source, config: EnvConfig) -> PreparedMarket:
        """Return all bars of a market, which is what an advisor saw, whatever dates are trained on.

        Raises:
            InputError: they can't be read or used.
        """
        if source.kind == "file":
            market = data_loader.load(source.path, source.traded(), config, **source.reader)
            return source.named(market)
        return data_loader.prepare(source.read(), config)

    def bars(self) -> list[Bars]:
        """Return the bars of each market, of the dates that are trained on.

        Raises:
            InputError: a file can't be read or is of seconds, or no bar is left.
        """
        return [self._cut(source.read()) for source in self.sources]

    def _prepare(self, source: Source, config: EnvConfig) -> tuple[PreparedMarket, dict[str, Any]]:
        contract = source.traded()
        if source.kind == "file" and not (self.first or self.last):
            market = self.whole(source, config)
            require_minutes(market.timestamps_ns, market.source)
        else:
            market = data_loader.prepare(self._cut(source.read()), config)
        dates = new_york_dates(market.timestamps_ns)
        facts = {
            "symbol": contract.symbol,
            "contract": describe_contract(contract),
            "kind": source.kind,
            "source": market.source,
            "sha256": market.digest,
            "bars": len(market),
            "first": iso_date(int(dates[0])),
            "last": iso_date(int(dates[-1])),
        }
        if source.reader.get("use_features"):
            facts["features"] = "precomputed"
        return market, facts

    def _cut(self, bars: Bars) -> Bars:
        require_minutes(bars.timestamps_ns, bars.source)
        dates = new_york_dates(bars.timestamps_ns)
        keep = np.ones(len(bars), bool)
        if self.first:
            keep &= dates >= days_of(self.first)
        if self.last:
            keep &= dates <= days_of(self.last)
        if not keep.any():
            raise InputError(
                f"{bars.source}: no bar lies between {self.first or 'the start'} and "
                f"{self.last or 'the end'}; choose from its dates, {iso_date(int(dates[0]))} to "
                f"{iso_date(int(dates[-1]))}"
            )
        return bars if keep.all() else bars.select(keep)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        values = asdict(replace(self, advice=None))
        del values["advice"]
        return values if self.advice is None else values | {"advice": self.advice.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingData:
        """Rebuild from :meth:`to_dict`'s values."""
        sources = tuple(
            Source(**{**source, "contract": Contract(**given) if given else None})
            for source in values["sources"]
            for given in [source.get("contract")]
        )
        stored = values.get("advice")
        advice = None if stored is None else TrainingAdvice.from_dict(stored)
        return cls(sources, values["first"], values["last"], advice)


def iso_date(days: int) -> str:
    """Return days since 1970 as an ISO date."""
    return date.fromordinal(EPOCH + days).isoformat()


def trading_days(market: PreparedMarket) -> list[date]:
    """Return the trading days of a market, rising: the New York weekdays on which it has bars.

    Bars of all hours begin on Sunday evenings, which are no days of their own.
    """
    dates = np.unique(new_york_dates(market.timestamps_ns))
    days = [date.fromordinal(EPOCH + int(day)) for day in dates]
    return [day for day in days if day.weekday() < SATURDAY]


def days_of(text: str) -> int:
    """Return an ISO date as days since 1970.

    Raises:
        InputError: it is no date.
    """
    try:
        return date.fromisoformat(text).toordinal() - EPOCH
    except ValueError:
        raise InputError(f"{text!r} is no date; give one such as 2025-09-30") from None


def from_options(
    *,
    files: Sequence[str | Path],
    symbols: Sequence[str] = (),
    synthetic: int | None = None,
    pattern: int | None = None,
    seed: int = 0,
    reader: Mapping[str, Any] | None = None,
    first: str = "",
    last: str = "",
) -> TrainingData:
    """Return the data that a command line asks for.

    Args:
        files: paths of files of bars.
        symbols: their contracts, or those of synthetic markets, ES by default.
        synthetic, pattern: days of synthetic bars, without and with a planted edge.
        seed: of synthetic bars.
        reader: options of the reader.
        first, last: New York dates, inclusive, in any form of ISO 8601; empty for no limit.

    Raises:
        InputError: none or more than one of the three kinds is asked for, or symbols don't match.
    """
    asked = [bool(files), synthetic is not None, pattern is not None]
    if sum(asked) != 1:
        raise InputError(
            "say once what to train on: --data FILE --symbol ES, --synthetic DAYS or --pattern DAYS"
        )
    first, last = (text and iso_date(days_of(text)) for text in (first, last))
    chosen = [get_contract(symbol).symbol for symbol in symbols]
    if not files:
        kind, days = ("pattern", pattern) if pattern is not None else ("synthetic", synthetic)
        sources = [Source(s, kind=kind, days=int(days or 0), seed=seed) for s in chosen or ["ES"]]
        return TrainingData(tuple(sources), first, last)
    if not chosen:
        raise InputError(f"{files[0]}: say with --symbol which contract this file is of")
    if len(chosen) != len(files):
        raise InputError(
            f"{len(files)} files and {len(chosen)} symbols; give --symbol once for each --data, in the "
            "same order"
        )
    pairs = zip(chosen, files, strict=True)
    sources = [
        Source(symbol, str(Path(file).absolute()), reader=dict(reader or {})) for symbol, file in pairs
    ]
    return TrainingData(tuple(sources), first, last)
