"""A server of the chat-completions protocol in a process of its own, which counts and can misbehave.

    python chat_server.py BEHAVIOUR [HONOUR]

It prints its port. With HONOUR it answers a repeated Idempotency-Key with the answer it already gave
and does no work for it. GET /counts tells how often it worked on each key, and the requests' headers.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD = {"hold": 0.2, "buy": 0.7, "sell": 0.1, "confidence": 0.8, "reason": "up"}
BEHAVIOUR, HONOUR = sys.argv[1], len(sys.argv) > 2
LOCK = threading.Lock()
WORKED: dict[str, int] = {}
REQUESTS: dict[str, int] = {}
ANSWERS: dict[str, bytes] = {}
HEADERS: list[dict[str, str]] = []


def completion(content: object, finish: str = "stop", **message: object) -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return json.dumps(
        {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 20}}
    ).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            with LOCK:
                REQUESTS["elsewhere"] = REQUESTS.get("elsewhere", 0) + 1
        with LOCK:
            self.reply(200, json.dumps(
                {"worked": WORKED, "requests": REQUESTS, "headers": HEADERS}
            ).encode())  # fmt: skip

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        assert asked["messages"][0]["role"] == "system"
        key = self.headers["Idempotency-Key"]
        with LOCK:
            HEADERS.append(dict(self.headers))
            REQUESTS[key] = number = REQUESTS.get(key, 0) + 1
            if HONOUR and key in ANSWERS:
                self.reply(200, ANSWERS[key])
                return
            WORKED[key] = WORKED.get(key, 0) + 1
            if HONOUR:
                ANSWERS[key] = completion(GOOD)
        getattr(self, f"do_{BEHAVIOUR}")(number)

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_good(self, number: int) -> None:
        self.reply(200, completion(GOOD))

    def do_brief(self, number: int) -> None:
        time.sleep(0.02)
        self.reply(200, completion(GOOD))

    def do_slow(self, number: int) -> None:
        time.sleep(3)
        self.reply(200, completion(GOOD))

    def do_drip(self, number: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def do_truncated(self, number: int) -> None:
        self.reply(200, completion('{"hold": 0.2, "buy": 0.'))

    def do_cut_body(self, number: int) -> None:
        self.reply(200, completion(GOOD)[:40])

    def do_wrong_schema(self, number: int) -> None:
        self.reply(200, completion({"action": "buy", "lots": 100}))

    def do_wrong_sum(self, number: int) -> None:
        self.reply(200, completion({**GOOD, "sell": 0.9}))

    def do_script(self, number: int) -> None:
        self.reply(200, completion({**GOOD, "reason": "<script>alert(1)</script>\x1b[2J"}))

    def do_too_many(self, number: int) -> None:
        if number < 2:
            self.reply(429, b"{}", Retry_After="1")
        else:
            self.reply(200, completion(GOOD))

    def do_patience(self, number: int) -> None:
        self.reply(429, b"{}", Retry_After="3600")

    def do_error(self, number: int) -> None:
        self.reply(500, b"oops")

    def do_error_once(self, number: int) -> None:
        self.do_error(number) if number < 2 else self.do_good(number)

    def do_unknown(self, number: int) -> None:
        self.reply(404, b"no such model")

    def do_reset(self, number: int) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def do_huge(self, number: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(100_000_000))
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x" * 1_000_000)

    def do_gzip(self, number: int) -> None:
        import gzip

        self.reply(200, gzip.compress(b"x" * 1_000_000), Content_Encoding="gzip")

    def do_redirect(self, number: int) -> None:
        self.reply(307, b"", Location="/elsewhere")

    def do_refusal(self, number: int) -> None:
        self.reply(200, completion("", refusal="I cannot advise on trades."))

    def do_filter(self, number: int) -> None:
        self.reply(200, completion("", finish="content_filter"))

    def do_nested(self, number: int) -> None:
        self.reply(200, completion("[" * 100_000))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
