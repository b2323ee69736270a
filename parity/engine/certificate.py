"""Parity certificate: what was proven, with what, about exactly which source files.

It is an in-toto Statement, whose subjects are the files by digest, in a DSSE envelope that may be
signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from foundation.attestation import seal, statement, unseal
from foundation.errors import InputError
from foundation.files import json_digest
from foundation.json_reading import Artifact, Count, Int32, Struct, convert, read_json
from parity.engine.report import SAME, versions

FORMAT = 2
KIND = "urn:rltrader:parity-certificate:v2"
"""The predicate's type."""

BINDING_VERSIONS = ("python", "jax", "jaxlib", "numpy", "flax")
"""A change of one of these can change a bit of the port, so it voids a certificate."""


MEND = "make a new one with `rltrader parity run`"
CERTIFICATE_FILE = Artifact(
    "certificate",
    MEND,
    absent="there is no certificate here; make one with `rltrader parity run`",
    most_bytes=8 * 1024 * 1024,
)
SIDES = {"port": "jax_port/", "reference": "legacy_torch/"}
"""Subjects beside the single files: one digest of all files below a folder."""
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision", "XLA_FLAGS")
"""Settings of JAX that a bit of the port may depend on; part of the form that is certified."""


class _Format(Struct):
    format: Int32


class _Made(Struct):
    when: str
    device: str
    platform: str
    versions: dict[str, str]
    flags: dict[str, str]


class _Counts(Struct):
    replayed_transitions: int
    generated_transitions: int
    numbers_compared: int
    mismatches: int
    failed_checks: int


class _Check(Struct):
    check: str
    world: str
    compared: Count
    numbers: int
    mismatches: int
    passed: bool


class _Certificate(Struct):
    """What a certificate must hold to be held against the code at hand."""

    verdict: str
    made: _Made
    counts: _Counts
    checks: list[_Check]
    required: list[str]
    coverage: dict[str, int]
    covered: dict[str, Any]


class CertificateError(InputError):
    """A certificate that can't be read; the message says where and what to do."""


def issue(
    report: Mapping[str, Any],
    tolerances: Mapping[str, str],
    sources: Mapping[str, str],
    covered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a certificate for a report, to be put into an envelope by :func:`envelope`.

    Args:
        report: from :meth:`parity.engine.report.Report.to_dict`.
        tolerances: rule by field, in words.
        sources: SHA-256 of every source file that the verdict depends on, by its path.
        covered: ranges within which the verdict was reached.
    """
    return {
        "format": FORMAT,
        "title": report["title"],
        "verdict": report["verdict"],
        "made": report["made"],
        "counts": report["summary"],
        "checks": [
            {name: check[name] for name in ("check", "world", "compared", "numbers", "mismatches")}
            | {"passed": check["passed"]}
            for check in report["checks"]
        ],
        "required": list(report["required"]),
        "coverage": report["coverage"],
        "covered": dict(covered or {}),
        "tolerances": dict(tolerances),
        "data": [
            {key: world[key] for key in ("name", "source", "digest")} for world in report["worlds"]
        ],
        "sources": dict(sources),
    }


def envelope(certificate: Mapping[str, Any], key: Path | None = None) -> dict[str, Any]:
    """Return a certificate as it is written: a Statement in an envelope, signed with a private key.

    Raises:
        InputError: the key can't be used.
    """
    predicate = {name: value for name, value in certificate.items() if name != "sources"}
    return seal(statement(_subjects(certificate["sources"]), KIND, predicate), key)


def _subjects(sources: Mapping[str, str]) -> dict[str, str]:
    sides = {
        side: json_digest({name: d for name, d in sources.items() if name.startswith(folder)})
        for side, folder in SIDES.items()
    }
    return {**sources, **sides}


def read(path: Path, key: Path | None = None) -> dict[str, Any]:
    """Read a certificate.

    Args:
        path: of its envelope.
        key: PEM file of a public key by which it must be signed.

    Returns:
        What :func:`issue` returned, with "signed_by": the key's id, empty where none is required.

    Raises:
        CertificateError: there is none, it is not a certificate of this format, or not signed.
    """
    try:
        sealed = read_json(path, dict[str, Any], CERTIFICATE_FILE)
        if "payload" not in sealed:
            version = convert(sealed, _Format, CERTIFICATE_FILE, where=path).format
            if version == FORMAT:
                raise CERTIFICATE_FILE.damaged(path, "it is in no envelope")
            raise InputError(f"{path}: certificate format {version!r} is not {FORMAT}; {MEND}")
        subjects, values, signer = unseal(sealed, KIND, CERTIFICATE_FILE, path, key)
        version = convert(values, _Format, CERTIFICATE_FILE, where=path).format
        if version != FORMAT:
            raise InputError(f"{path}: certificate format {version!r} is not {FORMAT}; {MEND}")
        convert(values, _Certificate, CERTIFICATE_FILE, where=path)
        sources = {name: digest for name, digest in subjects.items() if name not in SIDES}
        if subjects != _subjects(sources):
            raise CERTIFICATE_FILE.damaged(path, "its subjects do not fit each other")
    except InputError as error:
        raise CertificateError(str(error)) from None
    return {**values, "sources": sources, "signed_by": signer}


def unsound(certificate: Mapping[str, Any]) -> list[str]:
    """Return why a certificate's evidence does not carry its verdict; nothing if it does.

    Args:
        certificate: from :func:`read`.
    """
    stated: _Certificate = convert(
        dict(certificate), _Certificate, CERTIFICATE_FILE, where="certificate"
    )
    counts, reasons = stated.counts, []
    if stated.verdict != SAME:
        reasons.append(f"its verdict is {stated.verdict!r}")
    if not stated.checks:
        reasons.append("it names no check that was made")
    bad = [one for one in stated.checks if one.mismatches or not one.passed]
    if bad:
        reasons.append(f"{bad[0].check} on {bad[0].world} did not pass")
    if counts.mismatches or counts.failed_checks:
        reasons.append(
            f"it counts {counts.mismatches} mismatches, {counts.failed_checks} failed checks"
        )
    for name, kind in (("replayed_transitions", "replay"), ("generated_transitions", "generated")):
        seen = sum(one.compared for one in stated.checks if one.check == kind)
        if seen != getattr(counts, name):
            reasons.append(f"its checks add up to {seen} {name}, not {getattr(counts, name)}")
    numbers = sum(one.numbers for one in stated.checks)
    if numbers != counts.numbers_compared or numbers <= 0:
        reasons.append(f"its checks compared {numbers} numbers, not {counts.numbers_compared}")
    never = [name for name in stated.required if stated.coverage.get(name, 0) <= 0]
    if never:
        reasons.append(f"never seen: {never[0]}")
    return reasons


def misfits(certificate: Mapping[str, Any], sources: Mapping[str, str]) -> list[str]:
    """Return why a certificate is not of the code at hand; nothing if it is.

    Args:
        certificate: from :func:`read`.
        sources: SHA-256 of every source file at hand, by its path.
    """
    reasons = []
    then, now = certificate["sources"], sources
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


def other_flags(certificate: Mapping[str, Any], flags: Mapping[str, str]) -> list[str]:
    """Return which settings of JAX are not those that the verdict was reached with."""
    had = certificate["made"]["flags"]
    return [
        f"{name} was {_shown(had.get(name))} and is {_shown(flags[name])}"
        for name in FLAGS
        if had.get(name) != flags[name]
    ]


def _shown(value: str | None) -> str:
    return value or "not set"


def kinds(certificate: Mapping[str, Any]) -> set[str]:
    """Return which kinds of checks were made."""
    return {str(check["check"]) for check in certificate["checks"]}


def compared(certificate: Mapping[str, Any], names: Iterable[str]) -> int:
    """Return the transitions or rows that checks of these names compared."""
    wanted = set(names)
    return sum(int(check["compared"]) for check in certificate["checks"] if check["check"] in wanted)
