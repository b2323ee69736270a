"""Write what a verification found: its page, its numbers, JUnit XML, and the certificate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundation.files import write_files
from parity.harness.output.page import render
from parity.harness.report import Report

PAGE, NUMBERS, JUNIT, CERTIFICATE = "report.html", "report.json", "junit.xml", "certificate.json"


def write_report(folder: Path, report: Report, certificate: Mapping[str, Any]) -> None:
    """Write a report and its certificate into a folder, all four files or none.

    Raises:
        WriteError: the folder cannot be written to.
    """
    values = report.to_dict()
    contents = {
        PAGE: render(values),
        NUMBERS: values,
        JUNIT: report.to_junit(),
        CERTIFICATE: certificate,
    }
    write_files(folder, contents)
