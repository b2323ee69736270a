"""Bars that an agent is given, written beside its run, and the words that read the same bars again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foundation.errors import InputError
from markets.bars import Bars
from markets.contracts import SYMBOLS, Contract, added_contracts, get_contract
from markets.file_facts import FileFacts
from markets.spacing import require_minutes

if TYPE_CHECKING:
    from jax_port.runs.training_data import Source


def write_given(markets: Sequence[Bars], folder: Path) -> tuple[Source, ...]:
    """Write each market's bars as Parquet; return sources of a run that reads just these bars again.

    Nothing is written where one of them is refused.

    Raises:
        InputError: bars have problems that nobody has accepted, or a file would hold other bars.
    """
    from markets.writers import write_together

    files = [folder / f"{number}.parquet" for number in range(len(markets))]
    sources = tuple(_source(bars, file) for bars, file in zip(markets, files, strict=True))
    write_together(dict(zip(files, markets, strict=True)))
    return sources


def _source(bars: Bars, file: Path) -> Source:
    """Return the words that read bars again from a file that they are written to."""
    from jax_port.runs.training_data import Source
    from markets.quality.door import problems_of

    require_minutes(bars.timestamps_ns, bars.source)
    _require_readable(bars)
    problems = list(problems_of(bars, FileFacts("offset")))
    if problems and bars.warnings is None and not bars.accepted:  # no door has judged them yet
        raise InputError(
            f"{bars.source}: {problems[0].message}; {problems[0].mend}; to train on them as they are, "
            "give what markets.quality.door.admit(bars, FileFacts('offset'), accept_problems=True) "
            "returns"
        )
    source = Source(bars.contract.symbol, str(file.absolute()))
    if problems or bars.accepted:
        source = replace(source, name=bars.source, accepted=list(bars.accepted))
        source.reader["accept_problems"] = True
    if bars.precomputed is not None:
        source.reader["use_features"] = True
    return source if _is_found(bars.contract) else replace(source, contract=bars.contract)


def _require_readable(bars: Bars) -> None:
    """Refuse bars that would be others once they are written to a file and read again."""
    from markets.spacing import infer_bar_seconds

    seconds, features = infer_bar_seconds(bars.frame.index, bars.source), bars.precomputed
    if bars.bar_seconds != seconds:
        raise InputError(
            f"{bars.source}: its bars last {seconds} s by their times and {bars.bar_seconds} s by "
            f"bar_seconds; make them with bar_seconds={seconds}"
        )
    for name in ("close", "volume"):
        if features is not None and not np.array_equal(features[name], bars.frame[name]):
            raise InputError(
                f"{bars.source}: its feature {name} is another than its bars' {name}, and a run keeps "
                "one of both; give features with the bars' own"
            )
    again = Bars.from_frame(
        bars.frame,
        bars.contract,
        source=bars.source,
        precomputed=features,
        bar_seconds=seconds,
    )
    if again.digest != bars.digest:
        raise InputError(
            f"{bars.source}: a price is off the {bars.contract.symbol} grid of "
            f"{bars.contract.tick_size} points; make the bars anew with Bars.from_frame"
        )


def _is_found(contract: Contract) -> bool:
    """Return whether another process finds the contract by its symbol: built in, or in ``run.toml``."""
    added = contract in added_contracts()
    try:
        return get_contract(contract.symbol) == contract and not (added and contract.symbol in SYMBOLS)
    except InputError:
        return False
