"""Statements in envelopes: what was sealed comes back, and nothing that was changed on the way does."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from foundation.attestation import PAYLOAD, STATEMENT, seal, statement, unseal
from foundation.errors import InputError
from foundation.json_reading import Artifact
from tests.sentences import refuses

KIND = "urn:test:v1"
NOTE = Artifact("note", "write it anew")
SUBJECTS = {"b": "1" * 64, "a": "0" * 64}
STATED = statement(SUBJECTS, KIND, {"verdict": "same"})


def test_a_statement_is_one_of_in_toto() -> None:
    assert STATED["_type"] == STATEMENT == "https://in-toto.io/Statement/v1"
    assert STATED["subject"][0] == {"name": "a", "digest": {"sha256": "0" * 64}}
    assert json.loads(base64.b64decode(seal(STATED)["payload"])) == STATED
    assert seal(STATED)["payloadType"] == PAYLOAD == "application/vnd.in-toto+json"


def test_what_was_sealed_comes_back() -> None:
    assert unseal(seal(STATED), KIND, NOTE, "f") == (SUBJECTS, {"verdict": "same"}, "")


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "?"},
        {"payload": base64.b64encode(b"[]").decode()},
        {"payloadType": "text/plain"},
        {"signatures": "x"},
        {"payloadType": "application/json"},
        {"payload": f"{seal(STATED)['payload'][:8]}\n{seal(STATED)['payload'][8:]}"},
    ],
    ids=["no base64", "no object", "another payload", "no signatures", "JSON", "two lines"],
)
def test_what_is_no_envelope_is_named(change: dict[str, Any]) -> None:
    with refuses():
        unseal({**seal(STATED), **change}, KIND, NOTE, "f")


def test_another_kind_of_statement_is_named() -> None:
    with refuses():
        unseal(seal(statement(SUBJECTS, "urn:other", {})), KIND, NOTE, "f")
    with refuses():
        unseal(seal({**STATED, "_type": "https://in-toto.io/Statement/v0.1"}), KIND, NOTE, "f")


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A private key, its public half, and a stranger's public key, made with ``other.pem``."""
    pytest.importorskip("securesystemslib", reason="the extra 'sign' is not installed")
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def public(key: Any) -> bytes:
        form = pem.PublicFormat.SubjectPublicKeyInfo
        return bytes(key.public_key().public_bytes(pem.Encoding.PEM, form))

    own, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    paths = tmp_path / "key.pem", tmp_path / "key.pub", tmp_path / "other.pub"
    plain = pem.PrivateFormat.PKCS8, pem.NoEncryption()
    paths[0].write_bytes(own.private_bytes(pem.Encoding.PEM, *plain))
    paths[1].write_bytes(public(own))
    paths[2].write_bytes(public(other))
    (tmp_path / "other.pem").write_bytes(other.private_bytes(pem.Encoding.PEM, *plain))
    return paths


def test_a_signed_statement_is_its_signers_alone(keys: tuple[Path, Path, Path]) -> None:
    private, own, other = keys
    sealed = seal(STATED, private)
    before = copy.deepcopy(sealed)
    assert len(unseal(sealed, KIND, NOTE, "f", own)[2]) == 64
    assert sealed == before
    assert unseal(sealed, KIND, NOTE, "f")[2] == ""
    for changed, key in (
        (sealed, other),
        (seal(STATED), own),
        ({**sealed, "payload": seal(statement(SUBJECTS, KIND, {"verdict": "x"}))["payload"]}, own),
        ({**sealed, "signatures": [{**sealed["signatures"][0], "keyid": "0"}]}, own),
    ):
        with refuses():
            unseal(changed, KIND, NOTE, "f", key)


def test_a_key_that_is_none_is_named(keys: tuple[Path, Path, Path], tmp_path: Path) -> None:
    private, own, _ = keys
    with refuses():
        seal(STATED, own)
    with refuses():
        unseal(seal(STATED), KIND, NOTE, "f", private)
    with refuses():
        seal(STATED, tmp_path / "none.pem")


def test_of_several_signers_it_is_the_required_one_that_is_named(
    keys: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """Wherever its signature stands."""
    private, own, other = keys
    ones = [seal(STATED, path) for path in (private, tmp_path / "other.pem")]
    mine, its = (
        unseal(one, KIND, NOTE, "f", key)[2] for one, key in zip(ones, (own, other), strict=True)
    )
    assert mine != its
    signatures = [one["signatures"][0] for one in ones]
    for both in (signatures, signatures[::-1]):
        sealed = {**ones[0], "signatures": both}
        assert unseal(sealed, KIND, NOTE, "f", own) == (SUBJECTS, {"verdict": "same"}, mine)
        assert unseal(sealed, KIND, NOTE, "f", other)[2] == its


def test_a_key_with_a_password_is_named_and_what_is_stated_is_kept_apart(
    keys: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization as pem

    private = pem.load_pem_private_key(keys[0].read_bytes(), None)
    secret = pem.BestAvailableEncryption(b"secret")
    locked = tmp_path / "locked.pem"
    locked.write_bytes(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, secret))
    with pytest.raises(InputError, match=r"locked\.pem: not an unencrypted private key; make one with"):
        seal(STATED, locked)
    predicate = {"verdict": "same"}
    stated = statement({"z": "2" * 64, "b": "1" * 64, "a": "0" * 64}, KIND, predicate)
    predicate["verdict"] = "other"
    assert stated["predicate"] == {"verdict": "same"}
    assert [one["name"] for one in stated["subject"]] == ["a", "b", "z"]
    assert list(unseal(seal(stated), KIND, NOTE, "f")[0].values()) == ["0" * 64, "1" * 64, "2" * 64]
