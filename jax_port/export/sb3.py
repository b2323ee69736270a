"""A policy as sb3-contrib's MaskablePPO with SB3's VecNormalize, and back.

SB3's own files are pickles in part, and loading one runs what is in it. Nothing here does: weights are
read as plain tensors, and of the normaliser's pickle only arrays and numbers are rebuilt.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.envs.registry import phase_of
from jax_port.export.layers import from_sb3, sb3_spec, to_flax, to_sb3, to_torch
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP, EPSILON
from jax_port.ppo.settings import RATES, TrainSettings
from jax_port.runs.gate import UNGATED
from markets import EnvConfig, InputError

MODEL, NORMALIZER = "maskable_ppo.zip", "vecnormalize.pkl"
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
NOTE = "rltrader"
"""Attribute in which both files carry what they were made from."""


class Spaces(gymnasium.Env[NDArray[np.float32], np.int64]):
    """What SB3 asks of an environment before it has one: its spaces."""

    def __init__(self, observations: int, actions: int) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (observations,), np.float32)
        self.action_space = spaces.Discrete(actions)


def make_sb3(policy: Policy) -> tuple[MaskablePPO, VecNormalize]:
    """Return a MaskablePPO with a policy's weights, and its normaliser; the optimiser is fresh.

    Rates are the run's own. Rollouts are SB3-sized (2048 steps, batches of 512), since the run's count
    on a thousand environments.
    """
    learnt = policy.about.get("settings") or {}
    settings = {name: learnt[name] for name in (*RATES, "n_epochs") if name in learnt}
    plain = TrainSettings()
    rates = {name: settings.get(name, getattr(plain, name)) for name in (*RATES, "n_epochs")}
    size = policy.statistics["mean"].shape[0]
    actions = phase_of(policy.config).num_actions
    normalizer = VecNormalize(
        DummyVecEnv([lambda: Spaces(size, actions)]),
        clip_obs=CLIP,
        epsilon=EPSILON,
        gamma=rates["gamma"],
    )
    model = MaskablePPO(
        "MlpPolicy",
        normalizer,
        n_steps=2048,
        batch_size=512,
        seed=int(learnt.get("seed", 0)),
        policy_kwargs={
            "net_arch": {"pi": list(policy.spec.pi), "vf": list(policy.spec.vf)},
            "activation_fn": ACTIVATIONS[policy.spec.activation],
        },
        device="cpu",
        **rates,
    )
    weights = {name: torch.tensor(value) for name, value in to_sb3(to_torch(policy.params)).items()}
    model.policy.load_state_dict(weights, strict=True)
    moments: Any = normalizer.obs_rms
    moments.mean = np.array(policy.statistics["mean"], np.float64)
    moments.var = np.array(policy.statistics["var"], np.float64)
    moments.count = float(policy.statistics["count"])
    note = {
        "env_config": policy.config.to_dict(),
        "made": dict(policy.about),
        "weights_sha256": weights_digest(policy),
    }
    setattr(model, NOTE, note)
    setattr(normalizer, NOTE, note)
    return model, normalizer


def save_sb3(policy: Policy, folder: Path) -> None:
    """Write :data:`MODEL` and :data:`NORMALIZER` into a folder."""
    model, normalizer = make_sb3(policy)
    model.save(folder / MODEL)
    normalizer.save(str(folder / NORMALIZER))


def load_sb3(model: Path, normalizer: Path, config: EnvConfig | None = None) -> Policy:
    """Read a MaskablePPO and its normaliser as a policy; nothing of them is run.

    Args:
        model: SB3's zip.
        normalizer: SB3's pickle of a VecNormalize.
        config: rules of the environment; by default what :func:`save_sb3` noted in the zip.

    Raises:
        InputError: a file can't be read, the network is not two plain towers, the normaliser's formula
            is another, or the rules are not known.
    """
    data, state = _read_zip(model)
    found = data.get(NOTE)
    note: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if config is None:
        if not note:
            raise InputError(
                f"{model}: does not say which environment it is for; say so with --phase, and --set "
                "for what differs from its defaults"
            )
        try:
            config = EnvConfig.from_dict(note["env_config"])
        except (KeyError, TypeError):
            raise InputError(
                f"{model}: its note of the environment is damaged; say with --phase which it is for"
            ) from None
    spec = sb3_spec(state, _activation(data, model))
    weights = {name: value.numpy() for name, value in from_sb3(state, spec).items()}
    policy = Policy(spec, to_flax(weights, spec), read_statistics(normalizer), config)
    return replace(policy, about=_about(policy, note, model))


def weights_digest(policy: Policy) -> str:
    """Return the SHA-256 of a policy's weights and statistics, in hex."""
    h = hashlib.sha256()
    for name, value in sorted({**to_torch(policy.params), **dict(policy.statistics)}.items()):
        h.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return h.hexdigest()


def _about(policy: Policy, note: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return provenance: the run's own where nothing was changed since, else that it was imported."""
    imported = {"from": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    made = dict(note.get("made") or {})
    if note.get("weights_sha256") == weights_digest(policy):
        return {**made, "imported": imported}
    found: dict[str, Any] = {"imported": imported, "certificate": UNGATED}
    return {**found, "ancestor": made} if made else found


def _read_zip(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return a zip's description and its policy's tensors."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a model that MaskablePPO.save wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
            tensors = io.BytesIO(archive.read("policy.pth"))
        state = dict(torch.load(tensors, weights_only=True, map_location="cpu"))
        finite = {name: bool(torch.isfinite(value).all()) for name, value in state.items()}
        data = dict(data)
    except (
        *(zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError, OSError),
        pickle.UnpicklingError,
    ) as error:
        raise InputError(
            f"{path}: not a model of SB3 ({type(error).__name__}); give what MaskablePPO.save wrote"
        ) from None
    if not all(finite.values()):
        name = next(name for name, good in finite.items() if not good)
        raise InputError(f"{path}: {name} holds what is no number; give an earlier model of the run")
    return data, state


def _activation(data: Mapping[str, Any], path: Path) -> str:
    """Return the activation's name; SB3's own default is Tanh, and shapes do not tell it."""
    kwargs = data.get("policy_kwargs")
    text = str(kwargs.get("activation_fn", "Tanh")) if isinstance(kwargs, Mapping) else "Tanh"
    for name, kind in ACTIVATIONS.items():
        if kind.__name__ in text:
            return name
    raise InputError(f"{path}: its activation {text} is not one of {', '.join(ACTIVATIONS)}")


class _Shell(dict[Any, Any]):
    """Stands for every class in a pickle that is not an array: it holds a state, and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):  # a random generator's is a tuple
            self.__dict__.update(state)


class _Reader(pickle.Unpickler):
    """An unpickler that rebuilds arrays and leaves everything else as shells."""

    _ARRAYS = frozenset({"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"})

    def find_class(self, module: str, name: str) -> Any:
        """Return NumPy's own rebuilding functions, else a shell."""
        if module.split(".")[0] == "numpy" and name in self._ARRAYS:
            return super().find_class(module, name)
        return _Shell


def read_statistics(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return mean (D,), var (D,) and count () of a pickled VecNormalize, float64; runs nothing.

    Raises:
        InputError: it can't be read, observations are not normalised, or by another formula.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give what VecNormalize.save wrote beside the model")
    try:
        with path.open("rb") as file:
            found = vars(_Reader(file).load())
        rms = vars(found["obs_rms"])
        numbers = {name: np.asarray(rms[name], np.float64) for name in ("mean", "var", "count")}
        used, clip, epsilon = bool(found["norm_obs"]), float(found["clip_obs"]), float(found["epsilon"])
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: not a VecNormalize of plain observations ({type(error).__name__}); give what "
            "VecNormalize.save wrote"
        ) from None
    if not used or (clip, epsilon) != (CLIP, EPSILON):
        raise InputError(
            f"{path}: normalises with clip_obs {clip:g}, epsilon {epsilon:g}, norm_obs {used}; "
            f"policies here use {CLIP:g}, {EPSILON:g} and True, so train it with these"
        )
    return numbers
