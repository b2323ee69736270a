"""Files of a bundle that run when they are loaded, made anew from the weights and compared.

A received bundle may be hostile: SB3's zip and its normaliser are pickles in part, a ``.pt2`` is loaded
by torch's own machinery for programs, and a graph of ONNX may loop for ever. None of them is loaded as
received. They are rebuilt from the safetensors, and only where both are the same, byte by byte or
operator by operator, does it make no difference which of the two is loaded.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.json_reading import Artifact, decode_json
from jax_port.export.advised import TRAINED_WITH
from jax_port.export.bundle import make_module
from jax_port.export.programs import ONNX, PROGRAM, TRACE, save_onnx, save_program
from jax_port.export.sb3 import MODEL, NORMALIZER, save_sb3
from jax_port.export.sb3_archive import MODEL_FILE
from jax_port.ppo.policy import Policy
from markets import InputError
from parity.export_chain.onnx_graph import read_graph

RUNNING = (MODEL, NORMALIZER, PROGRAM, ONNX)
"""Files of a bundle that run when they are loaded."""
MOST_BYTES = 512 << 20
"""Bytes that an archive of a bundle may unpack to before it is not compared at all."""
DESCRIPTION = "data"
"""Member of SB3's zip that describes the model in JSON, with pickles in it."""
IGNORED = ("system_info.txt",)
"""Members of SB3's zip that say where it was made, and are never loaded."""
GRAPH = "/models/model.json"
"""Ends the name of the member of a program's archive that has its operators."""
GRAPH_FILE = Artifact("graph of a program", "export the policy anew", most_bytes=MOST_BYTES)
MADE_FROM = "/.data/serialization_id"
"""Ends the name of a digest of a program's members, which is never looked at."""


@dataclass(frozen=True)
class Rebuilt:
    """A bundle's running files made anew.

    Attributes:
        folder: where they lie.
        different: names of those that are others than received.
    """

    folder: Path
    different: tuple[str, ...]


def rebuild(received: Path, policy: Policy, manifest: dict[str, Any], scratch: Path) -> Rebuilt:
    """Write a bundle's running files from its weights, and compare them with those received.

    Args:
        received: the bundle.
        policy: its safetensors, read.
        manifest: its manifest.
        scratch: an empty folder to write to.
    """
    save_sb3(policy, scratch, manifest.get(TRAINED_WITH))
    module = make_module(policy, manifest)
    save_program(module, scratch / PROGRAM)
    save_onnx(module, scratch / ONNX)
    checks = {
        MODEL: _same_model(received / MODEL, scratch / MODEL),
        NORMALIZER: _same_file(received / NORMALIZER, scratch / NORMALIZER),
        PROGRAM: _same_program(received / PROGRAM, scratch / PROGRAM),
        ONNX: _same_graph(received / ONNX, scratch / ONNX),
    }
    return Rebuilt(scratch, tuple(name for name, same in checks.items() if not same))


def _same_file(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _members(path: Path) -> dict[str, bytes] | None:
    """Return an archive's members by name; None where it is damaged, too large, or names one twice."""
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            names = [item.filename for item in listed]
            if sum(item.file_size for item in listed) > MOST_BYTES or len(set(names)) != len(names):
                return None
            return {item.filename: archive.read(item) for item in listed}
    except (
        *(zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError),
        *(zlib.error, lzma.LZMAError),
    ):
        return None


def _same_program(one: Path, other: Path) -> bool:
    """Return whether torch would load the same program from two archives."""
    left, right = _members(one), _members(other)
    if left is None or right is None:
        return False
    graphs: list[dict[str, Any]] = []
    for members in (left, right):
        for name in [name for name in members if name.endswith(MADE_FROM)]:
            del members[name]
        named = [name for name in members if name.endswith(GRAPH)]
        graphs.append({name: _untraced(members.pop(name)) for name in named})
    return left == right and None not in graphs[0].values() and graphs[0] == graphs[1]


def _untraced(graph: bytes) -> dict[str, Any] | None:
    """Return a program's graph without the lines of source that its operators came from, which older
    exports noted with their folder; None where it is no JSON."""
    try:
        read = decode_json(graph, dict[str, Any], GRAPH_FILE, where=GRAPH)
    except InputError:
        return None
    waiting: list[Any] = [read]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(metadata := part.get("metadata"), dict):
                metadata.pop(TRACE, None)
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return read


def _same_graph(one: Path, other: Path) -> bool:
    graph = read_graph(one)
    return graph is not None and graph == read_graph(other)


def _same_model(one: Path, other: Path) -> bool:
    """Return whether SB3 would load the same from two zips."""
    left, right = _members(one), _members(other)
    if left is None or right is None:
        return False
    for members in (left, right):
        for name in IGNORED:
            members.pop(name, None)
    if set(left) != set(right):
        return False
    described = [_loaded_part(members.pop(DESCRIPTION)) for members in (left, right)]
    return left == right and described[0] is not None and described[0] == described[1]


def _loaded_part(description: bytes) -> dict[str, Any] | None:
    """Return what SB3 loads of a description: of a pickled entry only the pickle.

    Beside it stands the entry in words, with addresses that differ from process to process.
    """
    try:
        entries = decode_json(description, dict[str, Any], MODEL_FILE, where=DESCRIPTION)
    except InputError:
        return None
    return {
        name: value[":serialized:"] if isinstance(value, dict) and ":serialized:" in value else value
        for name, value in entries.items()
    }
