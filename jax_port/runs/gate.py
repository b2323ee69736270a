"""The gate before training: a run starts only with a parity certificate that fits the code at hand.

The port can't import what judges it, so whoever composes the two passes the judge as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from foundation.provenance import jax_flags
from markets import InputError

UNGATED = "ungated"
"""Stamped into every artifact of a run that was trained without a certificate."""

IN_BRIEF = ("verdict", "strength", "sha256", "signed_by", "made", "counts", "data_at_hand")
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


def refuse_other_numbers() -> None:
    """Refuse settings of JAX under which the trainer's programs do not even compile.

    Raises:
        InputError: naming the setting and what to do.
    """
    if jax_flags(jax.config)["jax_enable_x64"]:
        raise InputError(
            "JAX_ENABLE_X64 is on, and the trainer's numbers are of 32 bits; unset it, as it "
            "was when parity was proved"
        )
