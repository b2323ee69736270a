"""Files of a bundle that run: received ones are never loaded, and what is another is said."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from foundation.files import file_digest
from jax_port.export import torch_policy
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import MANIFEST, read_manifest
from jax_port.export.programs import ONNX, PROGRAM
from jax_port.export.sb3 import MODEL, NORMALIZER, save_sb3
from jax_port.ppo.policy import load_policy
from parity.export_chain import rebuilt
from parity.export_chain.rebuilt import (
    _members,
    _same_file,
    _same_graph,
    _same_model,
    _same_program,
    rebuild,
)
from parity.export_chain.verify import Request, verify
from tests.jax_port.export.made_bundle import bundle, made_policy
from tests.parity.export_chain.test_onnx_graph import endless
from tests.sentences import refuses


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.trace,)


def describe_anew(path: Path, **entries: Any) -> None:
    """Change entries of the description in SB3's zip."""
    with zipfile.ZipFile(path) as archive:
        members = {item.filename: archive.read(item) for item in archive.infolist()}
    members["data"] = json.dumps({**json.loads(members["data"]), **entries}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def plant_in_model(folder: Path, trace: Path) -> None:
    packed = base64.b64encode(pickle.dumps(Payload(trace))).decode()
    describe_anew(folder / MODEL, clip_range={":type:": "x", ":serialized:": packed})


def plant_in_normalizer(folder: Path, trace: Path) -> None:
    (folder / NORMALIZER).write_bytes(pickle.dumps(Payload(trace)))


def plant_in_program(folder: Path, trace: Path) -> None:
    with zipfile.ZipFile(folder / PROGRAM) as archive:
        members = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(folder / PROGRAM, "w") as archive:
        for name, data in members.items():
            payload = pickle.dumps(Payload(trace)) if name.endswith("model.pt") else data
            archive.writestr(name, payload)


def plant_in_graph(folder: Path, trace: Path) -> None:
    model = onnx.load(folder / ONNX)
    endless(model.graph)
    onnx.save(model, folder / ONNX)


@pytest.fixture
def received(tmp_path: Path) -> Path:
    folder = tmp_path / "received"
    shutil.copytree(bundle(1), folder)
    return folder


def sign_again(folder: Path) -> dict[str, Any]:
    """Let the manifest name the files as they are now, as whoever changed them would."""
    manifest = read_manifest(folder)
    manifest["files"] = {name: file_digest(folder / name) for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return manifest


def test_an_untouched_bundle_is_what_its_weights_give(tmp_path: Path) -> None:
    folder = bundle(1)
    policy = load_policy(folder / POLICY)
    assert rebuild(folder, policy, read_manifest(folder), tmp_path).different == ()


@pytest.mark.costly
@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (plant_in_model, MODEL),
        (plant_in_normalizer, NORMALIZER),
        (plant_in_program, PROGRAM),
        (plant_in_graph, ONNX),
    ],
    ids=["SB3's zip", "normaliser", "pt2", "a loop of 2^62 turns"],
)
def test_a_planted_payload_is_named_and_never_runs(
    received: Path, tmp_path: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    trace = tmp_path / "it-ran"
    plant(received, trace)
    sign_again(received)
    if name == NORMALIZER:  # its statistics are read, too, and there are none
        with refuses():
            verify(Request(received, observations=200, episodes=1))
    else:
        report = verify(Request(received, observations=200, episodes=1))
        assert report["verdict"] == "different"
        wrong = [hop["stage"] for hop in report["hops"] if not hop["passed"]]
        assert wrong == [f"{name} is what its weights give"]
    assert not trace.exists()


@pytest.mark.costly
def test_what_cannot_be_unpacked_is_other_bytes(received: Path, tmp_path: Path) -> None:
    (received / PROGRAM).write_bytes(b"PK no zip")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    policy = load_policy(received / POLICY)
    assert rebuild(received, policy, read_manifest(received), scratch).different == (PROGRAM,)


def test_a_number_of_the_description_is_compared_too(received: Path) -> None:
    """Plain entries stand in the zip as text: no pickle, and yet what SB3 trains on with."""
    original = bundle(1) / MODEL
    with zipfile.ZipFile(original) as archive:
        said = json.loads(archive.read("data"))
    plain = {name: value for name, value in said.items() if isinstance(value, int | float)}
    assert {"gamma", "n_steps", "ent_coef"} <= set(plain)
    describe_anew(received / MODEL)
    assert _same_model(original, received / MODEL)
    for name, value in plain.items():
        describe_anew(received / MODEL, **{name: not value if isinstance(value, bool) else value + 1})
        assert not _same_model(original, received / MODEL), name
        describe_anew(received / MODEL, **{name: value})


def test_equal_notes_make_equal_files_whatever_objects_their_texts_are(tmp_path: Path) -> None:
    """As of a manifest that was just made, and of the same one read back from its file."""
    note = {"as": "prior", "symbol": "ES", "settings": {"rule": "gated", "symbol": ""}}
    made = []
    for number, given in enumerate((note, json.loads(json.dumps(note)))):
        folder = tmp_path / str(number)
        folder.mkdir()
        save_sb3(made_policy(1), folder, given)
        made.append((folder / NORMALIZER).read_bytes())
    assert made[0] == made[1]


Members = list[tuple[str, bytes]]
PARTS: Members = [
    (
        "data",
        json.dumps({"gamma": 0.99, "policy": {":type:": "x at 0x1", ":serialized:": "abc"}}).encode(),
    ),
    ("policy.pth", b"weights"),
    ("policy.optimizer.pth", b"moments"),
    ("pytorch_variables.pth", b""),
    ("_stable_baselines3_version", b"2.9"),
    ("system_info.txt", b"here"),
]


def zipped(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def with_other(name: str, data: bytes) -> Members:
    return [(own, data if own == name else held) for own, held in PARTS]


def described(**values: Any) -> Members:
    return with_other("data", json.dumps({**json.loads(PARTS[0][1]), **values}).encode())


OTHERS: dict[str, Members] = {
    **{f"another {name}": with_other(name, b"other") for name, _ in PARTS[1:-1]},
    **{f"no {name}": [part for part in PARTS if part[0] != name] for name, _ in PARTS[:-1]},
    "one more": [*PARTS, ("more.pth", b"")],
    "another number": described(gamma=0.9),
    "one number more": described(more=1),
    "another pickle": described(policy={":type:": "x at 0x1", ":serialized:": "abe"}),
    "a pickle in the place of words": described(gamma={":serialized:": "abc"}),
    "a description that is no JSON": with_other("data", b"{"),
    "a description that is no object": with_other("data", b"[]"),
    "a member twice, the other one first": [("policy.pth", b"other"), *PARTS],
    "a member twice, the other one last": [*PARTS, ("policy.pth", b"other")],
    "nothing at all": [],
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", OTHERS)
def test_a_zip_with_anything_else_in_it_is_another(name: str, tmp_path: Path) -> None:
    own, other = zipped(tmp_path / "own.zip", PARTS), zipped(tmp_path / "other.zip", OTHERS[name])
    assert not _same_model(other, own)
    assert not _same_model(own, other)
    assert not _same_program(other, own)
    assert not _same_program(own, other)


def test_where_a_zip_was_made_and_words_beside_a_pickle_do_not_count(tmp_path: Path) -> None:
    own = zipped(tmp_path / "own.zip", PARTS)
    words = {":type:": "x at 0x2", ":serialized:": "abc"}
    for number, members in enumerate(
        (
            PARTS,
            PARTS[::-1],
            PARTS[:-1],
            with_other("system_info.txt", b"there"),
            described(policy=words),
        )
    ):
        assert _same_model(zipped(tmp_path / f"{number}.zip", members), own)
    assert _same_program(zipped(tmp_path / "copy.zip", PARTS), own)
    assert not _same_program(tmp_path / "2.zip", own)


def graph(trace: str | None, operator: str = "add", **more: Any) -> bytes:
    noted = {"torch_fn": "add_1"} | ({} if trace is None else {"stack_trace": trace})
    return json.dumps({"nodes": [{"target": operator, "metadata": noted}], **more}).encode()


def test_the_lines_of_source_that_a_program_came_from_do_not_count(tmp_path: Path) -> None:
    """They name folders of the machine that exported it, and a bundle is verified on another."""

    def made(number: int, text: bytes, identity: bytes = b"1") -> Path:
        members = [("p/models/model.json", text), ("p/.data/serialization_id", identity), *PARTS]
        return zipped(tmp_path / f"{number}.pt2", members)

    own = made(0, graph(None))
    same = (graph("/there/a.py, line 1"), graph("/elsewhere/a.py, line 1"))
    for number, text in enumerate(same, 1):
        assert _same_program(made(number, text, b"2"), own)
        assert _same_program(own, made(number, text, b"2"))
    others = (graph(None, "sub"), graph(None, stack_trace="x"), graph(None, more=1), b"{", b"[]")
    for number, text in enumerate(others, 3):
        assert not _same_program(made(number, text), own)
        assert not _same_program(own, made(number, text))
    assert not _same_program(made(9, b"{"), made(10, b"{"))  # nobody knows what it would do


def test_no_file_of_a_bundle_says_where_it_was_made() -> None:
    """Else it differs from the same one made elsewhere, and tells of folders that are its maker's."""
    folder = bundle(1)
    told = [str(Path(made.__file__).parents[2]).encode() for made in (torch_policy, torch)]
    for path in folder.iterdir():
        members = _members(path) or {} if zipfile.is_zipfile(path) else {}
        members.pop("system_info.txt", None)  # of SB3's
        for name, data in {path.name: path.read_bytes(), **members}.items():
            assert not [place for place in told if place in data], name


def test_an_archive_that_unpacks_to_more_than_is_allowed_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its members together."""
    one, other = (zipped(tmp_path / name, PARTS) for name in ("one.zip", "other.zip"))
    size = sum(len(data) for _, data in PARTS)
    monkeypatch.setattr(rebuilt, "MOST_BYTES", size)
    assert _same_program(one, other)
    monkeypatch.setattr(rebuilt, "MOST_BYTES", size - 1)
    assert not _same_program(one, other)
    assert not _same_model(one, other)


@pytest.mark.parametrize(
    "same", [_same_program, _same_model, _same_graph], ids=lambda same: same.__name__
)
def test_two_that_cannot_be_read_are_not_the_same(
    same: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(b"no such file")
    assert not same(tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_member_whose_packed_bytes_are_damaged_is_not_the_same(method: int, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.zip", "other.zip")]
    for path in paths:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in PARTS:
                archive.writestr(name, data * 50)
        whole = bytearray(path.read_bytes())
        whole[60:68] = b"\xff" * 8
        path.write_bytes(whole)
    assert not _same_program(*paths)
    assert not _same_model(*paths)


def test_files_are_the_same_byte_by_byte(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for data, same in ((b"abc", True), (b"abe", False), (b"bbc", False), (b"ab", False), (b"", False)):
        one.write_bytes(b"abc")
        other.write_bytes(data)
        assert _same_file(one, other) is _same_file(other, one) is same


def test_each_file_that_is_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself and with all the others; what is made anew is compared with what was received."""
    monkeypatch.setattr(rebuilt, "make_module", lambda policy, manifest: None)
    monkeypatch.setattr(rebuilt, "read_graph", Path.read_bytes)
    files = {MODEL: PARTS, NORMALIZER: None, PROGRAM: PARTS, ONNX: None}

    def write(folder: Path, *names: str, mark: bytes = b"") -> None:
        for name in names:
            members = files[name]
            if members is None:
                (folder / name).write_bytes(b"as it is" + mark)
            else:
                zipped(folder / name, [*members, *([("more", mark)] if mark else [])])

    notes: list[Any] = []

    def save(policy: Any, to: Path, note: Any) -> None:
        notes.append(note)
        write(to, MODEL, NORMALIZER)

    monkeypatch.setattr(rebuilt, "save_sb3", save)
    monkeypatch.setattr(rebuilt, "save_program", lambda module, path: write(path.parent, PROGRAM))
    monkeypatch.setattr(rebuilt, "save_onnx", lambda module, path: write(path.parent, ONNX))
    for number, other in enumerate([(), *((name,) for name in files), tuple(files)]):
        received, scratch = tmp_path / f"received{number}", tmp_path / f"scratch{number}"
        received.mkdir()
        scratch.mkdir()
        write(received, *files)
        write(received, *other, mark=b"!")
        told = {} if number == 0 else {"trained_with_advice": {"as": "prior", "number": number}}
        made = rebuild(received, made_policy(1), told, scratch)
        assert (made.folder, made.different) == (scratch, other)
    assert notes == [None, *({"as": "prior", "number": number} for number in range(1, 6))]
