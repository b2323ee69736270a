"""Parity certificate: what was proven, with what, about exactly which source files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from foundation.import_closure import digests
from foundation.json_reading import Artifact, Int32, Struct, convert, read_json
from parity.engine.report import SAME, versions

FORMAT = 1

BINDING_VERSIONS = ("python", "jax", "jaxlib", "numpy")
"""A change of one of these can change a bit of the port, so it voids a certificate."""


MEND = "make a new one with `rltrader parity run`"
CERTIFICATE_FILE = Artifact(
    "certificate",
    MEND,
    absent="there is no certificate here; make one with `rltrader parity run`",
    most_bytes=8 * 1024 * 1024,
)


class _Format(Struct):
    format: Int32


class _Made(Struct):
    when: str
    device: str
    versions: dict[str, str]


class _Certificate(Struct):
    """What a certificate must hold to be held against the code at hand."""

    verdict: str
    made: _Made
    sources: dict[str, str]
    counts: dict[str, Any] | None = None


class CertificateError(InputError):
    """A certificate that can't be read; the message says where and what to do."""


def issue(
    report: Mapping[str, Any], tolerances: Mapping[str, str], root: Path, modules: Iterable[str]
) -> dict[str, Any]:
    """Return a certificate for a report.

    Args:
        report: from :meth:`parity.engine.report.Report.to_dict`.
        tolerances: rule by field, in words.
        root: the folder that holds the packages.
        modules: modules whose imports, followed to the end, the verdict depends on.
    """
    return {
        "format": FORMAT,
        "title": report["title"],
        "verdict": report["verdict"],
        "made": report["made"],
        "counts": report["summary"],
        "coverage": report["coverage"],
        "tolerances": dict(tolerances),
        "data": [
            {key: world[key] for key in ("name", "source", "digest")} for world in report["worlds"]
        ],
        "sources": digests(root, modules),
    }


def read(path: Path) -> dict[str, Any]:
    """Read a certificate.

    Raises:
        CertificateError: there is none, or it is not a certificate of this format.
    """
    try:
        values = read_json(path, dict[str, Any], CERTIFICATE_FILE)
        version = convert(values, _Format, CERTIFICATE_FILE, where=path).format
        if version != FORMAT:
            raise InputError(f"{path}: certificate format {version!r} is not {FORMAT}; {MEND}")
        convert(values, _Certificate, CERTIFICATE_FILE, where=path)
    except InputError as error:
        raise CertificateError(str(error)) from None
    return values


def misfits(certificate: Mapping[str, Any], root: Path, modules: Iterable[str]) -> list[str]:
    """Return why a certificate does not fit the code at hand; nothing if it does.

    Args:
        certificate: from :func:`read`.
        root: the folder that holds the packages.
        modules: as for :func:`issue`.
    """
    reasons = []
    if certificate["verdict"] != SAME:
        reasons.append(f"its verdict is {certificate['verdict']!r}")
    then, now = certificate["sources"], digests(root, modules)
    for name in sorted(set(then) | set(now)):
        if name not in now:
            reasons.append(f"{name} is gone")
        elif name not in then:
            reasons.append(f"{name} is new")
        elif then[name] != now[name]:
            reasons.append(f"{name} has changed")
    had, have = certificate["made"].get("versions", {}), versions()
    for name in BINDING_VERSIONS:
        if had.get(name) != have[name]:
            reasons.append(f"{name} was {had.get(name)} and is {have[name]}")
    return reasons
