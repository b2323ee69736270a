"""Storages of a study: a journal always, a database and a proxy where a test may take long."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PROXY = """
import sys
from optuna.storages import JournalStorage, run_grpc_proxy_server
from optuna.storages.journal import JournalFileBackend
storage = JournalStorage(JournalFileBackend(sys.argv[1]))
run_grpc_proxy_server(storage, host="127.0.0.1", port=int(sys.argv[2]))
"""
NOBODY_ELSE = "postgres"
"""PostgreSQL does not run as root; Debian's package makes this user."""


@pytest.fixture(
    params=[
        "journal",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("grpc", marks=pytest.mark.slow),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a storage as ``--storage`` names it."""
    if request.param == "journal":
        yield str(tmp_path / "study.journal")
        return
    start = postgresql if request.param == "postgresql" else proxy
    yield from start(tmp_path)


def proxy(folder: Path) -> Iterator[str]:
    if find_spec("grpc") is None:
        pytest.skip("without grpcio; nox -s sweep_storage has it")
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-c", PROXY, str(folder / "behind.journal"), str(port)]
    with subprocess.Popen(command) as process:
        yield f"grpc://127.0.0.1:{port}"
        process.kill()


def postgresql(folder: Path) -> Iterator[str]:
    """Yield the URL of a new PostgreSQL of the system's packages; its password is not asked for."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs or find_spec("psycopg") is None:
        pytest.skip("without PostgreSQL and psycopg; see nox -s sweep_storage")
    data, port = Path(tempfile.mkdtemp(prefix="rltrader-postgres-")), free_port()
    own: list[str] = []
    if os.geteuid() == 0:
        own = ["runuser", "-u", NOBODY_ELSE, "--"]
        os.chown(data, pwd.getpwnam(NOBODY_ELSE).pw_uid, -1)
    bin_ = programs[-1].parent
    made = [str(bin_ / "initdb"), "-D", str(data / "db"), "-U", "sweep", "-A", "trust", "--no-sync"]
    subprocess.run([*own, *made], check=True, capture_output=True, cwd="/")
    server = [str(bin_ / "postgres"), "-D", str(data / "db"), "-p", str(port), "-k", str(data), "-F"]
    with subprocess.Popen([*own, *server], cwd="/", stderr=subprocess.DEVNULL) as process:
        ready = [str(bin_ / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        for _ in range(200):
            if subprocess.run(ready, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql://sweep:secret@127.0.0.1:{port}/postgres"
        process.terminate()
    shutil.rmtree(data, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
