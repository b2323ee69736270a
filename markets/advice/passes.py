"""A pass: ask an advisor about bars, once each, and keep every answer.

A question that was sent and whose answer never came, because the process was killed in between, is *in
doubt*: nobody can know from this side whether the server worked on it. It is asked again under the same
``Idempotency-Key``, so that a server which honours the key does the work once; on any other, a kill can
cost as many repeated requests as were under way, and no more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.files import json_digest
from markets.advice.answers import OK, Reply
from markets.advice.chat.client import ChatSession
from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.rules import RulesAdvisor
from markets.advice.store import AdviceStore, Asked, Journal, Result
from markets.advice.table import TableKey
from markets.advice.view import MarketView

Rows = NDArray[np.int64]
OnResult = Callable[[Result], None]


@dataclass
class PassCounts:
    """What one run of a pass did.

    Attributes:
        sent: questions that were sent.
        answered: that came back, with advice or without.
        in_doubt: of those sent, the ones that an earlier process had sent and got no answer to.
        elsewhere: bars left to other processes, which hold their ranges.
    """

    sent: int = 0
    answered: int = 0
    in_doubt: int = 0
    elsewhere: int = 0


def question_id(key: TableKey, row: int) -> str:
    """Return the name of a question: the same for the same table and bar, on every machine."""
    return json_digest([msgspec.to_builtins(key), row])[:32]


def prompt_digest(text: str) -> str:
    """Return the SHA-256 of a question's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def to_result(row: int, reply: Reply, text: str) -> Result:
    """Return a reply as a line of a journal."""
    advice = reply.advice
    given = (
        {}
        if advice is None
        else {name: getattr(advice, name) for name in ("hold", "buy", "sell", "confidence", "reason")}
    )
    return Result(
        row,
        reply.status,
        **given,
        latency_ms=round(reply.latency_ms, 3),
        attempts=reply.attempts,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        detail=reply.detail,
        prompt_sha256=prompt_digest(text),
        content=reply.content,
    )


def run_rules(
    store: AdviceStore,
    view: MarketView,
    advisor: RulesAdvisor,
    rows: Rows,
    on_result: OnResult = lambda result: None,
) -> PassCounts:
    """Let the rules advise on bars that have no advice yet; a range is written at once."""
    counts = PassCounts()
    made = advisor.advise(view, rows)
    for journal, wanted in _claimed(store, rows, counts):
        results = []
        for number in np.searchsorted(rows, wanted).tolist():
            hold, buy, sell = map(float, made.probabilities[number])
            confidence, reason = float(made.confidence[number]), made.reasons[number]
            results.append(Result(int(rows[number]), OK, hold, buy, sell, confidence, reason))
        journal.write(results)
        counts.answered += len(results)
        for result in results:
            on_result(result)
    return counts


async def run_chat(
    store: AdviceStore,
    view: MarketView,
    session: ChatSession,
    rows: Rows,
    prompt: PromptSettings,
    on_result: OnResult = lambda result: None,
    stop: Callable[[], bool] = lambda: False,
) -> PassCounts:
    """Ask a server about bars that have no answer yet.

    Args:
        store: where answers are kept.
        view: the market.
        session: with the server.
        rows: bars, rising.
        prompt: how questions are written.
        on_result: called with every answer, once it is on the disk.
        stop: asked before each question; once true none is sent, and those under way are waited for.

    Raises:
        InputError: the server refuses questions as such, or has gone; what was answered is kept.
    """
    counts = PassCounts()

    async def ask_all(journal: Journal, wanted: Rows) -> None:
        left = iter(wanted.tolist())

        async def work() -> None:
            for row in left:
                if stop():
                    return
                text = question(view, row, prompt)
                counts.in_doubt += row in journal.state.asked
                journal.write([Asked(row)])
                counts.sent += 1
                reply = await session.ask(text, question_id(store.about.key, row))
                result = to_result(row, reply, text)
                journal.write([result])
                counts.answered += 1
                on_result(result)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(session.settings.concurrency, len(wanted))):
                group.create_task(work())

    for journal, wanted in _claimed(store, rows, counts):
        if stop():
            break
        try:
            await ask_all(journal, wanted)
        except* Exception as errors:
            raise errors.exceptions[0] from None
    return counts


def _claimed(store: AdviceStore, rows: Rows, counts: PassCounts) -> Iterator[tuple[Journal, Rows]]:
    """Yield the journals of ranges that this process gets hold of, each with its bars left to ask.

    Ranges that others hold are tried once more at the end: they may have been let go of.
    """
    waiting = store.ranges(rows)
    for last_round in (False, True):
        for first, wanted in list(waiting.items()):
            with store.claim(first) as journal:
                if journal is None:
                    counts.elsewhere += len(wanted) if last_round else 0
                    continue
                del waiting[first]
                state = journal.state
                left = [
                    row
                    for row in wanted.tolist()
                    if not state.is_done(row) and not state.asked.get(row)
                ]
                if left:
                    yield journal, np.array(left, np.int64)
