"""The gate before training: a run starts only with a parity certificate that fits the code at hand.

The port can't import what judges it, so whoever composes the two passes the judge as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from markets import InputError

UNGATED = "ungated"
"""Stamped into every artifact of a run that was trained without a certificate."""

IN_BRIEF = ("verdict", "sha256", "made", "counts")
"""Fields of a certificate that every artifact of the run carries."""

Judge = Callable[[Path], dict[str, Any]]
"""From a certificate's path to its contents; raises ``InputError`` where it does not fit."""


def pass_gate(judge: Judge, certificate: Path, ungated: bool) -> dict[str, Any] | str:
    """Return what artifacts say of the proof: the certificate in brief, or :data:`UNGATED`.

    Args:
        judge: such as ``parity.admission.admit``.
        certificate: its path.
        ungated: train without asking the judge.

    Raises:
        InputError: the certificate does not fit the code at hand; says why and what to do.
    """
    if ungated:
        return UNGATED
    try:
        admitted = judge(certificate)
    except InputError as error:
        raise InputError(f"{error}, or train with --ungated") from None
    return {name: admitted[name] for name in IN_BRIEF if name in admitted}
