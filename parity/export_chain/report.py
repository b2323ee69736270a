"""Write what the export chain showed, as numbers and as a page, and a day for the C# checker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundation.files import atomic_folder, write_files, write_json, write_text
from markets import Bars
from parity.export_chain.day import BARS, DAY, last_time, to_csv
from parity.export_chain.page import render

NUMBERS, PAGE, ATTESTATION = "chain.json", "chain.html", "chain.attestation.json"


def write_report(
    folder: Path, report: Mapping[str, Any], attestation: Mapping[str, Any] | None = None
) -> None:
    """Write :data:`NUMBERS`, :data:`PAGE` and :data:`ATTESTATION` into a folder, all or none.

    Args:
        folder: made where it is missing.
        report: from :func:`parity.export_chain.verify.verify`.
        attestation: from :func:`parity.export_chain.attestation.attest`; where None, one that an
            earlier proof left there goes.

    Raises:
        WriteError: the folder cannot be written to.
    """
    files: dict[str, Any] = {NUMBERS: report, PAGE: render(report)}
    more = {} if attestation is None else {ATTESTATION: attestation}
    write_files(folder, files | more, replaces=(ATTESTATION,))


def write_day(folder: Path, bars: Bars, day: Mapping[str, Any]) -> None:
    """Write a day's raw bars and what the policy does on them into a folder, both or neither.

    Args:
        folder: made where it is missing.
        bars: the market that the day is of.
        day: from :func:`parity.export_chain.day.make_day`.

    Raises:
        WriteError: the folder cannot be written to.
    """
    with atomic_folder(folder, replaces=(BARS, DAY)) as made:
        write_text(made / BARS, to_csv(bars, last_time(dict(day))))
        write_json(made / DAY, day, indent=None)
