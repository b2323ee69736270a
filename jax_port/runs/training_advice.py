"""The advice of a training: a table for each market, all of one advisor, and how the policy gets it.

Source: "Training with advice" in ``docs/advice.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.files import file_digest
from jax_port.data.advised_market import with_advice
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse, use_of
from markets.advice.fusion import FusionSettings
from markets.advice.schedule import AdviceOnBars, lay
from markets.advice.table import TABLE, AdviceTable, check_market, load_table, require_latency

MS_PER_SECOND = 1000


@dataclass(frozen=True)
class TrainingAdvice:
    """How a policy is trained with advice.

    Attributes:
        use: prior or columns, with which settings, of which advisor.
        tables: a table for each market, files or folders of passes.
        latency: seconds of every answer, instead of the one that each took; None for its own.
    """

    use: AdviceUse
    tables: tuple[str, ...]
    latency: float | None = None

    def lay_on(
        self, number: int, whole: PreparedMarket, market: PreparedMarket, config: EnvConfig
    ) -> tuple[PreparedMarket, dict[str, Any]]:
        """Return a market with its advice, and what is to be said of where that came from.

        Args:
            number: of the market.
            whole: the bars that the advisor saw.
            market: those of them that are trained on.
            config: rules of the environment.

        Raises:
            InputError: the table can't be read, or is of other bars or of another advisor.
        """
        place = Path(self.tables[number])
        bars, table = self.read(number, whole, config)
        file = place / TABLE if place.is_dir() else place
        advised = with_advice(market, bars, self.use)
        used = (
            advised.prior
            if advised.prior is not None
            else advised.features[:, market.features.shape[1] :]
        )
        return advised, {
            "sha256": file_digest(file),
            "cutoff": table.about.cutoff,
            "bars": int((used != 0).any(axis=1).sum()),
        }

    def read(
        self, number: int, whole: PreparedMarket, config: EnvConfig
    ) -> tuple[AdviceOnBars, AdviceTable]:
        """Return a market's answers, laid on the bars that the advisor saw, and their table.

        Raises:
            InputError: as for :meth:`lay_on`.
        """
        place = Path(self.tables[number])
        table = load_table(place)
        self.use.check_table(table, place)
        check_market(table, view_of(whole, config), place)
        require_latency(table, self.latency, place)
        latency = None if self.latency is None else MS_PER_SECOND * self.latency
        bars = lay(table, whole.timestamps_ns, latency)
        if not bars.given.any():
            raise InputError(f"{place}: it holds no advice on any bar; make some, or train without")
        return bars, table

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"use": self.use.to_dict(), "tables": list(self.tables), "latency": self.latency}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingAdvice:
        """Rebuild from :meth:`to_dict`'s values."""
        tables = tuple(map(str, values["tables"]))
        return cls(AdviceUse.from_dict(values["use"]), tables, values["latency"])


def from_tables(
    way: str, settings: FusionSettings, tables: Sequence[Path], markets: int, latency: float | None
) -> TrainingAdvice:
    """Return the advice that a command line asks for.

    Args:
        way: "prior" or "columns".
        settings: of the fusion; see :class:`markets.advice.by_bar.AdviceUse`.
        tables: one for each market, in the same order.
        markets: that are trained on.
        latency: as in :class:`TrainingAdvice`.

    Raises:
        InputError: as many tables as markets are needed, and all of one advisor.
    """
    if len(tables) != markets:
        raise InputError(
            f"{len(tables)} tables of advice for {markets} markets; give --advice once for each "
            "--data, in the same order"
        )
    use = use_of(way, settings, load_table(tables[0]))
    for place in tables[1:]:
        use.check_table(load_table(place), place)
    return TrainingAdvice(use, tuple(str(place.absolute()) for place in tables), latency)
