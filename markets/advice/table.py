"""Advice as data: one Parquet file with what an advisor said of each bar, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from foundation.errors import InputError, reason_of
from foundation.files import atomic_file, to_json
from foundation.json_reading import Artifact, Struct, decode_json
from markets.advice.answers import OK, STATUSES
from markets.advice.view import MarketView

FORMAT = 1
TABLE = "advice.parquet"
RULES = "rules"
"""The advisor of :class:`markets.advice.rules.RulesAdvisor`."""
METADATA = b"rltrader.advice"
ARTIFACT = Artifact("table of advice", "make it again with `rltrader advise run`")
COLUMNS = {
    "row": pa.int64(),
    "time": pa.timestamp("ns", tz="UTC"),
    "status": pa.string(),
    "hold": pa.float32(),
    "buy": pa.float32(),
    "sell": pa.float32(),
    "confidence": pa.float32(),
    "reason": pa.string(),
    "latency_ms": pa.float64(),
    "attempts": pa.int32(),
    "prompt_tokens": pa.int32(),
    "completion_tokens": pa.int32(),
    "detail": pa.string(),
    "prompt_sha256": pa.string(),
    "content": pa.string(),
}


class TableKey(msgspec.Struct, frozen=True):
    """What a table's advice was made from: with the bar's number it names a question.

    Attributes:
        data: digest of the market's view.
        advisor: its kind, "rules" or "chat".
        model: name of the model, or of the rules and their version.
        prompt: version of the words; "" for rules.
        sampling: what else the model was asked with (temperature, largest answer, schema), as text.
    """

    data: str
    advisor: str
    model: str
    prompt: str
    sampling: str = ""


class About(Struct):
    """What a table says of itself.

    Attributes:
        key: what its advice was made from.
        symbol: of the contract.
        bars: of the market.
        cutoff: last date, "YYYY-MM-DD", that the model's training data may hold; "" where unknown,
            "never" for an advisor that was trained on nothing.
        masked: whether names and dates were left out of the questions.
        prompt_bars: bars in a question.
        format: of the table.
    """

    key: TableKey
    symbol: str
    bars: int
    cutoff: str = ""
    masked: bool = False
    prompt_bars: int = 0
    format: int = FORMAT


@dataclass(frozen=True)
class AdviceTable:
    """A table of advice in memory.

    Attributes:
        about: what it was made from.
        frame: one row a question that was answered, by rising bar; columns :data:`COLUMNS`.
    """

    about: About
    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Numbers of the bars asked about, (N,)."""
        return self.frame["row"].to_numpy(np.int64)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which rows hold advice, (N,)."""
        return (self.frame["status"] == OK).to_numpy(bool)

    @property
    def timed(self) -> NDArray[np.bool_]:
        """Which rows tell how long the answer took, (N,): a batch's do not, and rules take no time."""
        took = self.frame["latency_ms"].to_numpy(np.float64)
        return np.asarray(took >= 0 if self.about.key.advisor == RULES else took > 0)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Chances of hold, buy and sell, float32 (N, 3); NaN where there is no advice."""
        return self.frame[["hold", "buy", "sell"]].to_numpy(np.float32)

    def totals(self) -> dict[str, Any]:
        """Return counts by status, tokens, requests and latency (milliseconds, where it is told)."""
        counts = self.frame["status"].value_counts()
        latency = self.frame.loc[self.usable & self.timed, "latency_ms"].to_numpy(np.float64)
        return {
            "questions": len(self.frame),
            "advice": int(self.usable.sum()),
            "without advice": {
                status: int(counts[status]) for status in STATUSES if status != OK and status in counts
            },
            "requests": int(self.frame["attempts"].sum()),
            "prompt_tokens": int(self.frame["prompt_tokens"].sum()),
            "completion_tokens": int(self.frame["completion_tokens"].sum()),
            "latency_ms": {
                "median": float(np.median(latency)) if len(latency) else None,
                "p95": float(np.percentile(latency, 95)) if len(latency) else None,
            },
        }


def save_table(path: Path, table: AdviceTable) -> None:
    """Write a table as one Parquet file, whole or not at all.

    Raises:
        WriteError: it cannot be written there.
    """
    schema = pa.schema(
        [pa.field(name, kind) for name, kind in COLUMNS.items()],
        metadata={METADATA: to_json(msgspec.to_builtins(table.about)).encode()},
    )
    with atomic_file(path) as beside:
        made = pa.Table.from_pandas(table.frame[list(COLUMNS)], schema, preserve_index=False)
        pq.write_table(made, beside, compression="zstd")


def load_table(path: Path) -> AdviceTable:
    """Read a table: the Parquet file, or the folder of the pass that wrote it.

    Raises:
        InputError: there is none, it is damaged, or of another format.
    """
    file = path / TABLE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such table; make one with `rltrader advise run`")
    try:
        stored = pq.read_table(file)
        header = (stored.schema.metadata or {})[METADATA]
        # Without pandas' own note of its columns, which damage can turn into another table.
        plain = stored.select(list(COLUMNS)).cast(pa.schema(COLUMNS)).replace_schema_metadata(None)
        if any(plain[name].null_count for name in ("row", "status")):
            raise ValueError("a row or a status is missing")
        frame = plain.to_pandas()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise ARTIFACT.damaged(file, reason_of(error)) from None
    about = decode_json(header, About, ARTIFACT, where=file)
    if about.format != FORMAT:
        raise InputError(
            f"{file}: a table of format {about.format}, not {FORMAT}; use the version that wrote it"
        )
    _check_rows(file, about, frame)
    return AdviceTable(about, frame)


def _check_rows(file: Path, about: About, frame: pd.DataFrame) -> None:
    rows = frame["row"].to_numpy(np.int64)
    if len(rows) and (rows[0] < 0 or rows[-1] >= about.bars or (np.diff(rows) <= 0).any()):
        raise ARTIFACT.damaged(file, f"its bars do not rise from 0 to {about.bars - 1}")
    given = frame.loc[frame["status"] == OK, ["hold", "buy", "sell", "confidence"]].to_numpy(np.float64)
    bad = ~((given >= 0) & (given <= 1)).all(axis=1) | (np.abs(given[:, :3].sum(axis=1) - 1) > 1e-3)
    if bad.any():
        raise ARTIFACT.damaged(file, "chances of an answer do not sum to one")
    took = frame["latency_ms"].to_numpy(np.float64)
    bad = (took < 0) | np.isinf(took)  # NaN where none is known
    if bad.any():
        raise ARTIFACT.damaged(file, f"the latency of bar {rows[bad][0]} is {took[bad][0]:g} ms")


def check_market(table: AdviceTable, view: MarketView, where: object) -> None:
    """Refuse a table that was made from other bars.

    Raises:
        InputError: naming both.
    """
    if table.about.key.data != view.digest:
        raise InputError(
            f"{where}: advice on {table.about.bars} bars of {table.about.symbol} that are not the "
            f"{len(view)} bars of {view.symbol} given; give the bars it was made from, or make advice "
            "on these with `rltrader advise run`"
        )


def require_latency(table: AdviceTable, latency: float | None, where: object) -> None:
    """Refuse answers that do not say how long they took, where no latency is given for all.

    Read at once they would be known sooner than any model could have answered.

    Raises:
        InputError: naming the table and how many there are.
    """
    without = int((table.usable & ~table.timed).sum())
    if latency is None and without:
        raise InputError(
            f"{where}: {without:,} of {int(table.usable.sum()):,} answers came in a batch and do not "
            "say how long one takes; give --latency, the seconds of an answer that is asked for live"
        )
