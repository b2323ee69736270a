"""A local service that a live strategy asks over HTTP: recent bars in, advice on the newest out.

It listens on this machine alone. A strategy asks in the background and never waits, so a slow answer
costs nothing but its own use. The body of ``POST /ask`` is::

    {"symbol": "ES", "tick": 0.25, "bars": [[MINUTE, HIGH, LOW, CLOSE, FEATURE...], ...],
     "position": [SIDE, ENTRY, STOP, TARGET, TIME]}

with minutes since 1970 of each bar's open, the eleven features, and the first five position features of
the newest bar's observation (``docs/environment.md``, section 5), which may be left out; the answer
holds hold, buy, sell, confidence and reason. Where there is no advice it is 204, without a body.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import msgspec
import numpy as np

from foundation.errors import printable
from markets.advice.answers import Advice
from markets.advice.chat.client import ChatSettings, headers_of, open_session
from markets.advice.chat.prompt import PromptSettings, question
from markets.advice.rules import RulesAdvisor
from markets.advice.view import MarketView
from markets.bars import FEATURES
from markets.clock import END_NS, FIRST_NS
from markets.contracts import SYMBOL

MOST_BYTES = 1024 * 1024
MOST_PASSED_OVER, PATIENCE_S = 16 * MOST_BYTES, 2.0
"""Bytes of a refused question that are passed over, and how long each part of them may take to come."""
MOST_BARS = 1000
NS_PER_MINUTE = 60_000_000_000
FIRST_MINUTE, END_MINUTE = FIRST_NS // NS_PER_MINUTE, END_NS // NS_PER_MINUTE
PORT = 8711
COLUMNS = 4 + len(FEATURES)

AskFn = Callable[[MarketView], Advice | None]


class LiveQuestion(msgspec.Struct, forbid_unknown_fields=True):
    """What a strategy sends."""

    symbol: Annotated[str, msgspec.Meta(pattern=rf"\A{SYMBOL}\Z")]
    tick: Annotated[float, msgspec.Meta(gt=0)]
    bars: Annotated[
        list[Annotated[list[float], msgspec.Meta(min_length=COLUMNS, max_length=COLUMNS)]],
        msgspec.Meta(min_length=1, max_length=MOST_BARS),
    ]
    position: Annotated[list[float], msgspec.Meta(min_length=5, max_length=5)] | None = None


def view_of(asked: LiveQuestion) -> MarketView:
    """Return a strategy's bars as an advisor sees a market.

    Raises:
        ValueError: the bars do not rise in time, or lie outside 1990 to 2059.
    """
    values = np.array(asked.bars, np.float64)
    minutes = values[:, 0]
    if (np.diff(minutes) <= 0).any() or minutes[0] < FIRST_MINUTE or minutes[-1] >= END_MINUTE:
        raise ValueError("the bars' minutes do not rise, or are no minutes since 1970 of 1990 to 2059")
    return MarketView(
        asked.symbol,
        asked.tick,
        minutes.astype(np.int64) * NS_PER_MINUTE,
        values[:, 1],
        values[:, 2],
        values[:, 3],
        values[:, 4:].astype(np.float32),
        0,
        "" if asked.position is None else in_words(asked.position),
    )


def in_words(position: list[float]) -> str:
    """Return a position as a question tells it: side, entry, and how far stop and target are.

    Args:
        position: side (-1, 0 or 1), entry as a share of the close, stop and target in ATR from the
            close, time in the trade as a share of the longest.
    """
    side, entry, stop, target, held = position
    if side == 0:
        return "none"
    gained = 1e4 * side * (1 - entry)
    return (
        f"{'long' if side > 0 else 'short'}, {gained:+.1f} basis points since its entry, stop "
        f"{stop:.2f} ATR and target {target:.2f} ATR from the close, {100 * held:.0f}% of the "
        "longest time"
    )


def ask_rules(view: MarketView) -> Advice:
    """Return the rules' advice on the newest bar."""
    made = RulesAdvisor().advise(view, np.array([len(view) - 1]))
    hold, buy, sell = map(float, made.probabilities[0])
    return Advice(hold, buy, sell, float(made.confidence[0]), made.reasons[0])


def ask_chat(settings: ChatSettings, prompt: PromptSettings) -> AskFn:
    """Return what asks a server about the newest bar; None where it gives no advice.

    Raises:
        InputError: httpx is not installed, or the key cannot stand in a header, which a strategy that
            never waits would not be told.
    """
    headers_of(settings)

    async def ask(text: str, name: str) -> Advice | None:
        async with open_session(settings) as session:
            return (await session.ask(text, name)).advice

    def run(view: MarketView) -> Advice | None:
        text = question(view, len(view) - 1, prompt)
        name = hashlib.sha256(f"{view.digest} {view.position}".encode()).hexdigest()
        return asyncio.run(ask(text, f"live-{name[:32]}"))

    return run


class AdviceService(ThreadingHTTPServer):
    """The service; ``with`` starts and ends it in a thread, or call ``serve_forever``."""

    daemon_threads = True

    def __init__(self, ask: AskFn, port: int = PORT) -> None:
        self.ask = ask
        self.counts = {"asked": 0, "advice": 0}
        self._counting = threading.Lock()
        self._told: set[str] = set()
        # On Windows it would let a second service take a port that another answers on.
        self.allow_reuse_address = os.name == "posix"
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """Where a strategy asks."""
        return f"http://127.0.0.1:{self.server_port}/ask"

    def count(self, good: bool) -> None:
        """Count a question."""
        with self._counting:
            self.counts["asked"] += 1
            self.counts["advice"] += good

    def tell(self, error: Exception) -> None:
        """Say once why there is no advice: the strategy is not told."""
        words = printable(str(error) or type(error).__name__)
        with self._counting:
            new = words not in self._told
            self._told.add(words)
        if new:
            print(f"no advice: {words}", file=sys.stderr)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a strategy that no longer waits; tell in a line of anything else."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"a question could not be answered: {error!r}", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    server: AdviceService
    timeout = 10

    def log_message(self, *args: object) -> None:
        """Write nothing."""

    def do_POST(self) -> None:
        """Answer a question."""
        size = self.headers.get("Content-Length", "")
        if self.path != "/ask" or not size.isascii() or not size.isdecimal():
            self._refuse(400, b"ask with POST /ask and a Content-Length\n")
            return
        if len(size) > len(str(MOST_BYTES)) or int(size) > MOST_BYTES:  # of any number of digits
            self._refuse(413, b"a question is at most 1 MiB\n")
            return
        try:
            view = view_of(msgspec.json.decode(self.rfile.read(int(size)), type=LiveQuestion))
        except (ValueError, RecursionError, msgspec.DecodeError) as error:
            self._reply(400, f"{error}\n".encode("utf-8", "replace"))
            return
        try:
            advice = self.server.ask(view)
        except (ValueError, OSError) as error:  # the server behind it refuses or has gone
            advice = None
            self.server.tell(error)
        self.server.count(advice is not None)
        if advice is None:
            self._reply(204, b"")
        else:
            self._reply(200, msgspec.json.encode(advice))

    def _refuse(self, code: int, body: bytes) -> None:
        """Reply before the question is read, and pass over what is still sent of it.

        A connection that is closed on bytes that nobody read loses the reply as well.
        """
        self._reply(code, body)
        left = MOST_PASSED_OVER
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(PATIENCE_S)
            while left > 0 and (more := self.connection.recv(min(left, 2**16))):
                left -= len(more)

    def _reply(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json" if code == 200 else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
