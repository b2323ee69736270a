"""Checkpoints: all that a run goes on from, written whole or not at all.

Orbax writes into a folder of another name and renames it. Beside the arrays lies a JSON with the
run's identity, its lineage, and a checksum of every array, and another one of every file, so that a
foreign or a damaged checkpoint is named and not loaded, and what it was trained under travels with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from foundation.files import file_digest, json_digest, write_json, writing
from foundation.json_reading import Artifact, read_json
from jax_port.runs.lineage import Stretch, digest_of, read_stretches
from markets import InputError

FOLDER = "checkpoints"
DIGESTS = "digests.json"
"""Names every file of a checkpoint, with its SHA-256."""
KEPT = 2
"""Checkpoints kept; the newest may turn out to be damaged."""

Arrays = dict[str, np.ndarray[Any, Any]]


def by_name(tree: Any) -> Arrays:
    """Return a tree's leaves as host arrays by their path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def like(tree: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    """Return arrays by path as a tree of the shape of another."""
    leaves, shape = jax.tree_util.tree_flatten_with_path(tree)
    return jax.tree_util.tree_unflatten(
        shape, [arrays[jax.tree_util.keystr(path)] for path, _ in leaves]
    )


def checksums(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, str]:
    """Return dtype, shape and CRC of every array, by name."""

    def one(value: np.ndarray[Any, Any]) -> str:
        crc = zlib.crc32(np.ascontiguousarray(value).tobytes())
        return f"{value.dtype.str}{list(value.shape)}{crc:08x}"

    return {name: one(value) for name, value in arrays.items()}


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: the run's.
        identity: what a checkpoint must have been made with to be gone on from.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = (folder / FOLDER).absolute()
        self._identity = identity
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            enable_async_checkpointing=False,
            create=True,
            cleanup_tmp_directories=True,  # of a run that was killed
        )
        _require_unharmed(self.folder)
        with writing(self.folder):
            try:
                self._manager = ocp.CheckpointManager(self.folder, options=options)
            except OSError:
                raise
            except Exception as error:  # of its own files, in its own kinds
                raise _damaged(self.folder, type(error).__name__) from None

    def save(self, updates: int, tree: Any, lineage: Sequence[Stretch]) -> None:
        """Write a checkpoint of host arrays after so many updates, unless it is there already.

        Raises:
            WriteError: it cannot be written.
        """
        arrays = by_name(tree)
        about = {
            "identity": self._identity,
            "updates": updates,
            "checksums": checksums(arrays),
            "lineage": list(lineage),
            "lineage_sha256": digest_of(lineage),
        }
        if updates in self._manager.all_steps():
            return
        place = self.folder / str(updates)
        with writing(place):
            self._manager.save(
                updates,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(arrays), about=ocp.args.JsonSave(about)
                ),
            )
        if jax.process_index() == 0:
            write_json(place / DIGESTS, {name: file_digest(place / name) for name in _files(place)})

    def latest(self, template: Any) -> tuple[int, Any, list[Stretch]] | None:
        """Return the newest checkpoint as updates, host arrays and lineage; None where there is none.

        Args:
            template: a tree of the same shape and dtypes.

        Raises:
            InputError: it is damaged, or another run's or another version's.
        """
        updates = self._manager.latest_step()
        if updates is None:
            return None
        place = self.folder / str(updates)
        wanted = {
            name: np.zeros(leaf.shape, leaf.dtype)
            for name, leaf in ((jax.tree_util.keystr(p), x) for p, x in _leaves(template))
        }
        try:
            about = self._manager.restore(
                updates, args=ocp.args.Composite(about=ocp.args.JsonRestore())
            ).about
            if not isinstance(about, dict) or about.get("identity") != self._identity:
                raise InputError(
                    f"{place}: this checkpoint is of another run or of other settings; give the folder "
                    "it came from, or start anew in an empty one"
                )
            arrays = self._manager.restore(
                updates, args=ocp.args.Composite(state=ocp.args.StandardRestore(wanted))
            ).state
        except InputError:
            raise
        except Exception as error:  # Orbax, TensorStore and JSON raise many kinds
            raise _damaged(place, type(error).__name__) from None
        found = {name: np.asarray(value) for name, value in arrays.items()}
        if checksums(found) != about.get("checksums"):
            raise _damaged(place, "checksums differ")
        lineage = read_stretches(about.get("lineage"), place)
        if "lineage" in about and digest_of(lineage) != about.get("lineage_sha256"):
            raise _damaged(place, "its lineage differs")
        return updates, like(template, found), lineage

    def close(self) -> None:
        """Let go of the folder."""
        self._manager.close()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


DIGESTS_FILE = Artifact("list of a checkpoint's files", "remove this checkpoint's folder")


def _require_unharmed(folder: Path) -> None:
    """Refuse the newest checkpoint where a file of it is not what was written, before Orbax reads it.

    One without a list of its files, whose writer was killed then, is left to Orbax.
    """
    steps = [int(place.name) for place in folder.glob("*") if place.name.isdecimal()]
    place = folder / str(max(steps, default=0))
    if not (place / DIGESTS).exists():
        return
    listed = read_json(place / DIGESTS, dict[str, str], DIGESTS_FILE)
    for name in sorted({*listed, *_files(place)}):
        if not (place / name).is_file() or file_digest(place / name) != listed.get(name):
            raise _damaged(place, f"{name} is not what was written")


def _files(place: Path) -> list[str]:
    """Return the names of a checkpoint's files, without the list of them."""
    names = (str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    return sorted(name for name in names if name != DIGESTS)


def _leaves(tree: Any) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(tree)[0]


def _damaged(place: Path, why: str) -> InputError:
    return InputError(
        f"{place}: this checkpoint is damaged ({why}); remove this folder to go on from the one before"
    )


def identity_of(run: Mapping[str, Any]) -> str:
    """Return a digest of what decides a run's numbers."""
    return json_digest(dict(run))
