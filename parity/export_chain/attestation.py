"""Attestation of a bundle: an in-toto Statement that these very files passed the export chain's proof.

Its subjects are the bundle's files by digest, the policy's weights among them, and its predicate holds
the verdict, the largest difference of every hop, and the certificate of the training. A DSSE envelope
holds it, which may be signed with a local key, so that whoever receives the bundle can require the
signature of whoever proved it (:mod:`foundation.attestation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import field

from foundation.attestation import seal, statement, unseal
from foundation.errors import InputError
from foundation.files import file_digest
from foundation.json_reading import Artifact, Count, Struct, convert, read_json
from jax_port.export.manifest import MANIFEST, read_manifest

KIND = "urn:rltrader:export-verification:v1"
FILE = Artifact("attestation of a bundle", "verify the bundle anew: rltrader export verify BUNDLE")
SAME = "same"


class _Actions(Struct):
    compared: Count


class _Predicate(Struct):
    verdict: str
    actions: _Actions
    csharp: str
    bundle: dict[str, Any]
    hops: list[dict[str, Any]] = field(name="hops")
    made: dict[str, Any] = field(name="made")


def digests(bundle: Path) -> dict[str, str]:
    """Return the SHA-256 of a bundle's files by name, its manifest included.

    Raises:
        InputError: it is no bundle, or a file is missing.
    """
    names = (MANIFEST, *read_manifest(bundle)["files"])
    for name in names:
        if not (bundle / name).is_file():
            raise InputError(f"{bundle / name}: no such file; copy the whole bundle")
    return {name: file_digest(bundle / name) for name in sorted(names)}


def attest(
    files: Mapping[str, str], report: Mapping[str, Any], key: Path | None = None
) -> dict[str, Any]:
    """Return a report's attestation as it is written, signed where a private key is given.

    Args:
        files: of the bundle, from :func:`digests`, taken before it was verified.
        report: from :func:`parity.export_chain.verify.verify`.
        key: PEM file of a private key.

    Raises:
        InputError: the key can't be used.
    """
    names = ("verdict", "first_divergence", "bundle", "data", "actions", "csharp", "hops", "made")
    return seal(statement(files, KIND, {name: report[name] for name in names}), key)


def check(bundle: Path, attestation: Path, key: Path | None = None) -> tuple[dict[str, Any], str]:
    """Hold a bundle to the attestation that came with it, without proving anything anew.

    Args:
        bundle: the folder.
        attestation: file that :func:`attest`'s answer was written to.
        key: PEM file of a public key by which it must be signed.

    Returns:
        The predicate, and the id of the required key; an empty id where none is required.

    Raises:
        InputError: the attestation is damaged, of other files, not of the verdict "same", or not signed
            by the key.
    """
    envelope = read_json(attestation, dict[str, Any], FILE)
    subjects, predicate, signer = unseal(envelope, KIND, FILE, attestation, key)
    stated = convert(predicate, _Predicate, FILE, where=attestation)
    if stated.verdict != SAME:
        raise InputError(
            f"{attestation}: its verdict is {stated.verdict!r}, not {SAME!r}; do not use this bundle, "
            "export the policy anew"
        )
    here = digests(bundle)
    if wrong := sorted(name for name in {*here, *subjects} if here.get(name) != subjects.get(name)):
        raise InputError(
            f"{bundle / wrong[0]}: not the file that {attestation} speaks of"
            f"{f', and {len(wrong) - 1} more' if wrong[1:] else ''}; take the bundle that was proved, "
            "or verify this one: rltrader export verify BUNDLE"
        )
    return predicate, signer
