"""What a run of the gate leaves in a folder: four files that tell the same, or none."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from foundation.errors import InputError
from parity.engine.certificate import issue, misfits, read
from parity.engine.compare import Comparison
from parity.engine.output import check_key, write_report
from parity.engine.page import render
from parity.engine.report import Report
from parity.engine.verify import CheckResult, Mismatch

FILES = ["certificate.json", "junit.xml", "parity.json", "report.html"]
SOURCES = {"jax_port/a.py": "1", "legacy_torch/b.py": "2", "parity/c.py": "3"}


def reported() -> Report:
    fields = {"obs": Comparison("within 4 ulps or 0", 10, 1, 3, math.inf)}
    first = Mismatch(2, 5, "obs", (1,), 1.5, math.nan)
    notes = {"episodes": 4, "reward_deviation_max": math.nan, "reward_deviation_limit": 0.05}
    checks = [
        CheckResult("replay", "north", 7, fields, first, Counter(bought=2), notes),
        CheckResult("generated", "south", 9, {"held": Comparison("equal", 20)}),
    ]
    worlds = [{"name": "north", "source": "n.csv", "digest": "ab"}]
    return Report("a pair", 3, "jitted", worlds, checks, frozenset(("bought",)))


def without_time(values: Any) -> Any:
    return {**values, "made": {name: x for name, x in values["made"].items() if name != "when"}}


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private key and its public half."""
    pytest.importorskip("securesystemslib", reason="the extra 'sign' is not installed")
    pem = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key, form = ed25519.Ed25519PrivateKey.generate(), pem.PrivateFormat.PKCS8
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    private.write_bytes(key.private_bytes(pem.Encoding.PEM, form, pem.NoEncryption()))
    shown = pem.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(pem.Encoding.PEM, shown))
    return private, public


def test_four_files_tell_one_report(tmp_path: Path) -> None:
    report, folder = reported(), tmp_path / "a" / "b"
    certificate = issue(report.to_dict(), {"obs": "close"}, SOURCES, {"symbols": ["ES"]})
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    (folder / "parity.json").write_text("of an earlier run")
    write_report(folder, report, certificate)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*FILES, "mine.txt"])
    assert (folder / "mine.txt").read_text() == "mine"
    values = json.loads((folder / "parity.json").read_text())
    assert (values["verdict"], values["title"], values["made"]["seed"]) == ("different", "a pair", 3)
    assert [check["compared"] for check in values["checks"]] == [7, 9]
    assert values["checks"][0]["first"] == {
        "lane": 2, "step": 5, "field": "obs", "index": [1], "reference": 1.5, "port": None,
    }  # fmt: skip
    page = (folder / "report.html").read_text()
    assert page.replace("∞", "NaN") == render(values)
    suite = ElementTree.fromstring((folder / "junit.xml").read_text())
    assert ElementTree.tostring(suite) == ElementTree.tostring(
        ElementTree.fromstring(report.to_junit())
    )
    found = read(folder / "certificate.json")
    assert found.pop("signed_by") == ""
    assert (found["verdict"], found["sources"], found["covered"]) == (
        "different",
        SOURCES,
        {"symbols": ["ES"]},
    )
    assert found["counts"]["mismatches"] == values["summary"]["mismatches"] == 1
    assert without_time(found)["made"] == without_time(values)["made"]
    assert misfits(found, SOURCES) == []


def test_a_certificate_is_signed_with_the_key(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    report = reported()
    certificate = issue(report.to_dict(), {}, SOURCES)
    write_report(tmp_path / "out", report, certificate, private)
    assert read(tmp_path / "out" / "certificate.json", public)["signed_by"]
    write_report(tmp_path / "bare", report, certificate)
    with pytest.raises(InputError, match="certificate"):
        read(tmp_path / "bare" / "certificate.json", public)


def test_a_key_is_tried_before_anything_takes_time(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    check_key(None)
    check_key(private)
    (tmp_path / "text.pem").write_text("no key")
    for key in (public, tmp_path / "text.pem", tmp_path / "absent.pem"):
        with pytest.raises(InputError, match=str(key)):
            check_key(key)


def test_where_one_file_cannot_be_made_none_is_written(tmp_path: Path) -> None:
    report, folder = reported(), tmp_path / "out"
    certificate = issue(report.to_dict(), {}, SOURCES)
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("of an earlier run")
    for odd in (replace(report, settings={"no JSON": object()}), replace(report, worlds=[{"a": {1}}])):
        with pytest.raises(TypeError):
            write_report(folder, odd, certificate)
    with pytest.raises(TypeError):
        write_report(folder, report, {**certificate, "title": object()})
    assert {file.name: file.read_text() for file in folder.iterdir()} == dict.fromkeys(
        FILES, "of an earlier run"
    )


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    report = reported()
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match=r"out: cannot be written"):
        write_report(tmp_path / "out", report, issue(report.to_dict(), {}, SOURCES))
    assert (tmp_path / "out").read_text() == "mine"


def test_where_the_key_cannot_be_used_no_file_is_written(tmp_path: Path) -> None:
    report = reported()
    certificate = issue(report.to_dict(), {}, SOURCES)
    with pytest.raises(InputError, match=r"key\.pem"):
        write_report(tmp_path / "out", report, certificate, tmp_path / "key.pem")
    assert not (tmp_path / "out").exists()
