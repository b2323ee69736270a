"""A lock on a folder: one process at a time works in it, and a dead one leaves no lock behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foundation.errors import InputError
from foundation.files import writing

if sys.platform != "win32":
    import fcntl

NAME = ".lock"


@contextmanager
def folder_lock(folder: Path, work: str) -> Iterator[None]:
    """Hold a folder while working in it; the folder is made where there is none.

    One that was made and has stayed empty is gone again afterwards: such as of work that was refused.
    The system itself lets go of the lock when the process ends, however it ends.

    Args:
        folder: to be worked in.
        work: what is done, for the message, such as "trains".

    Raises:
        InputError: another process holds it; says which.
        WriteError: the folder cannot be written to.
    """
    if sys.platform == "win32":  # no such lock there: whoever starts two runs has to see to it
        yield
        return
    path = folder / NAME
    is_new = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(path, work)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        if is_new:
            with suppress(OSError):  # it holds what was made in it
                folder.rmdir()
        os.close(handle)


def _locked(path: Path, work: str) -> int:
    """Return the open lock file, locked; one that was removed meanwhile is made again."""
    assert sys.platform != "win32"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip() or "another"
            os.close(handle)
            raise InputError(
                f"{path.parent}: process {holder} {work} here already; wait for its end, or stop it"
            ) from None
        except OSError:  # a file system without locks
            return handle
        try:
            if _is_at(path, handle):
                os.truncate(handle, 0)
                os.pwrite(handle, str(os.getpid()).encode(), 0)
                return handle
        except OSError:  # such as a full disk: it would be full the next time too
            with suppress(OSError):
                path.unlink()
            os.close(handle)
            raise
        os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
