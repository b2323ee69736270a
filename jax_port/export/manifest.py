"""What a bundle says of itself: everything that is needed to decide as the trained policy does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jax_port.envs.registry import phase_of
from jax_port.ppo.networks import FORBIDDEN_LOGIT
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP, EPSILON
from jax_port.runs.run import file_digest
from markets import Contract, InputError, get_contract
from markets.bars import FEATURES

KIND = "rltrader bundle"
VERSION = 1
MANIFEST = "manifest.json"

ACTIONS = ("hold", "buy", "sell", "break_even", "trail_on", "trail_off")
POSITION = (
    "position",
    "entry_ratio",
    "stop_distance",
    "target_distance",
    "time_in_position",
    "can_enter",
    "at_break_even",
    "trailing",
)
MASKS = {
    1: ("always", "flat", "flat"),
    2: (
        "always",
        "flat and in the entry window",
        "flat and in the entry window",
        "open, in profit at the close, stop not yet at break-even",
        "open, in profit at the close, stop at break-even or past it, not trailing",
        "open and trailing",
    ),
}
PARTS = (
    *("phase", "actions", "observation", "normalizer", "network", "masks"),
    *("contract", "env_config", "certificate", "source", "made", "files"),
)
UNGATED = "ungated"


def describe(policy: Policy, contract: Contract, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle's manifest, ready for JSON, but for its list of files.

    Args:
        policy: what is exported.
        contract: what it trades.
        source: where the policy came from: file and SHA-256.
    """
    phase, config = phase_of(policy.config), policy.config
    return {
        "kind": KIND,
        "version": VERSION,
        "phase": phase.number,
        "actions": list(ACTIONS[: phase.num_actions]),
        "observation": {
            "size": config.window_size * len(FEATURES) + phase.position_features,
            "window": config.window_size,
            "features": list(FEATURES),
            "position": list(POSITION[: phase.position_features]),
            "order": "bars t-window to t-1, oldest first, each with its features; then position at t",
        },
        "normalizer": {
            "formula": "clip((x - mean) / sqrt(var + epsilon), -clip, clip)",
            "epsilon": EPSILON,
            "clip": CLIP,
            "count": float(policy.statistics["count"]),
            "mean": policy.statistics["mean"].tolist(),
            "var": policy.statistics["var"].tolist(),
        },
        "network": {
            "activation": policy.spec.activation,
            "kernel": "NAME.kernel (in, out), row by row; out = in . kernel + NAME.bias; float32",
            **{tower: _layers(policy, names) for tower, names in policy.spec.towers.items()},
        },
        "masks": {"forbidden_logit": FORBIDDEN_LOGIT, "allowed_when": list(MASKS[phase.number])},
        "contract": asdict(contract),
        "env_config": config.to_dict(),
        "certificate": policy.about.get("certificate") or UNGATED,
        "source": dict(source),
        "made": dict(policy.about),
    }


def _layers(policy: Policy, names: Sequence[str]) -> list[dict[str, Any]]:
    layers = policy.params["params"]
    shapes = {name: layers[name]["kernel"].shape for name in names}
    return [{"name": name, "in": int(shape[0]), "out": int(shape[1])} for name, shape in shapes.items()]


def contract_of(policy: Policy, symbol: str | None) -> Contract:
    """Return what a policy trades: the symbol given, else that of its training data.

    Raises:
        InputError: none is given, and training data are not known or of several contracts.
    """
    if symbol:
        return get_contract(symbol)
    data = policy.about.get("data")
    entries = data if isinstance(data, list) else [data]
    symbols = {
        str(entry["symbol"]) for entry in entries if isinstance(entry, Mapping) and "symbol" in entry
    }
    if len(symbols) != 1:
        found = (
            f"was trained on {', '.join(sorted(symbols))}" if symbols else "does not say its contract"
        )
        raise InputError(f"the policy {found}; say with --symbol which contract it is to trade")
    return get_contract(symbols.pop())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest.

    Raises:
        InputError: there is none, or it is of another kind or version.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind, version = found["kind"], found["version"]
        missing = [name for name in PARTS if name not in found] if version == VERSION else []
        if version == VERSION and not missing:
            _check_form(found)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no bundle here; give a folder that `rltrader export` wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a readable manifest ({type(error).__name__}: {error}); export the policy anew"
        ) from None
    if (kind, version) != (KIND, VERSION):
        raise InputError(
            f"{path}: {kind!r} version {version!r} is not {KIND!r} version {VERSION}; use the version "
            "of this program that wrote it, or export the policy anew"
        )
    if missing:
        raise InputError(f"{path}: no {', '.join(missing)}; export the policy anew")
    return dict(found)


def _check_form(found: Mapping[str, Any]) -> None:
    """Touch all that is read out of a manifest, so that what is missing is missed here."""
    network, normalizer = found["network"], found["normalizer"]
    for layer in (*network["policy"], *network["value"]):
        str(layer["name"]), int(layer["in"]), int(layer["out"])
    str(network["activation"]), int(found["observation"]["size"]), len(found["actions"])
    for name in ("epsilon", "clip"):
        float(normalizer[name])
    for name in ("mean", "var"):
        [float(x) for x in normalizer[name]]
    for name in ("contract", "env_config", "source", "made", "files"):
        found[name].items()


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a bundle with a file that is not the one its manifest was written for.

    Raises:
        InputError: naming the file.
    """
    for name, digest in sorted(manifest["files"].items()):
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: no such file; copy the whole bundle")
        if file_digest(path) != digest:
            raise InputError(
                f"{path}: not the file that {MANIFEST} was written for; copy the bundle again, or "
                "export the policy anew"
            )
