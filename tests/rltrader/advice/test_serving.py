"""``rltrader advise serve``: what it needs is asked for at once, and its counts are told at its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import InputError
from markets.advice.chat.client import ChatSettings
from markets.advice.service import AdviceService, ask_rules
from markets.bars import FEATURES
from rltrader.advice.serving import serve
from tests.sentences import refuses

SERVER = ("--advisor", "chat", "--url", "http://127.0.0.1:1/v1", "--model", "tiny")


@pytest.fixture(autouse=True)
def never_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a service that should have been refused end at once; processes of their own do serve."""

    def begun(service: AdviceService) -> None:
        raise AssertionError(f"it serves at {service.address}")

    monkeypatch.setattr(AdviceService, "serve_forever", begun)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def refused(*words: str) -> None:
    """Call the command with what it refuses before it serves."""
    with refuses():
        serve.main([*SERVER, "--port", str(free_port()), *words], standalone_mode=False)


def test_without_httpx_it_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)  # as Python marks what can't be imported
    refused()


def test_a_key_that_was_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADVISOR_KEY", raising=False)
    refused("--key-variable", "ADVISOR_KEY")
    monkeypatch.setenv("ADVISOR_KEY", "")
    refused("--key-variable", "ADVISOR_KEY")


@pytest.mark.parametrize("key", ["line\nbreak", "s\u00e9same"])
def test_a_key_that_no_header_can_hold_is_refused_at_once(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    refused()


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken, refuses():
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        try:
            serve.main(["--port", str(taken.getsockname()[1])], standalone_mode=False)
        except InputError as error:
            raise InputError(str(error).replace(str(taken.getsockname()[1]), "PORT")) from None


def test_it_says_where_it_is_and_what_it_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def served(service: AdviceService) -> None:
        service.counts.update(asked=1234, advice=7)
        raise SystemExit(143)

    monkeypatch.setattr(AdviceService, "serve_forever", served)
    port = free_port()
    with pytest.raises(SystemExit):
        serve.main(["--port", str(port)], standalone_mode=False)
    assert capsys.readouterr().out.splitlines() == [
        f"rules advise at http://127.0.0.1:{port}/ask; stop with Ctrl-C",
        "1,234 questions, 7 with advice",
    ]
    with socket.socket() as free:  # and gives its port back
        free.bind(("127.0.0.1", port))


def test_a_model_is_asked_as_the_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("markets.advice.service.ask_chat", lambda *given: asked.append(given) or "ask")
    monkeypatch.setattr(
        "markets.advice.service.AdviceService", lambda *given: asked.append(given) or 1 / 0
    )
    monkeypatch.setenv("MINE", "sekrit")
    port = free_port()
    words = ("--port", str(port), "--timeout", "7.5", "--temperature", "0.375", "--max-tokens", "123")
    more = ("--constrain", "none", "--context", "33", "--masked", "--key-variable", "MINE")
    with pytest.raises(ZeroDivisionError):
        serve.main([*SERVER, *words, *more], standalone_mode=False)
    (settings, prompt), served = asked
    assert served == ("ask", port)
    assert (prompt.bars, prompt.masked) == (33, True)
    assert settings == ChatSettings(
        "http://127.0.0.1:1/v1", "tiny", timeout=7.5, temperature=0.375, max_tokens=123,
        constrain="none", key_variable="MINE",
    )  # fmt: skip
    asked.clear()
    with pytest.raises(ZeroDivisionError):
        serve.main(["--port", str(port)], standalone_mode=False)
    assert asked == [(ask_rules, port)]


@pytest.mark.costly
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_tells_its_counts(number: int, code: int, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "rltrader", "advise", "serve", "--port", str(free_port())]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[3].rstrip(";")
    first = 28_000_000  # minutes since 1970
    row = [5000.0, 4999.0, 4999.5, *[0.0] * len(FEATURES)]
    question = {"symbol": "ES", "tick": 0.25, "bars": [[first + n, *row] for n in range(80)]}
    for _ in range(2):
        with urllib.request.urlopen(address, data=json.dumps(question).encode(), timeout=10) as answer:
            assert answer.status == 200
    process.send_signal(number)
    out, error = process.communicate(timeout=20)
    assert (out, error, process.returncode) == ("2 questions, 2 with advice\n", "", code)
