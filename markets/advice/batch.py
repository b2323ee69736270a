"""Questions as a batch file of the protocol's offline form, and the answers read from its output file.

A line of a batch file is a request with a ``custom_id``; services work through such files overnight at
a lower price. Bars that are in a batch file are marked in the store under the file's name, so that no
pass asks about them meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from foundation.errors import InputError
from foundation.files import atomic_file
from foundation.json_reading import Artifact, explain
from markets.advice.answers import FAILED, Reply, read_completion
from markets.advice.chat.client import ChatSettings
from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.passes import question_id, to_result
from markets.advice.store import RANGES, AdviceStore, Asked, Result
from markets.advice.view import MarketView

MOST_REQUESTS = 50_000
"""What services take in one file."""
MOST_LINE = 1024 * 1024
OUTPUT = Artifact("output of a batch", "fetch it again")


class _Response(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: Any = None


def custom_id(store: AdviceStore, row: int) -> str:
    """Return a request's name in a batch file."""
    return f"{row}-{question_id(store.about.key, row)[:16]}"


def write_batch(
    store: AdviceStore,
    view: MarketView,
    rows: NDArray[np.int64],
    settings: ChatSettings,
    prompt: PromptSettings,
    path: Path,
) -> int:
    """Write the bars among ``rows`` that have no answer yet as a batch file; return how many.

    The bars are marked first and the file is written from all marks of its name, whoever works on their
    ranges meanwhile, so that a killed call, made again with the same name, writes the same file.

    Raises:
        InputError: nothing is left to ask, or another file has the name.
    """
    with FileLock(store.folder / RANGES / ".batch"):  # two calls at once would miss each other's marks
        marked = _out(store, path.name)
        if not marked and path.exists():
            raise InputError(
                f"{path}: there is a file here that is no batch of this table; choose another name"
            )
        for first, wanted in store.ranges(rows).items():
            room = MOST_REQUESTS - len(marked)
            if room <= 0:
                break
            with store.claim(first) as journal:
                if journal is None:
                    continue
                state = journal.state
                # A question in doubt, sent by a pass that was killed, has no answer either.
                fresh = [
                    row
                    for row in wanted.tolist()
                    if not state.is_done(row) and not state.asked.get(row)
                ][:room]
                if fresh:
                    journal.write(Asked(row, path.name) for row in fresh)
                marked += fresh
        if not marked:
            raise InputError(f"{path}: nothing to write, every bar has an answer or is in another file")
        _write(store, view, marked, settings, prompt, path)
    return len(marked)


def _out(store: AdviceStore, name: str) -> list[int]:
    """Return the bars that are out in a batch file."""
    return [row for state in store.states() for row, batch in state.asked.items() if batch == name]


def _write(
    store: AdviceStore,
    view: MarketView,
    marked: list[int],
    settings: ChatSettings,
    prompt: PromptSettings,
    path: Path,
) -> None:
    encode = msgspec.json.encode
    with atomic_file(path) as beside, beside.open("wb") as file:
        for row in sorted(marked):
            line = {
                "custom_id": custom_id(store, row),
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": settings.body(question(view, row, prompt)),
            }
            file.write(encode(line) + b"\n")


class Read(NamedTuple):
    """What an output file held that the store did not: answers, and requests that failed."""

    answers: int
    failed: int


def read_batch(store: AdviceStore, view: MarketView, prompt: PromptSettings, path: Path) -> Read:
    """Read a batch's output file into the store; return how many answers were new, and what failed.

    A request that failed, as the file says, is marked as failed, and a later pass asks it.

    Raises:
        InputError: there is no such file, a line is no line of an output, or it answers a question
            that this store did not ask.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the output file of a batch")
    replies: dict[int, Reply] = {}
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = msgspec.json.decode(line, type=_Line)
        except (ValueError, RecursionError, msgspec.DecodeError) as error:
            raise OUTPUT.damaged(path, f"line {number}: {explain(error)}") from None
        bar = entry.custom_id.partition("-")[0]
        row = int(bar) if bar.isascii() and bar.isdecimal() and len(bar) < 10 else -1
        if not 0 <= row < len(view) or entry.custom_id != custom_id(store, row):
            raise InputError(
                f"{path}: line {number} answers {entry.custom_id[:40]!r}, which this table did not "
                "ask; give the output of its own batch"
            )
        response = entry.response
        if response is None or response.status_code != 200:
            code = 0 if response is None else response.status_code
            replies[row] = Reply(FAILED, detail=f"the batch says {code or 'error'}")
        else:
            replies[row] = read_completion(bytes(response.body))
    return _keep(store, view, prompt, replies)


def forget_batch(store: AdviceStore, name: str) -> int:
    """Mark what is still out in a batch file as failed, so that a pass asks it; return how many."""
    out = _out(store, name)
    if not out:
        raise InputError(f"{name}: no bar of this table is out in a batch file of that name")
    written = 0
    for first, rows in store.ranges(out).items():
        with store.claim(first) as journal:
            if journal is None:
                raise _held(store, first)
            # What was answered before the range was this process's own is out no more.
            left = [row for row in rows.tolist() if journal.state.asked.get(row) == name]
            detail = f"batch {name} was given up"
            journal.write(Result(row, FAILED, detail=detail) for row in left)
            written += len(left)
    return written


def _keep(
    store: AdviceStore, view: MarketView, prompt: PromptSettings, found: dict[int, Reply]
) -> Read:
    new = failed = 0
    for first, rows in store.ranges(sorted(found)).items():
        with store.claim(first) as journal:
            if journal is None:
                raise _held(store, first)
            fresh = [
                to_result(row, found[row], question(view, row, prompt))
                for row in rows.tolist()
                if not journal.state.is_done(row)
            ]
            if fresh:
                journal.write(fresh)
            lost = sum(result.status == FAILED for result in fresh)
            new, failed = new + len(fresh) - lost, failed + lost
    return Read(new, failed)


def _held(store: AdviceStore, first: int) -> InputError:
    return InputError(
        f"{store.folder}: another process works on bars {first} and later; wait for it to end"
    )


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:
                raise OUTPUT.damaged(path, f"a line is longer than {MOST_LINE:,} bytes")
            if line.strip():
                yield line
