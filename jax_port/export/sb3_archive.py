"""Read Stable-Baselines3's files without running anything in them.

A model's zip holds a JSON description, parts of which are pickles in base64, and tensors; a normaliser
is one pickle. :mod:`jax_port.export.checks.pickles` reads them.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foundation.errors import reason_of
from foundation.json_reading import Artifact, decode_json
from foundation.report.format import byte_size
from jax_port.export.checks.pickles import read_pickle
from jax_port.export.checks.tensors import MOST_BYTES, decode_tensors
from jax_port.ppo.running_statistics import CLIP, EPSILON
from markets import InputError

MEMBERS = ("data", "policy.pth")
MEND = "give what MaskablePPO.save wrote"
MODEL_FILE = Artifact("model of SB3", MEND)


VEC_NORMALIZE = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
RUNNING_MEAN = "stable_baselines3.common.running_mean_std.RunningMeanStd"


@dataclass(frozen=True)
class Archive:
    """A model's zip as read.

    Attributes:
        path: the file.
        data: its JSON description.
        state: the policy's tensors by name, on the CPU, all finite.
    """

    path: Path
    data: Mapping[str, Any]
    state: Mapping[str, torch.Tensor]

    def stored(self, name: str) -> Any:
        """Return an entry of the description; of a pickled one, what the pickle holds.

        Raises:
            InputError: its pickle is damaged.
        """
        value = self.data.get(name)
        if not isinstance(value, Mapping) or ":serialized:" not in value:
            return value
        try:
            return read_pickle(base64.b64decode(value[":serialized:"], validate=True))
        except (pickle.UnpicklingError, binascii.Error, TypeError, ValueError):
            raise InputError(
                f"{self.path}: its {name} holds a class or function of one's own, or damage, and no "
                "code of a file is run here; train with MlpPolicy and classes of the libraries alone"
            ) from None


def read_archive(path: Path) -> Archive:
    """Read a zip that SB3's ``save`` wrote; nothing in it is run.

    Raises:
        InputError: there is no such file, it is not a model of SB3, or it would unpack to too much.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a model that MaskablePPO.save wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            _require_size(archive, path)
            description = archive.read("data")
            tensors = archive.read("policy.pth")
    except InputError:
        raise
    except (
        *(zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError, OSError, EOFError),
        *(NotImplementedError, zlib.error, lzma.LZMAError),
    ) as error:
        if _saved_by_torch(path):
            raise InputError(
                f"{path}: what torch.save wrote, and weights alone do not say what network they are "
                "of; give the zip that MaskablePPO.save wrote"
            ) from None
        raise MODEL_FILE.damaged(path, reason_of(error)) from None
    data = decode_json(description, dict[str, Any], MODEL_FILE, where=path)
    return Archive(path, data, decode_tensors(tensors, f"{path}: policy.pth", MEND))


def _require_size(archive: zipfile.ZipFile, path: Path) -> None:
    size = sum(item.file_size for item in archive.infolist() if item.filename in MEMBERS)
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: would unpack to {byte_size(size)}, more than the {byte_size(MOST_BYTES)} that a "
            "policy may take; give a model with an MlpPolicy"
        )


def _saved_by_torch(path: Path) -> bool:
    """Return whether a file is a zip of torch's own, which holds a pickle beside its tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


@dataclass(frozen=True)
class Normalizer:
    """What a VecNormalize does to observations and rewards.

    Attributes:
        statistics: mean (D,), var (D,) and count () of raw observations, float64; None where it
            leaves observations as they are (``norm_obs=False``).
        norm_reward: whether it scales rewards.
    """

    statistics: dict[str, np.ndarray[Any, np.dtype[np.float64]]] | None
    norm_reward: bool


def read_normalizer(path: Path) -> Normalizer:
    """Read what ``VecNormalize.save`` wrote; runs nothing.

    Raises:
        InputError: it can't be read, or normalises observations by another formula.
    """
    try:
        unpickled = read_pickle(path.read_bytes())
        stored = vars(unpickled)
        _require_class(unpickled, VEC_NORMALIZE, path)
        rewards = bool(stored["norm_reward"])
        if not stored["norm_obs"]:
            return Normalizer(None, rewards)
        _require_class(stored["obs_rms"], RUNNING_MEAN, path)
        rms = vars(stored["obs_rms"])
        numbers = {name: _numbers(rms[name]) for name in ("mean", "var", "count")}
        clip, epsilon = float(stored["clip_obs"]), float(stored["epsilon"])
        if numbers["mean"].ndim != 1 or numbers["mean"].shape != numbers["var"].shape:
            raise ValueError("mean and var are no two rows of the same length")
        _require_statistics(numbers, path)
    except InputError:
        raise
    except (
        *(pickle.UnpicklingError, OSError, KeyError, TypeError, ValueError, AttributeError),
    ) as error:
        raise InputError(
            f"{path}: not a VecNormalize of plain observations ({reason_of(error)}); give what "
            "VecNormalize.save wrote"
        ) from None
    if (clip, epsilon) != (CLIP, EPSILON):
        raise InputError(
            f"{path}: normalises with clip_obs {clip:g} and epsilon {epsilon:g}; policies here use "
            f"{CLIP:g} and {EPSILON:g}, so go on training it behind a VecNormalize with these"
        )
    return Normalizer(numbers, rewards)


def _require_statistics(numbers: dict[str, np.ndarray[Any, np.dtype[np.float64]]], path: Path) -> None:
    """Refuse statistics by which no observation could be normalised."""
    for name, values in numbers.items():
        if not np.isfinite(values).all() or (name != "mean" and (values < 0).any()):
            raise InputError(
                f"{path}: its {name} holds what is no number, or is negative, so what it normalises "
                "is no number; give the normaliser of an earlier model of the run"
            )


def _require_class(value: Any, wanted: str, path: Path) -> None:
    """Refuse a class of one's own, which may normalise by any formula."""
    name = getattr(value, "path", None)
    if name is not None and name != wanted:
        raise InputError(
            f"{path}: not a VecNormalize of SB3's own but {name:.80}, and what such a class does is "
            f"not known here; train with {wanted.rsplit('.', 1)[1]} as SB3 has it"
        )


def _numbers(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return an array or a number as float64; nested lists, which can be endless, are refused."""
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        raise TypeError(f"{type(value).__name__} where numbers should be")
    return np.asarray(value, np.float64)


def last_seen_raw(archive: Archive) -> bool | None:
    """Return whether the last observations that a model saw in training were raw; None if it saw none.

    SB3 saves them with the model. Normalised ones lie within the clip; raw ones never all do, since
    closes, volumes and relative strengths are among them.
    """
    last = archive.stored("_last_obs")
    if not isinstance(last, np.ndarray) or last.dtype.kind not in "fiu" or not last.size:
        return None
    return bool(np.abs(last.astype(np.float64)).max() > CLIP)
