"""Weights in: what PyTorch or SB3 users hold, as a policy file of the port."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from foundation.files import file_digest
from foundation.json_reading import Artifact, Struct, read_json
from jax_port.evaluation.evaluate import check_policy
from jax_port.export import sb3
from jax_port.export.bundle import POLICY, STATE
from jax_port.export.layers import same_bits, to_flax
from jax_port.export.manifest import MANIFEST, UNGATED, read_manifest
from jax_port.ppo.policy import Policy, load_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, InputError

REFERENCE_MODEL, REFERENCE_RUN = "model.zip", "run.json"
"""What a run of the reference's trainer holds beside its normaliser."""


class _ReferenceRun(Struct):
    env_config: dict[str, Any]


def read_policy(
    source: Path,
    normalizer: Path | None = None,
    config: EnvConfig | None = None,
    raw: bool = False,
) -> Policy:
    """Return what a file or folder holds as a policy. Nothing in it is run.

    Args:
        source: a MaskablePPO zip, a state dict ``.pt`` beside a bundle's manifest, a bundle, or a run
            of the reference's trainer.
        normalizer: SB3's normaliser, by default ``vecnormalize.pkl`` beside the zip.
        config: rules of the environment, where the files do not say them.
        raw: a zip was trained without a VecNormalize, and what lies beside it is not its own.

    Raises:
        InputError: it can't be read, or does not fit the rules.
    """
    if source.is_dir():
        source, config = _of_folder(source, config)
    if not source.is_file():
        raise InputError(f"{source}: no such file; give a MaskablePPO zip, a policy.pt or a bundle")
    if source.suffix == ".pt":
        policy = _read_state(source)
    else:
        policy = sb3.load_sb3(source, normalizer, config, raw)
    check_policy(policy, source)
    return policy


def _of_folder(folder: Path, config: EnvConfig | None) -> tuple[Path, EnvConfig | None]:
    """Return the file of a folder that holds the weights, and the rules if it says them."""
    if (folder / MANIFEST).is_file():
        return folder / STATE, config
    run = folder / REFERENCE_RUN
    if not (folder / REFERENCE_MODEL).is_file() or not run.is_file():
        return _only_zip(folder), config
    artifact = Artifact("run of the reference's trainer", "give the model's zip and --phase")
    values = read_json(run, _ReferenceRun, artifact)
    return folder / REFERENCE_MODEL, config or EnvConfig.from_dict(values.env_config)


def _only_zip(folder: Path) -> Path:
    """Return the one zip of a folder, as SB3's users lay it beside its normaliser."""
    found = sorted(path for path in folder.glob("*.zip") if path.is_file())
    if len(found) == 1:
        return found[0]
    several = f"several models ({', '.join(path.name for path in found[:4])})" if found else "no model"
    raise InputError(
        f"{folder}: neither a bundle nor a run of MaskablePPO, and {several} here; give the model's "
        "zip itself"
    )


def _read_state(path: Path) -> Policy:
    """Return a state dict as a policy; the manifest beside it says its shape and rules."""
    if not (path.parent / MANIFEST).is_file():
        raise InputError(
            f"{path}: weights alone do not say what network they are of; give the zip that "
            "MaskablePPO.save wrote, or the bundle with its manifest.json"
        )
    manifest = read_manifest(path.parent)
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        arrays = {name: value.numpy() for name, value in state.items()}
        statistics = None
        if manifest["normalizer"] is not None:
            statistics = {name: arrays.pop(f"statistics.{name}") for name in ("mean", "var", "count")}
        network = manifest["network"]
        spec = NetworkSpec(
            tuple(layer["out"] for layer in network["policy"][:-1]),
            tuple(layer["out"] for layer in network["value"][:-1]),
            network["activation"],
        )
    except (RuntimeError, EOFError, KeyError, AttributeError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path}: not a state dict of a bundle ({type(error).__name__}); save it with "
            "torch.save(policy.state_dict(), ...)"
        ) from None
    imported = {"from": path.name, "sha256": file_digest(path)}
    # Weights may have been trained further; the proof of the run they came from is not theirs. They are
    # held to the run's own policy, since a list of files could have been changed with them.
    policy = Policy(
        spec, to_flax(arrays, spec), statistics, EnvConfig.from_dict(manifest["env_config"])
    )
    own = path.with_name(POLICY)
    made = load_policy(own) if own.is_file() else None
    if (
        made is not None
        and (made.spec, made.config) == (policy.spec, policy.config)
        and not same_bits(made, policy)
    ):
        return replace(policy, about={**made.about, "imported": imported})
    about = {"certificate": UNGATED, "ancestor": dict(manifest["made"])}
    return replace(policy, about={**about, "imported": imported})
