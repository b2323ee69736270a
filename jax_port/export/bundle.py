"""Write a policy as a bundle: one folder that PyTorch, SB3, ONNX and NinjaTrader take as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from foundation.files import atomic_folder, file_digest, write_from_memory, write_json
from foundation.provenance import versions
from jax_port.data.own_features import require_computed_features
from jax_port.evaluation.evaluate import check_policy
from jax_port.export import torch_policy
from jax_port.export.advised import TRAINED_WITH, fusion_of, load_network
from jax_port.export.golden import GOLDEN, make_golden
from jax_port.export.layers import to_torch
from jax_port.export.manifest import MANIFEST, contract_of, describe, require_live_rules
from jax_port.export.programs import ONNX, PROGRAM, save_onnx, save_program
from jax_port.export.sb3 import MODEL, NORMALIZER, save_sb3
from jax_port.ppo.policy import Policy
from markets import InputError
from markets.advice.fusion import FusionSettings

POLICY, STATE, MODULE = "policy.safetensors", "policy.pt", "torch_policy.py"
FILES = (POLICY, STATE, MODULE, PROGRAM, ONNX, MODEL, NORMALIZER, GOLDEN)
PACKAGES = ("jax", "flax", "numpy", "torch", "stable-baselines3", "sb3-contrib", "onnx", "onnxscript")

OnProgress = Callable[[str], None]

COMPUTED_LIVE = "a live strategy computes them, so train on computed features what is to be exported"


def export(
    source: Path,
    to: Path,
    symbol: str | None = None,
    on_progress: OnProgress = lambda what: None,
    fusion: FusionSettings | None = None,
) -> dict[str, Any]:
    """Write a policy file as a bundle and return its manifest.

    The folder appears whole or not at all.

    Args:
        source: a policy file.
        to: the bundle's folder; must not exist, or be empty.
        symbol: contract to trade; by default that of the training data.
        on_progress: told the name of each file before it is written.
        fusion: how a live strategy fuses the policy with a service's advice; None for the bare policy.
            A policy that was trained with a prior has its own.

    Raises:
        InputError: the policy can't be read, fits no contract, has rules that the live strategy
            refuses, was trained with advice as columns or on features of a file's own, the place is
            taken, or the fusion needs what a live policy is not told.
    """
    digest = file_digest(source) if source.is_file() else ""
    policy, use = load_network(source)
    check_policy(policy)
    if use is not None:
        if fusion is not None:
            raise InputError(
                f"{source}: trained with advice as a prior, which is its fusion; leave --fusion out"
            )
        fusion = fusion_of(use, source)
    contract = contract_of(policy, symbol)
    require_live_rules(policy.config)
    require_computed_features(policy.about, COMPUTED_LIVE)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to}: there is something here already; choose another --to")
    manifest = describe(policy, contract, {"file": source.name, "sha256": digest})
    if fusion is not None:
        if fusion.rule == "veto":
            raise InputError(
                "the fusion rule veto goes by the account's losses, which a live policy is not told; "
                "choose another, such as gated"
            )
        manifest["fusion"] = fusion.to_dict()
    manifest[TRAINED_WITH] = None if use is None else use.to_dict()
    with atomic_folder(to) as made:
        for name, write in _writers(policy, manifest, source).items():
            on_progress(name)
            write(made / name)
        if {file_digest(source), file_digest(made / POLICY)} != {digest}:
            raise InputError(
                f"{source}: changed while it was exported, as a running training's does; export it "
                "again, or a copy of it"
            )
        manifest["exported_with"] = versions(PACKAGES)
        manifest["files"] = {name: file_digest(made / name) for name in FILES}
        write_json(made / MANIFEST, manifest)
    return manifest


def make_module(policy: Policy, manifest: dict[str, Any]) -> torch_policy.TradingPolicy:
    """Return a policy as the torch module of a bundle, in float32.

    Raises:
        InputError: the manifest says another of normalising observations than the policy.
    """
    if (manifest["normalizer"] is None) != (policy.statistics is None):
        raise InputError(
            "the manifest and the policy differ in whether observations are normalised: one has "
            "statistics and the other has none; export the policy anew"
        )
    module = torch_policy.from_manifest(manifest)
    module.load_state_dict(state_of(policy), strict=True)
    return module.eval()


def state_of(policy: Policy) -> dict[str, torch.Tensor]:
    """Return weights and statistics as a plain state dict, by layer names."""
    statistics = {
        f"statistics.{name}": torch.tensor(value) for name, value in (policy.statistics or {}).items()
    }
    return {**{name: torch.tensor(x) for name, x in to_torch(policy.params).items()}, **statistics}


def _writers(
    policy: Policy, manifest: dict[str, Any], source: Path
) -> dict[str, Callable[[Path], object]]:
    """Return what writes each file of a bundle, by name."""
    module = make_module(policy, manifest)
    contract = contract_of(policy, manifest["contract"]["symbol"])

    def write_state(path: Path) -> None:
        write_from_memory(path, lambda stream: torch.save(state_of(policy), stream))

    def write_golden(path: Path) -> None:
        write_json(path, make_golden(policy, contract), indent=None)

    return {
        POLICY: lambda path: shutil.copyfile(source, path),
        STATE: write_state,
        MODULE: lambda path: shutil.copyfile(torch_policy.__file__, path),
        PROGRAM: lambda path: save_program(module, path),
        ONNX: lambda path: save_onnx(module, path),
        MODEL: lambda path: save_sb3(policy, path.parent, manifest[TRAINED_WITH]),  # and NORMALIZER
        GOLDEN: write_golden,
    }
