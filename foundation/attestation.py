"""Attestations: in-toto Statements about files, in DSSE envelopes that may be signed with a local key.

Sources: in-toto Attestation Framework v1 (https://github.com/in-toto/attestation) and Dead Simple
Signing Envelope v1 (https://github.com/secure-systems-lab/dsse). Keys are PEM files, such as those that
``openssl genpkey -algorithm ed25519`` makes. Nothing here needs a network.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import field

from foundation.errors import InputError, reason_of
from foundation.files import to_json
from foundation.json_reading import Artifact, Struct, convert, decode_json

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
NO_LIBRARY = (
    "signatures need a package that is not installed; install it with: pip install 'envparity[sign]'"
)


class _Signature(Struct):
    sig: str
    keyid: str = ""


class _Envelope(Struct):
    payload: str
    payload_type: str = field(name="payloadType")
    signatures: list[_Signature] = field(name="signatures")


class _Digests(Struct):
    sha256: str


class _Subject(Struct):
    name: str
    digest: _Digests


class _Statement(Struct):
    kind: str = field(name="_type")
    subject: list[_Subject] = field(name="subject")
    predicate_type: str = field(name="predicateType")
    predicate: dict[str, Any] = field(name="predicate")


def statement(subjects: Mapping[str, str], kind: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-toto Statement.

    Args:
        subjects: what is spoken of: name to SHA-256.
        kind: URI of the predicate's type.
        predicate: what is said of them, ready for JSON.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": d}} for name, d in sorted(subjects.items())],
        "predicateType": kind,
        "predicate": dict(predicate),
    }


def seal(stated: Mapping[str, Any], key: Path | None = None) -> dict[str, Any]:
    """Return a Statement in a DSSE envelope, signed where a private key is given.

    Args:
        stated: from :func:`statement`.
        key: PEM file of an unencrypted private key.

    Raises:
        InputError: the key can't be used.
    """
    payload = to_json(stated).encode()
    if key is None:
        return {"payload": _encode(payload), "payloadType": PAYLOAD, "signatures": []}
    dsse, signer, pem = _library()
    private = _pem(key, lambda data: pem.load_pem_private_key(data, None), "private")
    envelope = dsse.Envelope(payload, PAYLOAD, {})
    envelope.sign(signer.CryptoSigner(private))
    return dict(envelope.to_dict())


def unseal(
    envelope: Any, kind: str, artifact: Artifact, where: str | Path, key: Path | None = None
) -> tuple[dict[str, str], dict[str, Any], str]:
    """Return what an envelope holds: subjects (name to SHA-256), predicate, and who signed.

    Args:
        envelope: decoded JSON.
        kind: URI of the predicate's type that is expected.
        artifact, where: what it is and where it lies, for errors.
        key: PEM file of a public key by which it must be signed.

    Returns:
        Subjects, predicate, and the id of the required key; an empty id where none is required, since a
        signature that nobody checks says nothing.

    Raises:
        InputError: it is damaged, of another kind, or not signed by the key.
    """
    parts = convert(envelope, _Envelope, artifact, where=where)
    if parts.payload_type != PAYLOAD:
        raise artifact.damaged(where, f"its payload is {parts.payload_type!r}, not {PAYLOAD!r}")
    signer = "" if key is None else _verify(envelope, artifact, where, key)
    try:
        payload = base64.b64decode(parts.payload, validate=True)
    except (binascii.Error, ValueError):
        raise artifact.damaged(where, "its payload is no base64") from None
    stated = decode_json(payload, _Statement, artifact, where=where)
    for found, expected in ((stated.kind, STATEMENT), (stated.predicate_type, kind)):
        if found != expected:
            raise artifact.damaged(where, f"it is {found!r}, not {expected!r}")
    return {one.name: one.digest.sha256 for one in stated.subject}, stated.predicate, signer


def _verify(envelope: Any, artifact: Artifact, where: str | Path, key: Path) -> str:
    """Return the id of the key that signed; refuse an envelope that it did not sign."""
    dsse, signer, pem = _library()
    public = signer.SSlibKey.from_crypto(_pem(key, pem.load_pem_public_key, "public"))
    copied = {**envelope, "signatures": [dict(one) for one in envelope["signatures"]]}
    try:
        dsse.Envelope.from_dict(copied).verify([public], 1)
    except dsse.exceptions.VerificationError:
        raise InputError(
            f"{where}: not signed by {key}; take the {artifact.what} that this key's holder made"
        ) from None
    except (ValueError, KeyError, TypeError, dsse.exceptions.FormatError) as error:
        raise artifact.damaged(where, f"its signature can't be read: {reason_of(error)}") from None
    return str(public.keyid)


def _library() -> tuple[Any, Any, Any]:
    """Return securesystemslib's envelopes and signers, and cryptography's reader of PEM files."""
    try:
        from cryptography.hazmat.primitives import serialization
        from securesystemslib import dsse, signer
    except ImportError:
        raise InputError(NO_LIBRARY) from None
    return dsse, signer, serialization


def _pem(path: Path, load: Any, what: str) -> Any:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a PEM file of a {what} key") from None
    except (ValueError, TypeError):
        raise InputError(
            f"{path}: not an unencrypted {what} key; make one with: openssl genpkey -algorithm ed25519 "
            "-out key.pem, and its public half with: openssl pkey -in key.pem -pubout"
        ) from None


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
