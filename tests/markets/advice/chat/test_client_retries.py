"""When a question is asked again, over a transport that is a function, with a clock of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("httpx")

import httpx

from foundation.errors import InputError
from markets.advice.answers import (
    FAILED,
    LATE,
    MALFORMED,
    OK,
    REDIRECTED,
    TOO_LARGE,
    Reply,
    answer_schema,
)
from markets.advice.chat import client
from markets.advice.chat.breaker import Breaker
from markets.advice.chat.client import ChatSession, ChatSettings, headers_of
from markets.advice.chat.prompt import messages

GOOD = {"hold": 0.2, "buy": 0.7, "sell": 0.1, "confidence": 0.8, "reason": "up"}
BODY = json.dumps({"choices": [{"message": {"content": json.dumps(GOOD)}}]}).encode()


async def in_parts(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body as a connection does, in two parts."""
    yield body[:7]
    yield body[7:]


class Asking:
    """A session whose server is a list of answers, the last of them for ever; pauses pass at once.

    Attributes:
        pauses: seconds that it would have waited.
        requests: that were sent.
        now: seconds of its clock, which pauses move on.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, *answers: Any, draw: float = 0.5, **more: Any
    ) -> None:
        self.pauses: list[float] = []
        self.requests: list[Any] = []
        self.now, self.breaker = 1000.0, Breaker(failures=2)
        self.settings = ChatSettings("http://here/v1/", "tiny", **{"timeout": 1000.0, **more})
        self.answers, self.draw = list(answers), draw
        patch.setattr(client, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def answer(self, request: Any) -> Any:
        self.requests.append(request)
        found = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(found, Exception):
            raise found
        if callable(found):
            return found()
        code, body, headers = (*found, {})[:3] if isinstance(found, tuple) else (found, b"", {})
        return httpx.Response(code, content=in_parts(body), headers=headers)

    def ask(self, patch: pytest.MonkeyPatch) -> Reply:
        async def run() -> Reply:
            wait = asyncio.sleep
            patch.setattr(asyncio, "sleep", lambda seconds: self.pause(seconds) if seconds else wait(0))
            async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as made:
                gate = asyncio.Semaphore(1)
                one = ChatSession(self.settings, made, self.breaker, gate, lambda: self.draw)
                return await one.ask("bars", "id7")

        return asyncio.run(run())


def after(seconds: object) -> tuple[int, bytes, dict[str, str]]:
    return 429, b"", {"Retry-After": str(seconds)}


GIVEN_UP = "the server answered 429; no time to try again"


@pytest.mark.parametrize(
    ("answers", "settings", "pauses", "status", "detail"),
    [
        ([500], {}, [0.25, 0.5, 1.0, 2.0], FAILED, "the server answered 500"),
        ([503], {"draw": 0.0}, [0.125, 0.25, 0.5, 1.0], FAILED, "the server answered 503"),
        ([500], {"draw": 0.75, "retries": 2}, [0.3125, 0.625], FAILED, "the server answered 500"),
        ([500], {"retries": 0}, [], FAILED, "the server answered 500"),
        ([500], {"most_wait": 0.75}, [0.25, 0.5, 0.75, 0.75], FAILED, "the server answered 500"),
        ([500, 502, (200, BODY)], {}, [0.25, 0.5], OK, ""),
        ([after(3), (200, BODY)], {}, [3.0], OK, ""),
        ([after(0.125), (200, BODY)], {}, [0.25], OK, ""),
        ([500, 500, after(0.75), (200, BODY)], {}, [0.25, 0.5, 1.0], OK, ""),
        ([after(60), (200, BODY)], {}, [60.0], OK, ""),
        ([after(60.5), (200, BODY)], {}, [], FAILED, GIVEN_UP),
        ([after(3), (200, BODY)], {"timeout": 3.0}, [], FAILED, GIVEN_UP),
        ([after(3), (200, BODY)], {"timeout": 3.125}, [3.0], OK, ""),
        ([after(3), after(2), (200, BODY)], {"timeout": 5.0}, [3.0], FAILED, GIVEN_UP),
        (
            [httpx.ConnectError("no"), 500, httpx.ReadTimeout("late")],
            *({"retries": 2}, [0.25, 0.5], FAILED, "the request failed (ReadTimeout)"),
        ),
    ],
)
def test_a_question_is_asked_again_after_pauses_that_double_and_are_bounded(
    answers: list[Any],
    settings: dict[str, Any],
    pauses: list[float],
    status: str,
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = Asking(monkeypatch, *answers, **{"backoff": 0.25, **settings})
    reply = asking.ask(monkeypatch)
    assert (reply.status, reply.detail, asking.pauses) == (status, detail, pauses)
    assert reply.attempts == len(asking.requests) == len(pauses) + 1
    assert reply.latency_ms == 1000 * sum(pauses)
    assert {one.headers["Idempotency-Key"] for one in asking.requests} == {"id7"}
    assert {str(one.url) for one in asking.requests} == {"http://here/v1/chat/completions"}
    assert all(json.loads(one.content) == asking.settings.body("bars") for one in asking.requests)


@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Asking(monkeypatch, code, (200, BODY)).ask(monkeypatch).attempts == 2


@pytest.mark.parametrize("code", [201, 204, 400, 401, 403, 404, 422, 501, 505])
def test_what_a_server_refuses_as_such_is_asked_once(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(monkeypatch, code, (200, BODY))
    with pytest.raises(InputError, match=f"http://here/v1/: the server answered {code} to a question"):
        asking.ask(monkeypatch)
    assert len(asking.requests) == 1


@pytest.mark.parametrize("code", [300, 302, 307, 399])
def test_a_server_that_sends_elsewhere_is_not_followed(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(monkeypatch, (code, b"", {"Location": "http://there/"}), (200, BODY))
    reply = asking.ask(monkeypatch)
    assert (reply.status, reply.detail) == (REDIRECTED, f"the server answered {code}")
    assert len(asking.requests) == 1


@pytest.mark.parametrize(("more", "status"), [(0, OK), (1, TOO_LARGE)])
def test_an_answer_is_as_large_as_may_be(
    more: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", len(BODY) + 5)
    reply = Asking(monkeypatch, (200, BODY.ljust(len(BODY) + 5 + more))).ask(monkeypatch)
    assert reply.status == status


def test_an_answer_that_says_that_it_is_plain_is_read_and_another_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for encoding, status in (("identity", OK), ("br", MALFORMED), ("zstd", MALFORMED)):
        asking = Asking(monkeypatch, (200, BODY, {"Content-Encoding": encoding}))
        assert asking.ask(monkeypatch).status == status


def test_what_a_question_waits_for_before_it_is_sent_is_no_part_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slowly() -> Any:
        asking.now += 2.0
        return httpx.Response(200, content=in_parts(BODY))

    asking = Asking(monkeypatch, slowly, timeout=50.0)

    async def held_back() -> None:
        asking.now += 100.0

    monkeypatch.setattr(asking.breaker, "wait", held_back)
    reply = asking.ask(monkeypatch)
    assert (reply.status, reply.latency_ms) == (OK, 2000.0)


def test_an_answer_that_comes_too_late_tells_the_breaker_of_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what went wrong before it; an answer of any kind tells it of none."""
    asking = Asking(monkeypatch, 500, TimeoutError(), TimeoutError(), (200, b"{}"), TimeoutError())
    asking.breaker = Breaker(failures=2, pause=0.0)
    replies = [(asking.ask(monkeypatch), asking.breaker.opened) for _ in range(4)]
    late = "no answer within 1000 s"
    assert [opened for _, opened in replies] == [0, 1, 0, 0]
    assert [reply.status for reply, _ in replies] == [LATE, LATE, MALFORMED, LATE]
    assert [replies[place][0].detail for place in (0, 1, 3)] == [
        f"{late}; the server answered 500", late, late,
    ]  # fmt: skip
    assert [reply.attempts for reply, _ in replies] == [2, 1, 1, 1]


def test_the_key_is_of_the_variable_that_is_named_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = {"Accept-Encoding": "identity", "Accept": "application/json"}
    monkeypatch.setenv("OPENAI_API_KEY", "of another")
    monkeypatch.setenv("MINE", "sekrit")
    settings = ChatSettings("http://here/v1", "tiny", key_variable="MINE")
    assert headers_of(settings) == {**plain, "Authorization": "Bearer sekrit"}
    monkeypatch.delenv("MINE")
    assert headers_of(settings) == plain
    for key in ("two\nlines", "s\u00e9same", "tab\t"):
        monkeypatch.setenv("MINE", key)
        with pytest.raises(InputError, match=r"^\$MINE holds what no key can; set it anew$"):
            headers_of(settings)


def test_a_whole_request_and_what_names_its_sampling() -> None:
    plain: dict[str, Any] = {
        "model": "tiny",
        "messages": messages("bars"),
        "temperature": 0.375,
        "max_tokens": 77,
    }
    schema = {"name": "advice", "strict": True, "schema": answer_schema()}
    for constrain, more in (
        ("none", {}),
        ("json_object", {"response_format": {"type": "json_object"}}),
        ("json_schema", {"response_format": {"type": "json_schema", "json_schema": schema}}),
    ):
        made = ChatSettings(
            "https://here/v1", "tiny", temperature=0.375, max_tokens=77, constrain=constrain
        )
        assert made.body("bars") == {**plain, **more}
        assert made.sampling == f"temperature 0.375, max_tokens 77, {constrain}"
    names = ["hold", "buy", "sell", "confidence", "reason"]
    assert (schema["schema"]["required"], list(schema["schema"]["properties"])) == (names, names)
    assert schema["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "least", "below"),
    [
        ("concurrency", 1, 0),
        ("retries", 0, -1),
        ("max_tokens", 1, 0),
        ("temperature", 0.0, -1e-9),
        ("timeout", 1e-9, 0.0),
        ("backoff", 1e-9, 0.0),
        ("most_wait", 1e-9, 0.0),
    ],
)
def test_settings_begin_at_their_least(name: str, least: float, below: float) -> None:
    made = ChatSettings("http://here/v1", "tiny", **{name: least})  # type: ignore[arg-type]
    assert getattr(made, name) == least
    for value in {below, -1}:
        with pytest.raises(InputError, match=f"^{name} is {value}"):
            ChatSettings("http://here/v1", "tiny", **{name: value})  # type: ignore[arg-type]
