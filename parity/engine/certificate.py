"""The certificate: what was proven, with what, about exactly which source files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from foundation.import_closure import digests
from parity.engine.report import SAME, versions

FORMAT = 1

BINDING_VERSIONS = ("python", "jax", "jaxlib", "numpy")
"""A change of one of these can change a bit of the port, so it voids a certificate."""


class CertificateError(ValueError):
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
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CertificateError(
            f"{path}: there is no certificate here; make one with `rltrader parity run`"
        ) from None
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"{path}: not a readable certificate ({type(error).__name__}); make one with "
            "`rltrader parity run`"
        ) from None
    needed = ("verdict", "sources", "made")
    if not isinstance(found, dict) or any(key not in found for key in needed):
        raise CertificateError(
            f"{path}: this JSON is no certificate; make one with `rltrader parity run`"
        )
    if found.get("format") != FORMAT:
        raise CertificateError(
            f"{path}: certificate format {found.get('format')!r} is not {FORMAT}; make a new one with "
            "`rltrader parity run`"
        )
    return found


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
