"""A service on this machine that gives each question the answer that a test has made for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Question(NamedTuple):
    """What was asked, as it came."""

    method: str
    path: str
    kind: str
    text: str


Answer = tuple[int, str]
"""Status and body; of a redirection the body is its target."""


@contextmanager
def answering(answer: Callable[[Question], Answer]) -> Iterator[tuple[str, list[Question]]]:
    """Give an address without a path, and all questions that have come so far."""
    asked: list[Question] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            kind = self.headers["Content-Type"]
            asked.append(Question(self.command, self.path, kind, body))
            status, text = answer(asked[-1])
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
