"""Where a study lies: a journal file, a database, or Optuna's proxy in front of one."""

from __future__ import annotations

import json
import os
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from foundation.errors import InputError, reason_of
from foundation.extras import DISTRIBUTION
from foundation.files import writing

JOURNAL = "study.journal"
PROXY = "grpc://"
CONNECT_SECONDS = 10.0
_PASSWORD = re.compile(r"([?&]\w*pass\w*=)[^&]*", re.IGNORECASE)


def open_storage(place: str | None, folder: Path) -> BaseStorage:
    """Return the storage of a study.

    Args:
        place: a path of a journal file, a database's URL such as ``postgresql://user@host/name``, or
            ``grpc://host:port`` of Optuna's proxy; ``study.journal`` in the folder by default.
        folder: of the sweep.

    Raises:
        InputError: it cannot be reached, or is no such place.
    """
    if place is None or "://" not in place:
        return _journal(folder / JOURNAL if place is None else Path(place))
    if place.startswith(PROXY):
        return _proxy(place)
    return _database(place)


def _journal(path: Path) -> BaseStorage:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = Journal(path)
    try:
        return JournalStorage(backend)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no journal of a study, or a damaged one ({reason_of(error)}); give another "
            "--storage, or put it away to begin anew"
        ) from None


class Journal(JournalFileBackend):
    """A journal whose last line, where a worker was killed as it wrote it, is left out by the next one.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._own_lock, self._path = JournalFileSymlinkLock(str(path)), path
        super().__init__(str(path), lock_obj=self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append what happened, each a line, in one piece."""
        lines = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in logs)
        self._own_lock.acquire()
        try:
            with self._path.open("rb+") as file:
                file.seek(_whole(file))
                file.truncate()
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._own_lock.release()


def _whole(file: BinaryIO) -> int:
    """Return where a file's last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    step = 4096
    for begin in range(end, 0, -step):
        first = max(0, begin - step)
        file.seek(first)
        at = file.read(begin - first).rfind(b"\n")
        if at >= 0:
            return first + at + 1
    return 0


def _proxy(place: str) -> BaseStorage:
    host, _, port = place.removeprefix(PROXY).rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"--storage {place}: give grpc://HOST:PORT")
    if find_spec("grpc") is None:
        raise InputError(
            f"--storage {place}: grpcio is not installed: python -m pip install "
            f"'{DISTRIBUTION}[sweep-shared]'"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = GrpcStorageProxy(host=host, port=int(port))
    try:
        storage.wait_server_ready(timeout=CONNECT_SECONDS)
    except ConnectionError:
        raise InputError(f"--storage {place}: nothing answers there; start the proxy first") from None
    return storage


def _database(place: str) -> BaseStorage:
    scheme, _, rest = place.partition("://")
    if scheme in ("postgres", "postgresql"):
        import psycopg  # noqa: F401  # named here where it is missing, with the line that installs it

        scheme = "postgresql+psycopg"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            # Without a pool: a worker that trains for hours holds no connection meanwhile.
            pool = {} if scheme.startswith("sqlite") else {"poolclass": NullPool}
            return RDBStorage(f"{scheme}://{rest}", engine_kwargs=pool)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"--storage {shown(place)}: cannot be used ({first})") from None


def shown(place: str) -> str:
    """Return a place without the password in it, before its host or among its parameters."""
    scheme, colon, rest = _PASSWORD.sub(r"\1", place).partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{colon}{user.partition(':')[0]}{at}{host}"
