"""A bundle is held to the attestation of its proof: another file, verdict or signature is refused."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jax_port.export.manifest import MANIFEST
from parity.export_chain.attestation import attest, check, digests
from tests.jax_port.export.made_bundle import bundle
from tests.sentences import refuses

REPORT: dict[str, Any] = {
    "verdict": "same",
    "first_divergence": None,
    "bundle": {"phase": 1},
    "data": {"source": "synthetic"},
    "actions": {"compared": 100_000},
    "csharp": "checked",
    "hops": [],
    "made": {"jax": "0"},
}


@pytest.fixture
def proved(tmp_path: Path) -> tuple[Path, Path]:
    """A bundle and its attestation's file."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle(1), folder)
    return folder, write(tmp_path / "attestation.json", attest(digests(folder), REPORT))


def write(path: Path, envelope: dict[str, Any]) -> Path:
    path.write_text(json.dumps(envelope))
    return path


def test_the_bundle_that_was_proved_passes(proved: tuple[Path, Path]) -> None:
    predicate, signer = check(*proved)
    assert predicate == REPORT
    assert signer == ""
    assert set(digests(proved[0])) > {MANIFEST, "policy.safetensors"}


@pytest.mark.parametrize("name", ["policy.safetensors", "golden.json", MANIFEST])
def test_a_file_that_is_another_is_named(name: str, proved: tuple[Path, Path]) -> None:
    folder, attestation = proved
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with refuses():
        check(folder, attestation)


def test_a_file_that_is_gone_is_named(proved: tuple[Path, Path]) -> None:
    (proved[0] / "policy.onnx").unlink()
    with refuses():
        check(*proved)


def test_a_file_that_the_attestation_names_and_the_manifest_no_longer_does_is_refused(
    proved: tuple[Path, Path], tmp_path: Path
) -> None:
    """And one that the manifest names and nobody proved; both with all other files as they were."""
    folder, path = proved
    files = digests(folder)
    for name, changed in {
        "fewer": {name: digest for name, digest in files.items() if name != "policy.onnx"},
        "more": {**files, "policy.more": "0" * 64},
    }.items():
        attestation = write(tmp_path / f"{name}.json", attest(changed, REPORT))
        with refuses():
            check(folder, attestation)
    assert check(folder, path)[0] == REPORT


def test_the_files_that_are_others_are_counted(proved: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = proved
    others = dict.fromkeys(digests(folder), "0" * 64)
    with refuses():
        check(folder, write(tmp_path / "others.json", attest(others, REPORT)))


def test_another_bundle_is_refused(proved: tuple[Path, Path]) -> None:
    with refuses():
        check(bundle(2), proved[1])


@pytest.mark.parametrize("verdict", ["different", "not seen", "", "SAME", "same "])
def test_a_bundle_that_differs_is_not_passed_on(verdict: str, proved: tuple[Path, Path]) -> None:
    folder, attestation = proved
    write(attestation, attest(digests(folder), REPORT | {"verdict": verdict}))
    with refuses():
        check(folder, attestation)


@pytest.mark.parametrize(
    "damage",
    [
        *({"actions": None}, {"actions": {}}, {"actions": {"compared": "many"}}),
        *({"actions": {"compared": -1}}, {"csharp": None}, {"csharp": 1}),
    ],
    ids=str,
)
def test_an_attestation_that_does_not_say_what_is_shown_is_refused(
    damage: dict[str, Any], proved: tuple[Path, Path]
) -> None:
    folder, attestation = proved
    envelope = json.loads(attestation.read_text())
    told = json.loads(base64.b64decode(envelope["payload"]))
    for name, value in damage.items():
        told["predicate"][name] = value
        if value is None:
            del told["predicate"][name]
    write(attestation, envelope | {"payload": base64.b64encode(json.dumps(told).encode()).decode()})
    with refuses():
        check(folder, attestation)


def test_an_attestation_of_another_kind_is_refused(proved: tuple[Path, Path]) -> None:
    folder, attestation = proved
    envelope = json.loads(attestation.read_text())
    told = json.loads(base64.b64decode(envelope["payload"])) | {"predicateType": "urn:another"}
    write(attestation, envelope | {"payload": base64.b64encode(json.dumps(told).encode()).decode()})
    with refuses():
        check(folder, attestation)


def test_a_required_signature_must_be_there(proved: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("securesystemslib", reason="the extra 'sign' is not installed")
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder, unsigned = proved
    owner = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    private.write_bytes(
        owner.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    )
    public.write_bytes(
        owner.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = write(tmp_path / "signed.json", attest(digests(folder), REPORT, private))
    predicate, signer = check(folder, signed, public)
    assert predicate == REPORT
    assert signer
    with refuses():
        check(folder, unsigned, public)
