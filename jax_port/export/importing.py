"""Weights in: what PyTorch or SB3 users hold, as a policy file of the port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foundation.files import file_digest
from foundation.json_reading import Artifact, Struct, read_json
from jax_port.evaluation.evaluate import check_policy
from jax_port.export import sb3
from jax_port.export.advised import TRAINED_WITH, require_no_prior
from jax_port.export.bundle import POLICY, STATE
from jax_port.export.checks.tensors import CONVERTED, as_float32, read_tensors
from jax_port.export.layers import same_bits, to_flax
from jax_port.export.manifest import MANIFEST, UNGATED, read_manifest
from jax_port.ppo.policy import Policy, load_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, InputError

REFERENCE_MODEL, REFERENCE_RUN = "model.zip", "run.json"
"""What a run of the reference's trainer holds beside its normaliser."""


MOMENTS = ("mean", "var", "count")
MEND = "save it with torch.save(policy.state_dict(), ...)"


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
        InputError: it can't be read, does not fit the rules, or says itself what is given otherwise.
    """
    if source.is_dir():
        source, config = _of_folder(source, config)
    if not source.is_file():
        raise InputError(f"{source}: no such file; give a MaskablePPO zip, a policy.pt or a bundle")
    if source.suffix == ".pt":
        policy = _read_state(source)
        _require_own_word(source, policy, normalizer, config, raw)
    else:
        policy = sb3.load_sb3(source, normalizer, config, raw)
    check_policy(policy, source)
    return policy


def _require_own_word(
    path: Path, policy: Policy, normalizer: Path | None, config: EnvConfig | None, raw: bool
) -> None:
    """Require that nothing is given which a state dict or its manifest says otherwise.

    Raises:
        InputError: rules, a normaliser or its absence are, which would be passed over.
    """
    if normalizer is not None:
        raise InputError(f"{path}: its normaliser is in it; leave out --vecnormalize {normalizer}")
    if raw and policy.statistics is not None:
        raise InputError(f"{path}: it holds a normaliser; leave out --raw-observations")
    if config is None or config == policy.config:
        return
    raise _other_rules(path, MANIFEST, policy.config, config)


def _other_rules(path: Path, says: str, own: EnvConfig, given: EnvConfig) -> InputError:
    """Return the error that rules are given of which a file beside a policy says others."""
    theirs, other = own.to_dict(), given.to_dict()
    differing = next(name for name in theirs if theirs[name] != other.get(name))
    return InputError(
        f"{path}: the {says} beside it says its rules, among them {differing} {theirs[differing]}, "
        f"not {other.get(differing)}; leave out --phase and --set"
    )


def _of_folder(folder: Path, config: EnvConfig | None) -> tuple[Path, EnvConfig | None]:
    """Return the file of a folder that holds the weights, and the rules if it says them.

    Raises:
        InputError: a run has other rules than those given, or there is not one model here.
    """
    if (folder / MANIFEST).is_file():
        return folder / STATE, config
    run = folder / REFERENCE_RUN
    if not (folder / REFERENCE_MODEL).is_file() or not run.is_file():
        return _only_zip(folder), config
    artifact = Artifact("run of the reference's trainer", "give the model's zip and --phase")
    told = read_json(run, _ReferenceRun, artifact).env_config
    with artifact.checked(run):
        own = EnvConfig.from_dict(told)
    if config not in (None, own):
        raise _other_rules(folder / REFERENCE_MODEL, REFERENCE_RUN, own, config)
    return folder / REFERENCE_MODEL, own


def _only_zip(folder: Path) -> Path:
    """Return the one zip of a folder, as SB3's users lay it beside its normaliser."""
    zips = sorted(path for path in folder.glob("*.zip") if path.is_file())
    if len(zips) == 1:
        return zips[0]
    several = f"several models ({', '.join(path.name for path in zips[:4])})" if zips else "no model"
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
    require_no_prior(manifest.get(TRAINED_WITH), path)
    state = read_tensors(path, MEND)
    statistics = None
    if manifest["normalizer"] is not None:
        statistics = _statistics(
            {name: state.pop(f"statistics.{name}", None) for name in MOMENTS}, path
        )
    weights, converted = as_float32(state, path, MEND)
    network = manifest["network"]
    spec = NetworkSpec(
        tuple(layer["out"] for layer in network["policy"][:-1]),
        tuple(layer["out"] for layer in network["value"][:-1]),
        network["activation"],
    )
    try:
        params = to_flax(weights, spec)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    imported = {"from": path.name, "sha256": file_digest(path)}
    if converted:
        imported[CONVERTED] = converted
    # Weights may have been trained further; the proof of the run they came from is not theirs. They are
    # held to the run's own policy, since a list of files could have been changed with them.
    try:
        config = EnvConfig.from_dict(manifest["env_config"])
    except InputError as error:
        raise InputError(f"{path.with_name(MANIFEST)}: {error}") from None
    policy = Policy(spec, params, statistics, config)
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


def _statistics(found: Mapping[str, torch.Tensor | None], path: Path) -> dict[str, NDArray[np.float64]]:
    """Return a normaliser's moments in float64: mean (D,), var (D,) and count ().

    Raises:
        InputError: one is missing, two are of different sizes, or a variance or count is negative.
    """
    made = {}
    for name, value in found.items():
        if value is None:
            raise InputError(f"{path}: statistics.{name} is missing; {MEND}")
        made[name] = value.to(torch.float64).numpy()
    shapes = [made[name].shape for name in MOMENTS]
    if len(shapes[0]) != 1 or shapes[1] != shapes[0] or shapes[2] != ():
        raise InputError(f"{path}: its statistics are of the shapes {shapes}; {MEND}")
    if (made["var"] < 0).any() or made["count"] < 0:
        raise InputError(f"{path}: its statistics hold a negative variance or count; {MEND}")
    return made
