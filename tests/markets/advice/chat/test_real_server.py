"""A real engine that speaks the protocol, with a model made here; in ``nox -s advisor_server``."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("httpx")

from markets.advice.answers import MALFORMED, OK, STATUSES
from markets.advice.chat.client import ChatSettings, open_session
from markets.advice.chat.prompt import PromptSettings
from markets.advice.passes import run_chat
from markets.advice.replay import replay
from markets.advice.store import open_store
from markets.advice.table import About, TableKey
from markets.advice.view import MarketView

PROGRAM = shutil.which("transformers", path=str(Path(sys.executable).parent))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="the transformers command is not installed"),
]
QUESTIONS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    script = Path(__file__).with_name("tiny_model.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    """The address of ``transformers serve`` with the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert PROGRAM is not None
    command = [PROGRAM, "serve", str(model), "--device", "cpu", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            assert process.poll() is None, "the server ended"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def test_a_pass_with_a_real_engine(url: str, model: Path, view: MarketView, tmp_path: Path) -> None:
    settings = ChatSettings(
        url, str(model), max_tokens=32, concurrency=2, timeout=120.0, constrain="none"
    )
    prompt = PromptSettings(bars=5)
    key = TableKey(view.digest, "chat", "tiny", prompt.version, settings.sampling)
    about = About(key, view.symbol, len(view), prompt_bars=prompt.bars)
    store = open_store(tmp_path / "table", about, view.timestamps_ns)
    rows = view.rows(50)[:QUESTIONS]

    async def run() -> None:
        async with open_session(settings) as session:
            await run_chat(store, view, session, rows, prompt)

    asyncio.run(run())
    table = store.collect()
    assert table.rows.tolist() == rows.tolist()
    # Random words are no JSON: the engine answers, and every answer is counted as no advice.
    assert set(table.frame["status"]) <= set(STATUSES) - {"failed", "late"}
    assert set(table.frame["status"]) <= {OK, MALFORMED}
    assert (table.frame["content"].str.len() > 0).any() or (table.frame["attempts"] == 1).all()
    assert table.totals()["requests"] == QUESTIONS
    assert table.totals()["completion_tokens"] > 0
    assert not replay(table, view).differing
