"""A client of the OpenAI-compatible chat-completions protocol that never trusts what it is sent.

One question is one POST with a deadline, a few retries and a limit on the answer's size; redirects are
not followed and no answer is decompressed. The key comes from an environment variable and goes into the
request's header, nowhere else.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from foundation.errors import InputError
from markets.advice.answers import (
    FAILED,
    LATE,
    MALFORMED,
    REDIRECTED,
    TOO_LARGE,
    Reply,
    answer_schema,
    read_completion,
)
from markets.advice.chat.breaker import Breaker
from markets.advice.chat.prompt import messages

MOST_BYTES = 256 * 1024
"""An answer that is larger is not read further."""
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
CONSTRAINTS = ("json_schema", "json_object", "none")
KEY_VARIABLE = "OPENAI_API_KEY"
MISSING = 'asking a model needs httpx; install it with: pip install "envparity[advisor]"'


@dataclass(frozen=True)
class ChatSettings:
    """How a server is asked.

    Attributes:
        url: base of the protocol, such as "http://127.0.0.1:8080/v1".
        model: name that the server knows it by.
        temperature: 0 for the likeliest words.
        max_tokens: of an answer.
        constrain: what the engine is asked to hold the answer to: "json_schema", "json_object" or
            "none"; it is validated all the same.
        timeout: seconds from asking to the whole answer, retries included.
        retries: more requests after one that failed.
        backoff: seconds before the first retry, doubled each time, and at most ``most_wait``.
        most_wait: seconds; a longer Retry-After gives up.
        concurrency: questions under way at a time.
        key_variable: environment variable that holds the key; without one none is sent.
    """

    url: str
    model: str
    temperature: float = 0.0
    max_tokens: int = 200
    constrain: str = "json_schema"
    timeout: float = 60.0
    retries: int = 4
    backoff: float = 0.5
    most_wait: float = 60.0
    concurrency: int = 4
    key_variable: str = KEY_VARIABLE

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"--url {self.url!r} is no address; give one such as http://127.0.0.1:8080/v1"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InputError(
                "--url holds a name, a password or a query, which would be written down; put the key "
                "into an environment variable, see --key-variable"
            )
        if self.constrain not in CONSTRAINTS:
            raise InputError(f"constrain is {self.constrain!r}; choose one of {', '.join(CONSTRAINTS)}")
        for name, least in (("timeout", 0.0), ("backoff", 0.0), ("most_wait", 0.0)):
            if not getattr(self, name) > least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above {least:g}")
        if not 0 <= self.temperature < math.inf:
            raise InputError(f"temperature is {self.temperature}; give a number from 0")
        for name, low in (("concurrency", 1), ("retries", 0), ("max_tokens", 1)):
            if getattr(self, name) < low:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {low}")

    @property
    def sampling(self) -> str:
        """What decides on the words beside model and question, as text, for a table's key."""
        return f"temperature {self.temperature:g}, max_tokens {self.max_tokens}, {self.constrain}"

    def body(self, text: str) -> dict[str, Any]:
        """Return a request's body."""
        made: dict[str, Any] = {
            "model": self.model,
            "messages": messages(text),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        if self.constrain == "json_schema":
            schema = {"name": "advice", "strict": True, "schema": answer_schema()}
            made["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.constrain == "json_object":
            made["response_format"] = {"type": "json_object"}
        return made


@dataclass
class ChatSession:
    """A connection to a server; :meth:`ask` may be called many times at once."""

    settings: ChatSettings
    client: Any
    breaker: Breaker
    gate: asyncio.Semaphore
    draw: Callable[[], float] = field(default_factory=lambda: random.Random().random)

    async def ask(self, text: str, question_id: str) -> Reply:
        """Ask one question and return what it came to; a server that fails is "failed".

        Args:
            text: the question.
            question_id: the same for the same question, always: sent as ``Idempotency-Key``, so that
                a server that honours it answers a repeated request with the answer it already has.

        Raises:
            ServerGone: the circuit breaker has opened too often.
        """
        async with self.gate:
            trial = await self.breaker.wait()
            began = time.monotonic()
            reply = await self._attempts(text, question_id, began + self.settings.timeout)
            self.breaker.note(reply.status not in (FAILED, LATE), trial)
            return replace(reply, latency_ms=1000 * (time.monotonic() - began))

    async def _attempts(self, text: str, question_id: str, deadline: float) -> Reply:
        detail, attempt = "", 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout_at(
                    asyncio.get_running_loop().time() + deadline - time.monotonic()
                ):
                    reply, wait = await self._request(text, question_id)
            except TimeoutError:
                late = f"no answer within {self.settings.timeout:g} s"
                return Reply(LATE, detail=f"{late}; {detail}" if detail else late, attempts=attempt)
            if reply is not None:
                return replace(reply, attempts=attempt)
            detail, asked_wait = wait
            if attempt > self.settings.retries:
                return Reply(FAILED, detail=detail, attempts=attempt)
            pause = self.settings.backoff * 2.0 ** min(attempt - 1, 60) * (0.5 + self.draw())
            pause = min(pause, self.settings.most_wait)
            if asked_wait is not None:
                pause = max(pause, asked_wait)
            if pause > self.settings.most_wait or time.monotonic() + pause >= deadline:
                return Reply(FAILED, detail=f"{detail}; no time to try again", attempts=attempt)
            await asyncio.sleep(pause)

    async def _request(
        self, text: str, question_id: str
    ) -> tuple[Reply | None, tuple[str, float | None]]:
        """Return a reply, or None with why the request is to be repeated and after how many seconds."""
        import httpx

        try:
            async with self.client.stream(
                "POST",
                self.settings.url.rstrip("/") + "/chat/completions",
                json=self.settings.body(text),
                headers={"Idempotency-Key": question_id},
            ) as response:
                code = response.status_code
                if 300 <= code < 400:
                    return Reply(REDIRECTED, detail=f"the server answered {code}"), ("", None)
                if code in RETRIED:
                    return None, (f"the server answered {code}", _retry_after(response.headers))
                if code != 200:
                    raise InputError(
                        f"{self.settings.url}: the server answered {code} to a question; check the "
                        "address, the model's name, the key, and --constrain"
                    )
                if response.headers.get("content-encoding", "identity") != "identity":
                    return Reply(MALFORMED, detail="compressed without being asked"), ("", None)
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MOST_BYTES:
                        return Reply(TOO_LARGE, detail=f"more than {MOST_BYTES:,} bytes"), ("", None)
        except httpx.HTTPError as error:
            return None, (f"the request failed ({type(error).__name__})", None)
        return read_completion(bytes(body)), ("", None)


def _retry_after(headers: Any) -> float | None:
    """Return the seconds that a server asks to wait, at least 0; None where it does not say."""
    text = headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or one with a number that no clock can hold
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def headers_of(settings: ChatSettings) -> dict[str, str]:
    """Return what every request says of this side, the key among it.

    Raises:
        InputError: httpx is not installed, or the key cannot stand in a header.
    """
    if find_spec("httpx") is None:
        raise InputError(MISSING)
    headers = {"Accept-Encoding": "identity", "Accept": "application/json"}
    key = os.environ.get(settings.key_variable, "")
    if key:
        if not key.isascii() or not key.isprintable():
            raise InputError(f"${settings.key_variable} holds what no key can; set it anew")
        headers["Authorization"] = f"Bearer {key}"
    return headers


@asynccontextmanager
async def open_session(
    settings: ChatSettings, breaker: Breaker | None = None
) -> AsyncIterator[ChatSession]:
    """Open a session with a server; nothing is sent yet.

    Raises:
        InputError: httpx is not installed, or the key cannot stand in a header.
    """
    headers = headers_of(settings)
    import httpx

    limits = httpx.Limits(max_connections=settings.concurrency)
    async with httpx.AsyncClient(
        headers=headers, follow_redirects=False, timeout=settings.timeout, limits=limits
    ) as client:
        yield ChatSession(
            settings, client, breaker or Breaker(), asyncio.Semaphore(settings.concurrency)
        )
