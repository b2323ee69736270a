"""Whether a trainer may start: the certificate must say "same" and fit the code at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from foundation.import_closure import PACKAGES_ROOT
from markets import InputError
from parity.engine.certificate import CertificateError, misfits, read

CERTIFICATE = Path("reports/parity/certificate.json")
"""Where ``rltrader parity run`` leaves it."""

NAMED = 5
"""Reasons given before the rest are only counted."""


def admit(path: Path = CERTIFICATE) -> dict[str, Any]:
    """Return a certificate that fits the code at hand, with the SHA-256 of its file.

    Raises:
        InputError: there is none, it can't be read, or it is of other code; says what differs and
            which command makes a new one.
    """
    from parity.suites.trading import MODULES

    try:
        found = read(path)
    except CertificateError as error:
        raise InputError(str(error)) from None
    reasons = misfits(found, PACKAGES_ROOT, MODULES)
    if reasons:
        more = f" and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
        raise InputError(
            f"{path} does not fit the code at hand: {'; '.join(reasons[:NAMED])}{more}; make a new "
            "one with `rltrader parity run`"
        )
    return {**found, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
