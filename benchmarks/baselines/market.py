"""Market that a benchmark measures on: bars, their prepared form, and the environment's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.reports import MarketData
from jax_port.data.data_loader import PreparedMarket, prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from markets import Bars, EnvConfig
from markets.contracts import contract_of_file
from markets.synthetic.bars import synthetic_bars

DEFAULT_SYMBOL = "ES"
"""Contract of synthetic bars."""


@dataclass(frozen=True)
class Market:
    """Bars of one contract for both sides.

    Attributes:
        bars: as read or generated.
        config: rules of the environment.
        prepared: bars and features after the session is applied.
        params: of the port's environment on them.
    """

    bars: Bars
    config: EnvConfig
    prepared: PreparedMarket
    params: EnvParams

    @property
    def data(self) -> MarketData:
        """What a report says of it."""
        return MarketData(
            source=self.bars.source,
            symbol=self.bars.contract.symbol,
            bars=len(self.prepared),
            starts=len(self.prepared.starts),
            digest=self.prepared.digest,
            device_bytes=self.params.market.nbytes,
        )


def make_market(bars: Bars, config: EnvConfig | None = None) -> Market:
    """Prepare bars for the environment, by default Phase 1's.

    Raises:
        InputError: there are too few bars.
    """
    config = config or EnvConfig.phase1()
    prepared = prepare(bars, config)
    params = phase_of(config).make_params(stack([prepared]), config)
    return Market(bars, config, prepared, params)


def read_or_generate(data: Path | None, symbol: str | None, days: int, seed: int = 0) -> Bars:
    """Return a file's bars, or synthetic ones where there is no file, of ES where no symbol is given.

    Raises:
        InputError: the file or the symbol cannot be used, or a file is given without its symbol.
    """
    if data is None:
        return synthetic_bars(symbol or DEFAULT_SYMBOL, days=days, seed=seed)
    from markets.readers import read_bars

    return read_bars(data, contract_of_file(data, symbol))
