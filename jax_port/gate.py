"""The gate before training: whoever proves the port registers a judge, and the trainer asks it.

The trainer can't import what judges it, so the judge is an entry point of the group
``rltrader.gate``: a function from the certificate's path to the certificate, which raises
``InputError`` with one sentence where it does not fit the code at hand.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from markets import InputError

GROUP = "rltrader.gate"
UNGATED = "ungated"
"""Stamped into every artifact of a run that went round the gate."""

KEPT = ("verdict", "sha256", "made", "counts")


def pass_gate(certificate: Path, ungated: bool) -> dict[str, Any] | str:
    """Return what artifacts say of the proof: the certificate in brief, or :data:`UNGATED`.

    Args:
        certificate: its path.
        ungated: go on without asking.

    Raises:
        InputError: the certificate does not fit, or nobody here can judge it.
    """
    if ungated:
        return UNGATED
    judges = list(entry_points(group=GROUP))
    if not judges:
        raise InputError(
            "nothing here can judge a parity certificate; install the whole project, or train with "
            "--ungated"
        )
    for judge in judges:
        try:
            found = judge.load()(certificate)
        except InputError as error:
            raise InputError(f"{error}, or train with --ungated") from None
    return {name: found[name] for name in KEPT if name in found}
