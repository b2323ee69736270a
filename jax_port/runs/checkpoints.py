"""Checkpoints: all that a run goes on from, each one file that is written whole or not at all.

Beside the arrays stand the run's identity, its lineage and a checksum over everything, so that a
foreign or a damaged checkpoint is named and not loaded, and what it was trained under travels with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from foundation.errors import reason_of
from foundation.files import json_digest, write_bytes
from foundation.json_reading import Artifact, Count, Struct, decode_json
from jax_port.data.array_digest import array_digest
from jax_port.runs.lineage import Stretch, read_stretches
from markets import InputError

FOLDER, SUFFIX = "checkpoints", ".safetensors"
KEPT = 2
"""Checkpoints kept; the newest may turn out to be damaged."""

Arrays = dict[str, np.ndarray[Any, Any]]

MEND = "remove this file to go on from the one before"
MOST_LINEAGE = 1 << 20
"""Bytes of the lineage of a run that is gone on with: of some 1,600 stretches."""
HEADER = Artifact("checkpoint", MEND, most_bytes=MOST_LINEAGE + (1 << 16))


class _Header(Struct):
    identity: str
    updates: Count
    checksum: str
    lineage: list[dict[str, Any]] | None = None


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


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: the run's.
        identity: what a checkpoint must have been made with to be gone on from.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder / FOLDER
        self._identity = identity

    def save(self, updates: int, tree: Any, lineage: Sequence[Stretch]) -> None:
        """Write a checkpoint of host arrays after so many updates, and remove those too many.

        Raises:
            InputError: the lineage is larger than one that is read.
            WriteError: it cannot be written; the earlier ones are as they were.
        """
        if jax.process_index() != 0:
            return
        self.require_room(lineage)
        arrays = {name: np.asarray(value, order="C") for name, value in by_name(tree).items()}
        about = _unsigned(self._identity, updates, list(lineage))
        about["checksum"] = _checksum(about, arrays)
        write_bytes(self._place(updates), save(arrays, metadata={"rltrader": json.dumps(about)}))
        for older in self._steps()[:-KEPT]:
            with suppress(OSError):
                self._place(older).unlink()

    def require_room(self, lineage: Sequence[Stretch]) -> None:
        """Refuse a lineage with which no checkpoint could be read again.

        Raises:
            InputError: says how many stretches it has, and what to do.
        """
        if len(json.dumps(list(lineage))) > MOST_LINEAGE:
            raise InputError(
                f"{self.folder.parent}: this run has gone through {len(lineage):,} stretches of other "
                "proofs, code or machines, more than a checkpoint can say; start another one from its "
                "newest policy, with --from-policy"
            )

    def latest(self, template: Any) -> tuple[int, Any, list[Stretch]] | None:
        """Return the newest checkpoint as updates, host arrays and lineage; None where there is none.

        Args:
            template: a tree of the same shape and dtypes.

        Raises:
            InputError: it is damaged, or another run's or another version's.
        """
        steps = self._steps()
        if not steps:
            return None
        place = self._place(steps[-1])
        header, arrays = _read(place)
        about = decode_json(header, _Header, HEADER, where=place)
        unsigned = _unsigned(about.identity, about.updates, about.lineage)
        if about.checksum != _checksum(unsigned, arrays) or about.updates != steps[-1]:
            raise HEADER.damaged(place, "its checksum differs")
        if about.identity != self._identity or _shapes(arrays) != _shapes(by_shape(template)):
            raise InputError(
                f"{place}: this checkpoint is of another run or of other settings; give the folder it "
                "came from, or start anew in an empty one"
            )
        return about.updates, like(template, arrays), read_stretches(about.lineage, place)

    def _place(self, updates: int) -> Path:
        return self.folder / f"{updates}{SUFFIX}"

    def _steps(self) -> list[int]:
        """Return the updates after which there are checkpoints, in order.

        Raises:
            InputError: there are folders, as an earlier version of this program wrote them.
        """
        try:
            names = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        if older := [name for name in names if name.name.isdecimal() and name.is_dir()]:
            raise InputError(
                f"{older[0]}: an earlier version of this program wrote this checkpoint; go on with "
                "that one, or start the run anew"
            )
        return sorted(
            int(name.stem) for name in names if name.suffix == SUFFIX and name.stem.isdecimal()
        )


def by_shape(tree: Any) -> dict[str, Any]:
    """Return a tree's leaves, arrays or shapes alone, by their path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(one.shape), np.dtype(one.dtype).str) for name, one in arrays.items()}


def _read(place: Path) -> tuple[str, Arrays]:
    try:
        with safe_open(place, framework="numpy") as file:
            header = (file.metadata() or {})["rltrader"]
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise HEADER.damaged(place, reason_of(error)) from None


def _unsigned(identity: str, updates: int, lineage: list[Stretch] | None) -> dict[str, Any]:
    about: dict[str, Any] = {"identity": identity, "updates": updates}
    return about if lineage is None else about | {"lineage": lineage}


def _checksum(about: Mapping[str, Any], arrays: Arrays) -> str:
    return json_digest({**about, "checksum": array_digest(arrays)})


def identity_of(run: Mapping[str, Any]) -> str:
    """Return a digest of what decides a run's numbers."""
    return json_digest(dict(run))
