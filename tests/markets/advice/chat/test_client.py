"""The client against a server in a process of its own, good and bad on purpose."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

pytest.importorskip("httpx")

from markets.advice import answers
from markets.advice.answers import Reply
from markets.advice.chat.breaker import Breaker, ServerGone
from markets.advice.chat.client import ChatSettings, _retry_after, open_session
from tests.sentences import refuses

QUICK = {"timeout": 8.0, "backoff": 0.01, "retries": 2}


def ask(url: str, count: int = 1, breaker: Breaker | None = None, **settings: Any) -> list[Reply]:
    async def run() -> list[Reply]:
        made = ChatSettings(url, "tiny", **{**QUICK, **settings})
        async with open_session(made, breaker) as session:
            return await asyncio.gather(*(session.ask("bars", f"id{n}") for n in range(count)))

    return asyncio.run(run())


def test_a_good_answer(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve("good")
    monkeypatch.setenv("OPENAI_API_KEY", "sekrit")
    (reply,) = ask(server.url)
    assert reply.status == answers.OK
    assert reply.advice is not None
    assert reply.advice.buy == pytest.approx(0.7)
    assert (reply.advice.confidence, reply.advice.reason) == (0.8, "up")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts) == (100, 20, 1)
    assert 0 < reply.latency_ms < 8000
    (headers,) = server.counts()["headers"]
    assert headers["Authorization"] == "Bearer sekrit"


@pytest.mark.parametrize(
    ("behaviour", "status", "attempts"),
    [
        ("slow", answers.LATE, 1),
        ("drip", answers.LATE, 1),
        ("truncated", answers.MALFORMED, 1),
        ("cut_body", answers.MALFORMED, 1),
        ("wrong_schema", answers.MALFORMED, 1),
        ("wrong_sum", answers.MALFORMED, 1),
        ("nested", answers.MALFORMED, 1),
        ("gzip", answers.MALFORMED, 1),
        ("refusal", answers.REFUSED, 1),
        ("filter", answers.REFUSED, 1),
        ("huge", answers.TOO_LARGE, 1),
        ("redirect", answers.REDIRECTED, 1),
        ("error", answers.FAILED, 3),
        ("reset", answers.FAILED, 3),
        ("patience", answers.FAILED, 1),
    ],
)
def test_a_bad_answer_is_no_advice(
    serve: Callable[..., Any], behaviour: str, status: str, attempts: int
) -> None:
    server = serve(behaviour)
    began = time.monotonic()
    (reply,) = ask(server.url, timeout=0.7 if status == answers.LATE else 8.0)
    assert (reply.status, reply.advice, reply.attempts) == (status, None, attempts), reply.detail
    assert reply.detail
    assert time.monotonic() - began < (2.5 if status == answers.LATE else 8.0)
    assert "elsewhere" not in server.counts()["requests"]


def test_a_server_that_asks_to_wait_is_waited_for(serve: Callable[..., Any]) -> None:
    server = serve("too_many")
    (reply,) = ask(server.url, timeout=5.0)
    assert (reply.status, reply.attempts) == (answers.OK, 2)
    assert reply.latency_ms >= 1000


def test_an_error_that_passes_is_tried_again(serve: Callable[..., Any]) -> None:
    (reply,) = ask(serve("error_once").url)
    assert (reply.status, reply.attempts) == (answers.OK, 2)


def test_questions_that_a_server_refuses_as_such_end_the_pass(serve: Callable[..., Any]) -> None:
    with refuses():
        ask(serve("unknown").url)


def test_the_breaker_leaves_a_failing_server_alone_and_then_gives_up(
    serve: Callable[..., Any],
) -> None:
    server = serve("error")
    breaker = Breaker(failures=3, pause=0.2, most_opens=2)

    async def run() -> int:
        made = ChatSettings(server.url, "tiny", timeout=2.0, retries=0, concurrency=1)
        async with open_session(made, breaker) as session:
            for number in range(20):
                try:
                    await session.ask("bars", f"id{number}")
                except ServerGone:
                    return number
        return 20

    began = time.monotonic()
    assert asyncio.run(run()) == 4  # three that open it, and one that tries again
    assert time.monotonic() - began >= 0.2
    assert sum(server.counts()["requests"].values()) == 4


def test_no_more_questions_at_once_than_allowed(serve: Callable[..., Any]) -> None:
    began = time.monotonic()
    replies = ask(serve("brief").url, count=20, concurrency=2)
    assert all(reply.status == answers.OK for reply in replies)
    assert time.monotonic() - began >= 10 * 0.02


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("2.5", 2.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("1e400", math.inf),
        ("9" * 5000, math.inf),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        (f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT", None),
        (f"Wed, 21 Oct 2015 07:28:00 +{'9' * 20}", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wait_that_a_server_asks_for(text: str, seconds: float | None) -> None:
    assert _retry_after({"retry-after": text}) == seconds


def test_a_wait_until_a_date_is_the_time_to_it() -> None:
    then = datetime.now(UTC) + timedelta(hours=1)
    asked = _retry_after({"retry-after": format_datetime(then, usegmt=True)})
    assert asked is not None
    assert 3500 < asked <= 3600


def test_the_key_is_in_no_log(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sekrit")
    with caplog.at_level(logging.DEBUG):
        ask(serve("good").url)
        ask(serve("reset").url)
    assert caplog.records  # something was logged
    assert "sekrit" not in caplog.text


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("ftp://here/v1", {}),
        ("http://name:key@here/v1", {}),
        ("http://here/v1?key=1", {}),
        ("http://here/v1", {"timeout": 0.0}),
        ("http://here/v1", {"timeout": float("nan")}),
        ("http://here/v1", {"concurrency": 0}),
        ("http://here/v1", {"constrain": "grammar"}),
        ("http://here/v1", {"temperature": -0.1}),
        ("http://here/v1", {"temperature": float("nan")}),
    ],
    ids=str,
)
def test_settings_that_make_no_sense(url: str, more: dict[str, Any]) -> None:
    with refuses():
        ChatSettings(url, "tiny", **more)
