"""Certificates: the damaged are refused by name, and a version that binds voids the whole."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from foundation.attestation import seal, statement, unseal
from parity.engine.certificate import (
    CERTIFICATE_FILE,
    KIND,
    CertificateError,
    compared,
    envelope,
    issue,
    kinds,
    misfits,
    other_flags,
    read,
    unsound,
)
from parity.engine.report import versions
from tests.damage import damaged, damaged_bytes, refusal
from tests.parity.made_certificate import made_certificate
from tests.sentences import refuses


def small() -> dict[str, object]:
    """A certificate without most of its long lists, so that every value can be damaged."""
    made = made_certificate()
    return {
        **made,
        "checks": made["checks"][:2],
        "required": made["required"][:2],
        "coverage": {"x": 1},
        "covered": {"symbols": ["ES"]},
        "sources": dict(list(made["sources"].items())[:3]),
    }


@pytest.mark.costly
def test_one_value_of_what_is_said_damaged(tmp_path: Path) -> None:
    path, refused, whole = tmp_path / "certificate.json", 0, small()
    subjects = whole.pop("sources")
    assert isinstance(subjects, dict)
    for what, made in damaged(whole):
        path.write_text(json.dumps(seal(statement(subjects, KIND, made))))

        def judged() -> list[str]:
            found = read(path)
            return unsound(found) + misfits(found, {})

        sentence = refusal(judged)
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 50


def test_one_value_of_the_envelope_damaged(tmp_path: Path) -> None:
    path, refused = tmp_path / "certificate.json", 0
    for what, made in damaged(envelope(small())):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: read(path))
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 5
    path.write_text(json.dumps(envelope(small())))
    assert read(path)["verdict"] == "same"


def test_damaged_bytes(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    for data in damaged_bytes(json.dumps(envelope(small())).encode()):
        path.write_bytes(data)
        sentence = refusal(lambda: read(path))
        assert sentence is None or sentence.startswith(f"{path}: ")


BINDING = ("python", "jax", "jaxlib", "numpy", "flax")
"""What compiles the port, or is compiled into it."""


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return made_certificate()


def other_version(whole: dict[str, Any], name: str, had: str | None) -> dict[str, Any]:
    """Return a certificate that was made with another version of a package, or names none."""
    made = whole["made"]
    held = {**made["versions"], name: had}
    return {**whole, "made": {**made, "versions": {n: v for n, v in held.items() if v is not None}}}


@pytest.mark.parametrize("name", BINDING)
def test_another_version_of_what_compiles_the_port_voids_a_certificate(
    tmp_path: Path, whole: dict[str, Any], name: str
) -> None:
    """Each alone: jaxlib holds the compiler, and is upgraded without jax."""
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(envelope(whole)))
    assert misfits(read(path), whole["sources"]) == []
    for had in ("0.1", None):
        path.write_text(json.dumps(envelope(other_version(whole, name, had))))
        found = misfits(read(path), whole["sources"])
        assert found == [f"{name} was {had} and is {versions()[name]}"]


def test_another_version_of_what_binds_nothing_leaves_a_certificate_as_it_is(
    whole: dict[str, Any],
) -> None:
    others = set(versions()) - set(BINDING)
    assert others
    for name in others:
        assert misfits(other_version(whole, name, "0.1"), whole["sources"]) == []


def tampered(whole: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    """Return a certificate that says something else in one place."""
    other = deepcopy(whole)
    inner: Any = other
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return other


UNSOUND: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "another verdict": (("verdict",), "different", "its verdict is 'different'"),
    "not enough seen": (("verdict",), "not enough seen", "its verdict is 'not enough seen'"),
    "a check that failed": (("checks", 0, "passed"), False, "{first} did not pass"),
    "the last check": (("checks", -1, "passed"), False, "{last} did not pass"),
    "mismatches": (("checks", 1, "mismatches"), 1, "{second} did not pass"),
    "counted mismatches": (("counts", "mismatches"), 2, "it counts 2 mismatches, 0 failed checks"),
    "counted failures": (("counts", "failed_checks"), 3, "it counts 0 mismatches, 3 failed checks"),
    "never seen": (("required",), ["flown"], "never seen: flown"),
    "seen no time": (("coverage", "{required}"), 0, "never seen: {required}"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_evidence_that_does_not_carry_its_verdict_is_told(whole: dict[str, Any], name: str) -> None:
    assert unsound(whole) == []
    path, to, told = UNSOUND[name]
    required = whole["required"][-1]
    first, second, last = (
        f"{whole['checks'][at]['check']} on {whole['checks'][at]['world']}" for at in (0, 1, -1)
    )
    words = {"first": first, "second": second, "last": last, "required": required}
    place = [key.format(**words) if isinstance(key, str) else key for key in path]
    assert unsound(tampered(whole, *place, to=to)) == [told.format(**words)]


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("name", ["replayed_transitions", "generated_transitions", "numbers_compared"])
def test_counts_that_its_checks_do_not_add_up_to_are_told(
    whole: dict[str, Any], name: str, by: int
) -> None:
    seen = whole["counts"][name]
    [told] = unsound(tampered(whole, "counts", name, to=seen + by))
    assert told.startswith("its checks ")
    assert str(seen) in told
    assert told.endswith(f", not {seen + by}")


@pytest.mark.parametrize("place", [0, -1])
def test_a_check_that_is_left_out_is_told(whole: dict[str, Any], place: int) -> None:
    checks = list(whole["checks"])
    del checks[place]
    assert unsound({**whole, "checks": checks})
    nothing = dict.fromkeys(("replayed_transitions", "generated_transitions", "numbers_compared"), 0)
    empty = {**whole, "checks": [], "counts": {**whole["counts"], **nothing}}
    assert unsound(empty) == [
        "it names no check that was made",
        "its checks compared 0 numbers, not 0",
    ]


def test_every_file_that_is_new_gone_or_other_is_told(whole: dict[str, Any]) -> None:
    sources = {name: whole["sources"][name] for name in sorted(whole["sources"])[::60]}
    whole = {**whole, "sources": sources}
    for name in sources:
        without = {other: digest for other, digest in sources.items() if other != name}
        assert misfits(whole, without) == [f"{name} is gone"]
        assert misfits({**whole, "sources": without}, sources) == [f"{name} is new"]
        assert misfits(whole, {**sources, name: "0"}) == [f"{name} has changed"]


@pytest.mark.parametrize("name", ["jax_enable_x64", "jax_default_matmul_precision", "XLA_FLAGS"])
def test_another_setting_of_jax_is_told(whole: dict[str, Any], name: str) -> None:
    flags = dict.fromkeys(("jax_enable_x64", "jax_default_matmul_precision", "XLA_FLAGS"), "a")
    made = {**whole, "made": {**whole["made"], "flags": {**flags, "other": "b"}}}
    assert other_flags(made, flags) == []
    assert other_flags(made, {**flags, name: "c"}) == [f"{name} was a and is c"]
    assert other_flags(made, {**flags, name: ""}) == [f"{name} was a and is not set"]
    del made["made"]["flags"][name]
    assert other_flags(made, flags) == [f"{name} was not set and is a"]


def test_a_certificate_keeps_every_check_and_what_it_said() -> None:
    def check(name: str, number: int) -> dict[str, Any]:
        counts = {"compared": number, "numbers": number, "mismatches": number, "passed": number < 2}
        return {"check": name, "world": "north", **counts}

    checks = [check(name, number) for number, name in enumerate(("replay", "data", "replay", "data"))]
    report = {
        "title": "t",
        "verdict": "different",
        "made": {"when": "now"},
        "summary": {"mismatches": 6},
        "checks": [{**one, "fields": {}, "first": None} for one in checks],
        "required": ["flown", "bought"],
        "coverage": {"bought": 1},
        "worlds": [
            {"name": name, "source": "file", "digest": f"of {name}", "bars": 3} for name in ("a", "b")
        ],
    }
    made = issue(report, {"obs": "equal"}, {"jax_port/a.py": "1"}, {"symbols": ["ES"]})
    assert made == {
        "format": 2,
        "title": "t",
        "verdict": "different",
        "made": {"when": "now"},
        "counts": {"mismatches": 6},
        "checks": checks,
        "required": ["flown", "bought"],
        "coverage": {"bought": 1},
        "covered": {"symbols": ["ES"]},
        "tolerances": {"obs": "equal"},
        "data": [{"name": name, "source": "file", "digest": f"of {name}"} for name in ("a", "b")],
        "sources": {"jax_port/a.py": "1"},
    }
    assert kinds(made) == {"replay", "data"}
    assert [compared(made, names) for names in (["replay"], ["data"], kinds(made), [])] == [2, 4, 6, 0]


@pytest.mark.parametrize("form", [1, 3])
def test_another_format_is_refused(tmp_path: Path, whole: dict[str, Any], form: int) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(envelope({**whole, "format": form})))
    with refuses(kind=CertificateError):
        read(path)


def test_subjects_are_every_file_and_each_side_as_a_whole(tmp_path: Path) -> None:
    """Either side's digest tells any change of its files, their names, and one more or fewer."""
    path = tmp_path / "certificate.json"
    files = {
        "jax_port/a.py": "1",
        "jax_port/b.py": "2",
        "legacy_torch/jax_port/a.py": "3",
        "parity/a.py": "4",
    }

    def sides(sources: dict[str, str]) -> tuple[str, str]:
        sealed = envelope({"sources": sources})
        subjects, _, _ = unseal(sealed, KIND, CERTIFICATE_FILE, path, None)
        assert {name: x for name, x in subjects.items() if name not in ("port", "reference")} == sources
        return subjects["port"], subjects["reference"]

    port, reference = sides(files)
    for changed in (
        {**files, "jax_port/b.py": "9"},
        {**files, "jax_port/c.py": "2"},
        {name: x for name, x in files.items() if name != "jax_port/b.py"},
        {**files, "jax_port/a.py": "2", "jax_port/b.py": "1"},
    ):
        assert (sides(changed)[0] != port, sides(changed)[1]) == (True, reference)
    other = sides({**files, "legacy_torch/jax_port/a.py": "9"})
    assert (other[0], other[1] != reference) == (port, True)
    assert sides({**files, "parity/a.py": "9"}) == (port, reference)
    assert port != reference


@pytest.mark.parametrize("side", ["port", "reference"])
def test_a_side_s_digest_that_is_not_of_its_files_is_refused(
    tmp_path: Path, whole: dict[str, Any], side: str
) -> None:
    path = tmp_path / "certificate.json"
    subjects, values, _ = unseal(envelope(whole), KIND, CERTIFICATE_FILE, path, None)
    path.write_text(json.dumps(seal(statement(subjects, KIND, values))))
    assert read(path)["sources"] == whole["sources"]
    for changed in (
        {**subjects, side: "0" * 64},
        {name: digest for name, digest in subjects.items() if name != side},
    ):
        path.write_text(json.dumps(seal(statement(changed, KIND, values))))
        with refuses(kind=CertificateError):
            read(path)


def test_a_certificate_is_read_as_it_was_issued(tmp_path: Path, whole: dict[str, Any]) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(envelope(whole)))
    assert read(path) == {**whole, "signed_by": ""}
    subjects, values, _ = unseal(envelope(whole), KIND, CERTIFICATE_FILE, path, None)
    assert values == {name: value for name, value in whole.items() if name != "sources"}
    assert subjects.keys() == {*whole["sources"], "port", "reference"}
    more = {**subjects, "another side": "0" * 64}  # is a file that no file of the code is
    path.write_text(json.dumps(seal(statement(more, KIND, values))))
    assert misfits(read(path), whole["sources"]) == ["another side is gone"]


def test_a_certificate_of_another_kind_or_too_large_is_refused(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    path = tmp_path / "certificate.json"
    subjects, values, _ = unseal(envelope(whole), KIND, CERTIFICATE_FILE, path, None)
    path.write_text(json.dumps(seal(statement(subjects, f"{KIND}x", values))))
    with refuses(kind=CertificateError):
        read(path)
    path.write_text(json.dumps(envelope(whole)) + " " * 8 * 2**20)
    with refuses(kind=CertificateError):
        read(path)
    path.write_text(json.dumps({**values, "format": 2}))  # of the right format, in no envelope
    with refuses(kind=CertificateError):
        read(path)


def test_a_certificate_is_the_signer_s_alone(tmp_path: Path, whole: dict[str, Any]) -> None:
    pytest.importorskip("securesystemslib", reason="the extra 'sign' is not installed")
    pem = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = tmp_path / "key.pem"
    signer, other = (ed25519.Ed25519PrivateKey.generate() for _ in range(2))
    form, shown = pem.PrivateFormat.PKCS8, pem.PublicFormat.SubjectPublicKeyInfo
    private.write_bytes(signer.private_bytes(pem.Encoding.PEM, form, pem.NoEncryption()))
    for name, key in (("own.pub", signer), ("other.pub", other)):
        (tmp_path / name).write_bytes(key.public_key().public_bytes(pem.Encoding.PEM, shown))
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(envelope(whole, private)))
    by = read(path, tmp_path / "own.pub")["signed_by"]
    assert len(by) == 64
    assert by == json.loads(path.read_text())["signatures"][0]["keyid"]
    assert read(path)["signed_by"] == ""  # a signature that nobody checks says nothing
    with refuses(kind=CertificateError):
        read(path, tmp_path / "other.pub")
    path.write_text(json.dumps(envelope(whole)))
    with refuses(kind=CertificateError):
        read(path, tmp_path / "own.pub")


def test_every_reason_against_a_certificate_is_told_in_one_go(whole: dict[str, Any]) -> None:
    checks = deepcopy(whole["checks"])
    checks[-1].update(passed=False)
    checks[-2].update(mismatches=2)
    counts = {**whole["counts"], "mismatches": 2, "failed_checks": 1, "numbers_compared": 0}
    numbers = sum(check["numbers"] for check in checks)
    bad = {
        **whole, "verdict": "different", "checks": checks, "counts": counts, "required": ["b", "a"],
        "coverage": {"a": 1, "b": -1},
    }  # fmt: skip
    assert unsound(bad) == [
        "its verdict is 'different'",
        f"{checks[-2]['check']} on {checks[-2]['world']} did not pass",
        "it counts 2 mismatches, 1 failed checks",
        f"its checks compared {numbers} numbers, not 0",
        "never seen: b",
    ]
    sources = {"c.py": "1", "a.py": "2", "d.py": "3"}
    other = other_version({**whole, "sources": sources}, "numpy", "0.1")
    other = other_version(other, "jax", None)
    assert misfits(other, {"b.py": "4", "d.py": "3", "c.py": "9"}) == [
        "a.py is gone",
        "b.py is new",
        "c.py has changed",
        f"jax was None and is {versions()['jax']}",
        f"numpy was 0.1 and is {versions()['numpy']}",
    ]


def test_checks_of_like_names_are_not_counted_for_each_other(whole: dict[str, Any]) -> None:
    """A check after a generated case, or of a part, is none of the transitions that were stepped."""
    checks = deepcopy(whole["checks"])
    for name in ("replay, again", "generated, again", "restart after a generated case"):
        checks.append({**checks[0], "check": name, "compared": 7, "numbers": 0})
    more = {**whole, "checks": checks}
    assert unsound(more) == []
    seen = compared(whole, ["replay"])
    assert compared(more, ["replay"]) == seen > 0
    assert compared(more, ["replay", "replay, again"]) == seen + 7
    checks.append({**checks[0], "check": "replay", "compared": 5, "numbers": 0})
    [told] = unsound(more)
    assert told == f"its checks add up to {seen + 5} replayed_transitions, not {seen}"
