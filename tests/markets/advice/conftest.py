"""A small market's view, and servers of the chat protocol in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.advice.view import MarketView
from markets.synthetic.pattern import pattern_bars


@dataclass
class Server:
    """A running server and its address."""

    url: str
    process: subprocess.Popen[str]

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/counts", timeout=10) as answer:
            return dict(json.load(answer))


@pytest.fixture(scope="session")
def view() -> MarketView:
    config = EnvConfig.phase1()
    return view_of(prepare(pattern_bars(days=2, seed=1), config), config)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    running: list[subprocess.Popen[str]] = []

    def start(behaviour: str, *more: str) -> Server:
        script = Path(__file__).with_name("chat_server.py")
        process = subprocess.Popen(
            [sys.executable, str(script), behaviour, *more], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        return Server(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process)

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def some_rows(view: MarketView, count: int) -> np.ndarray:
    return view.rows(1)[:count]
