"""The store of a pass: ranges of bars that processes claim, and every answer as soon as it is there.

A folder with ``table.json``, and for each range of bars a journal in ``ranges/``: one line as JSON
before a question is sent and one when its answer has come, each on the disk before anything else is
done. A range is worked on by whoever holds the lock of its journal; the system lets go of it when that
process ends, however it ends, so a claim never grows stale. Processes on several machines share a
folder if its file system locks files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from foundation.errors import InputError
from foundation.files import write_json, writing
from foundation.json_reading import Artifact, explain, read_json
from markets.advice.answers import FAILED, STATUSES
from markets.advice.table import COLUMNS, TABLE, About, AdviceTable, TableKey, save_table

RANGE_BARS = 200
"""Bars of a range: what a process claims at once, and a new folder divides its bars by."""
ABOUT = "table.json"
RANGES = "ranges"
BEGINNING = ".beginning"
"""A lock, held while a table is begun."""
JOURNAL = Artifact("journal of a pass", "remove that file, and its bars are asked about again")
ABOUT_FILE = Artifact("description of a table", "give another --out")


class Asked(msgspec.Struct, tag="asked", tag_field="kind"):
    """A question that is about to be sent.

    Attributes:
        row: the bar's number.
        batch: name of the batch file that holds it; "" where it was sent at once.
    """

    row: int
    batch: str = ""


class Result(msgspec.Struct, tag="result", tag_field="kind", omit_defaults=True):
    """What a question came to; the attributes are the columns of a table."""

    row: int
    status: str
    hold: float | None = None
    buy: float | None = None
    sell: float | None = None
    confidence: float | None = None
    reason: str = ""
    latency_ms: float = 0.0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    detail: str = ""
    prompt_sha256: str = ""
    content: str = ""


Record = Asked | Result
_DECODER = msgspec.json.Decoder(Record)


@dataclass
class RangeState:
    """What a journal says.

    Attributes:
        results: by bar; the last of a bar counts.
        asked: bars whose question was sent and whose answer is not there, with the batch file's name.
    """

    results: dict[int, Result] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Take in one line."""
        if isinstance(record, Asked):
            self.asked[record.row] = record.batch
        else:
            self.results[record.row] = record
            self.asked.pop(record.row, None)

    def is_done(self, row: int) -> bool:
        """Say whether a bar needs no question: it has an answer. A request that failed has none."""
        result = self.results.get(row)
        return result is not None and result.status != FAILED


class Journal:
    """The journal of a range that this process has claimed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state, whole = _read(path)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        os.ftruncate(self._file, whole)  # a line that a killed process left half written

    def write(self, records: Iterable[Record]) -> None:
        """Append records and have them on the disk before returning."""
        lines = list(records)
        data = b"".join(msgspec.json.encode(record) + b"\n" for record in lines)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)
        for record in lines:
            self.state.add(record)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read(path: Path) -> tuple[RangeState, int]:
    """Return what a journal says, and the length of its whole lines in bytes."""
    state = RangeState()
    data = path.read_bytes() if path.exists() else b""
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            record = _DECODER.decode(line)
        except (ValueError, msgspec.DecodeError) as error:
            raise JOURNAL.damaged(path, f"line {number}: {explain(error)}") from None
        if isinstance(record, Result) and record.status not in STATUSES:
            raise JOURNAL.damaged(path, f"line {number}: no status {record.status[:40]!r}")
        state.add(record)
    return state, whole


@dataclass(frozen=True)
class AdviceStore:
    """A folder that passes write to; make one with :func:`open_store`."""

    folder: Path
    about: About
    timestamps_ns: NDArray[np.int64]

    def range_of(self, row: int) -> int:
        """Return the first bar of the range that holds a bar."""
        return row - row % RANGE_BARS

    def journal_path(self, first: int) -> Path:
        """Return the journal's file of the range that begins with a bar."""
        return self.folder / RANGES / f"{first:09d}.jsonl"

    @contextmanager
    def claim(self, first: int) -> Iterator[Journal | None]:
        """Claim a range while in the block; yield None where another process has it."""
        path = self.journal_path(first)
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield None
            return
        try:
            journal = Journal(path)
            try:
                yield journal
            finally:
                journal.close()
        finally:
            lock.release()

    def ranges(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
        """Return bars by the first bar of their range."""
        given = np.asarray(rows, np.int64)
        begins = given - given % RANGE_BARS
        return {int(first): given[begins == first] for first in np.unique(begins)}

    def states(self) -> Iterator[RangeState]:
        """Yield what each journal says, without claiming it."""
        for path in sorted((self.folder / RANGES).glob("*.jsonl")):
            yield _read(path)[0]

    def left(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bars among ``rows`` that have no answer yet and lie in no batch file."""
        done = {
            row
            for state in self.states()
            for row in {*state.results, *state.asked}
            if state.is_done(row) or state.asked.get(row)
        }
        return np.array([row for row in rows.tolist() if row not in done], np.int64)

    def collect(self) -> AdviceTable:
        """Write ``advice.parquet`` from all journals and return it; half a line is passed over."""
        results = {row: result for state in self.states() for row, result in state.results.items()}
        ordered = [results[row] for row in sorted(results)]
        for result in (*ordered[:1], *ordered[-1:]):
            if not 0 <= result.row < len(self.timestamps_ns):
                raise JOURNAL.damaged(self.folder / RANGES, f"no bar {result.row}")
        values = {
            name: [getattr(result, name) for result in ordered] for name in COLUMNS if name != "time"
        }
        frame = pd.DataFrame(values)
        rows = np.array(values["row"], np.int64)
        frame["time"] = pd.DatetimeIndex(self.timestamps_ns[rows], tz="UTC")
        for name in ("hold", "buy", "sell", "confidence"):
            frame[name] = frame[name].astype(np.float32)
        table = AdviceTable(self.about, frame[list(COLUMNS)])
        save_table(self.folder / TABLE, table)
        return table


def open_store(folder: Path, about: About, timestamps_ns: NDArray[np.int64]) -> AdviceStore:
    """Open a store, or begin one where the folder is not there or empty.

    Raises:
        InputError: the folder holds a table of another key, or something else.
    """
    path = folder / ABOUT
    if not path.exists():
        _refuse_something_else(folder, {BEGINNING})
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / BEGINNING):  # another process may begin the same table just now
                if not path.exists():
                    _refuse_something_else(folder, set(), but=BEGINNING)
                    write_json(path, msgspec.to_builtins(about))
    found = read_json(path, About, ABOUT_FILE)
    _refuse_other(path, found, about)
    (folder / RANGES).mkdir(parents=True, exist_ok=True)
    return AdviceStore(folder, found, timestamps_ns)


def _refuse_something_else(folder: Path, known: set[str], but: str = "") -> None:
    """Refuse a file, and a folder that holds something beside ``but`` and nothing that is ``known``."""
    names = {path.name for path in folder.iterdir()} - {but} if folder.is_dir() else set()
    if folder.exists() and (not folder.is_dir() or (names and not names & known)):
        raise InputError(f"{folder}: there is something here that is no table; choose another --out")


_WORDS = {
    "data": "other bars",
    "advisor": "another advisor",
    "model": "another model",
    "prompt": "another version of the question",
    "sampling": "other settings of the model",
}


def _refuse_other(path: Path, found: About, wanted: About) -> None:
    for name in TableKey.__struct_fields__:
        if getattr(found.key, name) != getattr(wanted.key, name):
            raise InputError(
                f"{path}: a table made with {_WORDS[name]} ({getattr(found.key, name)[:60]!r}, not "
                f"{getattr(wanted.key, name)[:60]!r}); choose another --out"
            )
    if found.cutoff != wanted.cutoff:
        raise InputError(
            f"{path}: its model's cutoff date is {found.cutoff or 'unknown'}, not "
            f"{wanted.cutoff or 'unknown'}; give --cutoff as it was, or choose another --out"
        )
