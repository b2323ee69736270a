"""Write what a run of the gate found: its page, its numbers, JUnit XML, and the certificate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundation.attestation import seal
from foundation.files import write_files
from parity.engine.certificate import envelope
from parity.engine.page import render
from parity.engine.report import Report

PAGE, NUMBERS, JUNIT, CERTIFICATE = "report.html", "parity.json", "junit.xml", "certificate.json"


def write_report(
    folder: Path, report: Report, certificate: Mapping[str, Any], key: Path | None = None
) -> None:
    """Write a report and its certificate into a folder, all four files or none.

    Args:
        folder: made where it is missing; other files in it stay.
        report: of the gate.
        certificate: from :func:`parity.engine.certificate.issue`.
        key: PEM file of a private key to sign it with.

    Raises:
        InputError: the key can't be used, or the folder cannot be written to.
    """
    sealed = envelope(certificate, key)
    values = report.to_dict()
    contents = {
        PAGE: render(values),
        NUMBERS: values,
        JUNIT: report.to_junit(),
        CERTIFICATE: sealed,
    }
    write_files(folder, contents)


def check_key(key: Path | None) -> None:
    """Refuse a private key that can't sign, before anything takes time.

    Raises:
        InputError: it can't be read or used.
    """
    if key is not None:
        seal({}, key)
