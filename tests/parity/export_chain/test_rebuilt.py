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

from foundation.files import file_digest
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import MANIFEST, read_manifest
from jax_port.export.programs import ONNX, PROGRAM
from jax_port.export.sb3 import MODEL, NORMALIZER, save_sb3
from jax_port.ppo.policy import load_policy
from parity.export_chain.rebuilt import _same_model, rebuild
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
