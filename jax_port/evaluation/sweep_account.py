"""The account that a sweep leaves above what it chose: its ``sweep.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from foundation.errors import InputError
from foundation.json_reading import Artifact, Struct, read_json

SWEEP = "sweep.json"
T = TypeVar("T", bound=Struct)

MEND = "copy it from the run again, since a Sharpe ratio is deflated by what it says; or move it away"
SWEPT_FILE = Artifact("account of a sweep", MEND)


def read_account(chosen: Path, kind: type[T]) -> tuple[Path, T] | None:
    """Return the account above a file that a sweep chose, and its path; None where there is none.

    Args:
        chosen: SWEEP/best/FILE or SWEEP/trials/0007/FILE.
        kind: what is asked of the account.

    Raises:
        InputError: it is damaged.
    """
    for folder in chosen.absolute().parents[1:3]:
        if (folder / SWEEP).exists():
            return read_sweep(folder, kind)
    return None


def read_sweep(sweep: Path, kind: type[T]) -> tuple[Path, T]:
    """Return the account of a sweep, by its folder or its file, and its path.

    Raises:
        InputError: it is damaged, or there is none.
    """
    path = sweep.absolute()
    path = path / SWEEP if path.is_dir() else path
    if not path.exists():
        raise InputError(f"{path}: no such file; give the folder of a sweep as --sweep")
    return path, read_json(path, kind, SWEPT_FILE)
