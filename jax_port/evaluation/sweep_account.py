"""The account that a sweep leaves above what it chose: its ``sweep.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from foundation.json_reading import Artifact, Struct, read_json

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
        path = folder / "sweep.json"
        if path.exists():
            return path, read_json(path, kind, SWEPT_FILE)
    return None
